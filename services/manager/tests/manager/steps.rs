//! The manager dies after every single change that it stores. The next one goes on from there, and
//! what nodes had cached is neither old nor gone.

use std::time::Duration;

use catalog::PoolState;
use catalog::test_support::limit_revision;
use http::StatusCode;
use manager::pool::is_steady;
use tokio::time::Instant;

use crate::front::{Found, FrontEnd};
use crate::world::{World, until};

/// Far more than any resize takes.
const LIVES: u32 = 80;
const KEYS: usize = 64;
/// A manager that beats again after so long comes before the nodes' leases are over, even if the one
/// before it was about to beat when it died, and late with that.
const PAUSE: Duration = Duration::from_millis(800);

#[tokio::test]
async fn a_manager_killed_after_every_change_of_a_resize_ends_as_wished_and_the_caches_stay_right()
{
    let mut scene = Scene::begin().await;
    for size in [3, 2] {
        let revision = scene.world.pool().await.pool.revision;
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
        let found = scene.front_end.look_up(&name(key)).await;
        assert!(!matches!(found, Found::Photo(_)), "{key} can be read");
    }
}

fn is_settled(state: &PoolState) -> bool {
    is_steady(state) && state.pool.coming.is_none() && state.pool.taken == 0
}

/// A pool with photos in its caches, a front-end that follows its table, and a mortal manager.
struct Scene {
    world: World,
    front_end: FrontEnd,
    photos: Vec<Photo>,
    /// When the last manager began to die.
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
        let front_end = FrontEnd::of(&world).await;
        let mut scene = Self {
            world,
            front_end,
            photos: vec![Photo::default(); KEYS],
            died: Instant::now(),
            has_lapsed: false,
        };
        until("the pool settled", async || {
            is_settled(&scene.world.pool().await)
        })
        .await;
        for key in 0..KEYS {
            scene.fill(key).await;
        }
        assert!(scene.photos.iter().all(|photo| photo.is_cached));
        scene
    }

    async fn kill(&mut self) {
        self.died = Instant::now();
        self.world.kill_manager().await;
    }

    /// Each manager can store one change, and is killed as soon as it has. Meanwhile photos are
    /// written. Answers how many managers it took.
    async fn live_and_die_until(&mut self, is_done: impl Fn(&PoolState) -> bool) -> u32 {
        for life in 0..LIVES {
            let before = self.world.pool().await;
            if is_done(&before) {
                limit_revision(&self.world.catalog, i64::MAX).await;
                self.live().await;
                return life;
            }
            limit_revision(&self.world.catalog, before.pool.revision + 1).await;
            self.live().await;
            until("a change", async || {
                self.world.pool().await.pool.revision > before.pool.revision
            })
            .await;
            self.kill().await;
            for turn in 0..4 {
                self.write((life as usize * 4 + turn) % (KEYS / 2)).await;
            }
        }
        panic!("{:?} after {LIVES} managers", self.world.pool().await);
    }

    /// The next manager begins; it beats as soon as it has read the state.
    async fn live(&mut self) {
        self.world.start_manager();
        until("a manager that leads", async || {
            self.world.post("/api/getNumNodes").await.0 == StatusCode::OK
        })
        .await;
        // The beat was on its way before that: whoever answers these has heard it.
        for key in 0..8 {
            self.front_end.look_up(&name(key)).await;
        }
        self.has_lapsed |= self.died.elapsed() > PAUSE;
    }

    /// An upload: acknowledged if the key's owner drops what it had. Then somebody reads it.
    async fn write(&mut self, key: usize) {
        self.photos[key].is_cached = false;
        if self.front_end.invalidate(&name(key)).await {
            self.photos[key].version += 1;
            self.fill(key).await;
        }
    }

    /// A read that misses, as far as it comes.
    async fn fill(&mut self, key: usize) {
        let name = name(key);
        if let Found::Nothing(lease) = self.front_end.look_up(&name).await {
            let filled = self.front_end.fill(&name, &lease, self.content(key));
            self.photos[key].is_cached = filled.await;
        }
    }

    fn content(&self, key: usize) -> Vec<u8> {
        format!("version {} of {key}", self.photos[key].version).into_bytes()
    }

    async fn assert_all_is_right(&mut self, size: usize) {
        let table = self.world.serving(size).await;
        self.front_end.knows(table.epoch).await;
        for key in 0..KEYS {
            match self.front_end.look_up(&name(key)).await {
                Found::Photo(photo) => assert_eq!(photo, self.content(key), "an old photo"),
                Found::Nothing(_) => {
                    let is_lost = self.photos[key].is_cached && !self.has_lapsed;
                    assert!(!is_lost, "{key} is not cached any more");
                }
                Found::Refused => panic!("{key} is not served"),
            }
        }
    }
}

fn name(key: usize) -> String {
    format!("key-{key}")
}
