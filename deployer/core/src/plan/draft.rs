//! One section of the blueprint after the other is held against what exists.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::blueprint::Role;
use crate::inventory::{Profile, Rule};
use crate::known::Known;
use crate::names::{Kind, ResourceName};
use crate::plan::desired::desired_rules;
use crate::plan::steps::{Steps, label};
use crate::plan::{Action, Plan, Situation, Verb};
use crate::policy::{self, PolicyContext};

mod machines;
mod published;

pub use machines::{artifact_key, instance_program_names};

/// The plan while it grows.
pub(super) struct Draft<'a> {
    at: &'a Situation<'a>,
    known: Known,
    bucket_names: BTreeMap<ResourceName, String>,
    role_names: BTreeMap<ResourceName, String>,
    steps: Steps,
}

impl<'a> Draft<'a> {
    pub(super) fn new(at: &'a Situation<'a>) -> Draft<'a> {
        let found_buckets = at.inventory.buckets.iter().map(|b| (&b.resource, &b.name));
        let found_roles = at.inventory.roles.iter().map(|r| (&r.resource, &r.name));
        let mut draft = Draft {
            at,
            known: Known::from_inventory(at.inventory),
            bucket_names: found_buckets.map(|(r, n)| (r.clone(), n.clone())).collect(),
            role_names: found_roles.map(|(r, n)| (r.clone(), n.clone())).collect(),
            steps: Steps::default(),
        };
        for name in at.blueprint.buckets.keys() {
            let fresh = || at.scope.global_name(name, at.dice);
            draft.bucket_names.entry(name.clone()).or_insert_with(fresh);
        }
        for (name, role) in &at.blueprint.roles {
            let fresh = || match role {
                Role::Allow { .. } => at.scope.global_name(name, at.dice),
                Role::Existing(profile) => profile.clone(),
            };
            draft.role_names.entry(name.clone()).or_insert_with(fresh);
        }
        draft
    }

    pub(super) fn finish(self) -> Plan {
        Plan {
            steps: self.steps.list,
            refusals: self.steps.refusals,
            settled: self.steps.settled,
            known: self.known,
        }
    }

    fn home(&self) -> String {
        self.at
            .blueprint
            .buckets
            .keys()
            .next()
            .map_or_else(String::new, |n| label(Kind::Bucket, n))
    }

    fn stored(&self, key: &str) -> bool {
        self.at.stored.iter().any(|k| k == key)
    }

    pub(super) fn buckets(&mut self) {
        for name in self.at.blueprint.buckets.keys() {
            if self.known.buckets.contains_key(name) {
                self.steps.settled += 1;
                continue;
            }
            let bucket = self.bucket_names[name].clone();
            let action = Action::CreateBucket {
                resource: name.clone(),
                name: bucket.clone(),
            };
            self.steps.add(
                &label(Kind::Bucket, name),
                Verb::Create,
                bucket,
                action,
                &[],
            );
        }
        for found in &self.at.inventory.buckets {
            self.refuse_orphan(
                self.at.blueprint.buckets.contains_key(&found.resource),
                Kind::Bucket,
                &found.resource,
            );
        }
    }

    pub(super) fn security_groups(&mut self) {
        for name in self.at.blueprint.security_groups.keys() {
            if self.known.security_groups.contains_key(name) {
                continue;
            }
            let action = Action::CreateSecurityGroup {
                resource: name.clone(),
                name: self.at.scope.regional_name(name),
                vpc: self.at.ground.vpc.clone(),
            };
            let detail = format!("in {}", self.at.ground.vpc);
            self.steps.add(
                &label(Kind::SecurityGroup, name),
                Verb::Create,
                detail,
                action,
                &[],
            );
        }
        for found in &self.at.inventory.security_groups {
            let wanted = self
                .at
                .blueprint
                .security_groups
                .contains_key(&found.resource);
            self.refuse_orphan(wanted, Kind::SecurityGroup, &found.resource);
        }
    }

    pub(super) fn rules(&mut self) {
        let every_group: Vec<String> = self
            .at
            .blueprint
            .security_groups
            .keys()
            .map(|n| label(Kind::SecurityGroup, n))
            .collect();
        for (name, group) in &self.at.blueprint.security_groups {
            let wanted = desired_rules(group, self.at.ground);
            let found = self
                .at
                .inventory
                .security_groups
                .iter()
                .find(|g| &g.resource == name);
            let present: &[Rule] = found.map_or(&[], |g| &g.rules);
            let add: Vec<Rule> = wanted
                .iter()
                .filter(|r| !present.contains(r))
                .cloned()
                .collect();
            let remove: Vec<Rule> = present
                .iter()
                .filter(|r| !wanted.contains(r))
                .cloned()
                .collect();
            if add.is_empty() && remove.is_empty() {
                self.steps.settled += usize::from(found.is_some());
                continue;
            }
            let verb = if found.is_some() {
                Verb::Change
            } else {
                Verb::Create
            };
            let detail = describe_rules(&add, &remove);
            let action = Action::ChangeRules {
                resource: name.clone(),
                add,
                remove,
            };
            let resource = format!("{} rules", label(Kind::SecurityGroup, name));
            self.steps
                .add(&resource, verb, detail, action, &every_group);
        }
    }

    pub(super) fn roles(&mut self) {
        for (name, role) in &self.at.blueprint.roles {
            let resource = label(Kind::Role, name);
            match role {
                Role::Existing(profile) => {
                    self.known.profiles.insert(name.clone(), profile.clone());
                    self.steps.settled += 1;
                }
                Role::Allow { template, file } => {
                    match policy::render(template, &self.policy_context()) {
                        Ok(text) => self.role(name, &resource, text),
                        Err(problem) => self.steps.refuse(resource, format!("{file}: {problem}")),
                    }
                }
            }
        }
        for found in &self.at.inventory.roles {
            let wanted = self.at.blueprint.roles.contains_key(&found.resource);
            self.refuse_orphan(wanted, Kind::Role, &found.resource);
        }
    }

    fn role(&mut self, name: &ResourceName, resource: &str, policy: String) {
        let found = self.at.inventory.roles.iter().find(|r| &r.resource == name);
        let same = |text: &String| same_json(text, &policy);
        let settled = found
            .is_some_and(|r| r.profile == Profile::Ready && r.policy.as_ref().is_some_and(same));
        if settled {
            self.steps.settled += 1;
            return;
        }
        let (verb, detail) = match found {
            None => (Verb::Create, "with its policy and instance profile"),
            Some(_) => (Verb::Change, "its policy or instance profile"),
        };
        let role = self.role_names[name].clone();
        let action = Action::CompleteRole {
            resource: name.clone(),
            name: role,
            policy,
        };
        self.steps
            .add(resource, verb, detail.to_owned(), action, &[]);
    }

    fn policy_context(&self) -> PolicyContext {
        let at = self.at;
        let arn = |name: &String| {
            format!(
                "arn:aws:iam::{}:role{}{name}",
                at.scope.account,
                at.scope.iam_path()
            )
        };
        PolicyContext {
            account: at.scope.account.clone(),
            region: at.scope.region.clone(),
            deployment: at.scope.deployment.to_string(),
            namespace: at.scope.namespace(),
            bucket: self
                .bucket_names
                .values()
                .next()
                .cloned()
                .unwrap_or_default(),
            buckets: self
                .bucket_names
                .iter()
                .map(|(r, n)| (r.to_string(), n.clone()))
                .collect(),
            roles: self
                .role_names
                .iter()
                .map(|(r, n)| (r.to_string(), arn(n)))
                .collect(),
        }
    }

    fn refuse_orphan(&mut self, wanted: bool, kind: Kind, name: &ResourceName) {
        if !wanted {
            self.steps.refuse(
                label(kind, name),
                "exists and is not in the blueprint any more; put it back, or take the deployment down first",
            );
        }
    }
}

fn describe_rules(add: &[Rule], remove: &[Rule]) -> String {
    let opened = add.iter().map(|r| format!("open {r}"));
    let closed = remove.iter().map(|r| format!("close {r}"));
    opened.chain(closed).collect::<Vec<_>>().join(", ")
}

fn same_json(one: &str, other: &str) -> bool {
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    parse(one).is_some() && parse(one) == parse(other)
}
