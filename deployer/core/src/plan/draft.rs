//! One section of the blueprint after the other is held against what exists.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::blueprint::{Instance, Role, Service};
use crate::inventory::{FoundInstance, InstanceState, Profile, Rule};
use crate::known::Known;
use crate::names::{Kind, ResourceName};
use crate::plan::desired::{desired_rules, image_inputs, needed_programs, programs_hash};
use crate::plan::steps::{Steps, label};
use crate::plan::{Action, Plan, Program, Situation, Verb};
use crate::policy::{self, PolicyContext};
use crate::settings::{Sources, secrets_key, settings_key};

/// The label of the step that writes the secrets.
const SECRETS: &str = "secrets";

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

    pub(super) fn programs(&mut self) {
        let home = self.home();
        for name in needed_programs(self.at.blueprint) {
            let resource = format!("program/{name}");
            let Some(program) = self.at.programs.get(&name) else {
                self.steps.refuse(
                    resource,
                    "was not built; run this from the source tree, or put it beside `deploy`",
                );
                continue;
            };
            self.refuse_what_does_not_run(&name, program);
            if self.stored(&artifact_key(&name, &program.sha256)) {
                self.steps.settled += 1;
                continue;
            }
            let detail = megabytes(program.size);
            let action = Action::UploadProgram {
                name,
                sha256: program.sha256.clone(),
            };
            self.steps.add(
                &resource,
                Verb::Write,
                detail,
                action,
                std::slice::from_ref(&home),
            );
        }
    }

    fn refuse_what_does_not_run(&mut self, name: &str, program: &Program) {
        let Some(needs) = &program.needs else { return };
        let blueprint = self.at.blueprint;
        let on_instances = blueprint
            .instances
            .values()
            .filter(|i| instance_program_names(i).any(|p| p == name));
        let in_images = blueprint.pools.values().filter_map(|pool| {
            let image = blueprint.images.get(&pool.image)?;
            image
                .recipe
                .programs
                .iter()
                .any(|p| p == name)
                .then_some((&pool.machine, image.base))
        });
        let places = on_instances.map(|i| (&i.machine, i.base)).chain(in_images);
        let problems: Vec<_> = places
            .filter_map(|(machine, base)| needs.runs_on(machine, base).err())
            .collect();
        if let Some(problem) = problems.first() {
            self.steps
                .refuse(format!("program/{name}"), problem.to_string());
        }
    }

    pub(super) fn secrets(&mut self) {
        let instances = self
            .at
            .blueprint
            .instances
            .keys()
            .map(|n| secrets_key(Kind::Instance, n));
        let pools = self
            .at
            .blueprint
            .pools
            .keys()
            .map(|n| secrets_key(Kind::Pool, n));
        let missing = instances
            .chain(pools)
            .filter(|key| !self.stored(key))
            .count();
        if missing == 0 {
            self.steps.settled += 1;
            return;
        }
        let home = self.home();
        let detail = "passwords and tokens, into the bucket".to_owned();
        self.steps
            .add(SECRETS, Verb::Write, detail, Action::WriteSecrets, &[home]);
    }

    pub(super) fn instances(&mut self) {
        for (name, instance) in &self.at.blueprint.instances {
            let programs = instance_programs(instance, self.at);
            let mut living: Vec<&FoundInstance> =
                self.at.inventory.living(Kind::Instance, name).collect();
            living.sort_by(|a, b| a.launched.cmp(&b.launched));
            let mut living = living.into_iter();
            match living.next() {
                None => self.launch(name, instance, programs, "is new"),
                Some(found) if found.machine != instance.machine => {
                    self.replace(
                        name,
                        instance,
                        found,
                        programs,
                        &format!("was a {}", found.machine),
                    );
                }
                Some(found) if found.programs.as_ref() != Some(&programs) => {
                    self.replace(name, instance, found, programs, "its programs have changed");
                }
                Some(found) => self.keep(name, found),
            }
            for double in living {
                let action = Action::TerminateInstance {
                    id: double.id.clone(),
                };
                let resource = label(Kind::Instance, name);
                self.steps.add(
                    &resource,
                    Verb::Remove,
                    format!("{}, a double", double.id),
                    action,
                    &[],
                );
            }
        }
    }

    fn keep(&mut self, name: &ResourceName, found: &FoundInstance) {
        self.known.instances.insert(name.clone(), found.id.clone());
        if matches!(
            found.state,
            InstanceState::Stopped | InstanceState::Stopping
        ) {
            let action = Action::StartInstance {
                id: found.id.clone(),
            };
            let resource = label(Kind::Instance, name);
            self.steps.add(
                &resource,
                Verb::Change,
                "start it again".to_owned(),
                action,
                &[],
            );
        } else {
            self.steps.settled += 1;
        }
    }

    fn replace(
        &mut self,
        name: &ResourceName,
        wanted: &Instance,
        found: &FoundInstance,
        programs: String,
        why: &str,
    ) {
        let action = Action::TerminateInstance {
            id: found.id.clone(),
        };
        let resource = label(Kind::Instance, name);
        self.steps.add(
            &resource,
            Verb::Remove,
            format!("{}, to replace it: {why}", found.id),
            action,
            &[],
        );
        self.launch(name, wanted, programs, "in its place");
    }

    fn launch(&mut self, name: &ResourceName, instance: &Instance, programs: String, why: &str) {
        let resource = label(Kind::Instance, name);
        let mut after = vec![
            resource.clone(),
            self.home(),
            label(Kind::SecurityGroup, &instance.security_group),
            label(Kind::Role, &instance.role),
        ];
        after.extend(instance_program_names(instance).map(|p| format!("program/{p}")));
        let services: Vec<_> = instance.services.iter().map(|s| s.as_str()).collect();
        let detail = format!("{}, {why}: {}", instance.machine, services.join(", "));
        let action = Action::LaunchInstance {
            resource: name.clone(),
            programs,
            subnets: self.at.ground.subnets.clone(),
        };
        self.steps
            .add(&resource, Verb::Create, detail, action, &after);
    }

    pub(super) fn databases(&mut self) {
        for (name, database) in &self.at.blueprint.databases {
            let resource = label(Kind::Database, name);
            let Some(found) = self
                .at
                .inventory
                .databases
                .iter()
                .find(|d| &d.resource == name)
            else {
                let detail = format!(
                    "PostgreSQL, {}, {} GiB, no backups",
                    database.class, database.storage_gib
                );
                let id = self.at.scope.regional_name(name);
                let action = Action::CreateDatabase {
                    resource: name.clone(),
                    id,
                };
                let group = label(Kind::SecurityGroup, &database.security_group);
                self.steps.add(
                    &resource,
                    Verb::Create,
                    detail,
                    action,
                    &[group, SECRETS.to_owned()],
                );
                continue;
            };
            if found.state == "deleting" {
                self.steps
                    .refuse(resource, "is being deleted; try again when it is gone");
            } else if found.class != database.class || found.storage_gib != database.storage_gib {
                let reason = format!(
                    "is a {} with {} GiB and cannot be changed to a {} with {} GiB in place; \
                     take the deployment down first, or set the blueprint back",
                    found.class, found.storage_gib, database.class, database.storage_gib,
                );
                self.steps.refuse(resource, reason);
            } else if found.state == "available" {
                self.steps.settled += 1;
            } else {
                let action = Action::AwaitDatabase {
                    resource: name.clone(),
                    id: found.id.clone(),
                };
                self.steps.add(
                    &resource,
                    Verb::Await,
                    format!("it is {}", found.state),
                    action,
                    &[],
                );
            }
        }
        for found in &self.at.inventory.databases {
            let wanted = self.at.blueprint.databases.contains_key(&found.resource);
            self.refuse_orphan(wanted, Kind::Database, &found.resource);
        }
    }

    pub(super) fn images(&mut self) {
        for (name, image) in &self.at.blueprint.images {
            let resource = label(Kind::Image, name);
            let inputs = image_inputs(image, self.at.programs);
            let image_name = self.at.scope.image_name(name, &inputs);
            let found = self
                .at
                .inventory
                .images
                .iter()
                .find(|i| i.name == image_name);
            match found {
                Some(found) if found.state == "available" => {
                    self.known.images.insert(name.clone(), found.id.clone());
                    self.steps.settled += 1;
                }
                Some(found) if found.state == "pending" => {
                    let action = Action::AwaitImage {
                        resource: name.clone(),
                        id: found.id.clone(),
                    };
                    self.steps.add(
                        &resource,
                        Verb::Await,
                        "it is being made".to_owned(),
                        action,
                        &[],
                    );
                }
                found => {
                    if let Some(found) = found {
                        let action = Action::RemoveImage {
                            id: found.id.clone(),
                            snapshots: found.snapshots.clone(),
                        };
                        self.steps.add(
                            &resource,
                            Verb::Remove,
                            format!("it is {}", found.state),
                            action,
                            &[],
                        );
                    }
                    self.bake(name, inputs, image_name);
                }
            }
        }
    }

    fn bake(&mut self, name: &ResourceName, inputs: String, image_name: String) {
        let image = &self.at.blueprint.images[name];
        let resource = label(Kind::Image, name);
        let Some(pool) = self.at.blueprint.pools.values().find(|p| &p.image == name) else {
            self.steps.settled += 1;
            return;
        };
        let mut after = vec![
            resource.clone(),
            self.home(),
            label(Kind::SecurityGroup, &pool.security_group),
        ];
        after.extend(image.recipe.programs.iter().map(|p| format!("program/{p}")));
        let detail = format!(
            "{} with {}",
            image.base.as_str(),
            image.recipe.programs.join(", ")
        );
        let action = Action::BakeImage {
            resource: name.clone(),
            name: image_name,
            inputs,
            base: image.base,
            machine: pool.machine.clone(),
            security_group: pool.security_group.clone(),
            subnets: self.at.ground.subnets.clone(),
        };
        self.steps
            .add(&resource, Verb::Create, detail, action, &after);
    }

    pub(super) fn settings(&mut self) {
        for (name, instance) in &self.at.blueprint.instances {
            let pools: Vec<ResourceName> = if instance.services.contains(&Service::Manager) {
                self.at.blueprint.pools.keys().cloned().collect()
            } else {
                Vec::new()
            };
            if self.settings_are_published(name, &pools) {
                self.steps.settled += 1;
                continue;
            }
            let after = self.what_settings_need(name, instance);
            let action = Action::PublishSettings {
                instance: name.clone(),
                pools,
            };
            let resource = format!("{} settings", label(Kind::Instance, name));
            self.steps.add(
                &resource,
                Verb::Write,
                "into the bucket".to_owned(),
                action,
                &after,
            );
        }
    }

    fn what_settings_need(&self, name: &ResourceName, instance: &Instance) -> Vec<String> {
        let mut after = vec![
            label(Kind::Instance, name),
            label(Kind::Role, &instance.role),
            SECRETS.to_owned(),
        ];
        after.extend(
            self.at
                .blueprint
                .databases
                .keys()
                .map(|n| label(Kind::Database, n)),
        );
        for pool in self.at.blueprint.pools.values() {
            after.push(label(Kind::Image, &pool.image));
            after.push(label(Kind::SecurityGroup, &pool.security_group));
            after.push(label(Kind::Role, &pool.role));
        }
        after
    }

    fn settings_are_published(&self, name: &ResourceName, pools: &[ResourceName]) -> bool {
        if self.steps.touches(&label(Kind::Instance, name)) {
            return false;
        }
        let sources = Sources {
            scope: self.at.scope,
            blueprint: self.at.blueprint,
            ground: self.at.ground,
            known: &self.known,
            database_ca: self.at.database_ca,
        };
        let stored = self.stored(&settings_key(Kind::Instance, name))
            && pools
                .iter()
                .all(|pool| self.stored(&settings_key(Kind::Pool, pool)));
        let found = self.known.instances.get(name);
        let tagged = self
            .at
            .inventory
            .instances
            .iter()
            .find(|i| Some(&i.id) == found)
            .and_then(|i| i.settings.as_ref());
        let hash = sources.hash(name, pools).ok();
        stored && hash.is_some() && tagged == hash.as_ref()
    }

    /// Images of earlier inputs go once the new settings are out.
    pub(super) fn outdated_images(&mut self) {
        let current: BTreeSet<String> = self
            .at
            .blueprint
            .images
            .iter()
            .map(|(name, image)| {
                self.at
                    .scope
                    .image_name(name, &image_inputs(image, self.at.programs))
            })
            .collect();
        let published: Vec<String> = self
            .at
            .blueprint
            .instances
            .keys()
            .map(|n| format!("{} settings", label(Kind::Instance, n)))
            .collect();
        for found in self
            .at
            .inventory
            .images
            .iter()
            .filter(|i| !current.contains(&i.name))
        {
            let action = Action::RemoveImage {
                id: found.id.clone(),
                snapshots: found.snapshots.clone(),
            };
            let resource = label(Kind::Image, &found.resource);
            self.steps.add(
                &resource,
                Verb::Remove,
                format!("{}, outdated", found.id),
                action,
                &published,
            );
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

/// The programs that an instance runs: its services, and `boot` which starts them.
pub fn instance_program_names(instance: &Instance) -> impl Iterator<Item = &str> {
    std::iter::once("boot").chain(instance.services.iter().map(|s| s.as_str()))
}

fn instance_programs(instance: &Instance, at: &Situation<'_>) -> String {
    programs_hash(instance_program_names(instance), at.programs)
}

#[must_use]
/// Where a program stands in the home bucket.
pub fn artifact_key(name: &str, sha256: &str) -> String {
    format!("artifacts/{sha256}/{name}")
}

fn describe_rules(add: &[Rule], remove: &[Rule]) -> String {
    let opened = add.iter().map(|r| format!("open {r}"));
    let closed = remove.iter().map(|r| format!("close {r}"));
    opened.chain(closed).collect::<Vec<_>>().join(", ")
}

fn megabytes(bytes: u64) -> String {
    #[allow(clippy::cast_precision_loss)] // shown to people, one decimal
    let megabytes = bytes as f64 / 1e6;
    format!("{megabytes:.1} MB")
}

fn same_json(one: &str, other: &str) -> bool {
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    parse(one).is_some() && parse(one) == parse(other)
}
