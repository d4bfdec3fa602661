//! All that a plan is made from, to be changed by a test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use deployer_core::blueprint::{
    BaseImage, Blueprint, Database, Files, Image, Instance, Pool, read,
};
use deployer_core::expiry::{Expiry, Timers};
use deployer_core::inventory::{
    Base, Endpoint, FoundBucket, FoundDatabase, FoundImage, FoundInstance, FoundRole,
    FoundSecurityGroup, Ground, InstanceState, Inventory, Pending, Profile, Subnet,
};
use deployer_core::known::Known;
use deployer_core::names::{ResourceId, ResourceName, Scope};
use deployer_core::plan::{
    Plan, Program, Programs, Situation, Stored, artifact_key, desired_rules, image_inputs,
    instance_program_names, plan, programs_hash, recipe_hash,
};
use deployer_core::settings::Sources;

struct Folder;

impl Files for Folder {
    fn read(&self, name: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(source().join("blueprints").join(name))
    }
}

fn source() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

pub(crate) struct World {
    pub(crate) scope: Scope,
    pub(crate) blueprint: Blueprint,
    pub(crate) inventory: Inventory,
    pub(crate) ground: Ground,
    pub(crate) programs: Programs,
    pub(crate) stored: Stored,
    pub(crate) timers: Timers,
    pub(crate) expires_at: Option<Expiry>,
    pub(crate) remove: BTreeSet<ResourceId>,
}

impl World {
    /// An account in which nothing of ours is.
    pub(crate) fn empty() -> World {
        let file = source().join("blueprints/elastic-cache.yaml");
        let blueprint = read("elastic-cache.yaml", &std::fs::read(file).unwrap(), &Folder).unwrap();
        let base = Base {
            id: "ami-base".into(),
            name: "al2023".into(),
            root_device: "/dev/xvda".into(),
        };
        let program = |name: &str| {
            let program = Program {
                sha256: format!("hash-of-{name}"),
                size: 1_000_000,
                needs: None,
            };
            (name.to_owned(), program)
        };
        World {
            scope: Scope {
                account: "123456789012".into(),
                region: "us-east-1".into(),
                deployment: blueprint.name.clone(),
            },
            blueprint,
            inventory: Inventory::default(),
            ground: Ground {
                vpc: "vpc-1".into(),
                subnets: vec![Subnet {
                    id: "subnet-1".into(),
                    zone: "us-east-1a".into(),
                }],
                bases: BTreeMap::from([(BaseImage::AmazonLinux2023, base)]),
                my_ip: Some("198.51.100.7".parse().unwrap()),
                roles_refused: None,
            },
            programs: [
                "boot",
                "cache-node",
                "front-end",
                "manager",
                "scaler",
                "teardown",
            ]
            .into_iter()
            .map(program)
            .collect(),
            stored: Stored::default(),
            timers: Timers::default(),
            expires_at: None,
            remove: BTreeSet::new(),
        }
    }

    /// An account in which all is as the blueprint says.
    pub(crate) fn built() -> World {
        let mut world = World::empty();
        world.stored.keys = world
            .programs
            .iter()
            .map(|(name, p)| artifact_key(name, &p.sha256))
            .collect();
        for kind in ["settings", "secrets"] {
            world
                .stored
                .keys
                .push(format!("{kind}/instance/manager.json"));
            world.stored.keys.push(format!("{kind}/pool/cache.json"));
        }
        world.inventory = Inventory {
            security_groups: world.groups(),
            roles: world.roles(),
            databases: vec![database()],
            buckets: vec![FoundBucket {
                name: "bucket-1".into(),
                resource: name("photos"),
                is_home: true,
            }],
            images: vec![world.image()],
            instances: vec![world.manager()],
            ..Inventory::default()
        };
        // The hash on the manager is that of the settings made from all the rest.
        let mut known = Known::from_inventory(&world.inventory);
        known.images.insert(name("node"), "ami-node".into());
        let sources = Sources {
            scope: &world.scope,
            blueprint: &world.blueprint,
            ground: &world.ground,
            known: &known,
            database_ca: "CA",
        };
        let hash = sources.hash(&name("manager"), &[name("cache")]).unwrap();
        world.inventory.instances[0].settings = Some(hash);
        let documents = sources.documents(&name("manager"), &[name("cache")]);
        let told = documents.unwrap().into_iter().map(|d| (d.key, d.text));
        world.stored.settings = told.collect();
        let keys = world.stored.settings.keys().cloned();
        world.stored.keys.extend(keys);
        world
    }

    fn groups(&self) -> Vec<FoundSecurityGroup> {
        let found =
            |(resource, group): (&ResourceName, &deployer_core::blueprint::SecurityGroup)| {
                FoundSecurityGroup {
                    id: format!("sg-{resource}"),
                    resource: resource.clone(),
                    rules: desired_rules(group, &self.ground),
                }
            };
        self.blueprint.security_groups.iter().map(found).collect()
    }

    /// The roles with the policies that a plan would give them: taken from the plan of a second run.
    pub(crate) fn roles(&self) -> Vec<FoundRole> {
        let mut world = World::empty();
        world.expires_at = self.expires_at;
        let role = |resource: &str| FoundRole {
            name: format!("role-{resource}"),
            resource: name(resource),
            policy: None,
            profile: Profile::Ready,
        };
        world.inventory.buckets = vec![FoundBucket {
            name: "bucket-1".into(),
            resource: name("photos"),
            is_home: true,
        }];
        world.inventory.roles = vec![role("manager"), role("node")];
        let policies = world
            .plan()
            .steps
            .into_iter()
            .filter_map(|step| match step.action {
                deployer_core::plan::Action::CompleteRole {
                    resource,
                    name,
                    policy,
                } => Some(FoundRole {
                    name,
                    resource,
                    policy: Some(policy),
                    profile: Profile::Ready,
                }),
                _ => None,
            });
        policies.collect()
    }

    fn image(&self) -> FoundImage {
        let image = &self.blueprint.images[&name("node")];
        let inputs = image_inputs(image, &self.programs);
        let programs = image.recipe.programs.iter().map(String::as_str);
        FoundImage {
            id: "ami-node".into(),
            name: self.scope.image_name(&name("node"), &inputs),
            resource: name("node"),
            state: "available".into(),
            snapshots: vec!["snap-1".into()],
            programs: Some(programs_hash(programs, &self.programs)),
            recipe: Some(recipe_hash(image)),
        }
    }

    fn manager(&self) -> FoundInstance {
        let instance = &self.blueprint.instances[&name("manager")];
        FoundInstance {
            id: "i-manager".into(),
            resource: "instance/manager".parse().unwrap(),
            state: InstanceState::Running,
            machine: instance.machine.clone(),
            private_address: Some("10.0.0.1".into()),
            public_address: None,
            zone: "us-east-1a".into(),
            launched: None,
            expires_at: None,
            settings: None,
            programs: Some(programs_hash(
                instance_program_names(instance),
                &self.programs,
            )),
            base: Some("amazon-linux-2023".into()),
            cpu_credits: None,
            profile: Some("role-manager".into()),
            groups: vec!["sg-door".into()],
        }
    }

    /// The blueprint's pool.
    pub(crate) fn pool(&mut self) -> &mut Pool {
        self.blueprint.pools.get_mut(&name("cache")).unwrap()
    }

    /// The blueprint's single instance.
    pub(crate) fn manager_instance(&mut self) -> &mut Instance {
        self.blueprint.instances.get_mut(&name("manager")).unwrap()
    }

    /// The blueprint's image.
    pub(crate) fn image_of_nodes(&mut self) -> &mut Image {
        self.blueprint.images.get_mut(&name("node")).unwrap()
    }

    /// The blueprint's database.
    pub(crate) fn database(&mut self) -> &mut Database {
        self.blueprint.databases.get_mut(&name("catalog")).unwrap()
    }

    pub(crate) fn plan(&self) -> Plan {
        plan(&Situation {
            scope: &self.scope,
            blueprint: &self.blueprint,
            inventory: &self.inventory,
            ground: &self.ground,
            programs: &self.programs,
            stored: &self.stored,
            timers: &self.timers,
            expires_at: self.expires_at,
            remove: &self.remove,
            database_ca: "CA",
            dice: "ab12",
        })
    }
}

pub(crate) fn name(text: &str) -> ResourceName {
    text.parse().unwrap()
}

fn database() -> FoundDatabase {
    FoundDatabase {
        id: "catalog-1".into(),
        resource: name("catalog"),
        state: "available".into(),
        endpoint: Some(Endpoint {
            host: "db".into(),
            port: 5432,
        }),
        class: "db.t4g.micro".into(),
        storage_gib: 20,
        pending: Pending::default(),
        groups: vec!["sg-data".into()],
        created: None,
    }
}

/// A plan as golden text: a line a step, with the steps that it waits for.
pub(crate) fn text(plan: &Plan) -> String {
    let steps = plan.steps.iter().enumerate().map(|(index, step)| {
        let changes = step.changes.iter().map(|c| format!("       {c}\n"));
        format!(
            "{index:2} {} {} | {} | after {:?}\n{}",
            step.verb.sign(),
            step.resource,
            step.detail,
            step.needs,
            changes.collect::<String>()
        )
    });
    let refusals = plan
        .refusals
        .iter()
        .map(|r| format!("!  {} | {}\n", r.resource, r.reason));
    let notes = plan
        .notes
        .iter()
        .map(|n| format!("i  {} | {}\n", n.resource, n.text));
    steps.chain(refusals).chain(notes).collect()
}
