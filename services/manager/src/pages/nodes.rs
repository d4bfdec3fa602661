//! The page of the pool: its nodes, who owns what, and growing and shrinking by hand.

use catalog::{By, Mode, NodeRow, PoolState, Stage};
use http::Response;
use jiff::Timestamp;
use kit::body::Body;
use kit::pool::Statistics;
use kit::words::{grouped, sentence, size};
use serde::Serialize;
use serde_json::{Value, json};

use super::form::Form;
use super::glance::Glance;
use super::partitions::{partitions, share};
use super::visit::Visit;
use super::{Notice, told};
use crate::api::{self, Expected, WishError};
use crate::bucket::Bucket;
use crate::caches;
use crate::manager::Manager;
use crate::wish::Wish;

/// The page.
pub(super) async fn page<B: Bucket>(visit: &Visit<'_, B>) -> Response<Body> {
    visit.page("pool", content(visit).await)
}

/// The part that changes by itself, for the script.
pub(super) async fn part<B: Bucket>(visit: &Visit<'_, B>) -> Response<Body> {
    let content = json!({ "pool": pool_now(visit.manager).await });
    visit.part("nodes", &content)
}

/// Grows or shrinks the pool, from the size that the page showed.
pub(super) async fn resize<B: Bucket>(visit: &Visit<'_, B>, form: &Form) -> Response<Body> {
    match grant(visit.manager, form).await {
        Ok(to) => {
            let text = format!("The pool goes to {}.", told::nodes(to));
            visit.on_to("/pool", Notice::good(text))
        }
        Err(error) => {
            let notice = Notice::bad(sentence(&api::wish_message(&error)));
            let (status, content) = (api::wish_status(&error), content(visit).await);
            visit.page_saying(status, "pool", content, Some(notice))
        }
    }
}

async fn grant<B: Bucket>(manager: &Manager<B>, form: &Form) -> Result<u32, WishError> {
    let wish = Wish::from_pairs([("numNodes", form.field("to"))])?;
    let seen = form.field("from").parse();
    let expected = seen.map_or(Expected::Anything, Expected::Size);
    api::grant(manager, By::Page, &wish, &expected).await?;
    Ok(form.field("to").parse().unwrap_or_default())
}

async fn content<B: Bucket>(visit: &Visit<'_, B>) -> Value {
    json!({
        "title": "Pool",
        "section": "pool",
        "pool": pool_now(visit.manager).await,
    })
}

/// One node, or one empty place, in the table.
#[derive(Serialize)]
struct Line {
    /// Counted from 1; 0 without one.
    place: u32,
    place_told: String,
    instance: Option<String>,
    address: String,
    state: &'static str,
    tone: &'static str,
    zone: String,
    age: String,
    items: String,
    bytes: String,
    hit_rate: String,
    share: String,
}

async fn pool_now<B: Bucket>(manager: &Manager<B>) -> Value {
    let Some(state) = manager.keeper.state() else {
        return Value::Null;
    };
    let statistics = caches::statistics(&manager.keeper, &manager.nodes).await;
    let pool = &state.pool;
    json!({
        "glance": Glance::at(manager, &state),
        "wanted": pool.wanted,
        "max": pool.max,
        "fewer": pool.wanted.saturating_sub(1),
        "more": pool.wanted + 1,
        "is_automatic": pool.mode == Mode::Auto,
        "can_grow": pool.mode == Mode::Manual && pool.wanted < pool.max,
        "can_shrink": pool.mode == Mode::Manual && pool.wanted > pool.min,
        "epoch": pool.epoch,
        "partitions": partitions(&state),
        "nodes": lines(manager, &state, &statistics),
    })
}

/// The places in their order, then what has none (yet, or any more).
fn lines<B>(manager: &Manager<B>, state: &PoolState, statistics: &[Statistics]) -> Vec<Line> {
    let line = |node: &NodeRow| line(manager, state, node, statistics);
    let by_place = (0..state.pool.size).map(|place| {
        let node = state.nodes.iter().find(|node| node.place == Some(place));
        node.map_or_else(|| empty_line(place, state), line)
    });
    let without = state.nodes.iter().filter(|node| node.place.is_none());
    by_place.chain(without.map(line)).collect()
}

fn empty_line(place: u32, state: &PoolState) -> Line {
    let nothing = || told::NOTHING.to_owned();
    Line {
        place: place + 1,
        place_told: (place + 1).to_string(),
        instance: None,
        address: nothing(),
        state: "being replaced",
        tone: "busy",
        zone: nothing(),
        age: nothing(),
        items: nothing(),
        bytes: nothing(),
        hit_rate: nothing(),
        share: share_told(place, state),
    }
}

fn line<B>(
    manager: &Manager<B>,
    state: &PoolState,
    node: &NodeRow,
    statistics: &[Statistics],
) -> Line {
    let figures = statistics
        .iter()
        .find(|figures| Some(&figures.instance) == node.instance.as_ref());
    let (stage, tone) = stage_told(node.stage);
    let place = node.place.map(|place| place + 1);
    Line {
        place: place.unwrap_or_default(),
        place_told: told::or_nothing(place.map(|place| place.to_string())),
        instance: node.instance.clone(),
        address: told::or_nothing(node.address.clone()),
        state: stage,
        tone,
        zone: told::or_nothing(zone(manager, node)),
        age: told::age(node.since, Timestamp::now()),
        items: told::or_nothing(figures.map(|figures| grouped(figures.items))),
        bytes: told::or_nothing(figures.map(|figures| size(figures.bytes))),
        hit_rate: told::or_nothing(
            figures
                .map(|figures| told::rate(figures.last_minute.hits, figures.last_minute.lookups)),
        ),
        share: node.place.map_or_else(
            || told::NOTHING.to_owned(),
            |place| share_told(place, state),
        ),
    }
}

const fn stage_told(stage: Stage) -> (&'static str, &'static str) {
    match stage {
        Stage::Launching => ("being launched", "busy"),
        Stage::Starting => ("starting", "busy"),
        Stage::Serving => ("serving", "good"),
        Stage::Lost => ("not answering", "bad"),
        Stage::Leaving => ("leaving", "busy"),
        Stage::Ending => ("ending", "warn"),
    }
}

/// The availability zone of the subnet that the node was launched into.
fn zone<B>(manager: &Manager<B>, node: &NodeRow) -> Option<String> {
    let version = manager.keeper.blueprint()?;
    let subnets = version.blueprint.subnets.iter();
    let own = subnets.filter(|subnet| Some(&subnet.id) == node.subnet.as_ref());
    own.map(|subnet| subnet.zone.clone()).next()
}

fn share_told(place: u32, state: &PoolState) -> String {
    format!("{} of 16", share(place, state.pool.size))
}
