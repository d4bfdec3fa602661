//! The settings that instances read from the home bucket, and what is new in them.

use serde_json::Value;

use super::Draft;
use super::published::SECRETS;
use crate::blueprint::{Instance, Service};
use crate::names::{Kind, ResourceName};
use crate::plan::desired::image_inputs;
use crate::plan::edits::{self, PoolParts, PublishedPool};
use crate::plan::steps::label;
use crate::plan::{Action, Change, Verb};
use crate::settings::{Sources, pool_blueprint_key, settings_key};

impl Draft<'_> {
    pub(in crate::plan) fn settings(&mut self) {
        for (name, instance) in &self.at.blueprint.instances {
            let pools: Vec<ResourceName> = if instance.services.contains(&Service::Manager) {
                self.at.blueprint.pools.keys().cloned().collect()
            } else {
                Vec::new()
            };
            self.note_pools(name, &pools);
            if self.settings_are_published(name, &pools) {
                self.steps.settled += 1;
                continue;
            }
            let after = self.what_settings_need(name, instance);
            let changes = self.settings_changes(name, &pools);
            let action = Action::PublishSettings {
                instance: name.clone(),
                pools,
            };
            let resource = format!("{} settings", label(Kind::Instance, name));
            let (verb, detail) = if changes.is_empty() {
                (Verb::Write, "into the bucket")
            } else {
                (Verb::Change, "told through the bucket")
            };
            self.steps
                .add(&resource, verb, detail.to_owned(), action, &after);
            self.steps.because(changes);
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
        let stored = self.stored(&settings_key(Kind::Instance, name))
            && pools.iter().all(|pool| {
                self.stored(&settings_key(Kind::Pool, pool))
                    && self.stored(&pool_blueprint_key(name, pool))
            });
        let found = self.known.instances.get(name);
        let tagged = self
            .at
            .inventory
            .instances
            .iter()
            .find(|i| Some(&i.id) == found)
            .and_then(|i| i.settings.as_ref());
        let hash = self.sources().hash(name, pools).ok();
        stored && hash.is_some() && tagged == hash.as_ref()
    }

    fn sources(&self) -> Sources<'_> {
        Sources {
            scope: self.at.scope,
            blueprint: self.at.blueprint,
            ground: self.at.ground,
            known: &self.known,
            database_ca: self.at.database_ca,
        }
    }

    /// The steps after which every instance knows what the blueprint says now.
    pub(super) fn published(&self) -> Vec<String> {
        let instances = self.at.blueprint.instances.keys();
        instances
            .map(|n| format!("{} settings", label(Kind::Instance, n)))
            .collect()
    }

    pub(super) fn published_document(&self, key: &str) -> Option<Value> {
        serde_json::from_str(self.at.stored.settings.get(key)?).ok()
    }

    fn note_pools(&mut self, instance: &ResourceName, pools: &[ResourceName]) {
        for name in pools {
            let key = pool_blueprint_key(instance, name);
            let Some(document) = self.published_document(&key) else {
                continue;
            };
            let published = PublishedPool {
                document: &document,
                status: self.at.stored.pools.get(instance),
            };
            for note in published.notes(&self.at.blueprint.pools[name]) {
                self.steps.note(&label(Kind::Pool, name), note);
            }
        }
    }

    /// What is new to an instance that has read settings before.
    fn settings_changes(&self, instance: &ResourceName, pools: &[ResourceName]) -> Vec<Change> {
        let mut changes = Vec::new();
        for name in pools {
            let key = pool_blueprint_key(instance, name);
            if let Some(document) = self.published_document(&key) {
                let published = PublishedPool {
                    document: &document,
                    status: self.at.stored.pools.get(instance),
                };
                let pool = &self.at.blueprint.pools[name];
                let parts = PoolParts {
                    image: self.image_id(&pool.image),
                    profile: self.role_names.get(&pool.role),
                    group: self.known.security_groups.get(&pool.security_group),
                };
                let of = label(Kind::Pool, name);
                let mut edited = published.changes(pool, &parts);
                for change in &mut edited {
                    change.what = format!("{of} {}", change.what);
                }
                changes.extend(edited);
            }
        }
        changes.extend(self.restart(instance));
        changes
    }

    /// What makes `boot` start the services of a running instance again.
    fn restart(&self, instance: &ResourceName) -> Vec<Change> {
        let told = self.published_document(&settings_key(Kind::Instance, instance));
        let is_kept = !self.steps.touches(&label(Kind::Instance, instance));
        let (Some(told), Ok(now)) = (told.filter(|_| is_kept), self.sources().instance(instance))
        else {
            return Vec::new();
        };
        let now = serde_json::from_str(&now.text).unwrap_or_default();
        let services = self.at.blueprint.instances[instance].services.iter();
        let services: Vec<_> = services.map(|s| s.as_str()).collect();
        let means = match services.as_slice() {
            [others @ .., last] if !others.is_empty() => {
                format!("{} and {last} start again", others.join(", "))
            }
            all => format!("{} starts again", all.concat()),
        };
        edits::instance_changes(told, now, &means)
    }

    /// The id that an image has, be it ready or on its way.
    fn image_id(&self, name: &ResourceName) -> Option<&String> {
        let inputs = image_inputs(self.at.blueprint.images.get(name)?, self.at.programs);
        let called = self.at.scope.image_name(name, &inputs);
        let images = &self.at.inventory.images;
        images.iter().find(|i| i.name == called).map(|i| &i.id)
    }
}
