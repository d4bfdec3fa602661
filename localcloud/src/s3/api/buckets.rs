//! Buckets as such.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use s3s::dto;
use s3s::region::Region;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::super::bucket::Settings;
use super::super::object::{now, timestamp};
use super::{Answer, Api, blocking, tags};
use crate::rehearsal::Delay;

const DEFAULT_REGION: &str = "us-east-1";
const LARGEST_PAGE: i32 = 10_000;

/// The `Tags` of a `CreateBucketConfiguration`, which the wire layer read off the raw body.
#[derive(Debug, Clone, Default)]
pub(crate) struct CreationTags(pub(crate) Vec<(String, String)>);

pub(super) async fn create(
    api: &Api,
    mut request: S3Request<dto::CreateBucketInput>,
) -> Answer<dto::CreateBucketOutput> {
    let constraint = request
        .input
        .create_bucket_configuration
        .and_then(|configuration| configuration.location_constraint)
        .map(|constraint| constraint.as_str().to_owned());
    let endpoint = request
        .region
        .as_ref()
        .map_or(DEFAULT_REGION, Region::as_str);
    let CreationTags(given) = request.extensions.remove().unwrap_or_default();
    tags::check(&given, tags::BUCKET_LIMIT)?;
    let settings = Settings {
        region: region_of(endpoint, constraint.as_deref())?,
        created: now(),
        tags: given.into_iter().collect::<BTreeMap<_, _>>(),
        public_access_block: Some(dto::PublicAccessBlockConfiguration {
            block_public_acls: Some(true),
            block_public_policy: Some(true),
            ignore_public_acls: Some(true),
            restrict_public_buckets: Some(true),
        }),
        lifecycle: None,
        versioning: false,
    };
    let name = request.input.bucket;
    if api.context.stage.is_under_way(Delay::BucketNameFree, &name) {
        return Err(conflicting());
    }
    let location = format!("/{name}");
    let (store, begun) = (api.store.clone(), api.store.begin().await);
    blocking(move || store.create(&begun, &name, &settings)).await?;
    Ok(S3Response::new(dto::CreateBucketOutput {
        location: Some(location),
    }))
}

/// The name of a bucket that was just deleted is not free yet.
fn conflicting() -> S3Error {
    let mut error = S3Error::with_message(
        S3ErrorCode::OperationAborted,
        "A conflicting conditional operation is currently in progress against this resource. Please try again.",
    );
    error.set_status_code(StatusCode::CONFLICT);
    error
}

/// The region a new bucket is in: us-east-1's endpoint serves all regions and takes no constraint
/// for its own; every other endpoint wants to be told itself.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
fn region_of(endpoint: &str, constraint: Option<&str>) -> S3Result<String> {
    match (
        endpoint,
        constraint.filter(|constraint| !constraint.is_empty()),
    ) {
        (DEFAULT_REGION, None) => Ok(DEFAULT_REGION.to_owned()),
        (DEFAULT_REGION, Some(DEFAULT_REGION)) => Err(s3_error!(
            InvalidLocationConstraint,
            "The specified location-constraint is not valid"
        )),
        (DEFAULT_REGION, Some("EU")) => Ok("eu-west-1".to_owned()),
        (DEFAULT_REGION, Some(other)) => Ok(other.to_owned()),
        (endpoint, Some(constraint)) if constraint == endpoint => Ok(endpoint.to_owned()),
        (_, constraint) => Err(s3_error!(
            IllegalLocationConstraintException,
            "The {} location constraint is incompatible for the region specific endpoint this request was sent to.",
            constraint.unwrap_or("unspecified")
        )),
    }
}

pub(super) fn head(
    api: &Api,
    request: &S3Request<dto::HeadBucketInput>,
) -> Answer<dto::HeadBucketOutput> {
    let bucket = api
        .bucket(request, &request.input.bucket)
        .map_err(|mut error| {
            // An error answer to HEAD has no body; SDKs know a missing bucket by 404 and another region
            // by 301 with the region in a header.
            if error.headers().is_some() {
                error.set_status_code(StatusCode::MOVED_PERMANENTLY);
            }
            error
        })?;
    Ok(S3Response::new(dto::HeadBucketOutput {
        bucket_region: Some(bucket.region()),
        ..Default::default()
    }))
}

pub(super) async fn delete(
    api: &Api,
    request: S3Request<dto::DeleteBucketInput>,
) -> Answer<dto::DeleteBucketOutput> {
    let bucket = api.bucket(&request, &request.input.bucket)?;
    let (store, leaving) = (api.store.clone(), Arc::clone(&bucket));
    let begun = store.begin().await;
    blocking(move || store.delete(&begun, &leaving)).await?;
    let stage = &api.context.stage;
    let _due = stage.begin(Delay::BucketNameFree, &bucket.name);
    if stage.begin(Delay::BucketUnlisted, &bucket.name).remaining() > Duration::ZERO {
        api.store.remember(bucket);
    }
    Ok(S3Response::new(dto::DeleteBucketOutput::default()))
}

pub(super) fn location(
    api: &Api,
    request: &S3Request<dto::GetBucketLocationInput>,
) -> Answer<dto::GetBucketLocationOutput> {
    let region = api.store.bucket(&request.input.bucket)?.region();
    let location_constraint =
        (region != DEFAULT_REGION).then(|| dto::BucketLocationConstraint::from(region));
    Ok(S3Response::new(dto::GetBucketLocationOutput {
        location_constraint,
    }))
}

pub(super) async fn list(
    api: &Api,
    input: dto::ListBucketsInput,
) -> Answer<dto::ListBucketsOutput> {
    let limit = input.max_buckets.unwrap_or(LARGEST_PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(s3_error!(
            InvalidArgument,
            "Argument max-buckets must be an integer between 1 and {LARGEST_PAGE}"
        ));
    }
    let limit = usize::try_from(limit).unwrap_or(1);
    let prefix = input.prefix.unwrap_or_default();
    let after = input.continuation_token.unwrap_or_default();
    api.store.settled().await;
    let is_listed = |name: &str| api.context.stage.is_under_way(Delay::BucketUnlisted, name);
    let mut found: Vec<dto::Bucket> = api
        .store
        .listed(is_listed)
        .iter()
        .filter(|bucket| bucket.name.starts_with(&prefix) && bucket.name > after)
        .map(|bucket| (bucket, bucket.settings()))
        .filter(|(_, settings)| {
            input
                .bucket_region
                .as_ref()
                .is_none_or(|region| *region == settings.region)
        })
        .take(limit + 1)
        .map(|(bucket, settings)| dto::Bucket {
            name: Some(bucket.name.clone()),
            creation_date: Some(timestamp(settings.created)),
            bucket_region: Some(settings.region),
        })
        .collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let continuation_token = found
        .last()
        .filter(|_| more)
        .and_then(|bucket| bucket.name.clone());
    Ok(S3Response::new(dto::ListBucketsOutput {
        buckets: Some(found),
        continuation_token,
        owner: Some(api.owner()),
        prefix: Some(prefix).filter(|prefix| !prefix.is_empty()),
    }))
}
