//! Tags of objects, and the rules that hold for all tags.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>

use std::collections::BTreeSet;
use std::sync::Arc;

use http::StatusCode;
use s3s::dto;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::super::error::custom;
use super::super::index::Change;
use super::super::object::Object;
use super::{Answer, Api, blocking, only_version};

pub(super) const OBJECT_LIMIT: usize = 10;
pub(super) const BUCKET_LIMIT: usize = 50;

/// Checks number, length and uniqueness.
pub(super) fn check(tags: &[(String, String)], limit: usize) -> S3Result<()> {
    if tags.len() > limit {
        return Err(custom(
            "BadRequest",
            StatusCode::BAD_REQUEST,
            format!("Tags cannot be more than {limit}"),
        ));
    }
    let mut keys = BTreeSet::new();
    for (key, value) in tags {
        if !(1..=128).contains(&key.chars().count()) || key.starts_with("aws:") {
            return Err(s3_error!(
                InvalidTag,
                "The TagKey you have provided is invalid"
            ));
        }
        if value.chars().count() > 256 {
            return Err(s3_error!(
                InvalidTag,
                "The TagValue you have provided is invalid"
            ));
        }
        if !keys.insert(key) {
            return Err(s3_error!(
                InvalidTag,
                "Cannot provide multiple Tags with the same key"
            ));
        }
    }
    Ok(())
}

/// The tags of a request body.
pub(super) fn from_wire(tagging: &dto::Tagging) -> S3Result<Vec<(String, String)>> {
    tagging
        .tag_set
        .iter()
        .map(|tag| match &tag.key {
            Some(key) => Ok((key.clone(), tag.value.clone().unwrap_or_default())),
            None => Err(s3_error!(
                InvalidTag,
                "The TagKey you have provided is invalid"
            )),
        })
        .collect()
}

/// The tags of an answer.
pub(super) fn to_wire(tags: impl IntoIterator<Item = (String, String)>) -> dto::TagSet {
    tags.into_iter()
        .map(|(key, value)| dto::Tag {
            key: Some(key),
            value: Some(value),
        })
        .collect()
}

/// The tags of an `x-amz-tagging` header: encoded like a query.
pub(super) fn from_header(header: Option<&str>) -> S3Result<Vec<(String, String)>> {
    let tags: Vec<_> = form_urlencoded::parse(header.unwrap_or_default().as_bytes())
        .into_owned()
        .collect();
    check(&tags, OBJECT_LIMIT)?;
    Ok(tags)
}

pub(super) fn get(
    api: &Api,
    request: &S3Request<dto::GetObjectTaggingInput>,
) -> Answer<dto::GetObjectTaggingOutput> {
    let input = &request.input;
    only_version(input.version_id.as_deref())?;
    let object = api.bucket(request, &input.bucket)?.object(&input.key)?;
    let tag_set = to_wire(object.attributes.tags.clone());
    Ok(S3Response::new(dto::GetObjectTaggingOutput {
        tag_set,
        version_id: None,
    }))
}

pub(super) async fn put(
    api: &Api,
    request: S3Request<dto::PutObjectTaggingInput>,
) -> Answer<dto::PutObjectTaggingOutput> {
    let input = &request.input;
    only_version(input.version_id.as_deref())?;
    let tags = from_wire(&input.tagging)?;
    check(&tags, OBJECT_LIMIT)?;
    set(api, &request, &input.bucket, &input.key, tags).await?;
    Ok(S3Response::new(dto::PutObjectTaggingOutput::default()))
}

pub(super) async fn delete(
    api: &Api,
    request: S3Request<dto::DeleteObjectTaggingInput>,
) -> Answer<dto::DeleteObjectTaggingOutput> {
    let input = &request.input;
    only_version(input.version_id.as_deref())?;
    set(api, &request, &input.bucket, &input.key, Vec::new()).await?;
    Ok(S3Response::new(dto::DeleteObjectTaggingOutput::default()))
}

async fn set<T>(
    api: &Api,
    request: &S3Request<T>,
    bucket: &str,
    key: &str,
    tags: Vec<(String, String)>,
) -> S3Result<()> {
    let bucket = api.bucket(request, bucket)?;
    let key = key.to_owned();
    blocking(move || {
        bucket.commit(None, |contents| {
            let Some(object) = contents.objects.get(&key) else {
                return Err(s3_error!(NoSuchKey, "The specified key does not exist."));
            };
            let mut tagged = Object::clone(object);
            tagged.attributes.tags = tags;
            Ok(vec![Change::Put {
                key,
                object: Arc::new(tagged),
            }])
        })
    })
    .await
}
