//! From a blueprint and what exists to the steps between them. Every choice is made here; whoever
//! carries a step out has none left.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::blueprint::{BaseImage, Blueprint};
use crate::expiry::{Expiry, Taggable, Timers};
use crate::inventory::{Ground, Inventory, Rule, Subnet};
use crate::known::Known;
use crate::names::{ResourceId, ResourceName, Scope};
use crate::settings::PoolStatus;

mod desired;
mod draft;
mod edits;
mod steps;

pub use desired::{desired_rules, image_inputs, needed_programs, programs_hash, recipe_hash};
pub use draft::{artifact_key, instance_program_names, misfits, static_build};

/// A program of ours as it was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// What it needs of a machine. Absent where the machines are processes of this one, on which
    /// it was built.
    pub needs: Option<crate::binary::Program>,
}

/// The programs that were built, by name.
pub type Programs = BTreeMap<String, Program>;

/// All that a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The deployment's names.
    pub scope: &'a Scope,
    /// What is asked for.
    pub blueprint: &'a Blueprint,
    /// What is ours already.
    pub inventory: &'a Inventory,
    /// What the account offers.
    pub ground: &'a Ground,
    /// The programs that were built.
    pub programs: &'a Programs,
    /// What the deployment's buckets hold.
    pub stored: &'a Stored,
    /// What the tags of what is ours say of its end.
    pub timers: &'a Timers,
    /// When the deployment ends ([`crate::expiry::decide`]); `None` is never.
    pub expires_at: Option<Expiry>,
    /// What may be removed although it holds data.
    pub remove: &'a BTreeSet<ResourceId>,
    /// The certificates that a database's own is checked against, PEM.
    pub database_ca: &'a str,
    /// Four lower-case letters or digits, new for each run, for the names that AWS keeps for a
    /// while after they were deleted.
    pub dice: &'a str,
}

/// What the deployment's buckets hold, as far as a plan is made from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    /// The keys that the home bucket holds below `artifacts/`, `settings/` and `secrets/`.
    pub keys: Vec<String>,
    /// What stands in it below `settings/`, by key.
    pub settings: BTreeMap<String, String>,
    /// What managers say of their pools, by the instance's name.
    pub pools: BTreeMap<ResourceName, PoolStatus>,
    /// Buckets besides the home that hold nothing.
    pub empty: BTreeSet<ResourceName>,
}

/// The steps from what exists to what the blueprint asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The steps; each needs only steps before it.
    pub steps: Vec<Step>,
    /// What the blueprint asks for and a plan cannot do; with any of these nothing is begun.
    pub refusals: Vec<Refusal>,
    /// What the blueprint says and is no step, with the reason.
    pub notes: Vec<Note>,
    /// Resources that are as the blueprint says.
    pub settled: usize,
    /// What exists and stays: the ids that the steps build on.
    pub known: Known,
}

impl Plan {
    /// Whether all is as the blueprint says.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.refusals.is_empty()
    }
}

/// A difference that no step can remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The resource, for example `database/catalog`.
    pub resource: String,
    /// What differs, and what the user can do.
    pub reason: String,
}

/// Something about a resource that a user may want to know and that nothing is done about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The resource, for example `pool/cache`.
    pub resource: String,
    /// What there is to know.
    pub text: String,
}

/// One value of a resource that is about to be another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is, in the blueprint's words, for example `type`.
    pub what: String,
    /// What it is now; empty where that cannot be told.
    pub from: String,
    /// What it will be; empty where that cannot be told.
    pub to: String,
    /// What that brings with it, for example `nodes are replaced one by one`.
    pub means: String,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.from.as_str(), self.to.as_str()) {
            ("", "") => write!(f, "{}", self.what)?,
            (from, to) => write!(f, "{}: {from} -> {to}", self.what)?,
        }
        if self.means.is_empty() {
            return Ok(());
        }
        write!(f, "; {}", self.means)
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The resource it concerns, for example `security-group/door`.
    pub resource: String,
    /// What happens to it.
    pub verb: Verb,
    /// The particulars, for people.
    pub detail: String,
    /// Which values it changes, and what that brings with it.
    pub changes: Vec<Change>,
    /// What is done.
    pub action: Action,
    /// Indices of the steps that have to be done before.
    pub needs: Vec<usize>,
}

/// What a step does to its resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// It is made.
    Create,
    /// It is changed in place.
    Change,
    /// It is taken away, to be made anew or because nothing needs it.
    Remove,
    /// Something is written into a bucket.
    Write,
    /// Nothing is changed; the step ends when the resource is ready.
    Await,
}

impl Verb {
    /// The sign that stands before the step's line.
    #[must_use]
    pub fn sign(self) -> char {
        match self {
            Verb::Create | Verb::Write => '+',
            Verb::Change => '~',
            Verb::Remove => '-',
            Verb::Await => '.',
        }
    }

    /// The verb as a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Create => "create",
            Verb::Change => "change",
            Verb::Remove => "remove",
            Verb::Write => "write",
            Verb::Await => "wait for",
        }
    }
}

/// What is done in one step. Resources made by earlier steps are named by their name in the
/// blueprint, since their ids are not known when the plan is made.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Make a bucket.
    CreateBucket {
        /// Its name in the blueprint.
        resource: ResourceName,
        /// Its global name.
        name: String,
        /// Whether it will hold the deployment's settings and programs.
        is_home: bool,
    },
    /// Delete a bucket.
    RemoveBucket {
        /// Its global name.
        name: String,
        /// Whether it is emptied first. Else it is refused if something has got into it.
        with_contents: bool,
    },
    /// Take all rules of a security group away, once no instance is in it.
    CloseSecurityGroup {
        /// Its id.
        id: String,
    },
    /// Delete a security group that has no rules, once nothing is in it.
    RemoveSecurityGroup {
        /// Its id.
        id: String,
    },
    /// Delete a role with its profile, once no instance has it.
    RemoveRole {
        /// The name of role and profile in IAM.
        name: String,
    },
    /// Draw the secrets that are not in the home bucket yet and write them there.
    WriteSecrets,
    /// Make a security group without rules.
    CreateSecurityGroup {
        /// Its name in the blueprint.
        resource: ResourceName,
        /// Its name in the VPC.
        name: String,
        /// The VPC.
        vpc: String,
    },
    /// Open and close ports of a security group.
    ChangeRules {
        /// The group's name in the blueprint.
        resource: ResourceName,
        /// The rules to add.
        add: Vec<Rule>,
        /// The rules to take away.
        remove: Vec<Rule>,
    },
    /// Make a role, its inline policy and its profile, or what is missing of them.
    CompleteRole {
        /// Its name in the blueprint.
        resource: ResourceName,
        /// The name of role and profile in IAM.
        name: String,
        /// The text of the policy.
        policy: String,
    },
    /// Put a program into the home bucket.
    UploadProgram {
        /// Its name.
        name: String,
        /// SHA-256 of its bytes, hexadecimal.
        sha256: String,
    },
    /// Make a database and wait until it answers.
    CreateDatabase {
        /// Its name in the blueprint.
        resource: ResourceName,
        /// The DB instance identifier.
        id: String,
    },
    /// Change a database in place, and wait until the change is in effect.
    ChangeDatabase {
        /// Its name in the blueprint.
        resource: ResourceName,
        /// The DB instance identifier.
        id: String,
    },
    /// Delete a database with all it holds.
    RemoveDatabase {
        /// The DB instance identifier.
        id: String,
    },
    /// Wait until a database that is being made answers.
    AwaitDatabase {
        /// Its name in the blueprint.
        resource: ResourceName,
        /// The DB instance identifier.
        id: String,
    },
    /// Launch a builder, wait until it has stopped and has left its ok object, make an image of it
    /// and take it away.
    BakeImage {
        /// Its name in the blueprint.
        resource: ResourceName,
        /// The image's name in the account.
        name: String,
        /// The hash of what it is made from.
        inputs: String,
        /// The base image.
        base: BaseImage,
        /// The machine type of the builder.
        machine: String,
        /// The security group of the builder, by its name in the blueprint.
        security_group: ResourceName,
        /// Where the builder may run.
        subnets: Vec<Subnet>,
    },
    /// Wait until an image that is being made is available.
    AwaitImage {
        /// Its name in the blueprint.
        resource: ResourceName,
        /// The image's id.
        id: String,
    },
    /// Take away an image that nothing needs any more, with its snapshots.
    RemoveImage {
        /// The image's id.
        id: String,
        /// Its snapshots.
        snapshots: Vec<String>,
    },
    /// Delete a snapshot whose image is gone.
    RemoveSnapshot {
        /// The snapshot's id.
        id: String,
    },
    /// Launch a single instance and wait until it runs.
    LaunchInstance {
        /// Its name in the blueprint.
        resource: ResourceName,
        /// The hash of its programs, kept as a tag.
        programs: String,
        /// Where it may run.
        subnets: Vec<Subnet>,
    },
    /// Put an instance into its security group, and out of any other.
    ChangeGroup {
        /// The instance's name in the blueprint.
        resource: ResourceName,
        /// Its id.
        id: String,
    },
    /// Start an instance that is stopped.
    StartInstance {
        /// Its id.
        id: String,
    },
    /// End an instance and wait until it is gone.
    TerminateInstance {
        /// Its id.
        id: String,
    },
    /// Set the tag that says when the deployment ends.
    MarkExpiry {
        /// What does not carry it.
        things: Vec<Taggable>,
        /// When it ends.
        expires_at: Expiry,
    },
    /// Write the settings of an instance, and of the pools it looks after, into the home bucket,
    /// and their hash on the instance.
    PublishSettings {
        /// The instance's name in the blueprint.
        instance: ResourceName,
        /// The pools whose nodes read settings of their own.
        pools: Vec<ResourceName>,
    },
}

impl Action {
    /// Whether what it takes away cannot be made again.
    #[must_use]
    pub fn loses_data(&self) -> bool {
        matches!(
            self,
            Action::RemoveDatabase { .. }
                | Action::RemoveBucket {
                    with_contents: true,
                    ..
                }
        )
    }
}

/// Makes the plan.
#[must_use]
pub fn plan(situation: &Situation<'_>) -> Plan {
    let mut draft = draft::Draft::new(situation);
    draft.ceiling();
    draft.buckets();
    draft.security_groups();
    draft.rules();
    draft.roles();
    draft.programs();
    draft.secrets();
    draft.instances();
    draft.databases();
    draft.images();
    draft.settings();
    draft.outdated_images();
    draft.left_of_bakes();
    draft.removals();
    draft.expiry();
    draft.finish()
}
