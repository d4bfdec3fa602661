//! What the blueprint comes to, in AWS's terms.

use sha2::{Digest, Sha256};

use crate::blueprint::{Blueprint, Image, Ingress, SecurityGroup, Source};
use crate::inventory::{Ground, Rule, RuleSource};
use crate::plan::{Programs, instance_program_names};

/// The rules a security group should have. `my-ip` becomes the address of this laptop; it is left
/// out while that is not known.
#[must_use]
pub fn desired_rules(group: &SecurityGroup, ground: &Ground) -> Vec<Rule> {
    let rule = |ingress: &Ingress| {
        let from = match &ingress.from {
            Source::MyIp => RuleSource::Range(single_address(ground.my_ip?)),
            Source::Range(range) => RuleSource::Range(range.clone()),
            Source::Group(name) => RuleSource::Group(name.clone()),
        };
        Some(Rule {
            first_port: ingress.first_port,
            last_port: ingress.last_port,
            from,
        })
    };
    let mut rules: Vec<Rule> = group.ingress.iter().filter_map(rule).collect();
    rules.sort();
    rules.dedup();
    rules
}

fn single_address(address: std::net::IpAddr) -> String {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    format!("{address}/{bits}")
}

/// The hash of the programs by those names: what decides whether an instance is out of date.
#[must_use]
pub fn programs_hash<'a>(names: impl IntoIterator<Item = &'a str>, programs: &Programs) -> String {
    let mut hash = Sha256::new();
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let sum = programs.get(name).map_or("", |p| p.sha256.as_str());
        hash.update(format!("{name} {sum}\n"));
    }
    hex::encode(hash.finalize())
}

/// The hash of what an image is made from: recipe, programs, the kind of base and the builder's
/// script. Not the id of the base, which AWS renews every two weeks.
#[must_use]
pub fn image_inputs(image: &Image, programs: &Programs) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{:?}\n", image.base));
    hash.update(programs_hash(
        image.recipe.programs.iter().map(String::as_str),
        programs,
    ));
    for line in &image.recipe.run {
        hash.update(format!("\n{line}"));
    }
    hash.update(crate::user_data::BUILDER_TEMPLATE);
    hex::encode(hash.finalize())
}

/// The hash of the lines of an image's recipe.
#[must_use]
pub fn recipe_hash(image: &Image) -> String {
    let mut hash = Sha256::new();
    for line in &image.recipe.run {
        hash.update(format!("{line}\n"));
    }
    hex::encode(hash.finalize())
}

/// The programs that the single instances and the images of a blueprint need, without doubles.
#[must_use]
pub fn needed_programs(blueprint: &Blueprint) -> std::collections::BTreeSet<String> {
    let mut needed = std::collections::BTreeSet::new();
    for instance in blueprint.instances.values() {
        needed.extend(instance_program_names(instance).map(str::to_owned));
    }
    for image in blueprint.images.values() {
        needed.extend(image.recipe.programs.iter().cloned());
    }
    needed
}
