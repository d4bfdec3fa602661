//! The least that could do the work of the services: hyper, tokio and nothing of ours, on one thread.
//! They take every request for what it should be.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use base64_simd::{AppendBase64Encode, STANDARD};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::LocalBoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use super::SIZES;
use super::content::{content, size_in};

/// What a bare server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Bare {
    /// Hands out bytes that it made at its start.
    Content,
    /// Asks a cache node for the bytes and answers with them in base64.
    Hop,
    /// Writes what it is sent to the bucket.
    Writer,
}

type Answer = Response<Full<Bytes>>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Serves at `address`, for ever; `behind` is the cache node or the bucket, and `headers` go with every
/// request to it.
///
/// # Errors
/// When the address cannot be listened at.
pub fn serve<'a>(
    bare: Bare,
    address: SocketAddr,
    behind: &'a str,
    headers: &'a [(String, String)],
) -> LocalBoxFuture<'a, io::Result<()>> {
    // Boxed, so that it is compiled here and not in every program and test that awaits it.
    async move {
        let listener = TcpListener::bind(address).await?;
        let behind = Arc::new(Behind::new(behind, headers));
        match bare {
            Bare::Content => {
                let contents: HashMap<_, _> = SIZES.map(|size| (size, content(size))).into();
                let contents = Arc::new(contents);
                accept(&listener, move |request| {
                    let answer = hand_out(&contents, &request);
                    async { Ok(answer) }
                })
                .await
            }
            Bare::Hop => accept(&listener, move |request| hop(behind.clone(), request)).await,
            Bare::Writer => accept(&listener, move |request| write(behind.clone(), request)).await,
        }
    }
    .boxed_local()
}

async fn accept<H, F>(listener: &TcpListener, handler: H) -> io::Result<()>
where
    H: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Answer, Failure>> + Send + 'static,
{
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let handler = handler.clone();
        let service = service_fn(move |request| {
            let answered = handler(request);
            async { Ok::<_, Infallible>(answered.await.unwrap_or_else(|_| failed())) }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(connection);
    }
}

fn failed() -> Answer {
    let mut answer = Response::default();
    *answer.status_mut() = StatusCode::BAD_GATEWAY;
    answer
}

fn hand_out(contents: &HashMap<usize, Bytes>, request: &Request<Incoming>) -> Answer {
    let size = size_in(request.uri().path());
    let Some(content) = size.and_then(|size| contents.get(&size)) else {
        return failed();
    };
    typed(content.clone(), "image/png")
}

fn typed(body: impl Into<Bytes>, content_type: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    let content_type = HeaderValue::from_static(content_type);
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}

/// The server behind a proxy.
struct Behind {
    client: Client<HttpConnector, Full<Bytes>>,
    host: String,
    headers: Vec<(String, String)>,
}

impl Behind {
    fn new(host: &str, headers: &[(String, String)]) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            host: host.to_owned(),
            headers: headers.to_vec(),
        }
    }

    async fn ask(&self, method: &str, path: &str, body: Bytes) -> Result<Bytes, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.host));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = self.client.request(request.body(Full::new(body))?).await?;
        if !answer.status().is_success() {
            return Err(format!("{} answered {}", self.host, answer.status()).into());
        }
        Ok(answer.into_body().collect().await?.to_bytes())
    }
}

async fn hop(behind: Arc<Behind>, request: Request<Incoming>) -> Result<Answer, Failure> {
    let path = request.uri().path();
    let key = path.rsplit_once('/').map_or(path, |(_, key)| key);
    let content = behind
        .ask("GET", &format!("/entries/{key}"), Bytes::new())
        .await?;
    let before = format!(r#"{{"success":"true","key":"{key}","content":""#);
    let after = r#""}"#;
    let room = before.len() + STANDARD.encoded_length(content.len()) + after.len();
    let mut answer = Vec::with_capacity(room);
    answer.extend_from_slice(before.as_bytes());
    Vec::append_base64_encode(&STANDARD, &content, &mut answer);
    answer.extend_from_slice(after.as_bytes());
    Ok(typed(answer, "application/json"))
}

async fn write(behind: Arc<Behind>, request: Request<Incoming>) -> Result<Answer, Failure> {
    let content = request.into_body().collect().await?.to_bytes();
    behind.ask("PUT", "/photos/upload", content).await?;
    Ok(typed("{}", "application/json"))
}
