//! The overview: how the pool is now, and its charts.

use catalog::{PoolState, Totals};
use http::Response;
use jiff::Timestamp;
use kit::body::Body;
use kit::pool::Statistics;
use kit::words::{grouped, size};
use serde_json::{Value, json};

use super::charts::{self, Places, Shown};
use super::glance::Glance;
use super::told;
use super::visit::Visit;
use crate::bucket::Bucket;
use crate::caches;
use crate::charts::Resize;
use crate::manager::Manager;
use crate::pool;

/// Changes that may lie within what the charts show.
const CHANGES: u32 = 200;

/// The page.
pub(super) async fn page<B: Bucket>(visit: &Visit<'_, B>) -> Response<Body> {
    let (figures, shown) = tokio::join!(figures_now(visit.manager), charts_now(visit));
    let content = json!({
        "title": "Overview",
        "section": "overview",
        "scripts": ["uplot", "charts"],
        "pool": figures,
        "shown": shown,
        "each": each(visit),
    });
    visit.page("overview", content)
}

/// The figures, for the script.
pub(super) async fn figures<B: Bucket>(visit: &Visit<'_, B>) -> Response<Body> {
    let content = json!({ "pool": figures_now(visit.manager).await });
    visit.part("figures", &content)
}

/// The charts, for the script.
pub(super) async fn charts<B: Bucket>(visit: &Visit<'_, B>) -> Response<Body> {
    let content = json!({ "shown": charts_now(visit).await });
    visit.part("charts", &content)
}

/// Whether the page shows a line of each node too.
fn each<B>(visit: &Visit<'_, B>) -> bool {
    visit
        .parameter("nodes")
        .is_some_and(|nodes| nodes == "each")
}

async fn figures_now<B: Bucket>(manager: &Manager<B>) -> Value {
    let Some(state) = manager.keeper.state() else {
        return Value::Null;
    };
    let (statistics, totals) = tokio::join!(
        caches::statistics(&manager.keeper, &manager.nodes),
        manager.keeper.catalog().totals()
    );
    figures_of(manager, &state, &statistics, totals.ok())
}

fn figures_of<B>(
    manager: &Manager<B>,
    state: &PoolState,
    statistics: &[Statistics],
    totals: Option<Totals>,
) -> Value {
    let all = |count: fn(&Statistics) -> u64| statistics.iter().map(count).sum::<u64>();
    let lookups = all(|node| node.last_minute.lookups);
    let hits = all(|node| node.last_minute.hits);
    let capacity = state.pool.capacity * u64::from(pool::serving(state));
    json!({
        "glance": Glance::at(manager, state),
        "photos": told::or_nothing(totals.map(|totals| grouped(totals.photos))),
        "photo_bytes": told::or_nothing(totals.map(|totals| size(totals.bytes))),
        "items": grouped(all(|node| node.items)),
        "bytes": size(all(|node| node.bytes)),
        "capacity": size(capacity),
        "hit_rate": told::rate(hits, lookups),
        "lookups": grouped(lookups),
    })
}

async fn charts_now<B: Bucket>(visit: &Visit<'_, B>) -> Option<Shown> {
    let manager = visit.manager;
    let state = manager.keeper.state()?;
    let places = places(&state);
    let instances = if each(visit) {
        in_order(&state)
    } else {
        Vec::new()
    };
    let now = Timestamp::now();
    let (reading, resizes) = tokio::join!(manager.readings.read(now, &instances), resizes(manager));
    let rows = &state.pool;
    let charts = crate::charts::charts(
        &reading.figures,
        &resizes,
        rows.wanted,
        (rows.min_miss, rows.max_miss),
    );
    Some(charts::shown(&reading, &charts, &resizes, &places, now))
}

/// The place of each instance, counted from 1.
fn places(state: &PoolState) -> Places {
    let placed = state.nodes.iter();
    let placed = placed.filter_map(|node| Some((node.instance.clone()?, node.place? + 1)));
    placed.collect()
}

/// The instances in the order of their places, then those that have none.
fn in_order(state: &PoolState) -> Vec<String> {
    let mut nodes: Vec<_> = state.nodes.iter().collect();
    nodes.sort_by_key(|node| node.place.unwrap_or(u32::MAX));
    let instances = nodes.into_iter().filter_map(|node| node.instance.clone());
    instances.collect()
}

/// The changes of size, newest first. Without the database none are marked.
async fn resizes<B>(manager: &Manager<B>) -> Vec<Resize> {
    let keeper = &manager.keeper;
    let changes = keeper.catalog().changes(keeper.pool_name(), CHANGES).await;
    let sizes = changes.unwrap_or_default().into_iter();
    let sizes = sizes.filter(|change| change.what == "numNodes");
    let resizes = sizes.filter_map(|change| {
        Some(Resize {
            at: change.at.as_second(),
            from: change.from.parse().ok()?,
            to: change.to.parse().ok()?,
        })
    });
    resizes.collect()
}
