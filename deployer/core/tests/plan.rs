//! Plans of the blueprint that ships, for what may exist when `up` is typed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;

use deployer_core::binary;
use deployer_core::blueprint::{BaseImage, Blueprint, Files, read};
use deployer_core::inventory::{
    Base, Endpoint, FoundBucket, FoundDatabase, FoundImage, FoundInstance, FoundRole,
    FoundSecurityGroup, Ground, InstanceState, Inventory, Profile, Rule, RuleSource, Subnet,
};
use deployer_core::known::Known;
use deployer_core::names::{ResourceName, Scope};
use deployer_core::plan::{
    Plan, Program, Programs, Situation, artifact_key, desired_rules, image_inputs,
    instance_program_names, plan, programs_hash,
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

/// All that a plan is made from, to be changed by a test.
struct World {
    scope: Scope,
    blueprint: Blueprint,
    inventory: Inventory,
    ground: Ground,
    programs: Programs,
    stored: Vec<String>,
}

impl World {
    /// An account in which nothing of ours is.
    fn empty() -> World {
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
            },
            programs: ["boot", "cache-node", "front-end", "manager"]
                .into_iter()
                .map(program)
                .collect(),
            stored: Vec::new(),
        }
    }

    /// An account in which all is as the blueprint says.
    fn built() -> World {
        let mut world = World::empty();
        world.stored = world
            .programs
            .iter()
            .map(|(name, p)| artifact_key(name, &p.sha256))
            .collect();
        for kind in ["settings", "secrets"] {
            world.stored.push(format!("{kind}/instance/manager.json"));
            world.stored.push(format!("{kind}/pool/cache.json"));
        }
        world.inventory = Inventory {
            security_groups: world.groups(),
            roles: world.roles(),
            databases: vec![database()],
            buckets: vec![FoundBucket {
                name: "bucket-1".into(),
                resource: name("photos"),
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
    fn roles(&self) -> Vec<FoundRole> {
        let mut world = World::empty();
        let role = |resource: &str| FoundRole {
            name: format!("role-{resource}"),
            resource: name(resource),
            policy: None,
            profile: Profile::Ready,
        };
        world.inventory.buckets = vec![FoundBucket {
            name: "bucket-1".into(),
            resource: name("photos"),
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
        let inputs = image_inputs(&self.blueprint.images[&name("node")], &self.programs);
        FoundImage {
            id: "ami-node".into(),
            name: self.scope.image_name(&name("node"), &inputs),
            resource: name("node"),
            state: "available".into(),
            snapshots: vec!["snap-1".into()],
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
            settings: None,
            programs: Some(programs_hash(
                instance_program_names(instance),
                &self.programs,
            )),
        }
    }

    fn plan(&self) -> Plan {
        plan(&Situation {
            scope: &self.scope,
            blueprint: &self.blueprint,
            inventory: &self.inventory,
            ground: &self.ground,
            programs: &self.programs,
            stored: &self.stored,
            database_ca: "CA",
            dice: "ab12",
        })
    }
}

fn name(text: &str) -> ResourceName {
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
        created: None,
    }
}

/// A plan as golden text: a line a step, with the steps that it waits for.
fn text(plan: &Plan) -> String {
    let steps = plan.steps.iter().enumerate().map(|(index, step)| {
        format!(
            "{index:2} {} {} | {} | after {:?}\n",
            step.verb.sign(),
            step.resource,
            step.detail,
            step.needs
        )
    });
    let refusals = plan
        .refusals
        .iter()
        .map(|r| format!("!  {} | {}\n", r.resource, r.reason));
    steps.chain(refusals).collect()
}

#[test]
fn the_first_plan_makes_everything() {
    insta::assert_snapshot!(text(&World::empty().plan()));
}

#[test]
fn a_plan_of_what_is_built_is_empty() {
    let plan = World::built().plan();
    assert!(plan.is_empty(), "{}", text(&plan));
}

#[test]
fn every_step_needs_only_steps_before_it() {
    for (index, step) in World::empty().plan().steps.iter().enumerate() {
        assert!(step.needs.iter().all(|need| *need < index), "{step:?}");
    }
}

/// The law *settled*, piece by piece: with one resource missing, the plan makes it and what follows
/// from it, and nothing that is there already.
#[test]
fn what_is_missing_is_all_that_is_made() {
    let missing = |change: fn(&mut World)| {
        let mut world = World::built();
        change(&mut world);
        text(&world.plan())
    };
    insta::assert_snapshot!(
        "without_the_database",
        missing(|w| w.inventory.databases.clear())
    );
    insta::assert_snapshot!(
        "without_the_manager",
        missing(|w| w.inventory.instances.clear())
    );
    insta::assert_snapshot!("without_a_role", missing(|w| w.inventory.roles.truncate(1)));
    insta::assert_snapshot!(
        "without_the_secrets",
        missing(|w| w.stored.retain(|k| !k.starts_with("secrets/")))
    );
}

#[test]
fn a_changed_rule_is_opened_and_the_old_one_closed() {
    let mut world = World::built();
    let foreign = Rule {
        first_port: 22,
        last_port: 22,
        from: RuleSource::Range("0.0.0.0/0".into()),
    };
    world.inventory.security_groups[1].rules = vec![foreign];
    insta::assert_snapshot!(text(&world.plan()));
}

#[test]
fn programs_built_anew_replace_the_manager_and_the_image() {
    let mut world = World::built();
    world.programs.get_mut("boot").unwrap().sha256 = "another".into();
    insta::assert_snapshot!(text(&world.plan()));
}

#[test]
fn half_made_things_are_finished() {
    let mut world = World::built();
    world.inventory.databases[0].state = "creating".into();
    world.inventory.databases[0].endpoint = None;
    world.inventory.images[0].state = "pending".into();
    world.inventory.instances[0].state = InstanceState::Stopped;
    world.inventory.roles[0].profile = Profile::Empty;
    insta::assert_snapshot!(text(&world.plan()));
}

#[test]
fn what_cannot_be_done_is_refused_with_a_way_out() {
    let mut world = World::built();
    world.inventory.databases[0].storage_gib = 100;
    world.inventory.buckets.push(FoundBucket {
        name: "bucket-2".into(),
        resource: name("more"),
    });
    world.programs.remove("front-end");
    let arm = binary::Program {
        architecture: binary::Architecture::Aarch64,
        needs_glibc: None,
    };
    world.programs.get_mut("manager").unwrap().needs = Some(arm);
    insta::assert_snapshot!(text(&world.plan()));
}
