//! The metadata service of each instance, on the instance's own address.
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html>

mod pages;
mod tokens;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::auth::{Credential, Principal};
use crate::connections;
use crate::ec2::{Ec2, InstanceFacts};
use crate::iam::ProfileRole;
use crate::machines::MachineError;
use crate::network::{METADATA_PORT, listeners};
use crate::process;
use crate::wire::{Response, response};
use tokens::Tokens;

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TOKEN_TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// How long an instance role's keys are valid.
const VALIDITY: SignedDuration = SignedDuration::from_hours(1);
/// New keys are there so long before the old ones end.
const RENEWAL: SignedDuration = SignedDuration::from_mins(15);

/// The metadata services that are open.
#[derive(Debug, Default)]
pub struct MetadataServers {
    open: Mutex<HashMap<String, CancellationToken>>,
}

impl MetadataServers {
    /// Opens an instance's service, unless it is open.
    ///
    /// # Errors
    /// Its port is taken.
    pub async fn open(
        &self,
        ec2: &Arc<Ec2>,
        region: &str,
        id: &str,
        address: Ipv4Addr,
    ) -> Result<(), MachineError> {
        if self.lock().contains_key(id) {
            return Ok(());
        }
        let at = SocketAddrV4::new(address, METADATA_PORT);
        let is_taken = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
        let listener = process::once_let_go(|| listen(at), is_taken)
            .await
            .map_err(|source| match listeners::on(at) {
                Some(listener) => MachineError::PortTaken {
                    address,
                    port: METADATA_PORT,
                    listener,
                },
                None => MachineError::Io {
                    operation: "open the metadata service on",
                    path: at.to_string().into(),
                    source,
                },
            })?;
        let closed = CancellationToken::new();
        self.lock().insert(id.to_owned(), closed.clone());
        let service = Arc::new(Metadata::of(ec2, region, id));
        tokio::spawn(async move {
            let answer = move |_, request: connections::Request| {
                let service = Arc::clone(&service);
                async move { service.answer(request.method(), request.uri().path(), request.headers()) }
            };
            connections::serve(
                listener,
                connections::slots(),
                closed,
                Duration::ZERO,
                answer,
            )
            .await;
        });
        Ok(())
    }

    /// Closes an instance's service.
    pub fn close(&self, id: &str) {
        if let Some(open) = self.lock().remove(id) {
            open.cancel();
        }
    }

    /// Closes them all.
    pub fn close_all(&self) {
        for (_, open) in self.lock().drain() {
            open.cancel();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, CancellationToken>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One instance's metadata service.
#[derive(Debug)]
pub struct Metadata {
    ec2: Weak<Ec2>,
    region: String,
    id: String,
    tokens: Tokens,
    /// The keys given out last, with the id of the role they are for.
    keys: Mutex<Option<(String, Credential)>>,
}

impl Metadata {
    /// The service of the instance `id`.
    pub fn of(ec2: &Arc<Ec2>, region: &str, id: &str) -> Self {
        Self {
            ec2: Arc::downgrade(ec2),
            region: region.to_owned(),
            id: id.to_owned(),
            tokens: Tokens::default(),
            keys: Mutex::new(None),
        }
    }

    /// The answer to a request, over whatever connection it came.
    pub fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response {
        let Some((ec2, facts)) = self
            .ec2
            .upgrade()
            .and_then(|ec2| ec2.facts(&self.region, &self.id).map(|facts| (ec2, facts)))
        else {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "");
        };
        if !facts.metadata_enabled {
            return plain(StatusCode::FORBIDDEN, "");
        }
        match (method, path) {
            (&Method::PUT, "/latest/api/token") => self.issue_token(headers),
            (&Method::GET | &Method::HEAD, _) => self.page(&ec2, &facts, path, headers),
            _ => plain(StatusCode::METHOD_NOT_ALLOWED, ""),
        }
    }

    /// A session token. One that came through a proxy is refused, as on AWS.
    fn issue_token(&self, headers: &HeaderMap) -> Response {
        if headers.contains_key("x-forwarded-for") {
            return plain(StatusCode::FORBIDDEN, "");
        }
        let lifetime = headers
            .get(TOKEN_TTL)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.parse::<u32>().ok())
            .filter(|seconds| (1..=21600).contains(seconds));
        let Some(seconds) = lifetime else {
            return plain(StatusCode::BAD_REQUEST, "");
        };
        let token = self.tokens.issue(Duration::from_secs(seconds.into()));
        let mut response = plain(StatusCode::OK, token);
        response.headers_mut().insert(TOKEN_TTL, seconds.into());
        response
    }

    fn page(
        &self,
        ec2: &Arc<Ec2>,
        facts: &InstanceFacts,
        path: &str,
        headers: &HeaderMap,
    ) -> Response {
        let token = headers
            .get(TOKEN)
            .map(|value| value.to_str().unwrap_or_default());
        let allowed = match token {
            Some(token) => self.tokens.is_valid(token),
            None => !facts.tokens_required,
        };
        if !allowed {
            return plain(StatusCode::UNAUTHORIZED, "");
        }
        let in_credentials = path.contains("/iam/security-credentials");
        if in_credentials && ec2.has_no_credentials_yet(&self.id) {
            return plain(StatusCode::NOT_FOUND, "");
        }
        let role = facts
            .profile
            .as_ref()
            .and_then(|(_, profile_id)| ec2.role_of(profile_id));
        let keys = |role: &ProfileRole| {
            role.trusts_ec2
                .then(|| self.keys(ec2, &role.name, &role.id))
        };
        match pages::page(facts, ec2.account(), role.as_ref(), keys, path) {
            Some(pages::Page::Text(text)) => plain(StatusCode::OK, text),
            Some(pages::Page::Json(value)) => {
                response(StatusCode::OK, "application/json", format!("{value:#}"))
            }
            Some(pages::Page::Bytes(bytes)) => {
                response(StatusCode::OK, "application/octet-stream", bytes)
            }
            None => plain(StatusCode::NOT_FOUND, ""),
        }
    }

    /// The role's keys: the same ones until shortly before they end.
    fn keys(&self, ec2: &Arc<Ec2>, name: &str, id: &str) -> Credential {
        let mut held = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Timestamp::now();
        if let Some((role, credential)) = held.as_ref()
            && role == id
            && credential.expires_at.is_some_and(|end| now + RENEWAL < end)
        {
            return credential.clone();
        }
        let principal = Principal::Role {
            name: name.to_owned(),
            id: id.to_owned(),
            session: self.id.clone(),
        };
        let credential = ec2.issue_credentials(principal, VALIDITY);
        *held = Some((id.to_owned(), credential.clone()));
        credential
    }
}

fn listen(at: SocketAddrV4) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(at)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    response(status, "text/plain", text.into())
}
