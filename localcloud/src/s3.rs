//! S3: buckets of files.
//!
//! The wire (routes, XML, signatures in all their forms) is the crate `s3s`; the buckets are ours.
//! `DIR/buckets/<bucket>/` holds `bucket.json` (the settings), `index.log` (which key is which file)
//! and `files/` (the bytes, under generated names). A key is never part of a path.

mod access;
mod api;
mod bucket;
mod content;
mod durable;
mod error;
mod index;
mod listing;
mod object;
mod receive;
mod store;
mod versions;

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Collected, Limited};
use s3s::dto;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::xml::{DeResult, Deserializer};
use sha2::{Digest as _, Sha256};

use crate::StartError;
use crate::access::Access;
use crate::cloud::Thing;
use crate::connections::{Request, RequestBody};
use crate::context::Context;
use crate::wire::{ApiError, Body, Response, Xml, full, response};

use access::{Permission, Secrets};
use api::{Api, CreationTags};
use store::Store;

/// Largest body of a `CreateBucket`.
const LARGEST_CREATION: usize = 64 * 1024;

/// The buckets of an account.
pub struct S3 {
    store: Arc<Store>,
    service: S3Service,
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("S3")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl S3 {
    /// Opens the buckets that are on disk.
    ///
    /// # Errors
    /// A bucket's folder or index cannot be read.
    pub async fn open(context: Arc<Context>, access: Arc<Access>) -> Result<Self, StartError> {
        let folder = context.home.join("buckets");
        let durable = !context.paper;
        let store = tokio::task::spawn_blocking(move || Store::open(&folder, durable))
            .await
            .map_err(io::Error::from)
            .flatten()
            .map_err(|source| StartError::Service {
                service: "S3",
                source: source.into(),
            })?;
        let store = Arc::new(store);
        let api = Api {
            store: Arc::clone(&store),
            owner: canonical_user(context.account()),
            access: Arc::clone(&access),
            context: Arc::clone(&context),
        };
        let mut builder = S3ServiceBuilder::new(api);
        builder.set_auth(Secrets(Arc::clone(&context)));
        builder.set_access(Permission { context, access });
        Ok(Self {
            store,
            service: builder.build(),
        })
    }

    /// Answers a request; it also checks the signature, in all the forms that S3 knows.
    pub async fn call(&self, request: Request) -> Response {
        let request = if creates_bucket(&request) {
            match with_creation_tags(request).await {
                Ok(request) => request,
                Err(refusal) => return refusal,
            }
        } else {
            request.map(as_it_comes)
        };
        match self.service.call(request).await {
            Ok(answer) => in_words(answer.map(Body::new)).await,
            Err(failure) => {
                let failure: s3s::StdError = failure.into();
                tracing::error!(
                    failure = &*failure as &dyn std::error::Error,
                    "S3 could not answer"
                );
                response(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "application/xml",
                    "<Error><Code>InternalError</Code></Error>",
                )
            }
        }
    }

    /// What is there, as kinds and tags.
    pub fn things(&self) -> Vec<Thing> {
        let buckets = self.store.buckets();
        let tagged = buckets
            .iter()
            .map(|bucket| Thing::new("bucket", &bucket.settings().tags));
        tagged.collect()
    }

    /// Waits for buckets that are being made or removed, also for callers that have died.
    pub async fn settled(&self) {
        self.store.settled().await;
    }

    /// What is left, one line each.
    pub fn remaining(&self) -> Vec<String> {
        self.store
            .buckets()
            .iter()
            .map(|bucket| format!("bucket {}", bucket.name))
            .collect()
    }
}

/// An error in S3's own form.
pub(crate) fn refusal(error: &ApiError, request_id: &str) -> Response {
    let mut xml = Xml::document();
    xml.element("Error", |xml| {
        xml.text("Code", &error.code)
            .text("Message", &error.message)
            .text("RequestId", request_id);
    });
    response(error.status, "application/xml", xml.finish())
}

/// The wire library refuses a signature by its code alone; here is what S3 says with it.
async fn in_words(answer: Response) -> Response {
    const MUTE: &str = "<Code>SignatureDoesNotMatch</Code></Error>";
    const TOLD: &str = "<Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated does not match the signature you provided. Check your key and signing method.</Message></Error>";
    if answer.status() != StatusCode::FORBIDDEN {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let bytes = body.collect().await.map(Collected::to_bytes);
    let text = bytes.map_or_else(
        |_| String::new(),
        |bytes| String::from_utf8_lossy(&bytes).replace(MUTE, TOLD),
    );
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, full(text))
}

/// The account's canonical user id, which S3 names owners by: 64 hex digits.
fn canonical_user(account: &str) -> String {
    hex::encode(Sha256::digest(account))
}

/// A body for the wire library, streamed.
fn as_it_comes(body: RequestBody) -> s3s::Body {
    s3s::Body::http_body_unsync(body)
}

fn creates_bucket(request: &Request) -> bool {
    let path = request.uri().path().trim_matches('/');
    request.method() == Method::PUT
        && request.uri().query().is_none()
        && !path.is_empty()
        && !path.contains('/')
}

/// Reads the tags off the body of a `CreateBucket`: the wire library passes over them.
async fn with_creation_tags(request: Request) -> Result<http::Request<s3s::Body>, Response> {
    let (mut parts, body) = request.into_parts();
    let bytes: Bytes = match Limited::new(body, LARGEST_CREATION).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => {
            return Err(response(
                StatusCode::BAD_REQUEST,
                "application/xml",
                "<Error><Code>IncompleteBody</Code><Message>The body is cut off or larger than 64 KiB.</Message></Error>",
            ));
        }
    };
    // What is not well-formed is the wire library's to refuse.
    if let Ok(tags) = creation_tags(&bytes) {
        parts.extensions.insert(CreationTags(tags));
    }
    Ok(http::Request::from_parts(parts, s3s::Body::from(bytes)))
}

fn creation_tags(xml: &[u8]) -> DeResult<Vec<(String, String)>> {
    let mut tags = Vec::new();
    let mut document = Deserializer::new(xml);
    document.named_element("CreateBucketConfiguration", |body| {
        body.for_each_element(|body, name| match name {
            b"Tags" => body.for_each_element(|body, _| {
                let tag: dto::Tag = body.content()?;
                tags.push((tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
                Ok(())
            }),
            _ => skip(body),
        })
    })?;
    Ok(tags)
}

fn skip(body: &mut Deserializer<'_>) -> DeResult<()> {
    body.for_each_element(|body, _| skip(body))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn tags_are_read_off_the_body_of_a_creation() {
        let xml = br#"<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>eu-west-1</LocationConstraint><Bucket><Type>x</Type></Bucket><Tags><Tag><Key>a:b</Key><Value>1 &amp; 2</Value></Tag><Tag><Key>c</Key><Value></Value></Tag></Tags></CreateBucketConfiguration>"#;
        let tags = creation_tags(xml).unwrap();
        assert_eq!(
            tags,
            [
                ("a:b".to_owned(), "1 & 2".to_owned()),
                ("c".to_owned(), String::new())
            ]
        );
        assert!(creation_tags(b"").is_err());
        assert!(creation_tags(b"<Create").is_err());
    }
}
