//! A front-end as far as the caches can tell: it follows the published table, and asks owners by it.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use kit::body::{self, Body};
use kit::client::Client;
use kit::pool::{EPOCH, LEASE, Table};
use kit::token;
use tokio::sync::watch;

use crate::world::{TOKEN, World};

/// Longer than a node takes, and shorter than a test waits.
const ANSWER: Duration = Duration::from_secs(2);

/// Clones are the same front-end.
#[derive(Clone)]
pub(crate) struct FrontEnd {
    client: Client,
    table: watch::Receiver<Table>,
}

/// What came of a look-up.
pub(crate) enum Found {
    Photo(Bytes),
    Nothing(Lease),
    /// The owner does not serve, or not by this table.
    Refused,
}

/// What a fill has to present, and to whom.
pub(crate) struct Lease {
    address: String,
    epoch: u64,
    number: String,
}

impl FrontEnd {
    /// Of a pool that has a table.
    pub(crate) async fn of(world: &World) -> Self {
        let (tell, mut table) = watch::channel(Table::default());
        let client = Client::new();
        tokio::spawn(follow(client.clone(), world.url("/internal/table"), tell));
        table.wait_for(|table| table.epoch > 0).await.unwrap();
        Self { client, table }
    }

    /// Waits until it knows the table of an epoch.
    pub(crate) async fn knows(&mut self, epoch: u64) {
        let known = self.table.wait_for(|table| table.epoch >= epoch);
        known.await.unwrap();
    }

    pub(crate) async fn look_up(&self, key: &str) -> Found {
        let Some((address, epoch)) = self.owner(key) else {
            return Found::Refused;
        };
        let request = request(Method::GET, &address, epoch, key);
        let answer = self.send(request.body(body::empty()).unwrap()).await;
        let Some(answer) = answer else {
            return Found::Refused;
        };
        let lease = answer.headers().get(&LEASE);
        match (answer.status(), lease) {
            (StatusCode::OK, _) => Found::Photo(answer.into_body()),
            (StatusCode::NOT_FOUND, Some(lease)) => Found::Nothing(Lease {
                address,
                epoch,
                number: lease.to_str().unwrap().to_owned(),
            }),
            _ => Found::Refused,
        }
    }

    /// Whether the node that gave the lease takes the photo.
    pub(crate) async fn fill(&self, key: &str, lease: &Lease, photo: Vec<u8>) -> bool {
        let request = request(Method::PUT, &lease.address, lease.epoch, key)
            .header(LEASE, &lease.number)
            .body(body::full(photo));
        let answer = self.send(request.unwrap()).await;
        answer.is_some_and(|answer| answer.status() == StatusCode::NO_CONTENT)
    }

    /// Whether the owner has surely dropped the key. Tried once.
    pub(crate) async fn invalidate(&self, key: &str) -> bool {
        let Some((address, epoch)) = self.owner(key) else {
            return false;
        };
        let request = request(Method::DELETE, &address, epoch, key);
        let answer = self.send(request.body(body::empty()).unwrap()).await;
        answer.is_some_and(|answer| answer.status() == StatusCode::NO_CONTENT)
    }

    fn owner(&self, key: &str) -> Option<(String, u64)> {
        let table = self.table.borrow();
        let owner = table.owner(key)?;
        Some((owner.address.clone(), table.epoch))
    }

    async fn send(&self, request: Request<Body>) -> Option<Response<Bytes>> {
        self.client.send(request, ANSWER).await.ok()
    }
}

fn request(method: Method, address: &str, epoch: u64, key: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(format!("http://{address}/entries/{key}"))
        .header(token::HEADER, TOKEN)
        .header(EPOCH, epoch)
}

/// Learns of every table until nobody wants to know any more, from one manager after the other.
async fn follow(client: Client, url: String, tell: watch::Sender<Table>) {
    while !tell.is_closed() {
        let after = tell.borrow().epoch;
        let request = Request::get(format!("{url}?after={after}"))
            .header(token::HEADER, TOKEN)
            .body(body::empty())
            .unwrap();
        let answer = client.send(request, Duration::from_secs(25)).await.ok();
        let table = answer.and_then(|answer| serde_json::from_slice::<Table>(answer.body()).ok());
        match table {
            Some(table) if table.epoch > after => drop(tell.send_replace(table)),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
