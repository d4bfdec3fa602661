//! Sending entries and invalidations to their new owners.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode};
use kit::body::{self, Body};
use kit::client::{Client, ClientError};
use kit::pool::{HEIR_LIFE, LIFE, Member, SEQUENCE};
use kit::token::{self, Token};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Mark;
use super::outgoing::{Parcel, Pass, Sent};
use crate::node::{Next, Node};

/// How many entries of a node are on their way at a time: enough to fill the wire, few enough that
/// readers hardly notice.
const SENDERS: usize = 3;
/// For the bytes of one entry to pass between two hosts of a zone.
const SEND_TIME: Duration = Duration::from_secs(2);
/// An invalidation that takes longer is tried again by whoever waits for it.
const PASS_TIME: Duration = Duration::from_millis(500);
/// After something that did not arrive.
const PAUSE: Duration = Duration::from_millis(100);

/// The way from this node to others.
#[derive(Debug, Clone)]
pub struct Sender {
    client: Client,
    token: Token,
}

/// Why the new owner of a key does not know that it was invalidated.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// It cannot be reached.
    #[error("passing an invalidation on")]
    Call(#[from] ClientError),
    /// It did not take it.
    #[error("the new owner answered {0}")]
    Refused(StatusCode),
}

impl Sender {
    /// With the deployment's token.
    #[must_use]
    pub fn new(token: Token) -> Self {
        Self {
            client: Client::new(),
            token,
        }
    }

    /// Hands over to others what will be theirs, until the hand-over is over.
    pub fn begin(&self, node: &Arc<Node>, number: u64) {
        for _ in 0..SENDERS {
            tokio::spawn(hand_over(node.clone(), self.clone(), number));
        }
    }

    /// Tells the new owner of a key that it was invalidated.
    ///
    /// # Errors
    /// When it is not sure to know.
    pub async fn pass(&self, key: &str, pass: &Pass) -> Result<(), PassError> {
        let request = self.request(
            Method::DELETE,
            &pass.to,
            pass.number,
            key,
            pass.mark,
            body::empty(),
        );
        match self.client.send(request, PASS_TIME).await?.status() {
            StatusCode::NO_CONTENT => Ok(()),
            status => Err(PassError::Refused(status)),
        }
    }

    async fn send(&self, parcel: &Parcel) -> Sent {
        // One whose life is not known would refuse it: that is asked for with an empty hand.
        let content = match parcel.heir_life {
            Some(_) => body::full(parcel.value.content.clone()),
            None => body::empty(),
        };
        let mut request = self.request(
            Method::PUT,
            &parcel.to,
            parcel.number,
            &parcel.key,
            parcel.mark,
            content,
        );
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, parcel.value.content_type.clone());
        if let Some(life) = parcel.heir_life {
            headers.insert(&HEIR_LIFE, HeaderValue::from(life));
        }
        match self.client.send(request, SEND_TIME).await {
            Ok(answer) => match answer.status() {
                StatusCode::NO_CONTENT => Sent::Moved,
                StatusCode::CONFLICT => Sent::NotWanted,
                StatusCode::PRECONDITION_FAILED => life(answer.headers()),
                StatusCode::INSUFFICIENT_STORAGE => Sent::Full,
                _ => Sent::Failed,
            },
            Err(error) => {
                tracing::debug!(
                    to = parcel.to.instance,
                    error = &error as &dyn std::error::Error,
                    "an entry was not handed over"
                );
                Sent::Failed
            }
        }
    }

    fn request(
        &self,
        method: Method,
        to: &Member,
        number: u64,
        key: &str,
        mark: Mark,
        content: Body,
    ) -> Request<Body> {
        let key = utf8_percent_encode(key, NON_ALPHANUMERIC);
        let mut request = Request::new(content);
        *request.method_mut() = method;
        // An address that is none ends as an error of the call.
        *request.uri_mut() = format!("http://{}/handover/{number}/{key}", to.address)
            .parse()
            .unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(token::HEADER, self.token.header_value());
        headers.insert(&LIFE, HeaderValue::from(mark.life));
        headers.insert(&SEQUENCE, HeaderValue::from(mark.sequence));
        request
    }
}

/// A new owner that lives another life than it was sent for says which.
fn life(headers: &HeaderMap) -> Sent {
    let told = headers.get(&HEIR_LIFE).and_then(|life| life.to_str().ok());
    told.and_then(|life| life.parse().ok())
        .map_or(Sent::Failed, Sent::OtherLife)
}

async fn hand_over(node: Arc<Node>, sender: Sender, number: u64) {
    loop {
        match node.parcel(number) {
            Next::Parcel(parcel) => {
                let outcome = sender.send(&parcel).await;
                node.sent(&parcel, outcome);
                if outcome == Sent::Failed {
                    tokio::time::sleep(PAUSE).await;
                }
            }
            // Something may be filled in still, or come back.
            Next::Nothing => {
                let _stirred = tokio::time::timeout(PAUSE, node.stirred()).await;
            }
            Next::Over => return,
        }
    }
}
