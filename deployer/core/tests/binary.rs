//! Programs of every kind, made here byte by byte, and the test itself, which is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use deployer_core::binary::{self, Architecture, NotAProgram, Problem, Program, Version};
use deployer_core::blueprint::BaseImage::{AmazonLinux2023, Debian12};
use proptest::prelude::*;

const X86_64: u16 = 62;
const AARCH64: u16 = 183;
const GLIBC_LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// An ELF program for that processor, with that loader and those versions of libc's symbols.
fn elf(machine: u16, loader: Option<&str>, versions: &[&str]) -> Vec<u8> {
    const HEADER: usize = 64;
    const SEGMENT: usize = 56;
    let mut interpreter = loader.unwrap_or("").as_bytes().to_vec();
    interpreter.push(0);

    let mut names = b"\0libc.so.6\0".to_vec();
    let mut needs = Vec::new();
    // Elfxx_Verneed: version, count, file, first entry, next library.
    needs.extend(1u16.to_le_bytes());
    needs.extend(u16::try_from(versions.len()).unwrap().to_le_bytes());
    needs.extend(1u32.to_le_bytes());
    needs.extend(16u32.to_le_bytes());
    needs.extend(0u32.to_le_bytes());
    for (index, version) in versions.iter().enumerate() {
        // Elfxx_Vernaux: hash, flags, index, name, next entry.
        let next: u32 = if index + 1 < versions.len() { 16 } else { 0 };
        needs.extend([0; 8]);
        needs.extend(u32::try_from(names.len()).unwrap().to_le_bytes());
        needs.extend(next.to_le_bytes());
        names.extend(version.as_bytes());
        names.push(0);
    }

    let interpreter_at = HEADER + SEGMENT;
    let names_at = interpreter_at + interpreter.len();
    let needs_at = (names_at + names.len()).next_multiple_of(8);
    let sections_at = (needs_at + needs.len()).next_multiple_of(8);
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    for half in [3u16, machine] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1u32.to_le_bytes());
    for long in [0x1000, HEADER as u64, sections_at as u64] {
        file.extend(long.to_le_bytes());
    }
    file.extend(0u32.to_le_bytes());
    let segments = u16::from(loader.is_some());
    let sections: u16 = if versions.is_empty() { 0 } else { 3 };
    for half in [64, 56, segments, 64, sections, sections.min(1)] {
        file.extend(half.to_le_bytes());
    }
    for word in [3u32, 4] {
        file.extend(word.to_le_bytes());
    }
    let length = interpreter.len() as u64;
    for long in [interpreter_at as u64, 0, 0, length, length, 1] {
        file.extend(long.to_le_bytes());
    }
    file.extend(interpreter);
    file.extend(names.iter());
    file.resize(needs_at, 0);
    file.extend(needs.iter());
    file.resize(sections_at + 64, 0);
    // .dynstr, then .gnu.version_r that links to it.
    for (kind, at, size, link, info) in [
        (3u32, names_at, names.len(), 0u32, 0u32),
        (0x6fff_fffe, needs_at, needs.len(), 1, 1),
    ] {
        file.extend(0u32.to_le_bytes());
        file.extend(kind.to_le_bytes());
        for long in [0, 0, at as u64, size as u64] {
            file.extend(long.to_le_bytes());
        }
        file.extend(link.to_le_bytes());
        file.extend(info.to_le_bytes());
        for long in [8u64, 0] {
            file.extend(long.to_le_bytes());
        }
    }
    file
}

fn dynamic(versions: &[&str]) -> Program {
    binary::inspect(&elf(X86_64, Some(GLIBC_LOADER), versions)).unwrap()
}

#[test]
fn the_newest_version_counts_and_by_number() {
    let newest = |versions: &[&str]| dynamic(versions).needs_glibc.unwrap().to_string();
    assert_eq!(newest(&["GLIBC_2.4", "GLIBC_2.34", "GLIBC_2.17"]), "2.34");
    assert_eq!(newest(&["GLIBC_2.2.5", "GLIBC_2.9"]), "2.9");
    assert_eq!(newest(&["GCC_3.0", "GLIBC_PRIVATE"]), "2.0");
    assert_eq!(newest(&["GLIBC_2.28", "GLIBC_ABI_DT_RELR"]), "2.36");
    assert_eq!(newest(&[]), "2.0");
}

#[test]
fn a_static_program_needs_no_glibc() {
    for machine in [X86_64, AARCH64] {
        assert_eq!(
            binary::inspect(&elf(machine, None, &[]))
                .unwrap()
                .needs_glibc,
            None
        );
    }
}

#[test]
fn this_test_is_a_program() {
    let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let program = binary::inspect(&bytes).unwrap();
    assert_eq!(program.architecture.as_str(), std::env::consts::ARCH);
    assert_eq!(program.needs_glibc.is_some(), cfg!(target_env = "gnu"));
    if let Some(version) = program.needs_glibc {
        // The standard library asks for 2.17 at least.
        assert!(
            version
                >= Version {
                    major: 2,
                    minor: 17
                },
            "{version}"
        );
    }
}

#[test]
fn what_is_no_program_is_refused() {
    let refused = |bytes: &[u8]| binary::inspect(bytes).unwrap_err();
    for bytes in [&b""[..], b"#!/bin/sh\n", b"MZ", b"\x7fELF", &[0; 100]] {
        assert_eq!(refused(bytes), NotAProgram::NotElf, "{bytes:?}");
    }
    assert_eq!(refused(&elf(40, None, &[])), NotAProgram::Architecture);
    let mut library = elf(X86_64, None, &[]);
    library[24..32].fill(0);
    assert_eq!(refused(&library), NotAProgram::NotExecutable);
    let musl = elf(X86_64, Some("/lib/ld-musl-x86_64.so.1"), &[]);
    assert_eq!(
        refused(&musl),
        NotAProgram::Loader("/lib/ld-musl-x86_64.so.1".into())
    );
    let whole = elf(X86_64, Some(GLIBC_LOADER), &["GLIBC_2.34"]);
    let cut = refused(&whole[..whole.len() - 40]);
    assert!(matches!(cut, NotAProgram::Damaged(_)), "{cut}");
}

#[test]
fn each_system_has_its_glibc() {
    let old = dynamic(&["GLIBC_2.34"]);
    let new = dynamic(&["GLIBC_2.36"]);
    let newer = dynamic(&["GLIBC_2.39"]);
    assert_eq!(old.runs_on("t3.micro", AmazonLinux2023), Ok(()));
    assert_eq!(old.runs_on("t3.micro", Debian12), Ok(()));
    assert_eq!(new.runs_on("t3.micro", Debian12), Ok(()));
    assert_eq!(
        new.runs_on("t3.micro", AmazonLinux2023)
            .unwrap_err()
            .to_string(),
        "it needs glibc 2.36, and amazon-linux-2023 has 2.34; \
         one built for x86_64-unknown-linux-musl runs there",
    );
    assert!(matches!(
        newer.runs_on("t3.micro", Debian12),
        Err(Problem::Glibc { .. })
    ));
}

#[test]
fn each_type_has_its_processor() {
    for machine in [
        "t4g.micro",
        "m7g.large",
        "c6gn.xlarge",
        "a1.medium",
        "m6gd.metal",
        "im4gn.large",
        "x2gd.medium",
        "g5g.xlarge",
    ] {
        assert_eq!(
            Architecture::of_machine(machine),
            Architecture::Aarch64,
            "{machine}"
        );
    }
    for machine in [
        "t3.micro",
        "t2.micro",
        "t3a.small",
        "m7i-flex.large",
        "c7i-flex.large",
        "g4dn.xlarge",
        "g5.xlarge",
        "m5dn.large",
        "u-6tb1.metal",
    ] {
        assert_eq!(
            Architecture::of_machine(machine),
            Architecture::X86_64,
            "{machine}"
        );
    }
    let program = binary::inspect(&elf(X86_64, None, &[])).unwrap();
    assert_eq!(
        program
            .runs_on("t4g.micro", AmazonLinux2023)
            .unwrap_err()
            .to_string(),
        "it is built for x86_64, and t4g.micro has aarch64; \
         one built for aarch64-unknown-linux-musl runs there",
    );
    let arm = binary::inspect(&elf(AARCH64, None, &[])).unwrap();
    assert_eq!(arm.runs_on("t4g.micro", AmazonLinux2023), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    /// A damaged program gives an answer, whatever it is.
    #[test]
    fn a_damaged_program_is_answered(
        at in 0usize..400,
        bytes in proptest::collection::vec(any::<u8>(), 1..16),
        cut in 0usize..600,
    ) {
        let mut file = elf(X86_64, Some(GLIBC_LOADER), &["GLIBC_2.2.5", "GLIBC_2.34"]);
        for (offset, byte) in bytes.into_iter().enumerate() {
            if let Some(place) = file.get_mut(at + offset) {
                *place = byte;
            }
        }
        file.truncate(cut.max(1));
        let _ = binary::inspect(&file);
    }
}
