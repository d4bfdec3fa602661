//! Readers and writers of the same keys, against hand-overs of these keys and deletions of all.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use catalog::PoolState;
use http::StatusCode;
use manager::pool::{SILENCE, serving_at};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::front::{Found, FrontEnd};
use crate::world::{World, until};

/// The first key is everybody's.
const CROWD: usize = 32;
/// Of each other key.
const FEW: usize = 2;
const KEYS: usize = 9;
/// Behind these are keys that are read and hardly ever written: no write mends what went wrong there.
const QUIET: usize = 200;
/// Keys that nobody uses, so that a hand-over takes a while.
const IDLE: usize = 1000;
/// A front-end waits half as long for an invalidation before it refuses the upload; a busy machine may
/// take the rest.
const UPLOAD_TIME: Duration = Duration::from_secs(20);
/// Between two requests of one client.
const PAUSE: Duration = Duration::from_millis(4);
/// Long enough for some of a hand-over to arrive.
const BETWEEN_DELETIONS: Duration = Duration::from_millis(80);
const SIZES: [usize; 10] = [2, 3, 1, 2, 1, 3, 2, 1, 4, 2];

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
            race.write_the_quiet();
            deletions += 1;
            tokio::time::sleep(BETWEEN_DELETIONS).await;
        }
        deletions
    };
    let ((), deletions) = tokio::join!(walking, deleting);
    let (hits, writes) = race.end().await;
    assert!(hits > 100 && writes > 100, "{hits} hits, {writes} writes");
    assert!(deletions > 1, "{deletions} deletions");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_hang_in_the_middle_of_a_hand_over_hold_up_no_write_for_long() {
    let world = World::start().await;
    world.serving(1).await;
    let race = Race::begin(&world).await;
    let heir = |pool: &PoolState| {
        let coming = pool.pool.coming.as_ref()?.nodes.last().copied()?;
        let node = pool.nodes.iter().find(|node| Some(node.id) == coming)?;
        node.instance.clone()
    };
    let owner = |pool: &PoolState| {
        pool.pool.coming.as_ref()?;
        serving_at(pool, 0)?.instance.clone()
    };
    hang_while_growing(&world, 2, heir).await;
    hang_while_growing(&world, 3, owner).await;
    let (hits, writes) = race.end().await;
    assert!(hits > 100 && writes > 100, "{hits} hits, {writes} writes");
}

/// The node that `whom` names once a hand-over has begun hangs until it was left out.
async fn hang_while_growing(
    world: &World,
    size: usize,
    whom: impl Fn(&PoolState) -> Option<String>,
) {
    let path = format!("/api/configure_cache?numNodes={size}");
    assert_eq!(world.post(&path).await.0, StatusCode::OK);
    let mut victim = None;
    until("a hand-over", async || {
        victim = whom(&world.pool().await);
        victim.is_some()
    })
    .await;
    let hangs = SILENCE + Duration::from_secs(2);
    world.cloud.hang(&victim.unwrap(), hangs);
    world.serving(size).await;
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
            rows: Arc::new(Mutex::new(vec![Row::default(); KEYS + QUIET])),
            stop: CancellationToken::new(),
            readers: JoinSet::new(),
            writers: JoinSet::new(),
        };
        for key in 0..KEYS {
            for _ in 0..if key == 0 { CROWD } else { FEW } {
                let client = race.client(&front_end, key..key + 1);
                race.readers.spawn(client.clone().read());
                race.writers.spawn(client.write());
            }
        }
        for quarter in 0..4 {
            let first = KEYS + quarter * QUIET / 4;
            let client = race.client(&front_end, first..first + QUIET / 4);
            race.readers.spawn(client.read());
        }
        race.write_the_quiet();
        race
    }

    fn client(&self, front_end: &FrontEnd, keys: Range<usize>) -> Client {
        Client {
            keys,
            front_end: front_end.clone(),
            rows: self.rows.clone(),
            stop: self.stop.clone(),
        }
    }

    /// Uploads that are never acknowledged: they may be read, and need not be.
    fn write_the_quiet(&self) {
        for row in &mut self.rows.lock().unwrap()[KEYS..] {
            row.newest += 1;
            row.stored = Some(row.newest);
        }
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
    keys: Range<usize>,
    front_end: FrontEnd,
    rows: Arc<Mutex<Vec<Row>>>,
    stop: CancellationToken,
}

impl Client {
    async fn read(self) -> u64 {
        let mut hits = 0;
        for key in self.keys.clone().cycle() {
            if self.stop.is_cancelled() {
                break;
            }
            hits += u64::from(self.read_once(key).await);
            tokio::time::sleep(PAUSE).await;
        }
        hits
    }

    /// Whether it was a hit; a miss is filled with what the catalog has by then.
    async fn read_once(&self, key: usize) -> bool {
        let row = || self.rows.lock().unwrap()[key];
        let name = format!("key-{key}");
        let floor = row().floor;
        match self.front_end.look_up(&name).await {
            Found::Photo(photo) => {
                let version: u64 = std::str::from_utf8(&photo).unwrap().parse().unwrap();
                assert!(version >= floor, "{name}: {version} came, {floor} was due");
                return true;
            }
            Found::Nothing(lease) => {
                if let Some(version) = row().stored {
                    let photo = version.to_string().into_bytes();
                    self.front_end.fill(&name, &lease, photo).await;
                }
            }
            Found::Refused => {}
        }
        false
    }

    async fn write(self) -> u64 {
        let key = self.keys.start;
        let mut writes = 0;
        while !self.stop.is_cancelled() {
            let version = self.commit(key);
            let begun = Instant::now();
            while !self.front_end.invalidate(&format!("key-{key}")).await {
                tokio::time::sleep(PAUSE).await;
            }
            self.acknowledge(key, version);
            assert!(begun.elapsed() < UPLOAD_TIME, "it would have been refused");
            writes += 1;
            // Else there is nothing to be read between two writes of a crowd.
            tokio::time::sleep(PAUSE * 25).await;
        }
        writes
    }

    fn commit(&self, key: usize) -> u64 {
        let row = &mut self.rows.lock().unwrap()[key];
        row.newest += 1;
        row.stored = Some(row.newest);
        row.newest
    }

    fn acknowledge(&self, key: usize, version: u64) {
        let row = &mut self.rows.lock().unwrap()[key];
        row.floor = row.floor.max(version);
    }
}
