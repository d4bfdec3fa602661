//! No reader sees an older photo than the last that was acknowledged before it asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::stage::Stage;

const EACH: u64 = 16;
const FOR: Duration = Duration::from_secs(3);
/// Uploads without which nothing much was tried, and how long a busy machine may take for them.
const LEAST: u64 = 11;
const DEADLINE: Duration = Duration::from_secs(60);
/// Of one key at the same time. The database takes them one after the other, each on a connection that
/// it keeps meanwhile: with more than there are connections, readers would have to wait too long.
const WRITERS: u64 = 8;

/// The number a photo of this test carries, padded so that answers differ in length.
fn photo(number: u64) -> Vec<u8> {
    let mut photo = format!("{number:020}").into_bytes();
    photo.resize(20 + usize::try_from(number % 5).unwrap() * 30_000, b'.');
    photo
}

fn number(photo: &[u8]) -> u64 {
    std::str::from_utf8(&photo[..20]).unwrap().parse().unwrap()
}

/// Writers take turns, so that "newer" has a meaning; between two turns sixteen readers and the
/// other writers' readings go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_two_readers_and_writers_of_one_key_see_no_old_photo() {
    let stage = Arc::new(Stage::new().await);
    stage.stored("k", &photo(0)).await;
    let acknowledged = Arc::new(AtomicU64::new(0));
    let turn = Arc::new(tokio::sync::Mutex::new(0));
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for writes in [true, false] {
        for _ in 0..EACH {
            let (stage, acknowledged, turn) = (stage.clone(), acknowledged.clone(), turn.clone());
            tasks.spawn(async move {
                while begun.elapsed() < FOR || acknowledged.load(Ordering::SeqCst) < LEAST {
                    assert!(begun.elapsed() < DEADLINE, "too few uploads");
                    if writes {
                        let mut turn = turn.lock().await;
                        *turn += 1;
                        stage.stored("k", &photo(*turn)).await;
                        acknowledged.store(*turn, Ordering::SeqCst);
                    }
                    let least = acknowledged.load(Ordering::SeqCst);
                    let seen = number(&stage.read("k").await.content());
                    assert!(seen >= least, "saw {seen} after {least} was acknowledged");
                }
            });
        }
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    let last = acknowledged.load(Ordering::SeqCst);
    assert_eq!(number(&stage.read("k").await.content()), last);
}

/// Writers do not wait for each other here: whichever the database took last is what all see then.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_the_same_time_leave_one_photo_that_everybody_sees() {
    let stage = Arc::new(Stage::new().await);
    for round in 0..5 {
        let mut uploads = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let stage = stage.clone();
            uploads.spawn(async move {
                stage.stored("k", &photo(round * 100 + writer)).await;
                stage.read("k").await.content();
            });
        }
        while let Some(upload) = uploads.join_next().await {
            upload.unwrap();
        }
        let committed = stage.catalog.photo("k").await.unwrap().unwrap();
        for _ in 0..3 {
            assert_eq!(stage.read("k").await.content().len() as u64, committed.size);
        }
        let first = stage.read("k").await.content();
        assert_eq!(stage.read("k").await.content(), first);
    }
    let total = stage.catalog.totals().await.unwrap();
    assert_eq!(total.photos, 1);
}
