//! What is set on a bucket: tags, public access block, lifecycle rules (kept and told, not acted on).

use http::StatusCode;
use s3s::dto;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::super::bucket::Settings;
use super::super::error::custom;
use super::{Answer, Api, blocking, tags};

async fn set<T>(
    api: &Api,
    request: &S3Request<T>,
    bucket: &str,
    change: impl FnOnce(&mut Settings) + Send + 'static,
) -> S3Result<()> {
    let bucket = api.bucket(request, bucket)?;
    blocking(move || bucket.set(change)).await
}

pub(super) fn get_tags(
    api: &Api,
    request: &S3Request<dto::GetBucketTaggingInput>,
) -> Answer<dto::GetBucketTaggingOutput> {
    let tags = api.bucket(request, &request.input.bucket)?.settings().tags;
    if tags.is_empty() {
        return Err(s3_error!(NoSuchTagSet, "The TagSet does not exist"));
    }
    Ok(S3Response::new(dto::GetBucketTaggingOutput {
        tag_set: tags::to_wire(tags),
    }))
}

pub(super) async fn put_tags(
    api: &Api,
    request: S3Request<dto::PutBucketTaggingInput>,
) -> Answer<dto::PutBucketTaggingOutput> {
    let given = tags::from_wire(&request.input.tagging)?;
    tags::check(&given, tags::BUCKET_LIMIT)?;
    set(api, &request, &request.input.bucket, |settings| {
        settings.tags = given.into_iter().collect();
    })
    .await?;
    Ok(S3Response::new(dto::PutBucketTaggingOutput::default()))
}

pub(super) async fn delete_tags(
    api: &Api,
    request: S3Request<dto::DeleteBucketTaggingInput>,
) -> Answer<dto::DeleteBucketTaggingOutput> {
    set(api, &request, &request.input.bucket, |settings| {
        settings.tags.clear();
    })
    .await?;
    Ok(S3Response::new(dto::DeleteBucketTaggingOutput::default()))
}

pub(super) fn get_versioning(
    api: &Api,
    request: &S3Request<dto::GetBucketVersioningInput>,
) -> Answer<dto::GetBucketVersioningOutput> {
    let settings = api.bucket(request, &request.input.bucket)?.settings();
    let enabled = dto::BucketVersioningStatus::from_static(dto::BucketVersioningStatus::ENABLED);
    Ok(S3Response::new(dto::GetBucketVersioningOutput {
        status: settings.versioning.then_some(enabled),
        ..Default::default()
    }))
}

pub(super) async fn put_versioning(
    api: &Api,
    request: S3Request<dto::PutBucketVersioningInput>,
) -> Answer<dto::PutBucketVersioningOutput> {
    let status = request.input.versioning_configuration.status.as_ref();
    if status.map(dto::BucketVersioningStatus::as_str) != Some(dto::BucketVersioningStatus::ENABLED)
    {
        return Err(s3_error!(
            NotImplemented,
            "localcloud can enable versioning and not suspend it"
        ));
    }
    set(api, &request, &request.input.bucket, |settings| {
        settings.versioning = true;
    })
    .await?;
    Ok(S3Response::new(dto::PutBucketVersioningOutput::default()))
}

pub(super) fn get_public_access_block(
    api: &Api,
    request: &S3Request<dto::GetPublicAccessBlockInput>,
) -> Answer<dto::GetPublicAccessBlockOutput> {
    let settings = api.bucket(request, &request.input.bucket)?.settings();
    let Some(block) = settings.public_access_block else {
        return Err(custom(
            "NoSuchPublicAccessBlockConfiguration",
            StatusCode::NOT_FOUND,
            "The public access block configuration was not found",
        ));
    };
    Ok(S3Response::new(dto::GetPublicAccessBlockOutput {
        public_access_block_configuration: Some(block),
    }))
}

pub(super) async fn put_public_access_block(
    api: &Api,
    request: S3Request<dto::PutPublicAccessBlockInput>,
) -> Answer<dto::PutPublicAccessBlockOutput> {
    let given = request.input.public_access_block_configuration.clone();
    let block = dto::PublicAccessBlockConfiguration {
        block_public_acls: given.block_public_acls.or(Some(false)),
        block_public_policy: given.block_public_policy.or(Some(false)),
        ignore_public_acls: given.ignore_public_acls.or(Some(false)),
        restrict_public_buckets: given.restrict_public_buckets.or(Some(false)),
    };
    set(api, &request, &request.input.bucket, |settings| {
        settings.public_access_block = Some(block);
    })
    .await?;
    Ok(S3Response::new(dto::PutPublicAccessBlockOutput::default()))
}

pub(super) async fn delete_public_access_block(
    api: &Api,
    request: S3Request<dto::DeletePublicAccessBlockInput>,
) -> Answer<dto::DeletePublicAccessBlockOutput> {
    set(api, &request, &request.input.bucket, |settings| {
        settings.public_access_block = None;
    })
    .await?;
    Ok(S3Response::new(
        dto::DeletePublicAccessBlockOutput::default(),
    ))
}

pub(super) fn get_lifecycle(
    api: &Api,
    request: &S3Request<dto::GetBucketLifecycleConfigurationInput>,
) -> Answer<dto::GetBucketLifecycleConfigurationOutput> {
    let Some(lifecycle) = api
        .bucket(request, &request.input.bucket)?
        .settings()
        .lifecycle
    else {
        return Err(s3_error!(
            NoSuchLifecycleConfiguration,
            "The lifecycle configuration does not exist"
        ));
    };
    Ok(S3Response::new(
        dto::GetBucketLifecycleConfigurationOutput {
            rules: Some(lifecycle.rules),
            transition_default_minimum_object_size: None,
        },
    ))
}

pub(super) async fn put_lifecycle(
    api: &Api,
    request: S3Request<dto::PutBucketLifecycleConfigurationInput>,
) -> Answer<dto::PutBucketLifecycleConfigurationOutput> {
    let lifecycle = request
        .input
        .lifecycle_configuration
        .clone()
        .filter(|given| !given.rules.is_empty());
    let Some(mut lifecycle) = lifecycle else {
        return Err(s3_error!(
            MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema"
        ));
    };
    for rule in &mut lifecycle.rules {
        rule.id
            .get_or_insert_with(|| uuid::Uuid::new_v4().to_string());
    }
    set(api, &request, &request.input.bucket, |settings| {
        settings.lifecycle = Some(lifecycle);
    })
    .await?;
    Ok(S3Response::new(
        dto::PutBucketLifecycleConfigurationOutput::default(),
    ))
}

pub(super) async fn delete_lifecycle(
    api: &Api,
    request: S3Request<dto::DeleteBucketLifecycleInput>,
) -> Answer<dto::DeleteBucketLifecycleOutput> {
    set(api, &request, &request.input.bucket, |settings| {
        settings.lifecycle = None;
    })
    .await?;
    Ok(S3Response::new(dto::DeleteBucketLifecycleOutput::default()))
}
