//! Emptying a bucket: every version, delete marker and unfinished upload. A page of a listing is what
//! is held in memory of it, however much there is.

use aws_sdk_s3::types::{Delete, EncodingType, ObjectIdentifier};
use futures::stream::{self, TryStreamExt};
use percent_encoding::percent_decode_str;

use crate::account::Account;
use crate::error::{AwsError, During, Meaning, gone_is_fine};
use crate::progress::Progress;

/// So many calls delete at once, each up to 1,000 objects, while the next page is listed.
const AT_ONCE: usize = 4;
/// It is told how far it has come each time so many objects are gone.
const SAY_EVERY: usize = 10_000;
/// How often a bucket is gone through: what is still being written to it comes to light after it was
/// found empty.
const PASSES: usize = 5;

/// Empties a bucket and deletes it.
///
/// # Errors
/// When S3 refuses, or somebody goes on writing to it: `BucketNotEmpty`.
pub(crate) async fn remove(
    account: &Account,
    bucket: &str,
    progress: &Progress,
) -> Result<(), AwsError> {
    let mut pass = 1;
    loop {
        gone_is_fine(abort_uploads(account, bucket).await)?;
        gone_is_fine(delete_versions(account, bucket, progress).await)?;
        match super::remove_empty(account, bucket).await {
            Err(error) if error.meaning() == Meaning::InUse && pass < PASSES => {
                progress.say(format!(
                    "something was written to it meanwhile; emptying it again ({pass} of {PASSES})"
                ));
                tokio::time::sleep(account.target.pace.poll).await;
                pass += 1;
            }
            result => return result,
        }
    }
}

async fn abort_uploads(account: &Account, bucket: &str) -> Result<(), AwsError> {
    loop {
        let page = account
            .s3
            .list_multipart_uploads()
            .bucket(bucket)
            .encoding_type(EncodingType::Url)
            .set_max_uploads(account.page_size)
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

/// Where a listing of versions goes on.
#[derive(Default)]
struct Marker {
    key: Option<String>,
    version: Option<String>,
}

async fn delete_versions(
    account: &Account,
    bucket: &str,
    progress: &Progress,
) -> Result<(), AwsError> {
    let pages = stream::try_unfold(Some(Marker::default()), async |marker| match marker {
        None => Ok(None),
        Some(marker) => list_versions(account, bucket, marker).await.map(Some),
    });
    let delete = |objects: Vec<ObjectIdentifier>| async {
        let count = objects.len();
        delete_batch(account, bucket, objects).await.map(|()| count)
    };
    let counted =
        pages
            .map_ok(delete)
            .try_buffer_unordered(AT_ONCE)
            .try_fold(0, async |before, count| {
                let all = before + count;
                if all / SAY_EVERY > before / SAY_EVERY {
                    progress.say(format!("{all} objects deleted"));
                }
                Ok(all)
            });
    counted.await.map(drop)
}

async fn list_versions(
    account: &Account,
    bucket: &str,
    from: Marker,
) -> Result<(Vec<ObjectIdentifier>, Option<Marker>), AwsError> {
    let page = account
        .s3
        .list_object_versions()
        .bucket(bucket)
        .encoding_type(EncodingType::Url)
        .set_max_keys(account.page_size)
        .set_key_marker(from.key)
        .set_version_id_marker(from.version)
        .send()
        .await;
    let page = page.during("ListObjectVersions")?;
    let versions = page.versions().iter().map(|v| (v.key(), v.version_id()));
    let markers = page.delete_markers().iter();
    let objects = versions
        .chain(markers.map(|m| (m.key(), m.version_id())))
        .filter_map(|(key, version)| {
            ObjectIdentifier::builder()
                .key(listed(key?))
                .set_version_id(version.map(str::to_owned))
                .build()
                .ok()
        })
        .collect();
    let next = (page.is_truncated() == Some(true)).then(|| Marker {
        key: page.next_key_marker().map(listed),
        version: page.next_version_id_marker().map(str::to_owned),
    });
    Ok((objects, next))
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
    if objects.is_empty() {
        return Ok(());
    }
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
            request_id: None,
        }),
    }
}
