//! What every service shares: settings, accept loop, drain, auth, health, JSON errors, metrics.
//!
//! A service is a library with `run(settings, …, shutdown)` and a `main` of a dozen lines:
//!
//! ```no_run
//! use std::net::IpAddr;
//!
//! use http::{Request, Response, StatusCode};
//! use kit::body::{Body, Incoming};
//! use kit::{health::Health, metrics::Registry, reply, server::Server, settings};
//!
//! #[derive(serde::Deserialize)]
//! #[serde(rename_all = "kebab-case")]
//! struct Settings {
//!     instance: settings::Instance,
//!     secrets: Secrets,
//! }
//!
//! #[derive(serde::Deserialize)]
//! #[serde(rename_all = "kebab-case")]
//! struct Secrets {
//!     internal_token: kit::token::Token,
//! }
//!
//! async fn handle(request: Request<Incoming>, token: &kit::token::Token) -> Response<Body> {
//!     if !token.accepts(request.headers()) {
//!         return reply::error(StatusCode::UNAUTHORIZED, "token");
//!     }
//!     match kit::body::read_limited(request.into_body(), 1024 * 1024).await {
//!         Ok(bytes) => reply::json(StatusCode::OK, &serde_json::json!({ "bytes": bytes.len() })),
//!         Err(refused) => refused.reply("/api/upload"), // 413 or 400 in the contract's failure shape
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     kit::logging::init("example");
//!     let settings: Settings = settings::load()?;
//!     let address: IpAddr = settings.instance.address;
//!     let listener = tokio::net::TcpListener::bind((address, 5000)).await?;
//!     let health = Health::new();
//!     let database = health.check("database"); // not ready until `database.pass()`
//!     let server = Server::new(health, Registry::new());
//!     let token = std::sync::Arc::new(settings.secrets.internal_token);
//!     database.pass();
//!     let shutdown = kit::shutdown::signal()?;
//!     let drained = server
//!         .serve(listener, move |request| {
//!             let token = token.clone();
//!             async move { handle(request, &token).await }
//!         }, shutdown)
//!         .await;
//!     println!("{drained:?}");
//!     Ok(())
//! }
//! ```

pub mod assets;
pub mod aws;
pub mod body;
pub mod client;
pub mod csrf;
pub mod door;
pub mod events;
pub mod expiry;
pub mod health;
pub mod logging;
pub mod metrics;
pub mod open_files;
pub mod origin;
pub mod placement;
pub mod pool;
pub mod reply;
pub mod request_id;
pub mod scaling;
pub mod server;
pub mod session;
pub mod settings;
pub mod shutdown;
pub mod threads;
pub mod token;
pub mod words;
