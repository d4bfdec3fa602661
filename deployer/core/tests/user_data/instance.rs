//! The script of a single instance.

use std::os::unix::fs::PermissionsExt;

use deployer_core::user_data;

use super::machine::Machine;
use super::{download, header};

#[test]
fn it_installs_programs_and_starts_the_unit() {
    let programs: [(&str, &[u8]); 2] = [("boot", b"\x7fELF boot\0\xff"), ("manager", b"manager")];
    let machine = Machine::new(&programs);
    let downloads = programs.map(|(name, bytes)| download(&machine, name, bytes));
    let script = user_data::instance_script(&header(), &downloads).unwrap();
    let (succeeded, console) = machine.boot(&script);
    assert!(succeeded, "{console}");
    for (name, bytes) in programs {
        let path = machine.root().join("opt/bivouac/bin").join(name);
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    }
    let unit = machine.read("etc/systemd/system/bivouac.service");
    assert!(unit.ends_with("WantedBy=multi-user.target\n"), "{unit}");
    let wanted = "etc/systemd/system/multi-user.target.wants/bivouac.service";
    assert_eq!(machine.read(wanted), unit);
    assert_eq!(
        machine.calls(),
        [
            "systemctl daemon-reload",
            "systemctl start --no-block bivouac.service"
        ]
    );
    assert!(
        !console.contains("Signature"),
        "the console tells a secret: {console}"
    );
}

#[test]
fn it_may_run_again() {
    let machine = Machine::new(&[("boot", b"boot")]);
    let downloads = [download(&machine, "boot", b"boot")];
    let script = user_data::instance_script(&header(), &downloads).unwrap();
    for _ in 0..2 {
        let (succeeded, console) = machine.boot(&script);
        assert!(succeeded, "{console}");
    }
    assert_eq!(machine.read("opt/bivouac/bin/boot"), "boot");
}

#[test]
fn a_bucket_that_is_busy_is_asked_again() {
    let machine = Machine::new(&[("boot", b"boot")]);
    machine.busy_for(1);
    let downloads = [download(&machine, "boot", b"boot")];
    let script = user_data::instance_script(&header(), &downloads).unwrap();
    let (succeeded, console) = machine.boot(&script);
    assert!(succeeded, "{console}");
    assert_eq!(machine.requests(), ["GET /boot", "GET /boot"]);
}

#[test]
fn a_wrong_checksum_starts_nothing_and_is_told() {
    let machine = Machine::new(&[("boot", b"boot"), ("manager", b"something else")]);
    let downloads = [
        download(&machine, "boot", b"boot"),
        download(&machine, "manager", b"manager"),
    ];
    let script = user_data::instance_script(&header(), &downloads).unwrap();
    let (succeeded, console) = machine.boot(&script);
    assert!(!succeeded);
    assert!(console.contains("the instance is not set up"), "{console}");
    assert!(console.contains("check manager"), "{console}");
    assert!(!machine.has("opt/bivouac/bin/manager"));
    assert!(!machine.has("etc/systemd/system/bivouac.service"));
    assert!(machine.calls().is_empty());
}
