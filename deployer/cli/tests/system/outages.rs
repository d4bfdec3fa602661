//! Parts of a deployment are taken away while it is used. Readers are served on, nothing that was
//! acknowledged is lost, nothing old comes back, and all is whole again with no hand on it.

use std::time::{Duration, Instant};

use load::drive::{Address, Drive, Pace, Percentiles, Pictures, Tally, Workload};
use load::walk::Deployment;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::runtime::Runtime;

use crate::laptop::{Laptop, kill_all};
use crate::photos::{PATIENCE, get};

const NODES: u32 = 2;
/// Longer than a reader waits for a node that hangs: by then it was passed by, and that was counted.
const LOOK: Duration = Duration::from_secs(1);

/// Something that is taken away.
struct Outage {
    what: &'static str,
    /// Takes it away; where it does not come back by itself, gives it back after a while.
    happen: fn(&Scene<'_>),
    /// How the failures begin that cannot be helped.
    may_fail: &'static [&'static str],
}

const OUTAGES: [Outage; 10] = [
    Outage {
        what: "a cache node's process is killed",
        happen: |scene| kill_all(&[scene.youngest(NODE)]),
        may_fail: &[],
    },
    Outage {
        what: "a node's instance is gone",
        happen: |scene| kill_all(&[scene.youngest("localcloud init")]),
        may_fail: &[],
    },
    Outage {
        what: "a node's host hangs for 6 s",
        happen: |scene| hang(&scene.host(), 6),
        may_fail: &[NOT_TOLD],
    },
    Outage {
        what: "a node's host hangs for good",
        happen: |scene| signal_all(&scene.host(), Signal::SIGSTOP),
        may_fail: &[NOT_TOLD],
    },
    Outage {
        what: "both nodes die while a third joins",
        happen: |scene| {
            let nodes = || scene.laptop.processes(NODE);
            let before = nodes();
            scene.ask_for(NODES + 1);
            until("a third node", || nodes().len() > before.len());
            kill_all(&before);
            scene.ask_for(NODES);
        },
        may_fail: &[],
    },
    Outage {
        what: "the manager hangs for 5 s",
        happen: |scene| hang(&scene.laptop.processes("bin/manager"), 5),
        may_fail: &[],
    },
    Outage {
        what: "the manager is killed",
        happen: |scene| kill_all(&[scene.youngest("bin/manager")]),
        may_fail: &[],
    },
    Outage {
        what: "the front-end is killed",
        happen: |scene| kill_all(&[scene.youngest("bin/front-end")]),
        // It answers before it has reached its database again.
        may_fail: &["connection: ", "refused: 503 "],
    },
    Outage {
        what: "PostgreSQL is killed",
        happen: |scene| kill_all(&[scene.youngest("bin/postgres -D")]),
        may_fail: &["refused: 503 "],
    },
    Outage {
        what: "PostgreSQL hangs for 10 s",
        happen: |scene| hang(&scene.laptop.processes("postgres"), 10),
        may_fail: &["refused: 503 "],
    },
];

const NODE: &str = "bin/cache-node";

/// An upload waits ten seconds for a node that hangs to be told, or left out, and a slow machine takes
/// long for that. Its photo is stored, and what is read is checked all the same.
const NOT_TOLD: &str = "refused: 503 the photo is stored, but ";

fn signal_all(pids: &[i32], signal: Signal) {
    for pid in pids {
        // One that has ended meanwhile needs no signal.
        let _ = kill(Pid::from_raw(*pid), signal);
    }
}

fn hang(pids: &[i32], seconds: u64) {
    signal_all(pids, Signal::SIGSTOP);
    std::thread::sleep(Duration::from_secs(seconds));
    signal_all(pids, Signal::SIGCONT);
}

pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came to {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn whatever_goes_away_under_load_comes_back_and_dead_nodes_alone_fail_no_request() {
    let laptop = Laptop::new();
    laptop.edit("start: 1", &format!("start: {NODES}"));
    laptop.up();
    let scene = Scene::of(&laptop);
    let running = scene.runtime.block_on(async {
        assert_eq!(scene.drive.upload_all().await.failed(), 0);
        assert_eq!(scene.drive.read_all().await.failed(), 0);
        scene.drive.start(pace()).unwrap()
    });
    scene.await_whole("before anything happens");
    println!(
        "{:<36}{:>7}  {:>6}  stale  lost  failed",
        "", "whole", "p99"
    );
    for outage in &OUTAGES {
        scene.go_through(outage);
    }
    scene.runtime.block_on(running.stop());
    laptop.down_to_zero();
}

fn pace() -> Pace {
    Pace::Open {
        rate: "100".parse().unwrap(),
        in_flight: 4000,
    }
}

fn workload() -> Workload {
    Workload {
        keys: 200,
        prefix: "outage-".to_owned(),
        distribution: "zipf:0.9".parse().unwrap(),
        reads: "0.8".parse().unwrap(),
        pictures: Pictures::made_up(2048..=2048, 1).unwrap(),
        seed: 1,
        time: Duration::from_secs(30),
    }
}

/// A deployment that is used.
struct Scene<'a> {
    laptop: &'a Laptop,
    runtime: Runtime,
    drive: Drive,
    front_end: Address,
    deployment: Deployment,
}

impl<'a> Scene<'a> {
    fn of(laptop: &'a Laptop) -> Self {
        let front_end: Address = laptop.front_end().parse().unwrap();
        Self {
            laptop,
            runtime: Runtime::new().unwrap(),
            drive: Drive::new(&front_end, workload()),
            deployment: Deployment::new(&front_end),
            front_end,
        }
    }

    fn ask_for(&self, nodes: u32) {
        let asked = self.deployment.ask_for(nodes);
        self.runtime.block_on(asked).unwrap();
    }

    /// The one of a kind that was started last: of the inits it is a node's, the manager's is older.
    fn youngest(&self, words: &str) -> i32 {
        let found = self.laptop.processes(words).pop();
        found.unwrap_or_else(|| panic!("nothing is {words}"))
    }

    /// All that runs on a node's host, which is where its init was told to be.
    fn host(&self) -> Vec<i32> {
        let words = std::fs::read(format!("/proc/{}/cmdline", self.youngest(NODE))).unwrap();
        let words = String::from_utf8(words).unwrap();
        let (root, _) = words.split_once("/opt/bivouac/").unwrap();
        let all = self.laptop.processes(root);
        assert!(all.len() > 1, "{root} has its init and the node at least");
        all
    }

    fn go_through(&self, outage: &Outage) {
        let _ = self.drive.cut_phase();
        let begun = Instant::now();
        (outage.happen)(self);
        let whole = self.await_whole(outage.what);
        let mut tally = self.drive.cut_phase().tally;
        let after = self.runtime.block_on(self.drive.read_all());
        tally.add(&after);
        tell(outage.what, whole.duration_since(begun), &tally);
        assert_eq!(self.drive.violations(), [], "{}", outage.what);
        assert_eq!(after.failed(), 0, "{}: {:?}", outage.what, after.failures);
        assert!(tally.reads.answered > 0 && tally.uploads.answered > 0);
        for failure in tally.failures.keys() {
            let may = outage.may_fail.iter().any(|how| failure.starts_with(how));
            assert!(may, "{}: {:?}", outage.what, tally.failures);
        }
    }

    /// Waits until the pool has its size and its nodes answer for every key, with no request failing
    /// for as long as that is looked at. Answers since when it was so.
    fn await_whole(&self, what: &str) -> Instant {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "{what}: it does not come back");
            let since = Instant::now();
            let before = self.reads();
            let _ = self.drive.cut_second();
            std::thread::sleep(LOOK);
            let tally = self.drive.cut_second();
            let is_served = tally.failed() == 0 && tally.uploads.answered > 0;
            let is_quick = before.is_some_and(|before| self.all_from_nodes_since(before));
            let is_settled = || {
                let settled = self.deployment.until_it_has(NODES, Duration::ZERO);
                self.runtime.block_on(settled).is_ok()
            };
            if is_served && is_quick && is_settled() {
                return since;
            }
        }
    }

    fn all_from_nodes_since(&self, before: Reads) -> bool {
        let nodes = self.laptop.processes(NODE).len();
        self.reads().is_some_and(|now| {
            now.from_nodes > before.from_nodes
                && now.passed_by == before.passed_by
                && nodes == NODES as usize
        })
    }

    /// `None` while the front-end does not tell.
    fn reads(&self) -> Option<Reads> {
        let figures = get(&self.front_end.authority(), "/metrics").ok()?;
        let count = |came_of: &str| {
            let series = format!("photo_reads_total{{came_of=\"{came_of}\"}} ");
            let line = figures.lines().find_map(|line| line.strip_prefix(&series));
            line?.trim().parse::<u64>().ok()
        };
        Some(Reads {
            from_nodes: count("hit")?,
            passed_by: count("read_through")?,
        })
    }
}

/// Reads as the front-end has counted them.
#[derive(Clone, Copy)]
struct Reads {
    from_nodes: u64,
    passed_by: u64,
}

fn tell(what: &str, whole: Duration, tally: &Tally) {
    let figures = tally.figures();
    let p99 = |times: Option<Percentiles>| times.map_or(0.0, |times| times.p99);
    println!(
        "{what:<34}{:>5.1} s{:>6.0} ms{:>6.0} ms{:>7}{:>6}   {} of {} {:?}",
        whole.as_secs_f64(),
        p99(figures.reads.milliseconds),
        p99(figures.uploads.milliseconds),
        tally.stale + tally.wrong,
        tally.lost,
        tally.failed(),
        tally.requests(),
        tally.failures
    );
}
