//! The deployment's bucket, as the manager uses it.

use std::future::Future;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use crate::reconcile::chain;

/// The most keys that one DeleteObjects takes.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>
const BATCH: usize = 1000;

/// A call to the bucket that failed.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation} the bucket: {reason}")]
pub struct BucketError {
    operation: &'static str,
    reason: String,
}

impl BucketError {
    /// `operation` follows "could not" and is followed by "the bucket".
    #[must_use]
    pub fn new(operation: &'static str, reason: impl Into<String>) -> Self {
        Self {
            operation,
            reason: reason.into(),
        }
    }
}

/// An object as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
}

/// Objects by key. Tests bring their own.
pub trait Bucket: Clone + Send + Sync + 'static {
    /// All objects whose keys begin with `prefix`.
    fn list(&self, prefix: &str) -> impl Future<Output = Result<Vec<Object>, BucketError>> + Send;
    /// Removes objects; ones that are not there are no error.
    fn delete(&self, keys: &[String]) -> impl Future<Output = Result<(), BucketError>> + Send;
    /// The bytes of an object; `None` when there is none.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<Vec<u8>>, BucketError>> + Send;
    /// Writes an object.
    fn put(
        &self,
        key: &str,
        content: Vec<u8>,
    ) -> impl Future<Output = Result<(), BucketError>> + Send;
}

/// A bucket of S3.
#[derive(Clone, Debug)]
pub struct S3 {
    client: Client,
    name: String,
}

impl S3 {
    /// The bucket called `name`.
    #[must_use]
    pub fn new(sdk: &aws_config::SdkConfig, name: &str) -> Self {
        Self {
            client: Client::new(sdk),
            name: name.to_owned(),
        }
    }
}

impl Bucket for S3 {
    async fn list(&self, prefix: &str) -> Result<Vec<Object>, BucketError> {
        let mut pages = self
            .client
            .list_objects_v2()
            .bucket(&self.name)
            .prefix(prefix)
            .into_paginator()
            .send();
        let mut objects = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| failed("list", &error))?;
            objects.extend(page.contents().iter().filter_map(|listed| {
                Some(Object {
                    key: listed.key()?.to_owned(),
                    bytes: listed.size().unwrap_or_default().unsigned_abs(),
                })
            }));
        }
        Ok(objects)
    }

    async fn delete(&self, keys: &[String]) -> Result<(), BucketError> {
        for batch in keys.chunks(BATCH) {
            let objects = batch
                .iter()
                .map(|key| ObjectIdentifier::builder().key(key).build())
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| BucketError::new("delete from", error.to_string()))?;
            let delete = Delete::builder()
                .set_objects(Some(objects))
                .quiet(true)
                .build()
                .map_err(|error| BucketError::new("delete from", error.to_string()))?;
            let answer = self
                .client
                .delete_objects()
                .bucket(&self.name)
                .delete(delete)
                .send()
                .await
                .map_err(|error| failed("delete from", &error))?;
            if let Some(error) = answer.errors().first() {
                let (code, message) = (error.code(), error.message());
                return Err(BucketError::new(
                    "delete from",
                    format!("{}: {}", code.unwrap_or("?"), message.unwrap_or("?")),
                ));
            }
        }
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BucketError> {
        let answer = self
            .client
            .get_object()
            .bucket(&self.name)
            .key(key)
            .send()
            .await;
        let object = match answer {
            Err(SdkError::ServiceError(refusal)) if refusal.err().is_no_such_key() => {
                return Ok(None);
            }
            answer => answer.map_err(|error| failed("read from", &error))?,
        };
        let content = object.body.collect().await;
        let content = content.map_err(|error| BucketError::new("read from", chain(&error)))?;
        Ok(Some(content.to_vec()))
    }

    async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), BucketError> {
        self.client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .content_type("application/json")
            .body(ByteStream::from(content))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| failed("write to", &error))
    }
}

fn failed<E>(operation: &'static str, error: &SdkError<E>) -> BucketError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    BucketError::new(operation, chain(error))
}
