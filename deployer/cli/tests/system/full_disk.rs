//! A disk filled to the last byte: a clear refusal, nothing lost, and all is well once there is room.
//!
//! The disk is a small file system in memory, mounted in a mount namespace of the test's own: this
//! program runs itself there, and nothing of it is left, whatever happens. Where one is not root, a
//! user namespace gives the right to mount.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::laptop::{HOMES, Laptop, Said, kill_all};
use crate::photos::{PATIENCE, Photos};

const TEST: &str = "full_disk::a_full_disk_is_told_loses_nothing_and_can_be_cleared";
/// Where the small disk is, once this runs on it.
const DISK: &str = "BIVOUAC_TEST_DISK";
/// A deployment needs two thirds of it.
const SIZE: &str = "1g";
const UP: [&str; 2] = ["up", "blueprints/elastic-cache.yaml"];

#[test]
fn a_full_disk_is_told_loses_nothing_and_can_be_cleared() {
    match std::env::var_os(DISK) {
        Some(disk) => on_a_small_disk(Path::new(&disk)),
        None => run_this_on_a_small_disk(),
    }
}

fn run_this_on_a_small_disk() {
    let disk = tempfile::Builder::new()
        .prefix("bivouac-disk-")
        .tempdir_in(HOMES)
        .unwrap();
    let mount = format!("mount -t tmpfs -o size={SIZE},mode=0711 bivouac-test \"${DISK}\"");
    let mut command = Command::new("unshare");
    if nix::unistd::geteuid().is_root() {
        let script = format!("{mount} && exec \"$@\"");
        command.args(["--mount", "sh", "-c", &script, "sh"]);
    } else {
        let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
        let script =
            format!("{mount} && exec unshare --user --map-user={user} --map-group={group} \"$@\"");
        command.args(["--user", "--map-root-user", "--mount"]);
        command.args(["sh", "-c", &script, "sh"]);
    }
    let ended = command
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(DISK, disk.path())
        .output()
        .expect("this test needs unshare, of the package util-linux");
    assert!(
        ended.status.success(),
        "on a small disk of its own (`unshare` and `mount` have to be allowed here):\n{}\n{}",
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr)
    );
}

fn on_a_small_disk(disk: &Path) {
    let laptop = Laptop::in_folder(disk);
    let mut localcloud = laptop.start_localcloud(203);
    is_not_enough_for_a_deployment(&laptop, disk);
    laptop.up();
    let photos = Photos::at(&laptop.front_end());
    for key in ["small", "large"] {
        photos.upload(key, 3_000_000).unwrap();
    }

    let mut ballast = Ballast::fill(disk, 0);
    refuses_clearly(&laptop, &photos, &mut ballast);
    photos.assert_all_there();

    // With nobody to keep what is in memory.
    kill_all(&laptop.processes("bin/postgres -D"));
    laptop.cut_power();
    localcloud.wait().unwrap();
    drop(ballast);
    laptop.up();
    photos.await_service();
    photos.assert_all_there();
    laptop.run(&["plan", UP[1], "--detailed-exitcode"], 0);

    let _ballast = Ballast::fill(disk, 0);
    laptop.down_to_zero();
}

/// What `up` could not make it makes the next time, the database too.
fn is_not_enough_for_a_deployment(laptop: &Laptop, disk: &Path) {
    let ballast = Ballast::fill(disk, 25 << 20);
    let said = laptop.run(&UP, 1);
    assert!(said.err.contains("is full"), "{}", said.err);
    drop(ballast);
    let begun = Instant::now();
    while database_has_failed(laptop) {
        assert!(begun.elapsed() < PATIENCE, "the database stays as it is");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn database_has_failed(laptop: &Laptop) -> bool {
    let status = laptop.run(&["status", "elastic-cache"], 0).out;
    status
        .lines()
        .any(|line| line.contains("database/catalog") && line.contains("failed"))
}

fn refuses_clearly(laptop: &Laptop, photos: &Photos, ballast: &mut Ballast) {
    for length in [100_000, 3_000_000] {
        let refused = ballast.refused(|| photos.upload("more", length).err());
        assert!(
            refused.starts_with("507 ") && refused.contains("disk"),
            "{refused}"
        );
    }
    let said = ballast.refused(|| {
        let said = Said::from(laptop.deploy(&UP).output().unwrap());
        (said.code != Some(0)).then_some(said)
    });
    assert_eq!(said.code, Some(1), "{}", said.err);
    for text in ["elastic-cache.json", "No space left", "make room"] {
        assert!(said.err.contains(text), "{text:?} is not in\n{}", said.err);
    }
    assert!(
        laptop
            .run(&["status", "elastic-cache"], 0)
            .out
            .contains("available")
    );
}

/// A file that takes all the room there is.
struct Ballast {
    path: PathBuf,
    file: File,
}

impl Ballast {
    /// All but so many bytes.
    fn fill(disk: &Path, but: u64) -> Ballast {
        let path = disk.join("ballast");
        let file = File::create(&path).unwrap();
        let mut ballast = Ballast { path, file };
        ballast.grow();
        let length = ballast.file.metadata().unwrap().len();
        ballast.file.set_len(length.saturating_sub(but)).unwrap();
        ballast
    }

    fn grow(&mut self) {
        for length in [1 << 20, 4096, 1] {
            let block = vec![7; length];
            while self.file.write_all(&block).is_ok() {}
        }
    }

    /// How something is refused that needs room. Others give room back at any moment: localcloud what
    /// it kept for a last document, PostgreSQL a log that it needs no more. That is filled, and then it
    /// is tried again.
    fn refused<R>(&mut self, refusal: impl Fn() -> Option<R>) -> R {
        let begun = Instant::now();
        loop {
            if let Some(refused) = refusal() {
                return refused;
            }
            assert!(begun.elapsed() < PATIENCE, "there is always room");
            self.grow();
        }
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).unwrap();
    }
}
