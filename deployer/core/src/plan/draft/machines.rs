//! Programs, and the single instances that run them.

use super::Draft;
use crate::binary;
use crate::blueprint::{Blueprint, CpuCredits, Image, Instance};
use crate::inventory::{FoundInstance, InstanceState};
use crate::names::{Kind, ResourceName};
use crate::plan::desired::{needed_programs, programs_hash};
use crate::plan::edits::{change, plain};
use crate::plan::steps::label;
use crate::plan::{Action, Change, Program, Situation, Verb};

impl Draft<'_> {
    pub(in crate::plan) fn programs(&mut self) {
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
        if let Some(problem) = misfits(self.at.blueprint, name, program).first() {
            self.steps
                .refuse(format!("program/{name}"), problem.to_string());
        }
    }

    pub(in crate::plan) fn instances(&mut self) {
        for (name, instance) in &self.at.blueprint.instances {
            let programs = instance_programs(instance, self.at);
            let mut living: Vec<&FoundInstance> =
                self.at.inventory.living(Kind::Instance, name).collect();
            living.sort_by(|a, b| a.launched.cmp(&b.launched));
            let mut living = living.into_iter();
            match living.next() {
                None => self.launch(name, instance, programs, ""),
                Some(found) if self.is_outdated(instance, found, &programs) => {
                    self.replace(name, instance, found, programs);
                }
                Some(found) => self.keep(name, instance, found),
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

    /// What a running instance cannot change.
    fn why_replaced(
        &self,
        wanted: &Instance,
        found: &FoundInstance,
        programs: &String,
    ) -> Vec<Change> {
        let mut why = Vec::new();
        if found.machine != wanted.machine {
            why.push(change("type", &found.machine, &wanted.machine, ""));
        }
        if found.programs.as_ref() != Some(programs) {
            why.push(plain("its programs were built anew", ""));
        }
        if let Some(base) = &found.base
            && base != wanted.base.as_str()
        {
            why.push(change("base", base, wanted.base.as_str(), ""));
        }
        let credits = wanted.cpu_credits.map(CpuCredits::as_str);
        if found.cpu_credits.as_deref() != credits {
            let shown = |credits: Option<&str>| credits.unwrap_or("AWS's default").to_owned();
            let (from, to) = (shown(found.cpu_credits.as_deref()), shown(credits));
            why.push(change("cpu-credits", from, to, ""));
        }
        if let (Some(has), Some(wants)) = (&found.profile, self.role_names.get(&wanted.role))
            && has != wants
        {
            why.push(change("role", has, wants, ""));
        }
        why
    }

    fn is_outdated(&self, wanted: &Instance, found: &FoundInstance, programs: &String) -> bool {
        !self.why_replaced(wanted, found, programs).is_empty()
    }

    /// The group of an instance is changed while it runs.
    fn regroup(&mut self, name: &ResourceName, wanted: &Instance, found: &FoundInstance) {
        let group = self.known.security_groups.get(&wanted.security_group);
        let has = found.groups.iter().collect::<Vec<_>>();
        if has.is_empty() || has == group.as_slice() {
            return;
        }
        let known = &self.known.security_groups;
        let named = |id: &String| known.iter().find(|(_, known)| *known == id).map(|(n, _)| n);
        let from: Vec<&str> = has
            .into_iter()
            .map(|id| named(id).map_or(id.as_str(), ResourceName::as_str))
            .collect();
        let to = wanted.security_group.as_str();
        let changes = vec![change(
            "security-group",
            from.join(", "),
            to,
            "at once, nothing restarts",
        )];
        let action = Action::ChangeGroup {
            resource: name.clone(),
            id: found.id.clone(),
        };
        let resource = group_of(name);
        let group = label(Kind::SecurityGroup, &wanted.security_group);
        let after = [group.clone(), format!("{group} rules")];
        let detail = "in place".to_owned();
        self.steps
            .add(&resource, Verb::Change, detail, action, &after);
        self.steps.because(changes);
    }

    fn keep(&mut self, name: &ResourceName, wanted: &Instance, found: &FoundInstance) {
        self.known.instances.insert(name.clone(), found.id.clone());
        self.regroup(name, wanted, found);
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
    ) {
        let mut changes = self.why_replaced(wanted, found, &programs);
        let means = "its addresses change, and nothing answers for a minute or two";
        changes.push(plain("photos and settings stay", means));
        let action = Action::TerminateInstance {
            id: found.id.clone(),
        };
        let resource = label(Kind::Instance, name);
        let detail = format!("{}, to replace it", found.id);
        self.steps.add(&resource, Verb::Remove, detail, action, &[]);
        self.steps.because(changes);
        self.launch(name, wanted, programs, " in its place");
    }

    fn launch(&mut self, name: &ResourceName, instance: &Instance, programs: String, place: &str) {
        let resource = label(Kind::Instance, name);
        let mut after = vec![
            resource.clone(),
            self.home(),
            label(Kind::SecurityGroup, &instance.security_group),
            label(Kind::Role, &instance.role),
        ];
        after.extend(instance_program_names(instance).map(|p| format!("program/{p}")));
        let services: Vec<_> = instance.services.iter().map(|s| s.as_str()).collect();
        let detail = format!("{}{place} with {}", instance.machine, services.join(", "));
        let action = Action::LaunchInstance {
            resource: name.clone(),
            programs,
            subnets: self.at.ground.subnets.clone(),
        };
        self.steps
            .add(&resource, Verb::Create, detail, action, &after);
    }
}

/// The label of the step that changes the group of an instance, which leaves all else as it is.
pub(super) fn group_of(instance: &ResourceName) -> String {
    format!("{} group", label(Kind::Instance, instance))
}

/// The programs of every instance: `boot` starts the services, `teardown` takes the deployment away
/// when it has expired.
const EVERYWHERE: [&str; 2] = ["boot", "teardown"];

/// The programs that an instance runs: its services, and those of every instance.
pub fn instance_program_names(instance: &Instance) -> impl Iterator<Item = &str> {
    EVERYWHERE
        .into_iter()
        .chain(instance.services.iter().map(|s| s.as_str()))
}

/// Why a program would not run where the blueprint puts it.
#[must_use]
pub fn misfits(blueprint: &Blueprint, name: &str, program: &Program) -> Vec<binary::Problem> {
    let Some(needs) = &program.needs else {
        return Vec::new();
    };
    let on_instances = blueprint
        .instances
        .values()
        .filter(|i| instance_program_names(i).any(|p| p == name));
    let in_images = pools(blueprint).filter(|(_, image)| {
        let programs = &image.recipe.programs;
        programs.iter().any(|p| p == name)
    });
    let places = on_instances.map(|i| (&*i.machine, i.base));
    let places = places.chain(in_images.map(|(machine, image)| (machine, image.base)));
    places
        .filter_map(|(machine, base)| needs.runs_on(machine, base).err())
        .collect()
}

/// The processor for which programs are to be built statically, because what is built like `own`
/// would not run on every instance. `None` where it would, and where instances have different
/// processors, so that nothing would. `own` is `None` for a program of another system than Linux.
#[must_use]
pub fn static_build(
    blueprint: &Blueprint,
    own: Option<&binary::Program>,
) -> Option<binary::Architecture> {
    let instances = blueprint.instances.values();
    let places = instances.map(|i| (&*i.machine, i.base));
    let places = places.chain(pools(blueprint).map(|(machine, image)| (machine, image.base)));
    let places: Vec<_> = places.collect();
    let fits = |own: &binary::Program| {
        places
            .iter()
            .all(|(machine, base)| own.runs_on(machine, *base).is_ok())
    };
    if own.is_some_and(fits) {
        return None;
    }
    let mut wanted = places
        .iter()
        .map(|(machine, _)| binary::Architecture::of_machine(machine));
    let first = wanted.next()?;
    wanted.all(|other| other == first).then_some(first)
}

/// The type of each pool's nodes, and what they start from.
fn pools(blueprint: &Blueprint) -> impl Iterator<Item = (&str, &Image)> {
    blueprint.pools.values().filter_map(|pool| {
        let image = blueprint.images.get(&pool.image)?;
        Some((&*pool.machine, image))
    })
}

/// Where a program stands in the home bucket.
#[must_use]
pub fn artifact_key(name: &str, sha256: &str) -> String {
    format!("artifacts/{sha256}/{name}")
}

fn instance_programs(instance: &Instance, at: &Situation<'_>) -> String {
    programs_hash(instance_program_names(instance), at.programs)
}

fn megabytes(bytes: u64) -> String {
    #[allow(clippy::cast_precision_loss)] // shown to people, one decimal
    let megabytes = bytes as f64 / 1_048_576.0;
    format!("{megabytes:.1} MB")
}
