//! What the scaler is told, what becomes of its decisions, and what is noted of changes.

use catalog::{By, Decision, Outcome};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use kit::scaling::{self, Mode, PATH, Situation};
use serde_json::{Value, json};

use crate::world::{TOKEN, World, until};

fn token() -> HeaderMap {
    let value = HeaderValue::from_static(TOKEN);
    HeaderMap::from_iter([(kit::token::HEADER, value)])
}

async fn situation(world: &World) -> Situation {
    let answer = world.call(Method::GET, PATH, &token(), "").await;
    assert_eq!(answer.status(), StatusCode::OK);
    serde_json::from_slice(answer.body()).unwrap()
}

/// A decision on a pool of `size` nodes, as the scaler sends it.
fn decision(size: u32, to: u32) -> Value {
    let outcome = match to.cmp(&size) {
        std::cmp::Ordering::Greater => "grew",
        std::cmp::Ordering::Less => "shrank",
        std::cmp::Ordering::Equal => "held",
    };
    json!({
        "at": "2026-01-01T12:00:31Z", "state": "steady", "outcome": outcome,
        "reason": format!("{outcome}: a test"), "size": size, "to": to,
        "rate": 0.71, "lookups": 1000, "minute": "2026-01-01T11:58:00Z",
    })
}

async fn decide(world: &World, decision: &Value) -> (StatusCode, String) {
    let text = decision.to_string();
    let answer = world.call(Method::POST, PATH, &token(), &text).await;
    let body = String::from_utf8(answer.body().to_vec()).unwrap();
    (answer.status(), body)
}

async fn decisions(world: &World) -> Vec<Decision> {
    world.catalog.decisions("cache", 99).await.unwrap()
}

/// Who changed what to what, oldest first.
async fn changes(world: &World) -> Vec<(By, String)> {
    let changes = world.catalog.changes("cache", 99).await.unwrap();
    let told = changes.into_iter().rev();
    told.map(|change| (change.by, format!("{} {}", change.what, change.to)))
        .collect()
}

/// A pool of one node in mode auto.
async fn automatic() -> World {
    let world = World::start().await;
    world.serving(1).await;
    let (status, _) = world.post("/api/configure_cache?mode=auto").await;
    assert_eq!(status, StatusCode::OK);
    world
}

#[tokio::test]
async fn the_scaler_is_told_all_that_it_decides_by() {
    let world = automatic().await;
    until("a pool at rest", async || {
        situation(&world).await.pool.is_steady
    })
    .await;
    let told = situation(&world).await;
    assert_eq!(told.mode, Mode::Auto);
    assert_eq!((told.policy.max_miss, told.policy.min_miss), (0.6, 0.2));
    assert_eq!(
        (told.policy.exp_ratio, told.policy.shrink_ratio),
        (2.0, 0.5)
    );
    assert_eq!((told.pool.size, told.pool.serving), (1, 1));
    assert_eq!((told.pool.min, told.pool.max), (1, 8));
    assert_eq!(told.changes.len(), 1);
    assert_eq!(
        (told.changes[0].what.as_str(), told.changes[0].by_scaler),
        ("mode", false)
    );
}

#[tokio::test]
async fn a_decision_is_stored_together_with_the_size() {
    let mut world = automatic().await;
    let (status, body) = decide(&world, &decision(1, 2)).await;
    assert_eq!((status, body.as_str()), (StatusCode::NO_CONTENT, ""));
    let (_, body) = world.post("/api/getNumNodes").await;
    assert_eq!(body, r#"{"success":"true","numNodes":2}"#);
    let stored = decisions(&world).await;
    assert_eq!(stored.len(), 1);
    assert_eq!(
        (stored[0].outcome, stored[0].size, stored[0].to),
        (Outcome::Grew, 1, 2)
    );
    assert_eq!(stored[0].rate, Some(0.71));
    let expected = (By::Scaler, "numNodes 2".to_owned());
    assert_eq!(changes(&world).await.last(), Some(&expected));
    world.serving(2).await;
    // The next manager tells of it.
    world.kill_manager().await;
    world.start_manager();
    world.serving(2).await;
    let told = situation(&world).await;
    assert_eq!(told.decisions.len(), 1);
    assert_eq!(told.decisions[0].outcome, scaling::Outcome::Grew);
    assert!(told.changes.last().unwrap().by_scaler);
}

#[tokio::test]
async fn a_decision_that_held_is_noted_and_changes_nothing() {
    let world = automatic().await;
    let before = changes(&world).await;
    for _ in 0..2 {
        assert_eq!(
            decide(&world, &decision(1, 1)).await.0,
            StatusCode::NO_CONTENT
        );
    }
    let stored = decisions(&world).await;
    assert_eq!(stored.len(), 2);
    assert!(
        stored
            .iter()
            .all(|decision| decision.outcome == Outcome::Held)
    );
    assert_eq!(changes(&world).await, before);
}

#[tokio::test]
async fn a_decision_that_comes_too_late_is_refused_with_why() {
    let world = automatic().await;
    world.edit(|blueprint| blueprint["size"]["max"] = 6.into());
    world.in_effect().await;
    for (late, why) in [
        (decision(2, 4), "changed to 1 nodes"),
        (decision(2, 2), "changed to 1 nodes"),
        (decision(1, 7), "gives this pool 1 to 6"),
    ] {
        let (status, body) = decide(&world, &late).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(body.contains(why), "{body}");
    }
    world.post("/api/configure_cache?mode=manual").await;
    for late in [decision(1, 2), decision(1, 1)] {
        let (status, body) = decide(&world, &late).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(body.contains("the mode is manual"), "{body}");
    }
    assert!(decisions(&world).await.is_empty());
    assert_eq!(situation(&world).await.pool.size, 1);
}

#[tokio::test]
async fn of_many_decisions_at_once_one_is_taken() {
    let world = automatic().await;
    let (many, grow) = (8, decision(1, 2));
    let answers = (0..many).map(|_| decide(&world, &grow));
    let answers = futures::future::join_all(answers).await;
    let count = |status| answers.iter().filter(|answer| answer.0 == status).count();
    assert_eq!(count(StatusCode::NO_CONTENT), 1);
    assert_eq!(count(StatusCode::CONFLICT), many - 1);
    assert_eq!(decisions(&world).await.len(), 1);
}

#[tokio::test]
async fn a_switch_of_the_mode_and_a_decision_do_not_mix() {
    let world = automatic().await;
    for _ in 0..10 {
        let size = situation(&world).await.pool.size;
        let to = if size == 1 { 2 } else { 1 };
        let (grow, by_hand) = (
            decision(size, to),
            "/api/configure_cache?mode=manual&numNodes=3",
        );
        let (decided, switched) = tokio::join!(decide(&world, &grow), world.post(by_hand));
        // Whichever came first: the person's word is the last.
        assert_eq!(switched.0, StatusCode::OK);
        assert!([StatusCode::NO_CONTENT, StatusCode::CONFLICT].contains(&decided.0));
        assert_eq!(situation(&world).await.pool.size, 3);
        assert_eq!(
            decide(&world, &decision(3, 4)).await.0,
            StatusCode::CONFLICT
        );
        world
            .post(&format!("/api/configure_cache?mode=auto&numNodes={to}"))
            .await;
    }
}

#[tokio::test]
async fn a_size_by_hand_in_mode_auto_is_refused_unless_the_mode_is_said() {
    let world = automatic().await;
    let (status, body) = world
        .post("/api/configure_cache?numNodes=2&cacheSize=9")
        .await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(
        body.starts_with(r#"{"success":"false","error":{"code":409,"#),
        "{body}"
    );
    assert!(
        body.contains("the mode is auto: the scaler decides"),
        "{body}"
    );
    let (_, body) = world.post("/api/configure_cache?cacheSize=5").await;
    let untouched = r#""mode":"auto","numNodes":1,"cacheSize":5,"policy":"LRU"}"#;
    assert!(body.ends_with(untouched), "{body}");
    let (_, body) = world
        .post("/api/configure_cache?mode=auto&numNodes=3")
        .await;
    assert!(body.contains(r#""mode":"auto","numNodes":3"#), "{body}");
    let (_, body) = world
        .post("/api/configure_cache?mode=manual&numNodes=2")
        .await;
    assert!(body.contains(r#""mode":"manual","numNodes":2"#), "{body}");
    let (status, _) = world.post("/api/configure_cache?numNodes=1").await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn whoever_changes_the_configuration_is_noted() {
    let world = automatic().await;
    world
        .post("/api/configure_cache?policy=RR&maxMiss=0.7")
        .await;
    world.post("/api/configure_cache?policy=RR").await;
    world.edit(|blueprint| {
        blueprint["capacity"] = (32 << 20).into();
        blueprint["size"] = json!({"min": 2, "max": 8, "start": 2});
    });
    world.in_effect().await;
    let told = changes(&world).await;
    let told: Vec<_> = told.iter().map(|(by, what)| (*by, what.as_str())).collect();
    assert_eq!(
        told,
        [
            (By::Api, "mode auto"),
            (By::Api, "policy RR"),
            (By::Api, "maxMiss 0.7"),
            (By::Blueprint, "numNodes 2"),
            (By::Blueprint, "cacheSize 32"),
        ]
    );
}

#[tokio::test]
async fn what_is_no_decision_is_refused() {
    let world = automatic().await;
    let with = |name: &str, value: Value| {
        let mut changed = decision(1, 2);
        changed[name] = value;
        changed.to_string()
    };
    let wrong = [
        String::new(),
        "{}".to_owned(),
        "[".repeat(10_000),
        "\u{0}".to_owned(),
        with("to", 0.into()),
        with("to", (-1).into()),
        with("to", 1.into()),
        with("outcome", "held".into()),
        with("rate", 2.into()),
        with("reason", "a\u{0}b".into()),
        with("at", "yesterday".into()),
        with("more", 1.into()),
    ];
    for text in wrong {
        let answer = world.call(Method::POST, PATH, &token(), &text).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{text:.80}");
    }
    let long = with("reason", "x".repeat(100_000).into());
    let answer = world.call(Method::POST, PATH, &token(), &long).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(decisions(&world).await.is_empty());
}

#[tokio::test]
async fn only_the_deployments_own_services_may_ask_and_decide() {
    let world = automatic().await;
    let wrong = HeaderMap::from_iter([(
        kit::token::HEADER,
        HeaderValue::from_static("not-the-token-at-all"),
    )]);
    for (headers, method, status) in [
        (HeaderMap::new(), Method::GET, StatusCode::UNAUTHORIZED),
        (wrong.clone(), Method::GET, StatusCode::UNAUTHORIZED),
        (wrong, Method::POST, StatusCode::UNAUTHORIZED),
        (token(), Method::DELETE, StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let text = decision(1, 2).to_string();
        let answer = world.call(method, PATH, &headers, &text).await;
        assert_eq!(answer.status(), status);
    }
    assert!(decisions(&world).await.is_empty());
}
