//! The dependency graph as `cargo metadata` tells it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Which dependencies of the first crate count. Of the crates below it, only what they need to run
/// ever counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// `[dependencies]` and `[build-dependencies]`.
    Programs,
    /// Those and `[dev-dependencies]`.
    Tests,
}

/// Crates of the workspace and outside, by name, and who depends on whom.
pub(super) struct Graph {
    crates: BTreeMap<String, Crate>,
    members: BTreeMap<String, Member>,
}

struct Crate {
    name: String,
    /// Ids of what it needs to be built and run.
    needs: BTreeSet<String>,
    /// Ids of what only its tests need.
    tests_need: BTreeSet<String>,
}

struct Member {
    id: String,
    manifest: PathBuf,
}

impl Graph {
    /// Reads the JSON of `cargo metadata --format-version 1`.
    pub(super) fn parse(metadata: &[u8]) -> Result<Self, String> {
        let metadata: Metadata = serde_json::from_slice(metadata)
            .map_err(|error| format!("cannot read `cargo metadata`: {error}"))?;
        let mut crates = BTreeMap::new();
        let mut members = BTreeMap::new();
        for package in metadata.packages {
            if metadata.workspace_members.contains(&package.id) {
                let member = Member {
                    id: package.id.clone(),
                    manifest: package.manifest_path,
                };
                members.insert(package.name.clone(), member);
            }
            let found = Crate {
                name: package.name,
                needs: BTreeSet::new(),
                tests_need: BTreeSet::new(),
            };
            crates.insert(package.id, found);
        }
        for node in metadata.resolve.nodes {
            if let Some(found) = crates.get_mut(&node.id) {
                found.take(node.deps);
            }
        }
        Ok(Self { crates, members })
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    pub(super) fn is_member(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    pub(super) fn manifests(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.members
            .iter()
            .map(|(name, member)| (name.as_str(), member.manifest.as_path()))
    }

    /// The crates that `member` names in its manifest for what it builds and runs.
    pub(super) fn named_by_program(&self, member: &str) -> BTreeSet<&str> {
        self.named_by(member, |found| &found.needs)
    }

    /// The crates that `member` names in its manifest for its tests alone.
    pub(super) fn named_by_tests(&self, member: &str) -> BTreeSet<&str> {
        self.named_by(member, |found| &found.tests_need)
    }

    fn named_by(&self, member: &str, which: fn(&Crate) -> &BTreeSet<String>) -> BTreeSet<&str> {
        let found = self
            .members
            .get(member)
            .and_then(|member| self.crates.get(&member.id));
        found
            .into_iter()
            .flat_map(which)
            .filter_map(|id| Some(self.crates.get(id)?.name.as_str()))
            .collect()
    }

    /// Everything reached from `member`, each with a shortest road to it, `member` first.
    pub(super) fn reached_from(&self, member: &str, reach: Reach) -> Vec<(&str, Vec<&str>)> {
        let Some((name, start)) = self.members.get_key_value(member) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        let mut seen = BTreeSet::from([start.id.as_str()]);
        let mut queue = VecDeque::from([(start.id.as_str(), vec![name.as_str()], reach)]);
        while let Some((id, road, reach)) = queue.pop_front() {
            let Some(here) = self.crates.get(id) else {
                continue;
            };
            for next in here.direct(reach) {
                let Some(there) = self.crates.get(next) else {
                    continue;
                };
                if seen.insert(next) {
                    let mut road = road.clone();
                    road.push(&there.name);
                    found.push((there.name.as_str(), road.clone()));
                    queue.push_back((next, road, Reach::Programs));
                }
            }
        }
        found
    }
}

impl Crate {
    fn take(&mut self, dependencies: Vec<Dependency>) {
        for dependency in dependencies {
            let only_tests = dependency
                .dep_kinds
                .iter()
                .all(|kind| kind.kind.as_deref() == Some("dev"));
            let set = if only_tests {
                &mut self.tests_need
            } else {
                &mut self.needs
            };
            set.insert(dependency.pkg);
        }
    }

    fn direct(&self, reach: Reach) -> impl Iterator<Item = &str> {
        let tests = (reach == Reach::Tests).then_some(&self.tests_need);
        self.needs
            .iter()
            .chain(tests.into_iter().flatten())
            .map(String::as_str)
    }
}

/// The parts of `cargo metadata` that are read here:
/// <https://doc.rust-lang.org/cargo/commands/cargo-metadata.html>.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// `null` is a normal dependency.
    kind: Option<String>,
}
