//! Many clients want the same thing at once, on the whole system.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use load::drive::{Drive, Pace, Pictures, Tally, Workload};
use load::walk::Deployment;
use tokio::runtime::Runtime;

use crate::laptop::Laptop;
use crate::photos::{PATIENCE, Photos, asked_again};

const FOR: Duration = Duration::from_secs(3);
/// So many of each kind, in as many times [`FOR`] as a slow disk needs.
const MANY: u64 = 100;

#[test]
fn of_many_at_once_nobody_gets_an_old_photo_or_a_deleted_one() {
    let laptop = Laptop::new();
    laptop.up();
    sixteen_on_one_key(&laptop);
    all_is_deleted_under_uploads_and_resizes(&laptop);
    laptop.down_to_zero();
}

/// Not so many that on a slow disk an upload gives up: those of one key are committed one by one, and
/// wait two seconds for a connection to the database.
fn sixteen_on_one_key(laptop: &Laptop) {
    let workload = Workload {
        keys: 1,
        prefix: "one-".to_owned(),
        distribution: "uniform".parse().unwrap(),
        reads: "0.5".parse().unwrap(),
        pictures: Pictures::made_up(2048..=2048, 1).unwrap(),
        seed: 1,
        time: Duration::from_secs(30),
    };
    let pace = Pace::Closed {
        clients: 16,
        think: Duration::ZERO,
    };
    let drive = Drive::new(&laptop.front_end().parse().unwrap(), workload);
    let mut tally = Tally::default();
    let begun = Instant::now();
    Runtime::new().unwrap().block_on(async {
        let running = drive.start(pace).unwrap();
        while tally.reads.answered <= MANY || tally.uploads.answered <= MANY {
            assert!(begun.elapsed() < PATIENCE, "only {tally:?}");
            tokio::time::sleep(FOR).await;
            tally.add(&drive.cut_phase().tally);
        }
        running.stop().await;
    });
    tally.add(&drive.cut_phase().tally);
    assert_eq!(drive.violations(), []);
    assert_eq!(tally.failed(), 0, "{:?}", tally.failures);
}

/// When a photo was acknowledged, by its bytes.
type Acknowledged = Mutex<BTreeMap<Vec<u8>, Instant>>;

/// While photos are sent and read and the pool is resized, all is deleted again and again: what was
/// acknowledged before a deletion began is not read once that was answered.
fn all_is_deleted_under_uploads_and_resizes(laptop: &Laptop) {
    let photos = Photos::at(&laptop.front_end());
    let acknowledged = Acknowledged::default();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for client in 0..8 {
            let (photos, acknowledged, is_over) = (&photos, &acknowledged, &is_over);
            scope.spawn(move || {
                let key = format!("deleted-{}", client % 4);
                for version in 0_u32.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let content = format!("{version} of {client}").into_bytes();
                    asked_again(|| photos.send(&key, &content));
                    acknowledged.lock().unwrap().insert(content, Instant::now());
                    // It may be deleted by now.
                    let _ = photos.read(&key);
                }
            });
        }
        let resizing = scope.spawn(|| resize(laptop));
        let has_many = || acknowledged.lock().unwrap().len() > 100;
        while !resizing.is_finished() || !has_many() {
            delete_all(&photos, &acknowledged);
        }
        is_over.store(true, Ordering::Relaxed);
        resizing.join().unwrap();
    });
}

fn delete_all(photos: &Photos, acknowledged: &Acknowledged) {
    // Of the attempt that was answered. One may be refused: the database is asked for much at once.
    let begun = asked_again(|| {
        let begun = Instant::now();
        photos.ask("/api/delete_all").map(|_| begun)
    });
    for key in 0..4 {
        let key = format!("deleted-{key}");
        let is_gone = |refusal: &String| refusal.starts_with("404 ");
        let read = asked_again(|| match photos.read(&key) {
            Err(refusal) if is_gone(&refusal) => Ok(None),
            read => read.map(Some),
        });
        let Some(content) = read else { continue };
        let at = acknowledged.lock().unwrap().get(&content).copied();
        let is_newer = at.is_none_or(|at| at > begun);
        let content = String::from_utf8_lossy(&content).into_owned();
        assert!(is_newer, "{content} was deleted and can be read");
    }
}

fn resize(laptop: &Laptop) {
    let deployment = Deployment::new(&laptop.front_end().parse().unwrap());
    let runtime = Runtime::new().unwrap();
    for nodes in [2, 3, 1] {
        runtime.block_on(async {
            deployment.ask_for(nodes).await.unwrap();
            deployment.until_it_has(nodes, PATIENCE).await.unwrap();
        });
    }
}
