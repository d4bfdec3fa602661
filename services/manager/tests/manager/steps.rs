//! The manager dies after every single change that it stores. The next one goes on from there, and
//! what nodes had cached is neither old nor gone.

use std::time::Duration;

use bytes::Bytes;
use catalog::test_support::limit_revision;
use catalog::{PoolRow, PoolState};
use http::{HeaderName, Method, Request, Response, StatusCode};
use kit::body;
use kit::client::Client;
use kit::pool::{EPOCH, LEASE, Member, Table};
use manager::blueprint::Version;
use manager::pool::is_steady;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::world::{BLUEPRINT, TOKEN, World, until};

/// Far more than any resize takes.
const LIVES: u32 = 80;
const KEYS: usize = 64;
/// A manager that beats again after so long comes before the nodes' leases are over, even if the one
/// before it was about to beat when it died.
const PAUSE: Duration = Duration::from_millis(1300);

#[tokio::test]
async fn a_manager_killed_after_every_change_of_a_resize_ends_as_wished_and_the_caches_stay_right()
{
    let mut scene = Scene::begin().await;
    for size in [3, 2] {
        let revision = scene.pool().await.pool.revision;
        limit_revision(&scene.world.catalog, revision + 1).await;
        let path = format!("/api/configure_cache?numNodes={size}");
        assert_eq!(scene.world.post(&path).await.0, StatusCode::OK);
        scene.kill().await;
        let lives = scene.live_and_die_until(is_settled).await;
        assert!(lives > 4, "a resize has more changes than {lives}");
    }
    scene.assert_all_is_right(2).await;
    assert_eq!(scene.world.cloud.launched(), 3);
    scene.world.instances(2).await;
}

#[tokio::test]
async fn a_manager_killed_after_every_change_of_a_replacement_ends_as_wished_and_the_caches_stay_right()
 {
    let mut scene = Scene::begin().await;
    let before = scene.world.cloud.living();
    scene.kill().await;
    scene
        .world
        .edit(|blueprint| blueprint["image"] = "ami-2".into());
    let is_done = |state: &PoolState| {
        let is_old = |instance: &String| before.contains(instance);
        is_settled(state)
            && !state
                .nodes
                .iter()
                .filter_map(|n| n.instance.as_ref())
                .any(is_old)
    };
    let lives = scene.live_and_die_until(is_done).await;
    assert!(lives > 4, "a replacement has more changes than {lives}");
    scene.assert_all_is_right(1).await;
    assert_eq!(scene.world.cloud.launched(), 2);
    scene.world.instances(1).await;
}

#[tokio::test]
async fn all_that_is_deleted_right_after_a_restart_is_in_no_cache_any_more() {
    let mut scene = Scene::begin().await;
    scene.kill().await;
    scene.world.start_manager();
    until("the deletion", async || {
        scene.world.post("/api/delete_all").await.0 == StatusCode::OK
    })
    .await;
    for key in 0..KEYS {
        let answer = scene.ask(Method::GET, key, None).await.unwrap();
        assert_ne!(answer.status(), StatusCode::OK, "{key} can be read");
    }
}

fn is_settled(state: &PoolState) -> bool {
    is_steady(state) && state.pool.coming.is_none() && state.pool.taken == 0
}

/// A pool with photos in its caches, a front-end that follows its table, and a mortal manager.
struct Scene {
    world: World,
    table: watch::Receiver<Table>,
    photos: Vec<Photo>,
    /// When the last manager died.
    died: Instant,
    /// A manager took so long to begin that nodes may have thrown away what they had.
    has_lapsed: bool,
}

/// What was last stored under a key.
#[derive(Clone, Default)]
struct Photo {
    version: u32,
    /// Its owner took it in, and nobody has written the key since.
    is_cached: bool,
}

impl Scene {
    async fn begin() -> Self {
        let world = World::start().await;
        world.serving(1).await;
        let (tell, mut table) = watch::channel(Table::default());
        tokio::spawn(follow(world.url("/internal/table"), tell));
        table.wait_for(|table| table.epoch > 0).await.unwrap();
        let mut scene = Self {
            world,
            table,
            photos: vec![Photo::default(); KEYS],
            died: Instant::now(),
            has_lapsed: false,
        };
        until("the pool settled", async || is_settled(&scene.pool().await)).await;
        for key in 0..KEYS {
            scene.fill(key).await;
        }
        assert!(scene.photos.iter().all(|photo| photo.is_cached));
        scene
    }

    async fn pool(&self) -> PoolState {
        let text = self.world.bucket.json(BLUEPRINT).unwrap().to_string();
        let first: PoolRow = Version::read(text.as_bytes())
            .unwrap()
            .blueprint
            .first("cache");
        self.world.catalog.pool_or_create(&first).await.unwrap()
    }

    async fn kill(&mut self) {
        self.world.kill_manager().await;
        self.died = Instant::now();
    }

    /// Each manager can store one change, and is killed as soon as it has. Meanwhile photos are
    /// written. Answers how many managers it took.
    async fn live_and_die_until(&mut self, is_done: impl Fn(&PoolState) -> bool) -> u32 {
        for life in 0..LIVES {
            let before = self.pool().await;
            if is_done(&before) {
                limit_revision(&self.world.catalog, i64::MAX).await;
                self.live().await;
                return life;
            }
            limit_revision(&self.world.catalog, before.pool.revision + 1).await;
            self.live().await;
            until("a change", async || {
                self.pool().await.pool.revision > before.pool.revision
            })
            .await;
            self.kill().await;
            for turn in 0..4 {
                self.write((life as usize * 4 + turn) % (KEYS / 2)).await;
            }
        }
        panic!("{:?} after {LIVES} managers", self.pool().await);
    }

    /// The next manager begins; it beats as soon as it has read the state.
    async fn live(&mut self) {
        self.world.start_manager();
        until("a manager that leads", async || {
            self.world.post("/api/getNumNodes").await.0 == StatusCode::OK
        })
        .await;
        self.has_lapsed |= self.died.elapsed() > PAUSE;
    }

    /// An upload: acknowledged if the key's owner drops what it had. Then somebody reads it.
    async fn write(&mut self, key: usize) {
        self.photos[key].is_cached = false;
        let answer = self.ask(Method::DELETE, key, None).await;
        if answer.is_some_and(|answer| answer.status() == StatusCode::NO_CONTENT) {
            self.photos[key].version += 1;
            self.fill(key).await;
        }
    }

    /// A read that misses, as far as it comes.
    async fn fill(&mut self, key: usize) {
        let Some(missed) = self.ask(Method::GET, key, None).await else {
            return;
        };
        let Some(lease) = missed.headers().get(&LEASE) else {
            return;
        };
        let fill = (lease.to_str().unwrap().to_owned(), self.content(key));
        let filled = self.ask(Method::PUT, key, Some(fill)).await;
        let is_cached = filled.is_some_and(|answer| answer.status() == StatusCode::NO_CONTENT);
        self.photos[key].is_cached = is_cached;
    }

    fn content(&self, key: usize) -> String {
        format!("version {} of {key}", self.photos[key].version)
    }

    /// Asks the owner of a key by the table that front-ends have; `None` if it does not answer.
    async fn ask(
        &self,
        method: Method,
        key: usize,
        fill: Option<(String, String)>,
    ) -> Option<Response<Bytes>> {
        let table = self.table.borrow().clone();
        let name = format!("key-{key}");
        let Member { address, .. } = table.owner(&name)?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{address}/entries/{name}"))
            .header("x-bivouac-token", TOKEN)
            .header(EPOCH, table.epoch);
        let mut content = body::empty();
        if let Some((lease, photo)) = fill {
            request = request.header(LEASE, lease);
            content = body::full(photo);
        }
        let request = request.body(content).unwrap();
        let answer = self.world.client.send(request, Duration::from_secs(1));
        answer.await.ok()
    }

    async fn assert_all_is_right(&mut self, size: usize) {
        let table = self.world.serving(size).await;
        let known = self.table.wait_for(|known| known.epoch == table.epoch);
        known.await.unwrap();
        let mut kept = 0;
        for key in 0..KEYS {
            let answer = self.ask(Method::GET, key, None).await.unwrap();
            let is_kept = answer.status() == StatusCode::OK;
            if is_kept {
                assert_eq!(answer.body(), &self.content(key), "an old photo");
                kept += 1;
            } else {
                assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{key}");
                let is_lost = self.photos[key].is_cached && !self.has_lapsed;
                assert!(!is_lost, "{key} is not cached any more");
            }
        }
        println!("{kept} of {KEYS} kept; lapsed: {}", self.has_lapsed);
    }
}

/// As a front-end does.
async fn follow(url: String, tell: watch::Sender<Table>) {
    let client = Client::new();
    while !tell.is_closed() {
        let after = tell.borrow().epoch;
        let request = Request::builder()
            .uri(format!("{url}?after={after}"))
            .header(HeaderName::from_static("x-bivouac-token"), TOKEN)
            .body(body::empty())
            .unwrap();
        let answer = client.send(request, Duration::from_secs(25)).await;
        let table = answer
            .ok()
            .and_then(|answer| serde_json::from_slice::<Table>(answer.body()).ok());
        match table {
            Some(table) if table.epoch > after => drop(tell.send_replace(table)),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
