//! Databases, images, and the secrets that are written into the home bucket.

use std::collections::BTreeSet;

use super::Draft;
use crate::blueprint::{Api, Database};
use crate::inventory::FoundDatabase;
use crate::names::{Kind, ResourceName};
use crate::plan::desired::{image_inputs, programs_hash, recipe_hash};
use crate::plan::edits::{self, plain};
use crate::plan::steps::label;
use crate::plan::{Action, Change, Verb};
use crate::settings::{secrets_key, settings_key};

/// The label of the step that writes the secrets.
pub(super) const SECRETS: &str = "secrets";

impl Draft<'_> {
    pub(in crate::plan) fn secrets(&mut self) {
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
        if missing == 0 && !self.lacks_api_token() {
            self.steps.settled += 1;
            return;
        }
        let home = self.home();
        let detail = "passwords and tokens, into the bucket".to_owned();
        self.steps
            .add(SECRETS, Verb::Write, detail, Action::WriteSecrets, &[home]);
    }

    /// Whether an API is closed whose secrets may be older than its token: settings of that time do
    /// not say whether it is open. No plan reads the secrets themselves.
    fn lacks_api_token(&self) -> bool {
        let instances = self.at.blueprint.instances.iter();
        let mut closed = instances.filter(|(_, instance)| instance.api == Api::Token);
        closed.any(|(name, _)| {
            let key = settings_key(Kind::Instance, name);
            let told = self.published_document(&key);
            told.is_some_and(|told| told["api"].is_null())
        })
    }

    pub(in crate::plan) fn databases(&mut self) {
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
            self.found_database(name, database, found);
        }
    }

    fn found_database(&mut self, name: &ResourceName, wanted: &Database, found: &FoundDatabase) {
        let resource = label(Kind::Database, name);
        if found.state == "deleting" {
            let why = "is being deleted; try again when it is gone";
            return self.steps.refuse(resource, why);
        }
        let mut changes = match edits::database_changes(found, wanted) {
            Ok(changes) => changes,
            Err(why) => return self.steps.refuse(resource, why),
        };
        let group = self.known.security_groups.get(&wanted.security_group);
        if !found.groups.is_empty() && found.groups.iter().ne(group) {
            let to = wanted.security_group.as_str();
            changes.push(plain(format!("security-group: {to}"), "at once"));
        }
        let id = found.id.clone();
        if changes.is_empty() && found.is_available() {
            self.steps.settled += 1;
        } else if changes.is_empty() || edits::is_being_changed(found, wanted) {
            let detail = format!("it is {}", found.state);
            let action = Action::AwaitDatabase {
                resource: name.clone(),
                id,
            };
            self.steps.add(&resource, Verb::Await, detail, action, &[]);
        } else {
            let action = Action::ChangeDatabase {
                resource: name.clone(),
                id,
            };
            let group = label(Kind::SecurityGroup, &wanted.security_group);
            let after = [group.clone(), format!("{group} rules")];
            let detail = "in place".to_owned();
            self.steps
                .add(&resource, Verb::Change, detail, action, &after);
            self.steps.because(changes);
        }
    }

    pub(in crate::plan) fn images(&mut self) {
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
        self.steps.because(self.why_baked(name));
    }

    /// Beside an image of other inputs.
    fn why_baked(&self, name: &ResourceName) -> Vec<Change> {
        let image = &self.at.blueprint.images[name];
        let programs = image.recipe.programs.iter().map(String::as_str);
        let programs = programs_hash(programs, self.at.programs);
        let mut found = self.at.inventory.images.iter();
        found
            .rfind(|i| &i.resource == name && i.state == "available")
            .map(|i| edits::image_changes(i, image, &programs, &recipe_hash(image)))
            .unwrap_or_default()
    }

    /// Images of earlier inputs go once the new settings are out.
    pub(in crate::plan) fn outdated_images(&mut self) {
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
        let published = self.published();
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

    /// What a command that was cut off left of making or removing an image: its builder, which a new
    /// bake would take away by itself, and snapshots without an image. A snapshot of an image that is
    /// being made may not be known as such yet.
    pub(in crate::plan) fn left_of_bakes(&mut self) {
        let inventory = self.at.inventory;
        for (name, image) in self
            .at
            .blueprint
            .images
            .keys()
            .map(|n| (n, label(Kind::Image, n)))
        {
            if self.steps.bakes(name) {
                continue;
            }
            for builder in inventory.living(Kind::Builder, name) {
                let id = builder.id.clone();
                let detail = format!("{id}, left over");
                let action = Action::TerminateInstance { id };
                let resource = label(Kind::Builder, name);
                let after = std::slice::from_ref(&image);
                self.steps
                    .add(&resource, Verb::Remove, detail, action, after);
            }
        }
        if inventory.images.iter().any(|i| i.state == "pending") {
            return;
        }
        for id in &inventory.snapshots {
            let detail = format!("{id}, its image is gone");
            let action = Action::RemoveSnapshot { id: id.clone() };
            self.steps
                .add("snapshot", Verb::Remove, detail, action, &[]);
        }
    }
}
