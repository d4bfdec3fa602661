//! A photo cache in memory, as small as the contract allows, that can be wrong in one way.

mod api;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

macro_rules! faults {
    ($($fault:ident),* $(,)?) => {
        /// One way to be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Fault { $($fault),* }

        impl Fault {
            pub(crate) const ALL: &[Self] = &[$(Self::$fault),*];
        }
    };
}

faults! {
    AcceptsBodyParameters,
    AcceptsLongKeys,
    AcceptsNine,
    AcceptsTwoKeys,
    AcceptsUrlParameters,
    BooleanSuccess,
    CodeAsText,
    ConfigurationLosesPolicy,
    ContentWithDataPrefix,
    ContentWithLineBreaks,
    DropsConnectionWhenAskedForNine,
    EmptyMessage,
    ExtraFieldOnUpload,
    FailureAsHtml,
    FailureWithStatus200,
    FieldsInAnotherOrder,
    FirstPhotoStays,
    GetAllowed,
    IgnoresCase,
    ImagesOnly,
    KeyDecodedTwice,
    KeyTrimmed,
    ListsOldKeysAfterDelete,
    NeedsFileName,
    NeedsKeyFirst,
    NewlineAtTheEnd,
    NoLimit,
    NoListing,
    NumbersAsText,
    PartlyApplied,
    PlusAsSpace,
    RateInPercent,
    RateNeverMoves,
    SizeToldLate,
    SlashAtTheEndIsAnotherPath,
    SlashEndsTheKey,
    UrlSafeContent,
}

/// A running server; dropping it ends it.
pub(crate) struct Server {
    pub(crate) base: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

/// Everything the server knows.
pub(crate) struct State {
    fault: Option<Fault>,
    photos: BTreeMap<String, Bytes>,
    mode: String,
    nodes: u64,
    nodes_before: u64,
    megabytes: u64,
    policy: String,
    ratios: [f64; 4],
    lookups: u64,
    hits: u64,
    cached: std::collections::BTreeSet<String>,
}

impl Server {
    pub(crate) async fn start(fault: Option<Fault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::new(fault)));
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { base, state, task }
    }

    pub(crate) fn store(&self, key: &str, content: &'static [u8]) {
        self.state
            .lock()
            .unwrap()
            .photos
            .insert(key.to_owned(), Bytes::from_static(content));
    }

    pub(crate) fn holds(&self, key: &str) -> bool {
        self.state.lock().unwrap().photos.contains_key(key)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn new(fault: Option<Fault>) -> Self {
        Self {
            fault,
            photos: BTreeMap::new(),
            mode: "manual".to_owned(),
            nodes: 1,
            nodes_before: 1,
            megabytes: 64,
            policy: "LRU".to_owned(),
            ratios: [2.0, 0.5, 0.6, 0.2],
            lookups: 0,
            hits: 0,
            cached: std::collections::BTreeSet::new(),
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let state = Arc::clone(&state);
        let service = service_fn(move |request| answer(Arc::clone(&state), request));
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new();
            // An error is a connection dropped on purpose.
            let _ = connection
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// An error drops the connection.
async fn answer(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    api::answer(&state, request)
        .await
        .map_err(|_: api::Crash| std::io::Error::other("crash"))
}

/// The error of what cannot fail; named here so that the handlers read alike.
pub(crate) type Never = Infallible;
