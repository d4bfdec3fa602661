//! What exists and is not in the blueprint any more. What holds nothing is taken away; what holds
//! data only if it is named.

use super::machines::group_of;
use super::{Draft, describe_rules};
use crate::blueprint::Role;
use crate::inventory::Rule;
use crate::names::{Kind, ResourceId, ResourceName};
use crate::plan::steps::label;
use crate::plan::{Action, Verb};

const LEFT_OUT: &str = "not in the blueprint any more";

impl Draft<'_> {
    pub(in crate::plan) fn removals(&mut self) {
        self.refuse_what_stays();
        self.lone_instances();
        self.lone_pools();
        self.lone_databases();
        self.lone_buckets();
        self.lone_groups();
        self.lone_roles();
    }

    /// Naming what the blueprint asks for is a mistake, and nothing of it is done.
    fn refuse_what_stays(&mut self) {
        let (blueprint, inventory) = (self.at.blueprint, self.at.inventory);
        for named in self.at.remove {
            let name = &named.name;
            let (is_wanted, is_there) = match named.kind {
                Kind::Bucket => (
                    blueprint.buckets.contains_key(name),
                    inventory.buckets.iter().any(|b| &b.resource == name),
                ),
                Kind::Database => (
                    blueprint.databases.contains_key(name),
                    inventory.databases.iter().any(|d| &d.resource == name),
                ),
                _ => {
                    let why = "is not removed by its name; leave it out of the blueprint";
                    self.steps.refuse(named.to_string(), why);
                    continue;
                }
            };
            if is_wanted {
                let why = "is to be removed and is in the blueprint; leave it out there first";
                self.steps.refuse(named.to_string(), why);
            } else if !is_there {
                let text = "is to be removed, and there is none";
                self.steps.note(&named.to_string(), text);
            }
        }
    }

    fn lone_instances(&mut self) {
        let lone = self.at.inventory.instances.iter().filter(|i| {
            i.resource.kind == Kind::Instance
                && !self.at.blueprint.instances.contains_key(&i.resource.name)
        });
        for found in lone {
            let action = Action::TerminateInstance {
                id: found.id.clone(),
            };
            let resource = found.resource.to_string();
            let detail = format!("{}, {LEFT_OUT}", found.id);
            let published = self.published();
            self.steps
                .add(&resource, Verb::Remove, detail, action, &published);
        }
    }

    /// Their manager would make them anew.
    fn lone_pools(&mut self) {
        let mut refused: Vec<&ResourceName> = Vec::new();
        for found in &self.at.inventory.instances {
            let name = &found.resource.name;
            let is_lone =
                found.resource.kind == Kind::Pool && !self.at.blueprint.pools.contains_key(name);
            if is_lone && !refused.contains(&name) {
                refused.push(name);
                let why = "has nodes and is not in the blueprint any more; put it back, or take \
                           the deployment down first";
                self.steps.refuse(found.resource.to_string(), why);
            }
        }
    }

    fn lone_databases(&mut self) {
        for found in &self.at.inventory.databases {
            if self.at.blueprint.databases.contains_key(&found.resource) {
                continue;
            }
            let resource = label(Kind::Database, &found.resource);
            if !self.may_remove(Kind::Database, &found.resource) {
                self.refuse_loss(&resource, "");
                continue;
            }
            let action = Action::RemoveDatabase {
                id: found.id.clone(),
            };
            let detail = format!("with all it holds, {LEFT_OUT}");
            let published = self.published();
            self.steps
                .add(&resource, Verb::Remove, detail, action, &published);
        }
    }

    fn lone_buckets(&mut self) {
        let home = self.at.inventory.home().map(|b| &b.name);
        for found in &self.at.inventory.buckets {
            if self.at.blueprint.buckets.contains_key(&found.resource) {
                continue;
            }
            let resource = label(Kind::Bucket, &found.resource);
            if home == Some(&found.name) {
                let why = "holds the deployment's photos, settings and programs, and cannot be left \
                           out; put it back, or take the deployment down first";
                self.steps.refuse(resource, why);
                continue;
            }
            let is_empty = self.at.stored.empty.contains(&found.resource);
            if !is_empty && !self.may_remove(Kind::Bucket, &found.resource) {
                self.refuse_loss(&resource, "empty it, ");
                continue;
            }
            let action = Action::RemoveBucket {
                name: found.name.clone(),
                with_contents: !is_empty,
            };
            let what = if is_empty {
                "empty"
            } else {
                "with all it holds"
            };
            let detail = format!("{what}, {LEFT_OUT}");
            let published = self.published();
            self.steps
                .add(&resource, Verb::Remove, detail, action, &published);
        }
    }

    /// Whoever was in a group gets another one first, and is let in until then. Rules hold the groups
    /// that they name, so that all of them go before any group.
    fn lone_groups(&mut self) {
        let wanted = &self.at.blueprint.security_groups;
        let (kept, lone): (Vec<_>, Vec<_>) = (self.at.inventory.security_groups.iter())
            .partition(|g| wanted.contains_key(&g.resource));
        let mut moved = self.published();
        moved.extend(self.users());
        moved.extend(self.at.blueprint.instances.keys().map(group_of));
        let rules = |name| format!("{} rules", label(Kind::SecurityGroup, name));
        let mut closed = Vec::new();
        for found in &lone {
            let action = Action::CloseSecurityGroup {
                id: found.id.clone(),
            };
            let resource = rules(&found.resource);
            let detail = "close them when nobody is in it any more".to_owned();
            self.steps
                .add(&resource, Verb::Remove, detail, action, &moved);
            closed.push(resource);
        }
        for found in kept {
            let let_in = found.rules.iter().filter(|r| self.is_from_lone_group(r));
            let remove: Vec<Rule> = let_in.cloned().collect();
            if remove.is_empty() {
                continue;
            }
            let detail = describe_rules(&[], &remove);
            let action = Action::ChangeRules {
                resource: found.resource.clone(),
                add: Vec::new(),
                remove,
            };
            let resource = rules(&found.resource);
            self.steps
                .add(&resource, Verb::Change, detail, action, &closed);
            closed.push(resource);
        }
        for found in lone {
            let action = Action::RemoveSecurityGroup {
                id: found.id.clone(),
            };
            let resource = label(Kind::SecurityGroup, &found.resource);
            let detail = format!("{}, {LEFT_OUT}", found.id);
            self.steps
                .add(&resource, Verb::Remove, detail, action, &closed);
        }
    }

    /// What may still use a group or a role that goes.
    fn users(&self) -> Vec<String> {
        let blueprint = self.at.blueprint;
        let databases = blueprint.databases.keys();
        let lone = self.at.inventory.instances.iter();
        let databases = databases.map(|n| label(Kind::Database, n));
        databases
            .chain(lone.map(|i| i.resource.to_string()))
            .collect()
    }

    fn lone_roles(&mut self) {
        for found in &self.at.inventory.roles {
            let wanted = self.at.blueprint.roles.get(&found.resource);
            if matches!(wanted, Some(Role::Allow { .. })) {
                continue;
            }
            let mut after = self.published();
            after.extend(self.users());
            let action = Action::RemoveRole {
                name: found.name.clone(),
            };
            let resource = label(Kind::Role, &found.resource);
            let detail = format!("with its policy and instance profile, {LEFT_OUT}");
            self.steps
                .add(&resource, Verb::Remove, detail, action, &after);
        }
    }

    fn may_remove(&self, kind: Kind, name: &ResourceName) -> bool {
        let named = ResourceId {
            kind,
            name: name.clone(),
        };
        self.at.remove.contains(&named)
    }

    fn refuse_loss(&mut self, resource: &str, instead: &str) {
        let why = format!(
            "holds data and is {LEFT_OUT}; put it back, {instead}or add --remove {resource} to lose \
             all it holds"
        );
        self.steps.refuse(resource.to_owned(), why);
    }
}
