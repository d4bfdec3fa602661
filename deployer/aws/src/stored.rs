//! Buckets and what is in them.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, CreateBucketConfiguration, Delete, EncodingType, ObjectIdentifier,
    Tag,
};
use deployer_core::inventory::FoundBucket;
use deployer_core::names::{
    Kind, ResourceId, ResourceName, Scope, TAG_DEPLOYMENT, TAG_HOME, TAG_RESOURCE,
};
use percent_encoding::percent_decode_str;

use crate::account::Account;
use crate::error::{AwsError, During, Meaning, gone_is_fine};

/// What a folder of a bucket comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The buckets that are ours, by their hashed names.
pub(crate) async fn buckets(
    account: &Account,
    scope: &Scope,
) -> Result<Vec<FoundBucket>, AwsError> {
    let prefix = format!("{}-", scope.prefix());
    let mut pages = account
        .s3
        .list_buckets()
        .prefix(&prefix)
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(bucket) = pages.next().await {
        let bucket = bucket.during("ListBuckets")?;
        let Some(name) = bucket.name() else { continue };
        let resource = name
            .strip_prefix(&prefix)
            .and_then(|rest| rest.rsplit_once('-'));
        if let Some(Ok(resource)) = resource.map(|(r, _)| r.parse::<ResourceName>()) {
            found.push(FoundBucket {
                name: name.to_owned(),
                resource,
                is_home: false,
            });
        }
    }
    // One alone is the home, whatever it says.
    if found.len() > 1 {
        for bucket in &mut found {
            bucket.is_home = is_home(account, &bucket.name).await?;
        }
    }
    Ok(found)
}

async fn is_home(account: &Account, bucket: &str) -> Result<bool, AwsError> {
    let answer = account.s3.get_bucket_tagging().bucket(bucket).send().await;
    match answer.during("GetBucketTagging") {
        Err(error) if error.meaning() == Meaning::NotFound => Ok(false),
        answer => Ok(answer?.tag_set().iter().any(|t| t.key() == TAG_HOME)),
    }
}

/// Whether a bucket holds nothing, old versions included. One that is gone holds nothing.
///
/// # Errors
/// When the listing fails.
pub(crate) async fn is_empty(account: &Account, bucket: &str) -> Result<bool, AwsError> {
    let page = account
        .s3
        .list_object_versions()
        .bucket(bucket)
        .max_keys(1)
        .send()
        .await;
    match page.during("ListObjectVersions") {
        Err(error) if error.meaning() == Meaning::NotFound => Ok(true),
        page => {
            let page = page?;
            Ok(page.versions().is_empty() && page.delete_markers().is_empty())
        }
    }
}

/// Deletes a bucket that holds nothing; one that does is refused by S3.
pub(crate) async fn remove_empty(account: &Account, bucket: &str) -> Result<(), AwsError> {
    let request = account.s3.delete_bucket().bucket(bucket);
    gone_is_fine(request.send().await.during("DeleteBucket"))
}

pub(crate) async fn create(
    account: &Account,
    scope: &Scope,
    resource: &ResourceName,
    name: &str,
    is_home: bool,
) -> Result<(), AwsError> {
    let tag = |key: &str, value: String| Tag::builder().key(key).value(value).build();
    let resource = ResourceId {
        kind: Kind::Bucket,
        name: resource.clone(),
    };
    let missing = |_| AwsError::Incomplete {
        operation: "CreateBucket",
        what: "tag",
    };
    let mut configuration = CreateBucketConfiguration::builder()
        .tags(tag(TAG_DEPLOYMENT, scope.deployment.to_string()).map_err(missing)?)
        .tags(tag(TAG_RESOURCE, resource.to_string()).map_err(missing)?);
    if is_home {
        configuration = configuration.tags(tag(TAG_HOME, "yes".to_owned()).map_err(missing)?);
    }
    // us-east-1 is the one region that must not be named.
    if account.region != "us-east-1" {
        configuration = configuration
            .location_constraint(BucketLocationConstraint::from(account.region.as_str()));
    }
    let made = account
        .s3
        .create_bucket()
        .bucket(name)
        .create_bucket_configuration(configuration.build())
        .send()
        .await
        .during("CreateBucket");
    match made {
        Err(error) if error.meaning() != Meaning::Exists => Err(error),
        _ => Ok(()),
    }
}

/// The keys below a prefix.
///
/// # Errors
/// When the listing fails.
pub async fn keys(account: &Account, bucket: &str, prefix: &str) -> Result<Vec<String>, AwsError> {
    let mut pages = account
        .s3
        .list_objects_v2()
        .bucket(bucket)
        .prefix(prefix)
        .into_paginator()
        .send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.during("ListObjectsV2")?;
        found.extend(
            page.contents()
                .iter()
                .filter_map(|o| o.key().map(str::to_owned)),
        );
    }
    Ok(found)
}

/// How many objects there are below a prefix, and their bytes. A bucket that is gone has none.
///
/// # Errors
/// When the listing fails.
pub async fn tally(account: &Account, bucket: &str, prefix: &str) -> Result<Tally, AwsError> {
    let mut pages = account
        .s3
        .list_objects_v2()
        .bucket(bucket)
        .prefix(prefix)
        .into_paginator()
        .send();
    let mut tally = Tally::default();
    while let Some(page) = pages.next().await {
        let page = match page.during("ListObjectsV2") {
            Err(error) if error.meaning() == Meaning::NotFound => return Ok(Tally::default()),
            page => page?,
        };
        for object in page.contents() {
            tally.objects += 1;
            tally.bytes += object
                .size()
                .and_then(|s| u64::try_from(s).ok())
                .unwrap_or_default();
        }
    }
    Ok(tally)
}

/// The bytes of an object; `None` when there is none of that key.
///
/// # Errors
/// When the bucket does not answer, or refuses.
pub async fn get(account: &Account, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, AwsError> {
    let answer = account
        .s3
        .get_object()
        .bucket(bucket)
        .key(key)
        .send()
        .await
        .during("GetObject");
    match answer {
        Err(error) if error.meaning() == Meaning::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(object) => {
            let cut = |e| AwsError::Unanswered {
                operation: "GetObject",
                source: Box::new(e),
            };
            Ok(Some(object.body.collect().await.map_err(cut)?.to_vec()))
        }
    }
}

/// Writes an object.
///
/// # Errors
/// When the bucket does not answer, or refuses.
pub async fn put(
    account: &Account,
    bucket: &str,
    key: &str,
    body: ByteStream,
    content_type: &str,
) -> Result<(), AwsError> {
    let request = account
        .s3
        .put_object()
        .bucket(bucket)
        .key(key)
        .content_type(content_type)
        .body(body);
    request.send().await.during("PutObject").map(drop)
}

/// For how long a presigned URL is good.
const PRESIGNED: Duration = Duration::from_secs(3600);

pub(crate) async fn presigned_get(
    account: &Account,
    bucket: &str,
    key: &str,
) -> Result<String, AwsError> {
    let request = account
        .s3
        .get_object()
        .bucket(bucket)
        .key(key)
        .presigned(presigning()?)
        .await;
    Ok(request.during("GetObject (presigned)")?.uri().to_owned())
}

pub(crate) async fn presigned_put(
    account: &Account,
    bucket: &str,
    key: &str,
) -> Result<String, AwsError> {
    let request = account
        .s3
        .put_object()
        .bucket(bucket)
        .key(key)
        .presigned(presigning()?)
        .await;
    Ok(request.during("PutObject (presigned)")?.uri().to_owned())
}

fn presigning() -> Result<PresigningConfig, AwsError> {
    let what = "presigning a URL".to_owned();
    PresigningConfig::expires_in(PRESIGNED).map_err(|e| AwsError::Here {
        what,
        source: Box::new(e),
    })
}

/// Empties a bucket, old versions and unfinished uploads too, and deletes it.
pub(crate) async fn remove(account: &Account, bucket: &str) -> Result<(), AwsError> {
    gone_is_fine(abort_uploads(account, bucket).await)?;
    gone_is_fine(delete_versions(account, bucket).await)?;
    remove_empty(account, bucket).await
}

async fn abort_uploads(account: &Account, bucket: &str) -> Result<(), AwsError> {
    loop {
        let page = account
            .s3
            .list_multipart_uploads()
            .bucket(bucket)
            .encoding_type(EncodingType::Url)
            .send()
            .await;
        let page = page.during("ListMultipartUploads")?;
        for upload in page.uploads() {
            if let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) {
                let abort = account
                    .s3
                    .abort_multipart_upload()
                    .bucket(bucket)
                    .key(listed(key))
                    .upload_id(id);
                gone_is_fine(abort.send().await.during("AbortMultipartUpload"))?;
            }
        }
        if page.is_truncated() != Some(true) {
            return Ok(());
        }
    }
}

/// Lists from the start each time, since each page is deleted before the next is asked for.
async fn delete_versions(account: &Account, bucket: &str) -> Result<(), AwsError> {
    loop {
        let page = account
            .s3
            .list_object_versions()
            .bucket(bucket)
            .encoding_type(EncodingType::Url)
            .send()
            .await;
        let page = page.during("ListObjectVersions")?;
        let versions = page.versions().iter().map(|v| (v.key(), v.version_id()));
        let markers = page
            .delete_markers()
            .iter()
            .map(|m| (m.key(), m.version_id()));
        let objects: Vec<ObjectIdentifier> = versions
            .chain(markers)
            .filter_map(|(key, version)| {
                ObjectIdentifier::builder()
                    .key(listed(key?))
                    .set_version_id(version.map(str::to_owned))
                    .build()
                    .ok()
            })
            .collect();
        if objects.is_empty() {
            return Ok(());
        }
        delete_batch(account, bucket, objects).await?;
    }
}

/// A key out of a listing in the encoding `url`: XML cannot carry every character that a key may have,
/// and what it changes on the way would never be found again.
fn listed(key: &str) -> String {
    let spaced = key.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

async fn delete_batch(
    account: &Account,
    bucket: &str,
    objects: Vec<ObjectIdentifier>,
) -> Result<(), AwsError> {
    let missing = |_| AwsError::Incomplete {
        operation: "DeleteObjects",
        what: "key",
    };
    let batch = Delete::builder()
        .set_objects(Some(objects))
        .quiet(true)
        .build()
        .map_err(missing)?;
    let answer = account
        .s3
        .delete_objects()
        .bucket(bucket)
        .delete(batch)
        .send()
        .await;
    let answer = answer.during("DeleteObjects")?;
    match answer.errors().first() {
        None => Ok(()),
        Some(error) => Err(AwsError::Answered {
            operation: "DeleteObjects",
            code: error.code().unwrap_or("Unknown").to_owned(),
            message: format!(
                "{}: {}",
                error.key().unwrap_or("?"),
                error.message().unwrap_or("no message")
            ),
        }),
    }
}
