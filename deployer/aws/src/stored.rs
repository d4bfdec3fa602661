//! Buckets and what is in them.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Tag, Tagging};
use deployer_core::inventory::{FoundBucket, StrayKind};
use deployer_core::names::{ResourceName, Scope, TAG_HOME};

use crate::account::{Account, timeouts};
use crate::error::{AwsError, During, Meaning, gone_is_fine};
use crate::read::Part;

mod emptying;

pub(crate) use emptying::remove;

/// What a folder of a bucket comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The buckets that are ours, by their hashed names.
pub(crate) async fn buckets(account: &Account, scope: &Scope) -> Result<Part, AwsError> {
    let prefix = format!("{}-", scope.prefix());
    let pages = account
        .s3
        .list_buckets()
        .prefix(&prefix)
        .set_max_buckets(account.page_size)
        .into_paginator()
        .send();
    let mut part = Part::default();
    part.read_pages("ListBuckets", pages, |part, page| {
        for name in page.buckets().iter().filter_map(|b| b.name()) {
            note_bucket(part, &prefix, name);
        }
        page.buckets().len()
    })
    .await?;
    let found = &mut part.inventory.buckets;
    // One alone is the home, whatever it says.
    if found.len() > 1 {
        for bucket in found {
            bucket.is_home = is_home(account, &bucket.name).await?;
        }
    }
    Ok(part)
}

fn note_bucket(part: &mut Part, prefix: &str, name: &str) {
    let Some(rest) = name.strip_prefix(prefix) else {
        return;
    };
    match rest
        .rsplit_once('-')
        .map(|(r, _)| r.parse::<ResourceName>())
    {
        Some(Ok(resource)) => part.inventory.buckets.push(FoundBucket {
            name: name.to_owned(),
            resource,
            is_home: false,
        }),
        _ => {
            part.stray(StrayKind::Bucket, name);
        }
    }
}

async fn is_home(account: &Account, bucket: &str) -> Result<bool, AwsError> {
    let tags = tags(account, bucket).await?;
    Ok(tags.is_some_and(|tags| tags.contains_key(TAG_HOME)))
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
    name: &str,
    tags: Vec<(&'static str, String)>,
) -> Result<(), AwsError> {
    let mut configuration = CreateBucketConfiguration::builder();
    for (key, value) in tags {
        configuration = configuration.tags(bucket_tag("CreateBucket", key, &value)?);
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

fn bucket_tag(operation: &'static str, key: &str, value: &str) -> Result<Tag, AwsError> {
    let missing = |_| AwsError::Incomplete {
        operation,
        what: "tag",
    };
    Tag::builder()
        .key(key)
        .value(value)
        .build()
        .map_err(missing)
}

/// The tags of a bucket by their keys; `None` when there is no such bucket any more.
pub(crate) async fn tags(
    account: &Account,
    bucket: &str,
) -> Result<Option<BTreeMap<String, String>>, AwsError> {
    let answer = account.s3.get_bucket_tagging().bucket(bucket).send().await;
    match answer.during("GetBucketTagging") {
        Err(error) if error.code() == Some("NoSuchTagSet") => Ok(Some(BTreeMap::new())),
        Err(error) if error.meaning() == Meaning::NotFound => Ok(None),
        answer => {
            let tags = answer?.tag_set;
            Ok(Some(tags.into_iter().map(|t| (t.key, t.value)).collect()))
        }
    }
}

/// Sets one tag of a bucket. S3 takes all of them at once only.
pub(crate) async fn set_tag(
    account: &Account,
    bucket: &str,
    key: &str,
    value: &str,
) -> Result<(), AwsError> {
    let Some(mut tags) = tags(account, bucket).await? else {
        return Ok(());
    };
    tags.insert(key.to_owned(), value.to_owned());
    let operation = "PutBucketTagging";
    let mut all = Tagging::builder();
    for (key, value) in &tags {
        all = all.tag_set(bucket_tag(operation, key, value)?);
    }
    let missing = |_| AwsError::Incomplete {
        operation,
        what: "tags",
    };
    let all = all.build().map_err(missing)?;
    let request = account.s3.put_bucket_tagging().bucket(bucket).tagging(all);
    gone_is_fine(request.send().await.during(operation))
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
    let call = &account.target.pace.call;
    let patient = aws_sdk_s3::config::Builder::new().timeout_config(timeouts(call, call.upload));
    let request = account
        .s3
        .put_object()
        .bucket(bucket)
        .key(key)
        .content_type(content_type)
        .body(body)
        .customize()
        .config_override(patient);
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

/// A URL with which whoever has it can write one object, for an hour.
///
/// # Errors
/// When it cannot be signed.
pub async fn presigned_put(account: &Account, bucket: &str, key: &str) -> Result<String, AwsError> {
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
