//! Instance types, as far as a blueprint can be checked without asking AWS: the shape of the name,
//! and the memory of the small ones that students use.

use super::problem::did_you_mean;
use super::raw::{GIB, MIB};

/// The sizes in which AWS offers types.
/// <https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html>
const SIZES: &[&str] = &[
    "nano", "micro", "small", "medium", "large", "xlarge", "2xlarge", "3xlarge", "4xlarge",
    "6xlarge", "8xlarge", "9xlarge", "10xlarge", "12xlarge", "16xlarge", "18xlarge", "24xlarge",
    "32xlarge", "48xlarge", "metal",
];

/// The types that a blueprint is likely to mean, for "did you mean".
const COMMON: &[&str] = &[
    "t2.micro",
    "t3.nano",
    "t3.micro",
    "t3.small",
    "t3.medium",
    "t3.large",
    "t3a.micro",
    "t3a.small",
    "t4g.nano",
    "t4g.micro",
    "t4g.small",
    "t4g.medium",
    "m7i-flex.large",
    "c7i-flex.large",
];

/// Is this the name of an instance type? The error is a hint, if there is one.
pub(crate) fn check(machine: &str) -> Result<(), Option<String>> {
    let well_formed = machine.split_once('.').is_some_and(|(family, size)| {
        let letter = family
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_lowercase());
        let rest = family
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let generation = family.bytes().any(|b| b.is_ascii_digit());
        letter && rest && generation && (SIZES.contains(&size) || size.starts_with("metal-"))
    });
    if well_formed {
        Ok(())
    } else {
        Err(did_you_mean(machine, COMMON.iter().copied()))
    }
}

/// Is this the class of a database instance? The error is a hint, if there is one.
pub(crate) fn check_class(class: &str) -> Result<(), Option<String>> {
    match class.strip_prefix("db.") {
        Some(machine) => check(machine).map_err(|_| {
            did_you_mean(
                class,
                ["db.t3.micro", "db.t3.small", "db.t4g.micro", "db.t4g.small"],
            )
        }),
        None => Err(check(class)
            .is_ok()
            .then(|| format!("did you mean `db.{class}`?"))),
    }
}

/// The memory of a type in bytes, where it is known here.
/// <https://aws.amazon.com/ec2/instance-types/t3/> and the pages of the other families.
pub(crate) fn memory(machine: &str) -> Option<u64> {
    let (family, size) = machine.split_once('.')?;
    if !matches!(family, "t2" | "t3" | "t3a" | "t4g") {
        return None;
    }
    Some(match size {
        "nano" => 512 * MIB,
        "micro" => GIB,
        "small" => 2 * GIB,
        "medium" => 4 * GIB,
        "large" => 8 * GIB,
        "xlarge" => 16 * GIB,
        "2xlarge" => 32 * GIB,
        _ => return None,
    })
}

/// A type whose processors are included in part only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst<'a> {
    /// For example `t3`.
    pub family: &'a str,
    /// Its virtual processors.
    pub vcpus: u64,
    /// What of each of them is included, in thousandths.
    pub included: u64,
}

/// What is included in a burstable type; `None` for every other.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-credits-baseline-concepts.html>
#[must_use]
pub fn burst(machine: &str) -> Option<Burst<'_>> {
    let (family, size) = machine.split_once('.')?;
    let (vcpus, included) = match (family, size) {
        ("t2", "nano") => (1, 50),
        ("t2", "micro") => (1, 100),
        ("t2", "small") => (1, 200),
        ("t2", "medium") => (2, 200),
        ("t2", "large") => (2, 300),
        ("t2", "xlarge") => (4, 225),
        ("t2", "2xlarge") => (8, 169),
        ("t3" | "t3a" | "t4g", "nano") => (2, 50),
        ("t3" | "t3a" | "t4g", "micro") => (2, 100),
        ("t3" | "t3a" | "t4g", "small" | "medium") => (2, 200),
        ("t3" | "t3a" | "t4g", "large") => (2, 300),
        ("t3" | "t3a" | "t4g", "xlarge") => (4, 400),
        ("t3" | "t3a" | "t4g", "2xlarge") => (8, 400),
        _ => return None,
    };
    Some(Burst {
        family,
        vcpus,
        included,
    })
}

/// What a cache may fill: the system, the service and requests in flight keep a quarter, and
/// 256 MiB at least.
pub(crate) fn room(memory: u64) -> u64 {
    memory - (memory / 4).max(256 * MIB)
}
