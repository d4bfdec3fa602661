//! Which crate may depend on which. A crate exists where a dependency must not cross, so the
//! tables below are the architecture: change one only together with docs/ARCHITECTURE.md.

mod graph;
mod manifest;

use std::fs;
use std::path::Path;

use crate::ci::cargo_command;
use graph::{Graph, Reach};

/// A crate of the workspace and the workspace crates it may name.
struct Layer {
    name: &'static str,
    /// In `[dependencies]` and `[build-dependencies]`.
    depends_on: &'static [&'static str],
    /// In `[dev-dependencies]`, beside those above.
    tests_use: &'static [&'static str],
}

/// Arrows point one way: core <- aws <- session <- teardown <- cli, kit <- each service. Deployer and services
/// know each other through blueprints, tags and settings, never through code; tests may run
/// localcloud and the load programs against either.
const LAYERS: &[Layer] = &[
    Layer {
        name: "deployer-core",
        depends_on: &[],
        tests_use: &[],
    },
    Layer {
        name: "deployer-aws",
        depends_on: &["deployer-core"],
        tests_use: &["localcloud"],
    },
    Layer {
        name: "deployer-session",
        depends_on: &["deployer-core", "deployer-aws"],
        tests_use: &[],
    },
    Layer {
        name: "teardown",
        depends_on: &["deployer-core", "deployer-aws", "deployer-session"],
        tests_use: &["localcloud"],
    },
    Layer {
        name: "deploy",
        depends_on: &[
            "deployer-core",
            "deployer-aws",
            "deployer-session",
            "teardown",
        ],
        tests_use: &["localcloud", "load"],
    },
    Layer {
        name: "kit",
        depends_on: &[],
        tests_use: &[],
    },
    Layer {
        name: "catalog",
        depends_on: &["kit"],
        tests_use: &[],
    },
    Layer {
        name: "boot",
        depends_on: &["kit"],
        tests_use: &["localcloud"],
    },
    Layer {
        name: "cache-node",
        depends_on: &["kit"],
        tests_use: &["localcloud"],
    },
    Layer {
        name: "front-end",
        depends_on: &["kit", "catalog"],
        tests_use: &["browser", "cache-node", "load", "localcloud"],
    },
    Layer {
        name: "manager",
        depends_on: &["kit", "catalog"],
        tests_use: &[
            "boot",
            "browser",
            "cache-node",
            "front-end",
            "load",
            "localcloud",
        ],
    },
    Layer {
        name: "scaler",
        depends_on: &["kit"],
        tests_use: &["localcloud"],
    },
    Layer {
        name: "browser",
        depends_on: &["kit"],
        tests_use: &[],
    },
    Layer {
        name: "localcloud",
        depends_on: &[],
        tests_use: &[],
    },
    Layer {
        name: "load",
        depends_on: &["cache-node", "catalog", "kit"],
        tests_use: &[],
    },
    Layer {
        name: "xtask",
        depends_on: &[],
        tests_use: &[],
    },
];

/// An outside crate and who may name it in a manifest.
struct Naming {
    outside: &'static str,
    programs: &'static [&'static str],
    tests: &'static [&'static str],
}

/// The SDKs are large (EC2's takes minutes and gigabytes to compile); each is named by those who
/// call the service. The tests of localcloud and of teardown call it with the real clients.
const NAMINGS: &[Naming] = &[
    Naming {
        outside: "aws-sdk-ec2",
        programs: &["deployer-aws", "manager"],
        tests: &["localcloud", "teardown"],
    },
    Naming {
        outside: "aws-sdk-iam",
        programs: &["deployer-aws"],
        tests: &["localcloud", "teardown"],
    },
    Naming {
        outside: "aws-sdk-rds",
        programs: &["deployer-aws"],
        tests: &["localcloud", "teardown"],
    },
    Naming {
        outside: "aws-sdk-sts",
        programs: &["deployer-aws"],
        tests: &["localcloud"],
    },
    Naming {
        outside: "aws-sdk-s3",
        programs: &["boot", "deployer-aws", "front-end", "manager"],
        tests: &["localcloud", "teardown"],
    },
    Naming {
        outside: "aws-sdk-cloudwatch",
        programs: &["cache-node", "deployer-aws", "manager", "scaler"],
        tests: &["localcloud", "teardown"],
    },
    Naming {
        outside: "s3s",
        programs: &["localcloud"],
        tests: &[],
    },
];

/// Crates that must not reach others, by whatever road.
struct Ban {
    crates: &'static [&'static str],
    /// A full name, or the beginning of one when it ends in `*`.
    outside: &'static [&'static str],
    reach: Reach,
    because: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        crates: &[
            "deployer-core",
            "kit",
            "catalog",
            "boot",
            "cache-node",
            "front-end",
            "scaler",
        ],
        outside: &["aws-sdk-ec2"],
        reach: Reach::Tests,
        because: "it must build and be tested without the SDK that takes minutes and gigabytes",
    },
    Ban {
        crates: &["deployer-core"],
        outside: &["tokio", "hyper", "aws-*", "rand"],
        reach: Reach::Programs,
        because: "it is pure: no I/O, no SDK, no dice",
    },
    Ban {
        crates: &["xtask"],
        outside: &["tokio", "hyper", "aws-*"],
        reach: Reach::Tests,
        because: "it is the first thing built and must be built in seconds",
    },
];

/// Checks the workspace at `root`; every problem is reported, not the first only.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let output = cargo_command(root)
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "`cargo metadata` failed: {}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    let graph = Graph::parse(&output.stdout)?;
    let mut problems = dependency_problems(&graph);
    problems.extend(lint_problems(root, &graph)?);
    if problems.is_empty() {
        println!(
            "{} crates keep to the dependency rules",
            graph.members().count()
        );
        Ok(())
    } else {
        Err(problems.join("\n"))
    }
}

fn dependency_problems(graph: &Graph) -> Vec<String> {
    let mut problems = layer_problems(graph, LAYERS);
    problems.extend(naming_problems(graph, NAMINGS));
    problems.extend(ban_problems(graph, BANS));
    problems
}

fn layer_problems(graph: &Graph, layers: &[Layer]) -> Vec<String> {
    let mut problems = Vec::new();
    for member in graph.members() {
        let Some(layer) = layers.iter().find(|layer| layer.name == member) else {
            problems.push(format!(
                "{member}: has no place in xtask/src/rules.rs, LAYERS"
            ));
            continue;
        };
        for named in graph.named_by_program(member) {
            if graph.is_member(named) && !layer.depends_on.contains(&named) {
                problems.push(format!("{member}: must not depend on {named}"));
            }
        }
        for named in graph.named_by_tests(member) {
            // A crate may name itself, to switch a feature on for its own tests.
            let allowed = named == member
                || layer.depends_on.contains(&named)
                || layer.tests_use.contains(&named);
            if graph.is_member(named) && !allowed {
                problems.push(format!("{member}: its tests must not depend on {named}"));
            }
        }
    }
    problems
}

fn naming_problems(graph: &Graph, namings: &[Naming]) -> Vec<String> {
    let mut problems = Vec::new();
    let find = |outside: &str| namings.iter().find(|naming| naming.outside == outside);
    for member in graph.members() {
        for outside in graph.named_by_program(member) {
            match find(outside) {
                Some(naming) if !naming.programs.contains(&member) => {
                    problems.push(format!("{member}: must not name {outside}"));
                }
                None if outside.starts_with("aws-sdk-") => problems.push(format!(
                    "{member}: names {outside}, which has no place in xtask/src/rules.rs, NAMINGS"
                )),
                _ => {}
            }
        }
        for outside in graph.named_by_tests(member) {
            match find(outside) {
                Some(naming)
                    if !naming.programs.contains(&member) && !naming.tests.contains(&member) =>
                {
                    problems.push(format!("{member}: its tests must not name {outside}"));
                }
                None if outside.starts_with("aws-sdk-") => problems.push(format!(
                    "{member}: its tests name {outside}, which has no place in \
                     xtask/src/rules.rs, NAMINGS"
                )),
                _ => {}
            }
        }
    }
    problems
}

fn ban_problems(graph: &Graph, bans: &[Ban]) -> Vec<String> {
    let mut problems = Vec::new();
    for ban in bans {
        for member in graph.members().filter(|member| ban.crates.contains(member)) {
            for (reached, road) in graph.reached_from(member, ban.reach) {
                if ban.outside.iter().any(|pattern| matches(pattern, reached)) {
                    let road = road.join(" -> ");
                    problems.push(format!(
                        "{member}: must not reach {reached} ({road}): {}",
                        ban.because
                    ));
                }
            }
        }
    }
    problems
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

fn lint_problems(root: &Path, graph: &Graph) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    if !manifest::says(
        &read(&root.join("Cargo.toml"))?,
        "workspace.lints.rust.unsafe_code",
        "\"forbid\"",
    ) {
        problems.push(
            "Cargo.toml: [workspace.lints.rust] must say unsafe_code = \"forbid\"".to_owned(),
        );
    }
    for (member, path) in graph.manifests() {
        if !manifest::says(&read(path)?, "lints.workspace", "true") {
            problems.push(format!(
                "{member}: its Cargo.toml must say [lints] workspace = true"
            ));
        }
    }
    Ok(problems)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
