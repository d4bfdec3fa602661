//! This machine.

use super::Finding;
use crate::binary;

/// With less than this a deployment on the laptop does not come up.
const LEAST_BYTES: u64 = 512 << 20;
/// With less than this the disk is soon full.
const GOOD_BYTES: u64 = 2 << 30;

/// What was read of this machine.
#[derive(Clone, Debug)]
pub struct LaptopFacts {
    /// The operating system, as Rust names it.
    pub system: String,
    /// The folder of the programs that are deployed.
    pub programs: String,
    /// Those that are not in it.
    pub missing: Vec<String>,
    /// What cargo says of its version, where programs are built; nothing where they are not.
    pub cargo: Option<Result<String, String>>,
    /// Why programs would not run on the blueprint's instances.
    pub unfit: Vec<binary::Problem>,
    /// How programs are built, where those for this machine would not run on the instances.
    pub static_build: Option<StaticFacts>,
    /// The folder that deployments are remembered in.
    pub home: String,
    /// Why nothing can be written there.
    pub home_problem: Option<String>,
    /// Free bytes on its disk.
    pub free_bytes: Option<u64>,
    /// What localcloud needs, where the laptop is the target.
    pub localcloud: Option<LocalcloudFacts>,
}

/// Programs that need nothing of a system but its kernel.
#[derive(Clone, Debug)]
pub struct StaticFacts {
    /// Rust's target for them.
    pub target: String,
    /// What this machine lacks to build them, and what to do.
    pub lacking: Option<(String, String)>,
}

/// What localcloud needs of this machine.
#[derive(Clone, Debug)]
pub struct LocalcloudFacts {
    /// The PostgreSQL that databases run on: version and folder, if there is one.
    pub postgresql: Option<String>,
    /// Whether there is npm, which can fetch one.
    pub npm: bool,
    /// Networks of addresses, and why one of their addresses cannot be listened on.
    pub networks: Vec<(String, Option<String>)>,
    /// Programs that listen where instances would, one line each.
    pub in_the_way: Vec<String>,
}

/// Holds this machine against what a deployment needs.
#[must_use]
pub fn laptop(facts: &LaptopFacts) -> Vec<Finding> {
    let mut findings = vec![system(facts), programs(facts)];
    findings.extend(cargo(facts));
    findings.extend(fit(facts));
    findings.extend([home(facts), disk(facts)]);
    if let Some(localcloud) = &facts.localcloud {
        findings.push(postgresql(localcloud));
        findings.extend(localcloud.networks.iter().map(network));
        findings.push(ports(localcloud));
    }
    findings
}

fn system(facts: &LaptopFacts) -> Finding {
    if facts.system == "linux" {
        return Finding::ok("system", "Linux");
    }
    Finding::failed(
        "system",
        format!("this is {}, and localcloud needs Linux", facts.system),
        "use Linux in a virtual machine (on Windows: WSL 2)",
    )
}

fn programs(facts: &LaptopFacts) -> Finding {
    if facts.missing.is_empty() {
        return Finding::ok("programs", format!("all are in {}", facts.programs));
    }
    if facts.cargo.is_some() {
        let fact = format!("{} not built yet", facts.missing.join(", "));
        return Finding::warning(
            "programs",
            fact,
            "`up` builds them, which takes some minutes",
        );
    }
    Finding::failed(
        "programs",
        format!("{} not in {}", facts.missing.join(", "), facts.programs),
        "put them beside `deploy`, or start it from the source tree with `cargo run --release --`",
    )
}

fn cargo(facts: &LaptopFacts) -> Option<Finding> {
    Some(match facts.cargo.as_ref()? {
        Ok(version) => Finding::ok("cargo", version.as_str()),
        Err(why) => Finding::failed("cargo", why.as_str(), "install Rust: https://rustup.rs"),
    })
}

fn fit(facts: &LaptopFacts) -> Option<Finding> {
    let check = "programs on AWS";
    if let Some(problem) = facts.unfit.first() {
        let remedy = "docs/operations.md says it in full: the first deployment on AWS";
        return Some(Finding::failed(check, problem.to_string(), remedy));
    }
    let StaticFacts { target, lacking } = facts.static_build.as_ref()?;
    Some(match lacking {
        None => Finding::ok(
            check,
            format!("built for {target}, others do not run there"),
        ),
        Some((what, remedy)) => Finding::failed(check, what.as_str(), remedy.as_str()),
    })
}

fn home(facts: &LaptopFacts) -> Finding {
    match &facts.home_problem {
        None => Finding::ok("folder", facts.home.as_str()),
        Some(why) => Finding::failed(
            "folder",
            format!("nothing can be written into {}: {why}", facts.home),
            "set BIVOUAC_HOME to a folder of yours",
        ),
    }
}

fn disk(facts: &LaptopFacts) -> Finding {
    let Some(free) = facts.free_bytes else {
        return Finding::warning(
            "disk",
            format!("its free room cannot be read at {}", facts.home),
            "look yourself: df -h",
        );
    };
    let tenths = free / (1 << 30) * 10 + free % (1 << 30) * 10 / (1 << 30);
    let fact = format!("{}.{} GiB free", tenths / 10, tenths % 10);
    let remedy = "make room, or set BIVOUAC_HOME to a folder on another disk";
    match free {
        0..LEAST_BYTES => Finding::failed("disk", fact, remedy),
        LEAST_BYTES..GOOD_BYTES => Finding::warning("disk", fact, remedy),
        _ => Finding::ok("disk", fact),
    }
}

fn postgresql(facts: &LocalcloudFacts) -> Finding {
    let check = "PostgreSQL";
    let install = "sudo apt install postgresql (Debian, Ubuntu), sudo dnf install postgresql-server \
                   (Fedora); it need not run";
    match &facts.postgresql {
        Some(found) => Finding::ok(check, found.as_str()),
        None if facts.npm => Finding::warning(
            check,
            "there is none; `up` fetches one through npm",
            install,
        ),
        None => Finding::failed(check, "there is none, nor npm to fetch one", install),
    }
}

fn network((network, problem): &(String, Option<String>)) -> Finding {
    let check = format!("addresses {network}");
    match problem {
        None => Finding::ok(check, "can be listened on"),
        Some(why) => Finding::failed(
            check,
            format!("cannot be listened on: {why}"),
            "they are loopback addresses, which Linux has by itself: see `ip address show lo`",
        ),
    }
}

fn ports(facts: &LocalcloudFacts) -> Finding {
    match facts.in_the_way.as_slice() {
        [] => Finding::ok("ports", "nobody else listens where instances do"),
        others => Finding::failed(
            "ports",
            others.join("; "),
            "end it, or let it listen on 127.0.0.1",
        ),
    }
}
