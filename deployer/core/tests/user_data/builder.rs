//! The script of a builder: an ok object, or none.

use std::time::{Duration, Instant};

use deployer_core::user_data;

use super::machine::Machine;
use super::{download, header, sha256};

const OK: &str = "/bake/0123456789ab.ok";

/// Runs a builder that installs `boot` and has that recipe.
fn bake(machine: &Machine, run: &[&str]) -> String {
    let downloads = [
        download(machine, "boot", b"boot"),
        download(machine, "cache-node", b"node"),
    ];
    let run: Vec<String> = run.iter().map(|line| (*line).to_owned()).collect();
    let script = user_data::builder_script(&header(), &downloads, &run, &machine.url(OK)).unwrap();
    let begun = Instant::now();
    let (_, console) = machine.boot(&script);
    assert!(begun.elapsed() < Duration::from_secs(120));
    assert_eq!(machine.calls(), ["poweroff"], "{console}");
    console
}

fn machine() -> Machine {
    Machine::new(&[("boot", b"boot"), ("cache-node", b"node")])
}

#[test]
fn the_ok_object_tells_what_is_installed_and_how_it_went() {
    let machine = machine();
    let lines = [
        "printf 'a \"quoted\"\\tword \\\\ and caf\u{e9}\\n\\001'",
        "echo out; echo err >&2",
        "cd \"$BIVOUAC_ROOT\"\necho 'it'\\''s $HOME' > made",
    ];
    let console = bake(&machine, &lines);
    let ok = machine
        .object(OK)
        .unwrap_or_else(|| panic!("no ok object: {console}"));
    let ok: serde_json::Value = serde_json::from_slice(&ok).unwrap();
    assert_eq!(ok["programs"]["boot"], sha256(b"boot"));
    assert_eq!(ok["programs"]["cache-node"], sha256(b"node"));
    assert_eq!(ok["log"], "a \"quoted\" word \\ and caf??\n?out\nerr\n");
    assert_eq!(machine.read("made"), "it's $HOME\n");
    assert!(
        !console.contains("Signature"),
        "the console tells a secret: {console}"
    );
}

#[test]
fn an_image_without_recipe_lines_is_made_too() {
    let machine = machine();
    bake(&machine, &[]);
    let ok: serde_json::Value = serde_json::from_slice(&machine.object(OK).unwrap()).unwrap();
    assert_eq!(ok["log"], "");
    assert!(machine.has("etc/systemd/system/multi-user.target.wants/bivouac.service"));
}

#[test]
fn what_belongs_to_the_builder_is_not_in_the_image() {
    let machine = machine();
    machine.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    let gone = [
        "etc/ssh/ssh_host_ed25519_key",
        "etc/ssh/ssh_host_ed25519_key.pub",
        "var/log/cloud-init.log",
        "var/log/cloud-init-output.log",
        "var/log/journal/abc/system.journal",
        "var/lib/cloud/instances/i-1/user-data.txt",
        "var/log/bivouac-bake.log",
        "var/lib/bivouac-ok.json",
    ];
    for path in gone {
        machine.write(path, "x");
    }
    machine.write("etc/ssh/sshd_config", "kept");
    bake(&machine, &["true"]);
    assert_eq!(machine.read("etc/machine-id"), "");
    assert_eq!(machine.read("etc/ssh/sshd_config"), "kept");
    for path in gone {
        assert!(!machine.has(path), "{path} is still there");
    }
    assert!(machine.object(OK).is_some());
}

#[test]
fn a_failing_line_leaves_no_ok_object_and_is_told() {
    for line in [
        "echo deep trouble; false",
        "false | cat",
        "echo $unset",
        "exit 3",
    ] {
        let machine = machine();
        let console = bake(&machine, &["echo first", line, "echo never"]);
        assert!(machine.object(OK).is_none(), "{line}");
        let why = format!("what failed: line 2 of the recipe: {line}");
        assert!(console.contains(&why), "{console}");
        assert!(!console.contains("never"), "{console}");
    }
}

#[test]
fn a_wrong_checksum_leaves_no_ok_object() {
    let machine = Machine::new(&[("boot", b"boot"), ("cache-node", b"another")]);
    let console = bake(&machine, &["echo never"]);
    assert!(machine.object(OK).is_none());
    assert!(
        console.contains("what failed: check cache-node"),
        "{console}"
    );
    assert!(!console.contains("never"), "{console}");
}

#[test]
fn a_long_log_is_cut_to_its_end() {
    let machine = machine();
    bake(&machine, &["seq 1 10000"]);
    let ok: serde_json::Value = serde_json::from_slice(&machine.object(OK).unwrap()).unwrap();
    let log = ok["log"].as_str().unwrap();
    assert!(log.ends_with("9999\n10000\n") && log.len() <= 4000, "{log}");
}
