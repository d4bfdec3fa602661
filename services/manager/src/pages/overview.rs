//! The page that shows the pool and its forms, and the part of it that is refreshed.

use catalog::{NodeRow, PoolState, Stage, Totals};
use http::{HeaderMap, Response, StatusCode};
use kit::body::Body;
use kit::pool::Statistics;
use kit::session::SessionId;
use kit::words::{grouped, sentence, size};
use kit::{csrf, reply};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Notice, login};
use crate::api::fraction;
use crate::bucket::Bucket;
use crate::caches;
use crate::manager::Manager;
use crate::pool;
use crate::wish::{LARGEST_CACHE, megabytes, policy_name};

/// What somebody typed into a form that was refused, to be corrected.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    pub(super) capacity: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) capacity_problem: Option<String>,
    pub(super) name: Option<String>,
    pub(super) name_problem: Option<String>,
}

/// The overview.
pub(super) async fn page<B: Bucket>(manager: &Manager<B>, headers: &HeaderMap) -> Response<Body> {
    match login::signed_in(manager, headers).await {
        Ok(session) => {
            let notice = manager.pages.take_notice(&session);
            show(
                manager,
                headers,
                &session,
                StatusCode::OK,
                notice,
                Typed::default(),
            )
            .await
        }
        Err(answer) => answer,
    }
}

/// The part that changes by itself, for the script.
pub(super) async fn fragment<B: Bucket>(
    manager: &Manager<B>,
    headers: &HeaderMap,
) -> Response<Body> {
    match login::signed_in(manager, headers).await {
        Ok(_) => {
            let content = json!({ "pool": pool_shown(manager).await });
            manager.pages.render(StatusCode::OK, "pool", &content)
        }
        Err(answer) if answer.status() == StatusCode::SEE_OTHER => {
            reply::error(StatusCode::UNAUTHORIZED, "log in first")
        }
        Err(answer) => answer,
    }
}

/// The overview, also after a form that was refused.
pub(super) async fn show<B: Bucket>(
    manager: &Manager<B>,
    headers: &HeaderMap,
    session: &SessionId,
    status: StatusCode,
    notice: Option<Notice>,
    typed: Typed,
) -> Response<Body> {
    let pages = &manager.pages;
    let content = json!({
        "title": "Pool",
        "csrf": csrf::token(&pages.key, session),
        "notice": notice,
        "pool": pool_shown(manager).await,
        "forms": forms_shown(manager, &typed),
    });
    pages.page(status, "overview", headers, content)
}

fn forms_shown<B>(manager: &Manager<B>, typed: &Typed) -> Value {
    let Some(state) = manager.keeper.state() else {
        return Value::Null;
    };
    let pool = &state.pool;
    let policy = typed.policy.as_deref().unwrap_or(policy_name(pool.policy));
    let capacity = megabytes(pool.capacity).to_string();
    json!({
        "capacity": typed.capacity.as_deref().unwrap_or(&capacity),
        "capacity_problem": typed.capacity_problem,
        "largest": LARGEST_CACHE,
        "random": policy == "RR",
        "sieve": policy == "SIEVE",
        "mode": pool.mode.as_str(),
        "automatic": pool.mode == catalog::Mode::Auto,
        "name": typed.name,
        "name_problem": typed.name_problem,
    })
}

/// What the refreshed part shows.
#[derive(Serialize)]
struct Shown {
    wanted: u32,
    max: u32,
    fewer: u32,
    more: u32,
    can_grow: bool,
    can_shrink: bool,
    serving: u32,
    headline: String,
    tone: &'static str,
    is_moving: bool,
    hold: Option<String>,
    epoch: u64,
    photos: Option<String>,
    photo_bytes: Option<String>,
    items: String,
    bytes: String,
    capacity: String,
    hit_rate: String,
    lookups: String,
    nodes: Vec<Line>,
}

/// One node, or one empty place, in the table.
#[derive(Serialize)]
struct Line {
    place: String,
    instance: String,
    address: String,
    state: &'static str,
    tone: &'static str,
    items: String,
    bytes: String,
    hit_rate: String,
}

async fn pool_shown<B: Bucket>(manager: &Manager<B>) -> Option<Shown> {
    let state = manager.keeper.state()?;
    let (statistics, totals) = tokio::join!(
        caches::statistics(&manager.keeper, &manager.nodes),
        manager.keeper.catalog().totals()
    );
    let keeper = &manager.keeper;
    let replacing = pool::replacing(&state, &keeper.seen());
    let mut shown = shown(&state, &statistics, totals.ok(), keeper.hold());
    if let Some(replacing) = replacing.filter(|_| shown.serving >= shown.wanted) {
        shown.headline = format!("Replacing node {replacing}");
        shown.tone = "busy";
    }
    Some(shown)
}

fn shown(
    state: &PoolState,
    statistics: &[Statistics],
    totals: Option<Totals>,
    hold: Option<String>,
) -> Shown {
    let pool = &state.pool;
    let serving = pool::serving(state);
    let is_moving = !pool::is_steady(state);
    let minute = |count: fn(&Statistics) -> u64| statistics.iter().map(count).sum::<u64>();
    let lookups = minute(|node| node.last_minute.lookups);
    Shown {
        wanted: pool.wanted,
        max: pool.max,
        fewer: pool.wanted.saturating_sub(1),
        more: pool.wanted + 1,
        can_grow: pool.wanted < pool.max,
        can_shrink: pool.wanted > pool.min,
        serving,
        headline: headline(state, serving, is_moving),
        tone: if is_moving { "busy" } else { "good" },
        is_moving,
        hold: hold.filter(|_| is_moving).map(|hold| sentence(&hold)),
        epoch: pool.epoch,
        photos: totals.map(|totals| grouped(totals.photos)),
        photo_bytes: totals.map(|totals| size(totals.bytes)),
        items: grouped(minute(|node| node.items)),
        bytes: size(minute(|node| node.bytes)),
        capacity: size(pool.capacity * u64::from(serving)),
        hit_rate: rate_told(minute(|node| node.last_minute.hits), lookups),
        lookups: grouped(lookups),
        nodes: lines(state, statistics),
    }
}

fn headline(state: &PoolState, serving: u32, is_moving: bool) -> String {
    let wanted = state.pool.wanted;
    let nodes = if wanted == 1 { "node" } else { "nodes" };
    if !is_moving {
        return match wanted {
            1 => "The node serves".to_owned(),
            _ => format!("All {wanted} nodes serve"),
        };
    }
    if serving >= wanted {
        return format!("{wanted} {nodes} serve; what is left over ends");
    }
    format!("{serving} of {wanted} {nodes} serve; more on their way")
}

fn lines(state: &PoolState, statistics: &[Statistics]) -> Vec<Line> {
    let by_place = (0..state.pool.size).map(|place| {
        state
            .nodes
            .iter()
            .find(|node| node.place == Some(place))
            .map_or_else(|| empty_line(place), |node| line(node, statistics))
    });
    let without = state.nodes.iter().filter(|node| node.place.is_none());
    by_place
        .chain(without.map(|node| line(node, statistics)))
        .collect()
}

fn empty_line(place: u32) -> Line {
    Line {
        place: (place + 1).to_string(),
        instance: "–".to_owned(),
        address: "–".to_owned(),
        state: "being replaced",
        tone: "busy",
        items: "–".to_owned(),
        bytes: "–".to_owned(),
        hit_rate: "–".to_owned(),
    }
}

fn line(node: &NodeRow, statistics: &[Statistics]) -> Line {
    let told = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let figures = statistics
        .iter()
        .find(|figures| Some(&figures.instance) == node.instance.as_ref());
    let (state, tone) = match node.stage {
        Stage::Launching => ("being launched", "busy"),
        Stage::Starting => ("starting", "busy"),
        Stage::Serving => ("serving", "good"),
        Stage::Lost => ("not answering", "bad"),
        Stage::Leaving => ("leaving", "busy"),
        Stage::Ending => ("ending", "warn"),
    };
    Line {
        place: told(node.place.map(|place| (place + 1).to_string())),
        instance: told(node.instance.clone()),
        address: told(node.address.clone()),
        state,
        tone,
        items: told(figures.map(|figures| grouped(figures.items))),
        bytes: told(figures.map(|figures| size(figures.bytes))),
        hit_rate: told(
            figures.map(|figures| rate_told(figures.last_minute.hits, figures.last_minute.lookups)),
        ),
    }
}

fn rate_told(hits: u64, lookups: u64) -> String {
    if lookups == 0 {
        "–".to_owned()
    } else {
        format!("{:.0} %", fraction(hits, lookups) * 100.0)
    }
}
