//! Readers and writers of the same keys, against hand-overs of these keys and deletions of all.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::front::{Found, FrontEnd};
use crate::world::World;

/// The first key is everybody's.
const CROWD: usize = 32;
/// Of each other key.
const FEW: usize = 2;
const KEYS: usize = 9;
/// Keys that nobody uses, so that a hand-over takes a while.
const IDLE: usize = 1000;
/// Between two requests of one client.
const PAUSE: Duration = Duration::from_millis(4);
const SIZES: [usize; 7] = [2, 3, 1, 2, 1, 3, 2];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_and_writers_of_a_key_that_is_handed_over_again_and_again_see_no_old_photo() {
    let world = World::start().await;
    world.serving(1).await;
    let race = Race::begin(&world).await;
    walk(&world).await;
    let (hits, writes) = race.end().await;
    assert!(hits > 100 && writes > 100, "{hits} hits, {writes} writes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_while_it_is_written_and_handed_over_is_not_read_again() {
    let world = World::start().await;
    world.serving(1).await;
    let race = Race::begin(&world).await;
    let walked = CancellationToken::new();
    let walking = async {
        walk(&world).await;
        walked.cancel();
    };
    let deleting = async {
        let mut deletions = 0;
        while !walked.is_cancelled() {
            race.delete_all(&world).await;
            deletions += 1;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        deletions
    };
    let ((), deletions) = tokio::join!(walking, deleting);
    let (hits, writes) = race.end().await;
    assert!(hits > 100 && writes > 100, "{hits} hits, {writes} writes");
    assert!(deletions > SIZES.len(), "{deletions} deletions");
}

async fn walk(world: &World) {
    for size in SIZES {
        let path = format!("/api/configure_cache?numNodes={size}");
        assert_eq!(world.post(&path).await.0, StatusCode::OK);
        world.serving(size).await;
    }
}

/// What the catalog has of a key, and what readers may be given.
#[derive(Clone, Copy, Default)]
struct Row {
    /// Grows with every write.
    newest: u64,
    /// `None` once it was deleted.
    stored: Option<u64>,
    /// Whoever begins to read from now on gets no older one.
    floor: u64,
}

/// Clients that go on until the end.
struct Race {
    rows: Arc<Mutex<Vec<Row>>>,
    stop: CancellationToken,
    readers: JoinSet<u64>,
    writers: JoinSet<u64>,
}

impl Race {
    async fn begin(world: &World) -> Self {
        let front_end = FrontEnd::of(world).await;
        for idle in 0..IDLE {
            let key = format!("idle-{idle}");
            if let Found::Nothing(lease) = front_end.look_up(&key).await {
                front_end.fill(&key, &lease, vec![0; 2048]).await;
            }
        }
        let mut race = Self {
            rows: Arc::new(Mutex::new(vec![Row::default(); KEYS])),
            stop: CancellationToken::new(),
            readers: JoinSet::new(),
            writers: JoinSet::new(),
        };
        for key in 0..KEYS {
            for _ in 0..if key == 0 { CROWD } else { FEW } {
                let client = Client {
                    key,
                    front_end: front_end.clone(),
                    rows: race.rows.clone(),
                    stop: race.stop.clone(),
                };
                race.readers.spawn(client.clone().read());
                race.writers.spawn(client.write());
            }
        }
        race
    }

    /// Deletes what there is, as the manager does: rows first.
    async fn delete_all(&self, world: &World) {
        let mut before = Vec::new();
        for row in self.rows.lock().unwrap().iter_mut() {
            row.stored = None;
            before.push(row.newest);
        }
        let (status, body) = world.post("/api/delete_all").await;
        assert_eq!(status, StatusCode::OK, "{body}");
        for (row, newest) in self.rows.lock().unwrap().iter_mut().zip(before) {
            row.floor = row.floor.max(newest + 1);
        }
    }

    /// How many hits there were, and how many writes.
    async fn end(self) -> (u64, u64) {
        self.stop.cancel();
        let hits = self.readers.join_all().await.into_iter().sum();
        let writes = self.writers.join_all().await.into_iter().sum();
        (hits, writes)
    }
}

#[derive(Clone)]
struct Client {
    key: usize,
    front_end: FrontEnd,
    rows: Arc<Mutex<Vec<Row>>>,
    stop: CancellationToken,
}

impl Client {
    fn name(&self) -> String {
        format!("key-{}", self.key)
    }

    fn row(&self) -> Row {
        self.rows.lock().unwrap()[self.key]
    }

    async fn read(self) -> u64 {
        let mut hits = 0;
        while !self.stop.is_cancelled() {
            let floor = self.row().floor;
            match self.front_end.look_up(&self.name()).await {
                Found::Photo(photo) => {
                    let version: u64 = std::str::from_utf8(&photo).unwrap().parse().unwrap();
                    assert!(version >= floor, "{version} came and {floor} was due");
                    hits += 1;
                }
                Found::Nothing(lease) => {
                    if let Some(version) = self.row().stored {
                        let photo = version.to_string().into_bytes();
                        self.front_end.fill(&self.name(), &lease, photo).await;
                    }
                }
                Found::Refused => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
        hits
    }

    async fn write(self) -> u64 {
        let mut writes = 0;
        while !self.stop.is_cancelled() {
            let version = self.commit();
            while !self.front_end.invalidate(&self.name()).await {
                tokio::time::sleep(PAUSE).await;
            }
            self.acknowledge(version);
            writes += 1;
            // Else there is nothing to be read between two writes of a crowd.
            tokio::time::sleep(PAUSE * 25).await;
        }
        writes
    }

    fn commit(&self) -> u64 {
        let row = &mut self.rows.lock().unwrap()[self.key];
        row.newest += 1;
        row.stored = Some(row.newest);
        row.newest
    }

    fn acknowledge(&self, version: u64) {
        let row = &mut self.rows.lock().unwrap()[self.key];
        row.floor = row.floor.max(version);
    }
}
