//! Programs for instances on which what is built for the laptop does not run. The instances here
//! have another processor than the laptop; an older C library is the same to `deploy`.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::account::{Account, Says};
use crate::laptop::{Laptop, Said};
use crate::photos::PATIENCE;

/// The machines of the blueprint, machines of another processor than this one, and their target.
const FROM: &str = "type: t3.micro";
const TO: &str = if cfg!(target_arch = "x86_64") {
    "type: t4g.micro"
} else {
    "type: t3.small"
};
const TARGET: &str = if cfg!(target_arch = "x86_64") {
    "aarch64-unknown-linux-musl"
} else {
    "x86_64-unknown-linux-musl"
};

/// A program that needs no library: the head of an ELF file (64 bits, little endian).
fn program() -> Vec<u8> {
    let machine = if cfg!(target_arch = "x86_64") {
        183
    } else {
        62
    };
    let mut head = vec![0; 64];
    head[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    head[16..20].copy_from_slice(&[2, 0, machine, 0]);
    head[20] = 1;
    head[24] = 1;
    head[52] = 64;
    head
}

/// A source tree with what cargo has built, and a cargo, a rustc and a clang of the test's own.
struct Tree {
    laptop: Laptop,
    account: Account,
}

impl Tree {
    fn new() -> Tree {
        let laptop = Laptop::new();
        laptop.edit(FROM, TO);
        laptop.edit(FROM, TO);
        let account = Account::start(Says::Expired);
        let tree = Tree { laptop, account };
        for folder in ["target/release", "library", "tools"] {
            fs::create_dir_all(tree.at(folder)).unwrap();
        }
        // A link where that is possible: it has not to be written.
        let (built, here) = (
            env!("CARGO_BIN_EXE_deploy"),
            tree.at("target/release/deploy"),
        );
        fs::hard_link(built, &here)
            .or_else(|_| fs::copy(built, &here).map(drop))
            .unwrap();
        fs::write(tree.at("program"), program()).unwrap();
        tree.tool("rustc", &format!("echo {}", tree.at("library").display()));
        tree.tool("clang", "exit 1");
        tree.tool(
            "cargo",
            &format!(
                r#"echo "$@" >>"{log}"
PATH=/usr/bin:/bin; env | grep -i -e ^cc_ -e ^cflags_ -e _linker= | sort >>"{log}"
folder="{target}/{TARGET}/release"
mkdir -p "$folder"
for name in boot cache-node front-end manager scaler teardown; do
  cp "{program}" "$folder/$name"
done"#,
                log = tree.at("log").display(),
                target = tree.at("target").display(),
                program = tree.at("program").display(),
            ),
        );
        tree
    }

    fn at(&self, path: &str) -> PathBuf {
        self.laptop.home().parent().unwrap().join(path)
    }

    fn tool(&self, name: &str, script: &str) {
        let draft = self.at("draft");
        fs::write(&draft, format!("#!/bin/sh\n{script}\n")).unwrap();
        // By another process: what this one has open for writing a child of another test may still hold
        // so, and then it cannot be run.
        let mut install = Command::new("install");
        install.args(["-m", "755"]).arg(&draft);
        let installed = install.arg(self.at("tools").join(name)).status();
        assert!(installed.unwrap().success());
    }

    /// `deploy plan` as `cargo run` starts it.
    fn plan(&self) -> Said {
        let mut command = Command::new(self.at("target/release/deploy"));
        command.args(["plan", "blueprints/elastic-cache.yaml", "--target", "aws"]);
        command.current_dir(self.at(""));
        self.laptop.surround(&mut command);
        command
            .env("CARGO", self.at("tools/cargo"))
            .env("CARGO_MANIFEST_DIR", self.at("deployer/cli"))
            .env("RUSTC", self.at("tools/rustc"))
            .env("PATH", self.at("tools"))
            .env("AWS_ENDPOINT_URL", self.account.address())
            .env("AWS_ACCESS_KEY_ID", "AKIATEST")
            .env("AWS_SECRET_ACCESS_KEY", "secret");
        for variable in ["CC", "CFLAGS"] {
            command.env_remove(format!("{variable}_{}", TARGET.replace('-', "_")));
        }
        let begun = Instant::now();
        loop {
            match command.output() {
                // Copied a moment ago, and a child of another test still holds it open for writing.
                Err(error)
                    if error.kind() == ErrorKind::ExecutableFileBusy
                        && begun.elapsed() < PATIENCE =>
                {
                    std::thread::sleep(Duration::from_millis(10));
                }
                output => return Said::from(output.unwrap()),
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.at("log")).unwrap_or_default()
    }
}

#[test]
fn they_are_built_beside_those_for_the_laptop_and_then_the_account_is_asked() {
    let tree = Tree::new();
    let said = tree.plan();
    assert!(said.err.contains(TARGET), "{}", said.err);
    let log = tree.log();
    let bins =
        "--bin boot --bin cache-node --bin front-end --bin manager --bin scaler --bin teardown";
    assert!(
        log.starts_with(&format!(
            "build {bins} --target {TARGET} --target-dir {} --release",
            tree.at("target").display()
        )),
        "{log}"
    );
    let variable = TARGET.replace('-', "_");
    for told in [
        format!("CC_{variable}=clang\n"),
        format!("CFLAGS_{variable}=-ffreestanding"),
        format!("CARGO_TARGET_{}_LINKER=rust-lld\n", variable.to_uppercase()),
    ] {
        assert!(log.contains(&told), "{told}: {log}");
    }
    assert_eq!(tree.account.calls()[0], "GetCallerIdentity", "{}", said.err);
}

#[test]
fn what_the_laptop_lacks_to_build_them_is_said_before_anything_is_done() {
    let tree = Tree::new();
    fs::remove_dir(tree.at("library")).unwrap();
    let said = tree.plan();
    assert_eq!(said.code, Some(3), "{}", said.err);
    let way_out = format!("hint: rustup target add {TARGET}");
    assert!(said.err.contains(&way_out), "{}", said.err);

    fs::create_dir(tree.at("library")).unwrap();
    fs::remove_file(tree.at("tools/clang")).unwrap();
    let said = tree.plan();
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.err.contains("apt install clang"), "{}", said.err);
    assert_eq!(tree.log(), "");
    assert_eq!(tree.account.calls(), [""; 0]);
}

#[test]
fn a_build_that_fails_is_told_with_how_to_see_all_of_it() {
    let tree = Tree::new();
    tree.tool("cargo", "echo 'error: no such thing' >&2; exit 101");
    let said = tree.plan();
    assert_eq!(said.code, Some(1), "{}", said.err);
    let by_hand = format!("cargo build --release --bins --target {TARGET} shows all of it");
    assert!(said.err.contains(&by_hand), "{}", said.err);
    assert!(said.err.contains("error: no such thing"), "{}", said.err);
}
