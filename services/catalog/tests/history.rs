//! The pool's history against a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use catalog::test_support::{self, database};
use catalog::{
    By, Catalog, Change, Decision, Mode, Notes, Outcome, PoolRow, PoolState, Save, ScalerState,
};
use jiff::Timestamp;

const POOL: &str = "cache";

async fn pool(catalog: &Catalog) -> PoolState {
    let first = PoolRow {
        mode: Mode::Auto,
        ..test_support::pool()
    };
    catalog.pool_or_create(&first).await.unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn change(what: &str, by: By) -> Change {
    Change {
        at: at(0),
        by,
        what: what.to_owned(),
        from: "1".to_owned(),
        to: "'; DROP TABLE pool; --".to_owned(),
    }
}

fn held(second: i64) -> Decision {
    Decision {
        at: at(second),
        state: ScalerState::Cooling,
        outcome: Outcome::Held,
        reason: "cooling: resized 70 s ago".to_owned(),
        size: 2,
        to: 2,
        rate: None,
        lookups: None,
        minute: None,
    }
}

fn grew(second: i64) -> Decision {
    Decision {
        state: ScalerState::Steady,
        outcome: Outcome::Grew,
        to: 4,
        rate: Some(0.71),
        lookups: Some(12_000),
        minute: Some(at(second - 180)),
        ..held(second)
    }
}

fn decided(decision: Decision) -> Notes {
    Notes {
        decision: Some(decision),
        ..Notes::default()
    }
}

/// Writes notes with the pool as it is.
async fn note(catalog: &Catalog, state: &mut PoolState, notes: &Notes) {
    match catalog.save_pool(state, notes).await.unwrap() {
        Save::Done { revision } => state.pool.revision = revision,
        Save::Conflict => panic!("a conflict without a second writer"),
    }
}

#[tokio::test]
async fn a_change_is_noted_with_the_pool_and_read_newest_first() {
    let (_, catalog) = database().await;
    let mut state = pool(&catalog).await;
    assert_eq!(catalog.changes(POOL, 9).await.unwrap(), []);
    let all = [By::Page, By::Api, By::Blueprint, By::Scaler];
    let changes: Vec<_> = all.into_iter().map(|by| change("numNodes", by)).collect();
    let notes = Notes {
        changes: changes.clone(),
        decision: Some(grew(0)),
    };
    state.pool.wanted = 4;
    note(&catalog, &mut state, &notes).await;
    assert_eq!(pool(&catalog).await.pool.wanted, 4);
    let read = catalog.changes(POOL, 9).await.unwrap();
    assert!(read.iter().eq(changes.iter().rev()));
    let read = catalog.changes(POOL, 1).await.unwrap();
    assert_eq!(read, [change("numNodes", By::Scaler)]);
    assert_eq!(catalog.decisions(POOL, 9).await.unwrap(), [grew(0)]);
    assert_eq!(catalog.changes("another", 9).await.unwrap(), []);
    assert_eq!(catalog.decisions("another", 9).await.unwrap(), []);
}

#[tokio::test]
async fn decisions_are_read_newest_first_and_resizes_on_their_own() {
    let (_, catalog) = database().await;
    let mut state = pool(&catalog).await;
    let shrank = Decision {
        outcome: Outcome::Shrank,
        to: 1,
        ..grew(240)
    };
    for decision in [held(0), grew(60), held(180), shrank.clone()] {
        note(&catalog, &mut state, &decided(decision)).await;
    }
    assert_eq!(
        catalog.decisions(POOL, 3).await.unwrap(),
        [shrank.clone(), held(180), grew(60)]
    );
    let resizes = catalog.resizes(POOL, 9).await.unwrap();
    assert_eq!(resizes, [shrank, grew(60)]);
}

#[tokio::test]
async fn a_write_that_came_too_late_notes_nothing() {
    let (_, catalog) = database().await;
    let mut state = pool(&catalog).await;
    let stale = state.clone();
    note(&catalog, &mut state, &Notes::default()).await;
    let notes = Notes {
        changes: vec![change("mode", By::Page)],
        decision: Some(held(0)),
    };
    let saved = catalog.save_pool(&stale, &notes).await.unwrap();
    assert_eq!(saved, Save::Conflict);
    assert_eq!(catalog.changes(POOL, 9).await.unwrap(), []);
    assert_eq!(catalog.decisions(POOL, 9).await.unwrap(), []);
}

#[tokio::test]
async fn a_decision_that_contradicts_itself_is_refused_with_the_pool() {
    let (_, catalog) = database().await;
    let mut state = pool(&catalog).await;
    state.pool.wanted = 4;
    for wrong in [
        Decision { to: 4, ..held(0) },
        Decision { to: 2, ..grew(0) },
        Decision { to: 0, ..grew(0) },
        Decision {
            rate: Some(1.5),
            ..grew(0)
        },
    ] {
        assert!(catalog.save_pool(&state, &decided(wrong)).await.is_err());
    }
    assert_eq!(pool(&catalog).await.pool.wanted, 1);
    assert_eq!(catalog.decisions(POOL, 9).await.unwrap(), []);
}

#[tokio::test]
async fn the_newest_two_thousand_rows_are_kept_and_resizes_outlive_what_held() {
    let (_, catalog) = database().await;
    let mut state = pool(&catalog).await;
    note(&catalog, &mut state, &decided(grew(0))).await;
    let many = Notes {
        changes: vec![change("maxMiss", By::Api); 2100],
        decision: None,
    };
    note(&catalog, &mut state, &many).await;
    assert_eq!(catalog.changes(POOL, 9999).await.unwrap().len(), 2000);
    for second in 1..=2010 {
        note(&catalog, &mut state, &decided(held(second))).await;
    }
    let decisions = catalog.decisions(POOL, 9999).await.unwrap();
    assert_eq!(decisions.len(), 2001);
    assert_eq!(decisions[0], held(2010));
    assert_eq!(decisions[1999], held(11));
    assert_eq!(decisions[2000], grew(0));
}
