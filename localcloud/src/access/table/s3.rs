//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>

use crate::access::decision::Check;
use crate::access::keys::Keys;

/// A call of S3, as much of it as stands in its address and headers.
#[derive(Clone, Copy, Debug)]
pub struct S3Call<'a> {
    /// The operation, which is not always the action's name.
    pub operation: &'a str,
    /// The bucket; empty where there is none.
    pub bucket: &'a str,
    /// The key; empty where there is none.
    pub key: &'a str,
    /// The query of the address.
    pub query: &'a [(String, String)],
    /// Decoded `x-amz-copy-source`: bucket and key.
    pub copied: Option<(&'a str, &'a str)>,
    /// Tags that the object gets, out of `x-amz-tagging`.
    pub object_tags: &'a [(String, String)],
    /// Tags that a new bucket gets, out of the body.
    pub bucket_tags: &'a [(String, String)],
}

/// What a call of S3 checks. `None` if there is no such operation.
pub fn objects(call: &S3Call<'_>) -> Option<Vec<Check>> {
    let keys = Keys::default;
    Some(match call.operation {
        "ListBuckets" => vec![check("s3:ListAllMyBuckets", "*".to_owned(), keys())],
        "CreateBucket" => create_bucket(call),
        "HeadBucket" => vec![call.on_bucket("s3:ListBucket")],
        "DeleteBucket" => vec![call.on_bucket("s3:DeleteBucket")],
        "GetBucketLocation" => vec![call.on_bucket("s3:GetBucketLocation")],
        "GetBucketVersioning" => vec![call.on_bucket("s3:GetBucketVersioning")],
        "PutBucketVersioning" => vec![call.on_bucket("s3:PutBucketVersioning")],
        "GetBucketTagging" => vec![call.on_bucket("s3:GetBucketTagging")],
        "PutBucketTagging" | "DeleteBucketTagging" => vec![call.on_bucket("s3:PutBucketTagging")],
        "GetPublicAccessBlock" => vec![call.on_bucket("s3:GetBucketPublicAccessBlock")],
        "PutPublicAccessBlock" | "DeletePublicAccessBlock" => {
            vec![call.on_bucket("s3:PutBucketPublicAccessBlock")]
        }
        "GetBucketLifecycleConfiguration" => vec![call.on_bucket("s3:GetLifecycleConfiguration")],
        "PutBucketLifecycleConfiguration" | "DeleteBucketLifecycle" => {
            vec![call.on_bucket("s3:PutLifecycleConfiguration")]
        }
        "ListObjects" | "ListObjectsV2" => vec![call.on_listing("s3:ListBucket")],
        "ListObjectVersions" => vec![call.on_listing("s3:ListBucketVersions")],
        "ListMultipartUploads" => vec![call.on_listing("s3:ListBucketMultipartUploads")],
        "GetObject" | "HeadObject" => {
            vec![call.on_object(call.of_version("s3:GetObject", "s3:GetObjectVersion"))]
        }
        "PutObject" | "CreateMultipartUpload" => write(call),
        "UploadPart" | "CompleteMultipartUpload" => vec![call.on_object("s3:PutObject")],
        "AbortMultipartUpload" => vec![call.on_object("s3:AbortMultipartUpload")],
        "ListParts" => vec![call.on_object("s3:ListMultipartUploadParts")],
        "GetObjectAttributes" => vec![
            call.on_object("s3:GetObject"),
            call.on_object("s3:GetObjectAttributes"),
        ],
        "CopyObject" | "UploadPartCopy" => copy(call),
        "DeleteObject" => {
            vec![call.on_object(call.of_version("s3:DeleteObject", "s3:DeleteObjectVersion"))]
        }
        // Checked for each of its keys, once they are read: see `delete_one`.
        "DeleteObjects" => Vec::new(),
        "GetObjectTagging" => vec![call.on_object("s3:GetObjectTagging")],
        "PutObjectTagging" => vec![call.on_object("s3:PutObjectTagging")],
        "DeleteObjectTagging" => vec![call.on_object("s3:DeleteObjectTagging")],
        _ => return None,
    })
}

/// What `DeleteObjects` checks for one of its keys.
pub fn delete_one(bucket: &str, key: &str, of_version: bool) -> Check {
    let action = match of_version {
        true => "s3:DeleteObjectVersion",
        false => "s3:DeleteObject",
    };
    check(action, arn(bucket, key), Keys::default())
}

/// What has to be allowed for a missing object to be told from a forbidden one.
pub fn list(bucket: &str) -> Check {
    check("s3:ListBucket", arn(bucket, ""), Keys::default())
}

fn create_bucket(call: &S3Call<'_>) -> Vec<Check> {
    let mut checks = vec![call.on_bucket("s3:CreateBucket")];
    if !call.bucket_tags.is_empty() {
        let mut tagging = call.on_bucket("s3:TagResource");
        tagging.keys = tagging.keys.with_requested_tags(call.bucket_tags);
        checks.push(tagging);
    }
    checks
}

fn write(call: &S3Call<'_>) -> Vec<Check> {
    let mut checks = vec![call.on_object("s3:PutObject")];
    if !call.object_tags.is_empty() {
        checks.push(call.on_object("s3:PutObjectTagging"));
    }
    for check in &mut checks {
        let tags = call.object_tags.iter();
        let keys = std::mem::take(&mut check.keys);
        check.keys = keys
            .with_tags("s3:RequestObjectTag", tags.map(|(key, value)| (key, value)))
            .with_all(
                "s3:RequestObjectTagKeys",
                call.object_tags.iter().map(|(key, _)| key.clone()),
            );
    }
    checks
}

/// The source is read, the target written.
fn copy(call: &S3Call<'_>) -> Vec<Check> {
    let mut checks = write(call);
    let source = call
        .copied
        .map_or("*".to_owned(), |(bucket, key)| arn(bucket, key));
    checks.push(check("s3:GetObject", source, Keys::default()));
    checks
}

impl S3Call<'_> {
    fn on_bucket(&self, action: &str) -> Check {
        check(action, arn(self.bucket, ""), Keys::default())
    }

    fn on_object(&self, action: &str) -> Check {
        check(action, arn(self.bucket, self.key), Keys::default())
    }

    fn on_listing(&self, action: &str) -> Check {
        let mut check = self.on_bucket(action);
        check.keys = check
            .keys
            .with_some("s3:prefix", self.parameter("prefix"))
            .with_some("s3:delimiter", self.parameter("delimiter"))
            .with_some("s3:max-keys", self.parameter("max-keys"));
        check
    }

    fn of_version(&self, current: &'static str, version: &'static str) -> &'static str {
        match self.parameter("versionId") {
            Some(_) => version,
            None => current,
        }
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

fn check(action: &str, resource: String, keys: Keys) -> Check {
    Check {
        action: action.to_owned(),
        resource,
        keys,
    }
}

fn arn(bucket: &str, key: &str) -> String {
    if key.is_empty() {
        format!("arn:aws:s3:::{bucket}")
    } else {
        format!("arn:aws:s3:::{bucket}/{key}")
    }
}
