//! What the manager says to cache nodes.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use kit::body;
use kit::client::{Client, ClientError};
use kit::pool::{Clear, Configuration, EPOCH, Place, Progress, Statistics};
use kit::token::{self, Token};
use serde::Serialize;

use crate::pool::ANSWER_TIME;

/// Why a node did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// No answer.
    #[error("no answer")]
    Call(#[from] ClientError),
    /// The node has a newer epoch: somebody else leads.
    #[error("the node's epoch is {0} already")]
    NewerEpoch(u64),
    /// Any other refusal.
    #[error("the node answered {0}")]
    Refused(StatusCode),
    /// An answer that is not what was asked for.
    #[error("the node's answer is not understood")]
    Answer(#[from] serde_json::Error),
    /// A question that cannot be put into HTTP.
    #[error("the request could not be made")]
    Request(#[from] http::Error),
}

impl NodeError {
    /// Whether the node surely never saw the request.
    #[must_use]
    pub const fn never_arrived(&self) -> bool {
        matches!(
            self,
            Self::Call(ClientError::Connect { .. }) | Self::Request(_)
        )
    }
}

/// Talks to any node of the pool. Clones share connections.
#[derive(Clone, Debug)]
pub struct Nodes {
    client: Client,
    token: Token,
}

impl Nodes {
    /// With the deployment's token.
    #[must_use]
    pub fn new(token: Token) -> Self {
        Self {
            client: Client::new(),
            token,
        }
    }

    /// Gives a node its place in the table and a lease. Answers how far it has come with the hand-over
    /// that is under way.
    ///
    /// # Errors
    /// When it does not take it.
    pub async fn put_table(
        &self,
        address: &str,
        place: &Place,
    ) -> Result<Option<Progress>, NodeError> {
        let answer = self.put(address, "/table", place).await?;
        if answer.body().is_empty() {
            return Ok(None);
        }
        Ok(Some(serde_json::from_slice(answer.body())?))
    }

    /// Sets a node's capacity and policy.
    ///
    /// # Errors
    /// When it does not take them.
    pub async fn configure(&self, address: &str, wish: &Configuration) -> Result<(), NodeError> {
        self.put(address, "/configuration", wish).await?;
        Ok(())
    }

    /// Empties a node and voids its leases, and the hand-overs up to `void_through`.
    ///
    /// # Errors
    /// When it does not do it.
    pub async fn clear(&self, address: &str, void_through: u64) -> Result<(), NodeError> {
        let body = Bytes::from(serde_json::to_vec(&Clear { void_through })?);
        self.call(Method::POST, address, "/clear", body).await?;
        Ok(())
    }

    /// What a node holds and has counted.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn statistics(&self, address: &str) -> Result<Statistics, NodeError> {
        let answer = self
            .call(Method::GET, address, "/statistics", Bytes::new())
            .await?;
        Ok(serde_json::from_slice(answer.body())?)
    }

    /// The newest lines of a node's log, oldest first, a JSON object each.
    ///
    /// # Errors
    /// When it does not tell them.
    pub async fn log(&self, address: &str) -> Result<String, NodeError> {
        let answer = self
            .call(Method::GET, address, "/log", Bytes::new())
            .await?;
        Ok(String::from_utf8_lossy(answer.body()).into_owned())
    }

    async fn put(
        &self,
        address: &str,
        path: &str,
        value: &impl Serialize,
    ) -> Result<Response<Bytes>, NodeError> {
        let body = Bytes::from(serde_json::to_vec(value)?);
        self.call(Method::PUT, address, path, body).await
    }

    async fn call(
        &self,
        method: Method,
        address: &str,
        path: &str,
        content: Bytes,
    ) -> Result<Response<Bytes>, NodeError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{address}{path}"))
            .header(token::HEADER, self.token.header_value())
            .header(header::CONTENT_TYPE, "application/json")
            .body(body::full(content))?;
        let answer = self.client.send(request, ANSWER_TIME).await?;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            StatusCode::CONFLICT => Err(epoch_of(&answer).map_or(
                NodeError::Refused(StatusCode::CONFLICT),
                NodeError::NewerEpoch,
            )),
            status => Err(NodeError::Refused(status)),
        }
    }
}

fn epoch_of(answer: &Response<Bytes>) -> Option<u64> {
    answer.headers().get(EPOCH)?.to_str().ok()?.parse().ok()
}
