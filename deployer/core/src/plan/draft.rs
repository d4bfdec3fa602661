//! One section of the blueprint after the other is held against what exists.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::blueprint::Role;
use crate::inventory::{FoundRole, Profile, Rule, RuleSource};
use crate::known::Known;
use crate::names::{Kind, ResourceName};
use crate::plan::desired::desired_rules;
use crate::plan::edits;
use crate::plan::steps::{Steps, label};
use crate::plan::{Action, Plan, Situation, Verb};
use crate::policy::{self, PolicyContext};

mod machines;
mod published;
mod removals;
mod settings;

pub use machines::{artifact_key, instance_program_names, misfits, static_build};

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
        draft.known.expires_at = at.expires_at;
        for name in at.blueprint.buckets.keys() {
            let fresh = || at.scope.global_name(name, at.dice);
            draft.bucket_names.entry(name.clone()).or_insert_with(fresh);
        }
        for (name, role) in &at.blueprint.roles {
            match role {
                Role::Allow { .. } => {
                    let fresh = || at.scope.global_name(name, at.dice);
                    draft.role_names.entry(name.clone()).or_insert_with(fresh);
                }
                Role::Existing(profile) => {
                    draft.role_names.insert(name.clone(), profile.clone());
                }
            }
        }
        draft
    }

    pub(super) fn finish(self) -> Plan {
        Plan {
            steps: self.steps.list,
            refusals: self.steps.refusals,
            notes: self.steps.notes,
            settled: self.steps.settled,
            known: self.known,
        }
    }

    /// The bucket that holds, or will hold, settings, secrets and programs.
    fn home_name(&self) -> Option<&ResourceName> {
        let first = || self.at.blueprint.buckets.keys().next();
        self.known.home.as_ref().or_else(first)
    }

    fn home(&self) -> String {
        self.home_name()
            .map_or_else(String::new, |n| label(Kind::Bucket, n))
    }

    fn stored(&self, key: &str) -> bool {
        self.at.stored.keys.iter().any(|k| k == key)
    }

    /// What has no timer, or another one, is given the deployment's.
    pub(super) fn expiry(&mut self) {
        let Some(expires_at) = self.at.expires_at else {
            return;
        };
        let things = self.at.timers.other_than(expires_at);
        if things.is_empty() {
            return;
        }
        let detail = match things.as_slice() {
            [one] => format!("{one} learns when it ends: {expires_at}"),
            more => format!("{} things learn when they end: {expires_at}", more.len()),
        };
        let action = Action::MarkExpiry { things, expires_at };
        self.steps.add("expiry", Verb::Change, detail, action, &[]);
    }

    /// What is to run at first has to fit into the account; what a pool may grow to need not.
    pub(super) fn ceiling(&mut self) {
        let blueprint = self.at.blueprint;
        let Some(most) = self.at.ground.most_instances(blueprint) else {
            return;
        };
        let single = u32::try_from(blueprint.instances.len()).unwrap_or(u32::MAX);
        let pools = || blueprint.pools.values().map(|pool| &pool.size);
        let first = single.saturating_add(pools().map(|size| size.start).sum());
        let largest = single.saturating_add(pools().map(|size| size.max).sum());
        if first > most {
            let reason = format!(
                "{first} instances are to run, and the account may have {most} at once; make `start` smaller"
            );
            self.steps.refuse("max-instances".to_owned(), reason);
        } else if largest > most {
            let text = format!(
                "the account may have {most} instances at once, other people's too; the pools stop growing there, short of {largest}"
            );
            self.steps.note("max-instances", text);
        }
    }

    /// The home comes before the others, so that it can be told from them whatever is cut off.
    pub(super) fn buckets(&mut self) {
        let home = self.home_name().cloned();
        let mut names: Vec<_> = self.at.blueprint.buckets.keys().collect();
        names.sort_by_key(|name| Some(*name) != home.as_ref());
        for name in names {
            if self.known.buckets.contains_key(name) {
                self.steps.settled += 1;
                continue;
            }
            let bucket = self.bucket_names[name].clone();
            let action = Action::CreateBucket {
                resource: name.clone(),
                name: bucket.clone(),
                is_home: Some(name) == home.as_ref(),
            };
            let resource = label(Kind::Bucket, name);
            let after = [self.home()];
            self.steps
                .add(&resource, Verb::Create, bucket, action, &after);
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
            self.rules_of(name, &wanted, &every_group);
        }
    }

    /// Whether a rule lets a group in that the blueprint leaves out.
    fn is_from_lone_group(&self, rule: &Rule) -> bool {
        let groups = &self.at.blueprint.security_groups;
        matches!(&rule.from, RuleSource::Group(name) if !groups.contains_key(name))
    }

    fn rules_of(&mut self, name: &ResourceName, wanted: &[Rule], after: &[String]) {
        let groups = &self.at.inventory.security_groups;
        let found = groups.iter().find(|g| &g.resource == name);
        let present: &[Rule] = found.map_or(&[], |g| &g.rules);
        let missing = |from: &[Rule], of: &[Rule]| -> Vec<Rule> {
            of.iter().filter(|r| !from.contains(r)).cloned().collect()
        };
        let (add, mut remove) = (missing(present, wanted), missing(wanted, present));
        // Whoever is in a group that goes is let in until it is in another one.
        remove.retain(|rule| !self.is_from_lone_group(rule));
        if add.is_empty() && remove.is_empty() {
            self.steps.settled += usize::from(found.is_some());
            return;
        }
        let verb = match found {
            Some(_) => Verb::Change,
            None => Verb::Create,
        };
        let detail = describe_rules(&add, &remove);
        let action = Action::ChangeRules {
            resource: name.clone(),
            add,
            remove,
        };
        let resource = format!("{} rules", label(Kind::SecurityGroup, name));
        self.steps.add(&resource, verb, detail, action, after);
    }

    pub(super) fn roles(&mut self) {
        for (name, role) in &self.at.blueprint.roles {
            let resource = label(Kind::Role, name);
            match role {
                Role::Existing(profile) => {
                    self.known.profiles.insert(name.clone(), profile.clone());
                    self.steps.settled += 1;
                }
                Role::Allow { .. } if self.at.ground.roles_refused.is_some() => {
                    let said = self.at.ground.roles_refused.clone().unwrap_or_default();
                    self.steps.refuse(resource, format!("these credentials may not list roles, and so cannot make one safely ({said}); in a Learner Lab write {{ existing: LabInstanceProfile }}"));
                }
                Role::Allow { template, file } => {
                    match policy::render(template, &self.policy_context()) {
                        Ok(text) => self.role(name, &resource, text),
                        Err(problem) => self.steps.refuse(resource, format!("{file}: {problem}")),
                    }
                }
            }
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
        let changed = |r: &FoundRole| edits::policy_changes(r.policy.as_deref(), &policy);
        let changes = found.map(changed).unwrap_or_default();
        let (verb, detail) = match found {
            None => (Verb::Create, "with its policy and instance profile"),
            Some(_) if changes.is_empty() => (Verb::Change, "its instance profile"),
            Some(_) => (Verb::Change, "its policy"),
        };
        let role = self.role_names[name].clone();
        let action = Action::CompleteRole {
            resource: name.clone(),
            name: role,
            policy,
        };
        self.steps
            .add(resource, verb, detail.to_owned(), action, &[]);
        self.steps.because(changes);
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
            prefix: at.scope.prefix(),
            namespace: at.scope.namespace(),
            expires_at: at.expires_at.map(|end| end.to_string()),
            bucket: self
                .home_name()
                .and_then(|name| self.bucket_names.get(name))
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
