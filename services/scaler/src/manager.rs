//! The way to the manager on the same instance.

use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, StatusCode};
use kit::body::{self, Body};
use kit::client::{Client, ClientError};
use kit::scaling::{Decision, PATH, Situation};
use kit::token::{self, Token};
use serde::Deserialize;

/// The manager writes to the database within eight seconds, or says that it cannot.
const DEADLINE: Duration = Duration::from_secs(10);

/// The manager, as the scaler calls it.
pub struct Manager {
    client: Client,
    token: Token,
    url: String,
}

/// Why a call did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum ManagerError {
    /// The request cannot be made.
    #[error("preparing a call of the manager")]
    Prepare(#[source] http::Error),
    /// The decision cannot be written down.
    #[error("writing the decision")]
    Write(#[source] serde_json::Error),
    /// There was no answer.
    #[error("the manager does not answer")]
    Call(#[from] ClientError),
    /// The pool is not any more what the decision was made for.
    #[error("the manager refused: {0}")]
    Refused(String),
    /// Another answer than it should give.
    #[error("the manager answered {status}: {message}")]
    Answer {
        /// HTTP status.
        status: StatusCode,
        /// What it said.
        message: String,
    },
    /// An answer that cannot be read.
    #[error("the manager's answer cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

/// How the manager says what went wrong.
#[derive(Deserialize)]
struct Failure {
    error: String,
}

impl Manager {
    /// The manager at `address`.
    #[must_use]
    pub fn new(address: SocketAddr, token: Token) -> Self {
        Self {
            client: Client::new(),
            token,
            url: format!("http://{address}{PATH}"),
        }
    }

    /// What the manager knows.
    ///
    /// # Errors
    /// When it does not say.
    pub async fn situation(&self) -> Result<Situation, ManagerError> {
        let request = self.request("GET", body::empty())?;
        let answer = self.client.send(request, DEADLINE).await?;
        match answer.status() {
            StatusCode::OK => {
                serde_json::from_slice(answer.body()).map_err(ManagerError::Unreadable)
            }
            status => Err(ManagerError::Answer {
                status,
                message: message(answer.body()),
            }),
        }
    }

    /// Has a decision stored and, if it resizes the pool, carried out.
    ///
    /// # Errors
    /// When the pool is not any more what the decision was made for, or the manager cannot store it.
    pub async fn tell(&self, decision: &Decision) -> Result<(), ManagerError> {
        let text = serde_json::to_vec(decision).map_err(ManagerError::Write)?;
        let request = self.request("POST", body::full(text))?;
        let answer = self.client.send(request, DEADLINE).await?;
        match answer.status() {
            StatusCode::NO_CONTENT => Ok(()),
            StatusCode::CONFLICT => Err(ManagerError::Refused(message(answer.body()))),
            status => Err(ManagerError::Answer {
                status,
                message: message(answer.body()),
            }),
        }
    }

    fn request(&self, method: &str, body: Body) -> Result<Request<Body>, ManagerError> {
        Request::builder()
            .method(method)
            .uri(&self.url)
            .header(token::HEADER, self.token.header_value())
            .body(body)
            .map_err(ManagerError::Prepare)
    }
}

fn message(body: &[u8]) -> String {
    match serde_json::from_slice::<Failure>(body) {
        Ok(failure) => failure.error,
        Err(_) => "(without saying why)".to_owned(),
    }
}
