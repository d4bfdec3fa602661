//! Databases, images, and the secrets and settings that are written into the home bucket.

use std::collections::BTreeSet;

use super::Draft;
use crate::blueprint::{Instance, Service};
use crate::names::{Kind, ResourceName};
use crate::plan::desired::image_inputs;
use crate::plan::steps::label;
use crate::plan::{Action, Verb};
use crate::settings::{Sources, secrets_key, settings_key};

/// The label of the step that writes the secrets.
const SECRETS: &str = "secrets";

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
        if missing == 0 {
            self.steps.settled += 1;
            return;
        }
        let home = self.home();
        let detail = "passwords and tokens, into the bucket".to_owned();
        self.steps
            .add(SECRETS, Verb::Write, detail, Action::WriteSecrets, &[home]);
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
    }

    pub(in crate::plan) fn settings(&mut self) {
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
}
