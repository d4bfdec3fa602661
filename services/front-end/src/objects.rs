//! The photos' bytes in the bucket.

use std::error::Error as StdError;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use crate::spool::{Content, Spool};

/// The deployment's bucket.
#[derive(Debug, Clone)]
pub struct Objects {
    client: Client,
    bucket: String,
}

/// A bucket operation that failed.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// No object of that name.
    #[error("the bucket has no object {0}")]
    NoObject(String),
    /// The bucket itself is gone.
    #[error("the bucket {0} does not exist")]
    NoBucket(String),
    /// There is no room for it (HTTP 507).
    #[error("the bucket has no room for {0}")]
    NoRoom(String),
    /// Anything else: S3 not reached, not allowed, not able.
    #[error("{operation}: {reason}")]
    Failed {
        /// What was attempted, such as `reading photos/…`.
        operation: String,
        /// The SDK's account of it.
        reason: String,
    },
}

impl Objects {
    /// The bucket named `bucket`.
    #[must_use]
    pub fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }

    /// Writes an upload as `object`.
    ///
    /// # Errors
    /// When it is not durable in the bucket, as far as is known.
    pub async fn put(&self, object: &str, spool: &Spool) -> Result<(), ObjectsError> {
        let operation = || format!("writing {object}");
        let body = match spool.content() {
            Content::Memory(bytes) => ByteStream::from(bytes.clone()),
            Content::File(path) => {
                let stream = ByteStream::read_from().path(path).build().await;
                stream.map_err(|error| failed(operation(), &error))?
            }
        };
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(object)
            .content_type(spool.kind().content_type())
            .content_length(i64::try_from(spool.length()).unwrap_or(i64::MAX))
            .body(body);
        put.send()
            .await
            .map_err(|error| self.classify(object, operation(), &error))?;
        Ok(())
    }

    /// Reads the whole of `object`, in the pieces it came in.
    ///
    /// # Errors
    /// When it is not there or does not arrive whole.
    pub async fn get(&self, object: &str) -> Result<Vec<Bytes>, ObjectsError> {
        let operation = || format!("reading {object}");
        let get = self.client.get_object().bucket(&self.bucket).key(object);
        let found = get
            .send()
            .await
            .map_err(|error| self.classify(object, operation(), &error))?;
        let announced = found
            .content_length()
            .and_then(|length| u64::try_from(length).ok());
        let mut body = found.body;
        let mut chunks = Vec::new();
        let mut length = 0;
        while let Some(chunk) = body
            .try_next()
            .await
            .map_err(|error| failed(operation(), &error))?
        {
            length += chunk.len() as u64;
            chunks.push(chunk);
        }
        if announced.is_some_and(|announced| announced != length) {
            let reason = format!(
                "{length} bytes came, {} were announced",
                announced.unwrap_or(0)
            );
            return Err(ObjectsError::Failed {
                operation: operation(),
                reason,
            });
        }
        Ok(chunks)
    }

    /// Asks whether the bucket is there and may be used.
    ///
    /// # Errors
    /// When it is not.
    pub async fn check(&self) -> Result<(), ObjectsError> {
        let head = self.client.head_bucket().bucket(&self.bucket);
        match head.send().await {
            Ok(_) => Ok(()),
            // An answer to HEAD has no body to carry a code, only its status.
            Err(SdkError::ServiceError(error)) if error.raw().status().as_u16() == 404 => {
                Err(ObjectsError::NoBucket(self.bucket.clone()))
            }
            Err(error) => Err(failed(
                format!("looking at the bucket {}", self.bucket),
                &error,
            )),
        }
    }

    fn classify<E, R>(
        &self,
        object: &str,
        operation: String,
        error: &SdkError<E, R>,
    ) -> ObjectsError
    where
        E: ProvideErrorMetadata + StdError + 'static,
        R: std::fmt::Debug,
    {
        match error.code() {
            Some("NoSuchKey") => ObjectsError::NoObject(object.to_owned()),
            Some("InsufficientStorage") => ObjectsError::NoRoom(object.to_owned()),
            Some("NoSuchBucket") => ObjectsError::NoBucket(self.bucket.clone()),
            _ => failed(operation, error),
        }
    }
}

fn failed<E: StdError>(operation: String, error: &E) -> ObjectsError {
    ObjectsError::Failed {
        operation,
        reason: DisplayErrorContext(error).to_string(),
    }
}
