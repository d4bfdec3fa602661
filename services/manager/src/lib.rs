//! The manager: keeps the pool of cache nodes as it is wished for, tells front-ends which node owns
//! what, answers the contract's endpoints about the pool, and shows all of it on its pages.
//!
//! [`pool`] decides, purely; [`reconcile`] stores the decision and publishes tables; [`heart`] talks
//! to the nodes and [`launcher`] to EC2; [`api`], [`internal`] and [`pages`] answer requests.

#![forbid(unsafe_code)]

pub mod api;
pub mod blueprint;
pub mod bucket;
pub mod caches;
pub mod charts;
pub mod cloud;
pub mod deadline;
pub mod deletion;
pub mod error;
pub mod heart;
pub mod history;
pub mod internal;
pub mod keeper;
pub mod launcher;
pub mod manager;
pub mod metrics;
pub mod nodes;
pub mod pages;
pub mod photos;
pub mod pool;
pub mod reconcile;
pub mod scaling;
pub mod settings;
pub mod status;
pub mod wish;

use std::net::SocketAddr;
use std::sync::Arc;

use catalog::Catalog;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response, StatusCode};
use kit::body::{Body, Incoming};
use kit::health::Health;
use kit::metrics::Registry;
use kit::reply;
use kit::server::{Drained, Server};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bucket::{Bucket, S3};
use crate::charts::readings::Readings;
use crate::cloud::{Cloud, Ec2};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::keeper::Keeper;
use crate::launcher::Launcher;
use crate::manager::Manager;
use crate::metrics::{CloudWatch, Metrics};
use crate::nodes::Nodes;
use crate::settings::Settings;

/// Binds the instance's address and runs against AWS until `shutdown`.
///
/// # Errors
/// When the address is taken, or the settings are unusable.
pub fn start(
    settings: Settings,
    shutdown: CancellationToken,
) -> BoxFuture<'static, Result<Drained, Error>> {
    // Boxed, so that it is compiled here and not in every program and test that awaits it.
    async move {
        let address = SocketAddr::new(settings.instance.address, settings.manager.port);
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| Error::Listen { address, source })?;
        let sdk = kit::aws::sdk_config(&settings.region).await;
        let deadline = Deadline::new(kit::aws::metadata());
        let cloud = Ec2::new(&sdk, &settings, deadline.clone());
        let bucket = S3::new(&sdk, &settings.bucket);
        let metrics = Arc::new(CloudWatch::new(&sdk, &settings.namespace));
        run(
            settings, listener, cloud, bucket, metrics, deadline, shutdown,
        )
        .await
    }
    .boxed()
}

/// Runs on `listener` until `shutdown`.
///
/// # Errors
/// When the settings are unusable. A database that is not there yet is waited for.
pub async fn run<C: Cloud, B: Bucket>(
    settings: Settings,
    listener: TcpListener,
    cloud: C,
    bucket: B,
    metrics: Arc<dyn Metrics>,
    deadline: Deadline,
    shutdown: CancellationToken,
) -> Result<Drained, Error> {
    let password = settings.secrets.database_password.expose();
    let catalog = Catalog::connect(&settings.database, password)?;
    let keeper = Keeper::new(catalog, settings.pool.name.clone());
    let nodes = Nodes::new(settings.secrets.internal_token.clone());
    let health = health(&keeper);
    let registry = figures(&keeper);
    let launcher = Launcher::new(keeper.clone(), cloud, settings.pool.port);
    let key = settings.pool.blueprint.clone();
    let token = settings.secrets.internal_token.clone();
    let readings = Readings::new(metrics);
    let manager = Arc::new(Manager::new(
        settings,
        keeper,
        nodes,
        bucket,
        readings,
        deadline.clone(),
    )?);
    let mut work = JoinSet::new();
    work.spawn(deadline.watch());
    work.spawn(blueprint::watch(
        manager.keeper.clone(),
        manager.bucket.clone(),
        key,
    ));
    work.spawn(reconcile::lead(manager.keeper.clone()));
    work.spawn(heart::beat(manager.keeper.clone(), manager.nodes.clone()));
    work.spawn(launcher.run());
    work.spawn(photos::sweep(
        manager.keeper.clone(),
        manager.bucket.clone(),
    ));
    work.spawn(status::write(manager.clone()));
    let stopping = shutdown.clone();
    let answering = manager.clone();
    let drained = Server::new(health, registry)
        .tell_peers()
        .metrics_for(token)
        .serve(
            listener,
            move |request| answer(answering.clone(), stopping.clone(), request),
            shutdown,
        )
        .await;
    // What was begun is stored or repeatable: nothing is lost by stopping anywhere.
    work.shutdown().await;
    Ok(drained)
}

async fn answer<B: Bucket>(
    manager: Arc<Manager<B>>,
    stopping: CancellationToken,
    request: Request<Incoming>,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    if let Err(foreign) = kit::origin::check(&request) {
        return if path.starts_with("/api") || path.starts_with("/internal") {
            reply::failure_at(&path, StatusCode::FORBIDDEN, &foreign.to_string())
        } else {
            let message = kit::words::sentence(&foreign.to_string());
            manager
                .pages
                .problem(request.headers(), StatusCode::FORBIDDEN, &message)
        };
    }
    if path == "/api" || path.starts_with("/api/") {
        match manager.door.check(request.headers()) {
            Ok(()) => api::answer(&manager, request).await,
            Err(refused) => refused.reply(),
        }
    } else if path.starts_with("/internal/") {
        internal::answer(&manager, &stopping, request).await
    } else {
        pages::answer(&manager, request).await
    }
}

fn health(keeper: &Keeper) -> Health {
    let health = Health::new();
    let database = keeper.clone();
    health.probe("database", move || {
        let keeper = database.clone();
        async move {
            let answer = keeper.catalog().ping().await;
            answer.map_err(|error| reconcile::chain(&error))
        }
    });
    let pool = keeper.clone();
    health.probe("pool", move || {
        let keeper = pool.clone();
        async move {
            match (keeper.state(), keeper.hold()) {
                (None, _) => Err("not leading the pool yet".to_owned()),
                (Some(state), Some(hold)) if !pool::is_steady(&state) => Err(hold),
                (Some(state), _) if pool::serving(&state) == 0 => {
                    Err("no node serves yet".to_owned())
                }
                (Some(_), _) => Ok(()),
            }
        }
    });
    health
}

fn figures(keeper: &Keeper) -> Registry {
    let registry = Registry::new();
    let add = |name, help, figure: fn(&catalog::PoolState) -> u64| {
        let keeper = keeper.clone();
        registry.computed(name, help, move || {
            keeper.state().map_or(0.0, |state| figure(&state) as f64)
        });
    };
    add("pool_epoch", "Epoch of the pool's table", |state| {
        state.pool.epoch
    });
    add("pool_nodes_wanted", "Nodes wished for", |state| {
        u64::from(state.pool.wanted)
    });
    add("pool_nodes_serving", "Nodes that serve", |state| {
        u64::from(pool::serving(state))
    });
    registry
}
