//! A photo cache in memory, as much of it as the load generator sees, that can be wrong in one way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// One way to be wrong, every fifth time where it would be too much always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answers reads with the version before.
    Stale,
    /// Does not find what it has.
    Loses,
    /// Acknowledges uploads, and throws them away.
    Forgets,
    /// Changes a byte.
    Damages,
    /// Answers with the photo of another key.
    Mixes,
    /// Answers with a page.
    TalksHtml,
    /// Refuses, as a service does that is not ready.
    Refuses,
    /// Reads the request, and closes the connection.
    Closes,
    /// Reads the request, and never answers.
    Hangs,
    /// Answers slowly.
    Slow,
    /// Closes each connection after its answer, without having said so.
    ClosesAfterwards,
    /// Never has as many nodes as are wished for.
    StaysSmall,
    /// Refuses to be resized.
    KeepsItsSize,
}

/// A running server; dropping it ends it.
pub(crate) struct Server {
    pub(crate) base: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

struct State {
    fault: Option<Fault>,
    /// Every version of every key, the newest last.
    photos: BTreeMap<String, Vec<Bytes>>,
    requests: u64,
    reads: u64,
    wanted: u32,
    serving: u32,
    serves_wanted_at: Instant,
    sizes: Vec<u32>,
}

/// Longer than any test waits.
const FOREVER: Duration = Duration::from_secs(600);
/// How long a resize takes: long enough for requests to end meanwhile.
pub(crate) const RESIZE: Duration = Duration::from_millis(600);

impl Server {
    pub(crate) async fn start(fault: Option<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            fault,
            photos: BTreeMap::new(),
            requests: 0,
            reads: 0,
            wanted: 1,
            serving: 1,
            serves_wanted_at: Instant::now(),
            sizes: vec![],
        }));
        let task = tokio::spawn(accept(listener, state.clone()));
        Self { base, state, task }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// From now on wrong in this way, or right.
    pub(crate) fn turn(&self, fault: Option<Fault>) {
        self.state().fault = fault;
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.state().photos.keys().cloned().collect()
    }

    /// The newest photo under a key.
    pub(crate) fn photo(&self, key: &str) -> Bytes {
        self.state().photos[key].last().unwrap().clone()
    }

    /// The sizes that were asked for.
    pub(crate) fn sizes(&self) -> Vec<u32> {
        self.state().sizes.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        stream.set_nodelay(true).unwrap();
        let keep = state.lock().unwrap().fault != Some(Fault::ClosesAfterwards);
        let state = state.clone();
        let service = service_fn(move |request| answer(state.clone(), request));
        tokio::spawn(async move {
            let mut connection = hyper::server::conn::http1::Builder::new();
            // An error is a connection closed on purpose.
            let _ = connection
                .keep_alive(keep)
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?;
    let body = body.to_bytes();
    let kind = head.headers.get(header::CONTENT_TYPE).cloned();
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let is_photo = path == "/api/upload" || path.starts_with("/api/key/");
    let fault = {
        let mut state = state.lock().unwrap();
        state.requests += u64::from(is_photo);
        let is_turn = state.requests.is_multiple_of(5);
        state.fault.filter(|_| is_photo && is_turn)
    };
    match fault {
        Some(Fault::Refuses) => return Ok(failure(503, "try again in a moment")),
        Some(Fault::Closes) => return Err(std::io::Error::other("closed")),
        Some(Fault::Hangs) => tokio::time::sleep(FOREVER).await,
        Some(Fault::Slow) => tokio::time::sleep(Duration::from_millis(300)).await,
        Some(Fault::TalksHtml) => return Ok(told(200, "<html>Welcome</html>")),
        _ => {}
    }
    Ok(match path.strip_prefix("/api/key/") {
        Some(key) => read(&mut state.lock().unwrap(), fault, key),
        None if path == "/api/upload" => {
            let boundary = multer::parse_boundary(kind.unwrap().to_str().unwrap()).unwrap();
            let (key, photo) = form(boundary, body).await;
            store(&mut state.lock().unwrap(), fault, key, photo)
        }
        None => about_the_pool(&mut state.lock().unwrap(), path, query),
    })
}

async fn form(boundary: String, body: Bytes) -> (String, Bytes) {
    let stream = futures::stream::iter([Ok::<_, std::io::Error>(body)]);
    let mut form = multer::Multipart::new(stream, boundary);
    let key = form.next_field().await.unwrap().unwrap();
    assert_eq!(key.name(), Some("key"));
    let key = key.text().await.unwrap();
    let file = form.next_field().await.unwrap().unwrap();
    assert_eq!(file.name(), Some("file"));
    (key, file.bytes().await.unwrap())
}

fn store(
    state: &mut State,
    fault: Option<Fault>,
    key: String,
    photo: Bytes,
) -> Response<Full<Bytes>> {
    let answer = format!(
        r#"{{"success":"true","key":{}}}"#,
        serde_json::json!(key.as_str())
    );
    if fault != Some(Fault::Forgets) {
        state.photos.entry(key).or_default().push(photo);
    }
    told(200, answer)
}

fn read(state: &mut State, fault: Option<Fault>, path: &str) -> Response<Full<Bytes>> {
    state.reads += 1;
    let key = percent_encoding::percent_decode_str(path)
        .decode_utf8()
        .unwrap()
        .into_owned();
    let of = match fault {
        Some(Fault::Mixes) => state.photos.keys().find(|other| **other != key),
        _ => Some(&key),
    };
    let versions = of.and_then(|key| state.photos.get(key));
    let behind = usize::from(fault == Some(Fault::Stale)) + 1;
    let photo = versions.and_then(|versions| {
        let place = versions.len().saturating_sub(behind);
        versions.get(place)
    });
    let Some(photo) = photo.filter(|_| fault != Some(Fault::Loses)) else {
        return failure(404, "there is no such photo");
    };
    let mut photo = photo.to_vec();
    if fault == Some(Fault::Damages) {
        photo[20] ^= 1;
    }
    let content = base64_simd::STANDARD.encode_to_string(photo);
    let key = serde_json::json!(key);
    told(
        200,
        format!(r#"{{"success":"true","key":{key},"content":"{content}"}}"#),
    )
}

/// The front-end's and the manager's figures at one address.
fn about_the_pool(state: &mut State, path: &str, query: &str) -> Response<Full<Bytes>> {
    let is_over = Instant::now() >= state.serves_wanted_at;
    if is_over && state.fault != Some(Fault::StaysSmall) {
        state.serving = state.wanted;
    }
    match path {
        "/api/configure_cache" if state.fault == Some(Fault::KeepsItsSize) => {
            failure(400, "automatic mode decides")
        }
        "/api/configure_cache" => {
            let size = query.strip_prefix("mode=manual&numNodes=").unwrap();
            state.wanted = size.parse().unwrap();
            state.sizes.push(state.wanted);
            state.serves_wanted_at = Instant::now() + RESIZE;
            told(200, r#"{"success":"true"}"#)
        }
        "/api/getNumNodes" => told(
            200,
            format!(r#"{{"success":"true","numNodes":{}}}"#, state.wanted),
        ),
        "/api/getRate" => told(200, r#"{"success":"true","rate":"hit","value":0.5}"#),
        "/metrics" => {
            let State { serving, reads, .. } = state;
            told(
                200,
                format!(
                    "# TYPE photo_reads_total counter\n\
                     photo_reads_total{{came_of=\"hit\"}} {}\n\
                     photo_reads_total{{came_of=\"miss\"}} {}\n\
                     pool_places {serving}\npool_places_empty 0\n",
                    *reads * 3,
                    *reads
                ),
            )
        }
        _ => failure(404, "no such path"),
    }
}

fn told(status: u16, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status.try_into().unwrap();
    response
}

fn failure(status: u16, message: &str) -> Response<Full<Bytes>> {
    told(
        status,
        format!(r#"{{"success":"false","error":{{"code":{status},"message":"{message}"}}}}"#),
    )
}
