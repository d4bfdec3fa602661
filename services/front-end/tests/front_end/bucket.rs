//! A bucket in memory: the five requests of S3 that the front-end makes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, retry::RetryConfig};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use kit::body::{self, Body, Incoming};
use kit::health::Health;
use kit::metrics::Registry;
use kit::server::Server;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) const NAME: &str = "photos";

/// See the module. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Bucket(Arc<Shared>);

#[derive(Default)]
struct Shared {
    objects: Mutex<HashMap<String, (HeaderValue, Bytes)>>,
    gone: AtomicBool,
    broken: AtomicBool,
}

impl Bucket {
    /// Serves the bucket until `stop`, and gives a client for it.
    pub(crate) async fn serve(&self, stop: CancellationToken) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let bucket = self.clone();
        let server = Server::new(Health::new(), Registry::default());
        let handler = move |request| {
            let bucket = bucket.clone();
            async move { bucket.answer(request).await }
        };
        tokio::spawn(server.serve(listener, handler, stop));
        let retries = RetryConfig::standard().with_initial_backoff(Duration::from_millis(5));
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .endpoint_url(endpoint)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(retries)
            .build();
        Client::from_conf(config)
    }

    pub(crate) fn objects(&self) -> Vec<String> {
        self.0.objects.lock().unwrap().keys().cloned().collect()
    }

    pub(crate) fn put(&self, object: String, content: Bytes) {
        let content_type = HeaderValue::from_static("application/octet-stream");
        let mut objects = self.0.objects.lock().unwrap();
        objects.insert(object, (content_type, content));
    }

    pub(crate) fn content_type(&self, object: &str) -> String {
        let objects = self.0.objects.lock().unwrap();
        objects[object].0.to_str().unwrap().to_owned()
    }

    pub(crate) fn forget_objects(&self) {
        self.0.objects.lock().unwrap().clear();
    }

    /// The bucket is deleted, or there again, empty or not.
    pub(crate) fn set_gone(&self, gone: bool) {
        self.0.gone.store(gone, Ordering::Relaxed);
    }

    /// Every request is answered 500.
    pub(crate) fn set_broken(&self, broken: bool) {
        self.0.broken.store(broken, Ordering::Relaxed);
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let path = head.uri.path().trim_start_matches('/').to_owned();
        let key = path
            .strip_prefix(NAME)
            .expect("path style")
            .trim_start_matches('/')
            .to_owned();
        if self.0.broken.load(Ordering::Relaxed) {
            return error(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
        }
        if self.0.gone.load(Ordering::Relaxed) {
            return error(StatusCode::NOT_FOUND, "NoSuchBucket");
        }
        match head.method {
            Method::HEAD => kit::reply::empty(StatusCode::OK),
            Method::PUT => {
                let chunked = head
                    .headers
                    .get("content-encoding")
                    .is_some_and(|value| value == "aws-chunked");
                let sent = body::read_limited(body, 1 << 30).await.unwrap();
                let content = if chunked { dechunked(&sent) } else { sent };
                let content_type = head.headers[CONTENT_TYPE].clone();
                self.0
                    .objects
                    .lock()
                    .unwrap()
                    .insert(key, (content_type, content));
                kit::reply::empty(StatusCode::OK)
            }
            Method::GET => match self.0.objects.lock().unwrap().get(&key) {
                Some((content_type, content)) => {
                    let mut response = Response::new(body::full(content.clone()));
                    response
                        .headers_mut()
                        .insert(CONTENT_TYPE, content_type.clone());
                    response
                        .headers_mut()
                        .insert(CONTENT_LENGTH, content.len().into());
                    response
                }
                None => error(StatusCode::NOT_FOUND, "NoSuchKey"),
            },
            method => panic!("{method} {path}"),
        }
    }
}

fn error(status: StatusCode, code: &str) -> Response<Body> {
    let text =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>test</Message></Error>");
    kit::reply::with_type(status, "application/xml", body::full(text))
}

/// Takes the chunk headers and the trailer out of `aws-chunked` content.
fn dechunked(mut sent: &[u8]) -> Bytes {
    let mut content = Vec::new();
    loop {
        let end = sent.windows(2).position(|pair| pair == b"\r\n").unwrap();
        let line = std::str::from_utf8(&sent[..end]).unwrap();
        let size = usize::from_str_radix(line.split(';').next().unwrap(), 16).unwrap();
        if size == 0 {
            return content.into();
        }
        sent = &sent[end + 2..];
        content.extend_from_slice(&sent[..size]);
        sent = &sent[size + 2..];
    }
}
