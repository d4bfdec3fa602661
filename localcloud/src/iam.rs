//! IAM: roles, their inline policies, instance profiles. What policies allow is for `access` to say.

mod lab;
mod model;
mod policies;
mod profiles;
mod roles;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;

use crate::StartError;
use crate::access::table::Entity;
use crate::access::{Keys, RoleRights};
use crate::auth::Caller;
use crate::cloud::Thing;
use crate::context::Context;
use crate::rehearsal::{AccountKind, Delay};
use crate::state::Document;
use crate::wire::{ApiError, Params, Xml};
use model::{Account, ManagedPolicy, Role, Tags};

const MOST_TAGS: usize = 50;
/// Who takes the roles of instances.
const EC2: &str = "ec2.amazonaws.com";

/// The role of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileRole {
    /// Its name.
    pub name: String,
    /// Its unique id.
    pub id: String,
    /// Whether its trust policy lets EC2 take it.
    pub trusts_ec2: bool,
}

/// The roles and instance profiles of an account.
#[derive(Debug)]
pub struct Iam {
    context: Arc<Context>,
    state: Document<Account>,
    past: Mutex<Past>,
}

/// What was, and in a rehearsal still counts for a while.
#[derive(Debug, Default)]
struct Past {
    /// What the sessions of a role could do before its policies were changed, by the role's id.
    rights: HashMap<String, RoleRights>,
    /// The id of the profile that was deleted last under a name.
    profiles: HashMap<String, String>,
    /// The role that was in a profile last, by the profile's id.
    roles: HashMap<String, ProfileRole>,
}

impl Iam {
    /// Opens the service on the state that is on disk.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn open(context: Arc<Context>) -> Result<Self, StartError> {
        let state = context.state.document("iam")?;
        let iam = Self {
            context,
            state,
            past: Mutex::default(),
        };
        if iam.context.stage.account() == Some(AccountKind::LearnerLab) {
            iam.provide_lab_role()?;
        }
        Ok(iam)
    }

    /// Answers a call with what belongs inside `<ActionResult>`.
    ///
    /// # Errors
    /// What IAM answers in that case.
    pub fn call(&self, _caller: &Caller, params: &Params) -> Result<String, ApiError> {
        match params.action()? {
            "CreateRole" => self.create_role(params),
            "GetRole" => self.get_role(params),
            "ListRoles" => self.list_roles(params),
            "DeleteRole" => self.delete_role(params),
            "UpdateAssumeRolePolicy" => self.update_assume_role_policy(params),
            "PutRolePolicy" => self.put_role_policy(params),
            "GetRolePolicy" => self.get_role_policy(params),
            "ListRolePolicies" => self.list_role_policies(params),
            "DeleteRolePolicy" => self.delete_role_policy(params),
            "ListAttachedRolePolicies" => self.list_attached_role_policies(params),
            "AttachRolePolicy" => self.attach_role_policy(params),
            "DetachRolePolicy" => self.detach_role_policy(params),
            "CreatePolicy" => self.create_policy(params),
            "DeletePolicy" => self.delete_policy(params),
            "TagRole" => self.tag_role(params),
            "UntagRole" => self.untag_role(params),
            "ListRoleTags" => self.list_role_tags(params),
            "CreateInstanceProfile" => self.create_instance_profile(params),
            "GetInstanceProfile" => self.get_instance_profile(params),
            "ListInstanceProfiles" => self.list_instance_profiles(params),
            "ListInstanceProfilesForRole" => self.list_instance_profiles_for_role(params),
            "AddRoleToInstanceProfile" => self.add_role_to_instance_profile(params),
            "RemoveRoleFromInstanceProfile" => self.remove_role_from_instance_profile(params),
            "DeleteInstanceProfile" => self.delete_instance_profile(params),
            "TagInstanceProfile" => self.tag_instance_profile(params),
            "UntagInstanceProfile" => self.untag_instance_profile(params),
            "ListInstanceProfileTags" => self.list_instance_profile_tags(params),
            other => Err(ApiError::invalid_action(other)),
        }
    }

    /// What is left, one line each.
    pub fn remaining(&self) -> Vec<String> {
        self.state.read(|account| {
            let own = |name: &&String| ![lab::ROLE, lab::PROFILE].contains(&name.as_str());
            let roles = account
                .roles
                .keys()
                .filter(own)
                .map(|name| format!("iam: role {name}"));
            let profiles = account
                .profiles
                .keys()
                .filter(own)
                .map(|name| format!("iam: instance profile {name}"));
            let policies = account
                .policies
                .keys()
                .map(|arn| format!("iam: policy {arn}"));
            roles.chain(profiles).chain(policies).collect()
        })
    }

    /// What is there, as kinds and tags.
    pub fn things(&self) -> Vec<Thing> {
        self.state.read(|account| {
            let roles = account.roles.values();
            let profiles = account.profiles.values();
            roles
                .map(|role| Thing::new("role", &role.tags))
                .chain(profiles.map(|profile| Thing::new("instance profile", &profile.tags)))
                .collect()
        })
    }

    /// ARN and id of the instance profile with that name, as EC2 knows it.
    pub fn profile_named(&self, name: &str) -> Option<(String, String)> {
        let stage = &self.context.stage;
        if stage.is_under_way(Delay::ProfileKnown, name) {
            return None;
        }
        let past = stage
            .is_under_way(Delay::OldProfileForgotten, name)
            .then(|| self.past().profiles.get(name).cloned())
            .flatten();
        self.state.read(|account| {
            let profile = account.profiles.get(name)?;
            let id = past.unwrap_or_else(|| profile.id.clone());
            Some((profile.arn.clone(), id))
        })
    }

    /// ARN and id of the instance profile with that ARN.
    pub fn profile_with_arn(&self, arn: &str) -> Option<(String, String)> {
        self.state.read(|account| {
            let profile = account
                .profiles
                .values()
                .find(|profile| profile.arn == arn)?;
            Some((profile.arn.clone(), profile.id.clone()))
        })
    }

    /// Name and id of the role in the instance profile with that id, and whether EC2 may take it. A
    /// profile that was deleted and made again under its old name has another id.
    pub fn role_in_profile(&self, profile_id: &str) -> Option<ProfileRole> {
        let found = self.state.read(|account| {
            let profile = account
                .profiles
                .values()
                .find(|profile| profile.id == profile_id)?;
            let role = account.roles.get(profile.role.as_ref()?)?;
            Some(role.in_profile())
        });
        found.or_else(|| self.past().roles.get(profile_id).cloned())
    }

    /// What the sessions of the role with that id may do, at this moment.
    pub fn rights(&self, role_id: &str) -> Option<RoleRights> {
        self.state.read(|account| {
            let role = account.roles.values().find(|role| role.id == role_id)?;
            let before = self
                .context
                .stage
                .is_under_way(Delay::PolicyEffective, role_id)
                .then(|| self.past().rights.get(role_id).cloned())
                .flatten();
            Some(before.unwrap_or_else(|| role.rights(&account.policies)))
        })
    }

    /// The policies of a role are about to change: until that is in effect, what they say now counts.
    fn postpone(&self, role: &Role, managed: &BTreeMap<String, ManagedPolicy>) {
        let stage = &self.context.stage;
        if stage.rehearsal().is_none() {
            return;
        }
        if !stage.is_under_way(Delay::PolicyEffective, &role.id) {
            let rights = role.rights(managed);
            self.past().rights.insert(role.id.clone(), rights);
        }
        let _due = stage.begin_with_tags(Delay::PolicyEffective, &role.id, &role.tags);
    }

    fn past(&self) -> std::sync::MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the sessions of all roles may do, by the role's name.
    pub fn all_rights(&self) -> Vec<(String, RoleRights)> {
        self.state.read(|account| {
            let roles = account.roles.values();
            roles
                .map(|role| (role.name.clone(), role.rights(&account.policies)))
                .collect()
        })
    }

    /// Whether there is a role of that name.
    pub fn has_role(&self, name: &str) -> bool {
        self.state.read(|account| account.roles.contains_key(name))
    }

    /// A role as policies see it.
    pub fn role_entity(&self, name: &str) -> Option<Entity> {
        self.state
            .read(|account| account.roles.get(name).map(Role::entity))
    }

    /// An instance profile as policies see it.
    pub fn profile_entity(&self, name: &str) -> Option<Entity> {
        self.state.read(|account| {
            let profile = account.profiles.get(name)?;
            Some(entity(&profile.arn, &profile.tags))
        })
    }

    /// The role in the instance profile of that name or ARN, as policies see it.
    pub fn passed_role(&self, name_or_arn: &str) -> Option<Entity> {
        self.state.read(|account| {
            let profile = account
                .profiles
                .values()
                .find(|profile| profile.name == name_or_arn || profile.arn == name_or_arn)?;
            Some(account.roles.get(profile.role.as_ref()?)?.entity())
        })
    }

    fn account(&self) -> &str {
        self.context.account()
    }
}

impl Role {
    fn in_profile(&self) -> ProfileRole {
        ProfileRole {
            name: self.name.clone(),
            id: self.id.clone(),
            trusts_ec2: self.trust_policy.meaning().trusts_service(EC2),
        }
    }

    /// By its inline policies and those of the account that are attached to it.
    fn rights(&self, managed: &BTreeMap<String, ManagedPolicy>) -> RoleRights {
        let inline = self.policies.iter();
        let inline = inline.map(|(name, policy)| (name.clone(), Arc::clone(policy.meaning())));
        let attached = self.attached.iter().filter_map(|arn| managed.get(arn));
        let attached = attached.map(|policy| {
            let meaning = Arc::clone(policy.document.meaning());
            (policy.arn.clone(), meaning)
        });
        RoleRights {
            arn: self.arn.clone(),
            tags: self.tags.clone(),
            policies: inline.chain(attached).collect(),
        }
    }

    fn entity(&self) -> Entity {
        entity(&self.arn, &self.tags)
    }
}

fn entity(arn: &str, tags: &Tags) -> Entity {
    Entity {
        arn: arn.to_owned(),
        keys: Keys::default()
            .with_tags("aws:ResourceTag", tags)
            .with_tags("iam:ResourceTag", tags),
    }
}

/// No such thing: 404, unlike in other services.
fn no_such_entity(kind: &str, name: &str) -> ApiError {
    ApiError::with_status(
        StatusCode::NOT_FOUND,
        "NoSuchEntity",
        format!("The {kind} with name {name} cannot be found."),
    )
}

fn already_exists(kind: &str, name: &str) -> ApiError {
    ApiError::with_status(
        StatusCode::CONFLICT,
        "EntityAlreadyExists",
        format!("{kind} with name {name} already exists."),
    )
}

fn delete_conflict(message: &str) -> ApiError {
    ApiError::with_status(StatusCode::CONFLICT, "DeleteConflict", message)
}

fn limit_exceeded(message: impl Into<String>) -> ApiError {
    ApiError::with_status(StatusCode::CONFLICT, "LimitExceeded", message)
}

fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", message)
}

/// A parameter that must be there; IAM says `ValidationError` when it is not.
fn required<'a>(params: &'a Params, name: &str) -> Result<&'a str, ApiError> {
    params
        .required(name)
        .map_err(|error| validation(error.to_string()))
}

/// A name of a role (64), instance profile or policy (128).
fn name<'a>(params: &'a Params, parameter: &str, longest: usize) -> Result<&'a str, ApiError> {
    let value = required(params, parameter)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if value.len() > longest || !value.chars().all(allowed) {
        let shown: String = value.chars().take(150).collect();
        return Err(validation(format!(
            "The specified value for {parameter} is invalid: {shown:?}. It must be 1 to {longest} of alphanumeric characters and +=,.@_-"
        )));
    }
    Ok(value)
}

/// The path of a new role or profile; `/` if none is given.
fn path(params: &Params) -> Result<String, ApiError> {
    let path = params.get("Path").unwrap_or("/");
    let printable = path.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    if !path.starts_with('/') || !path.ends_with('/') || path.len() > 512 || !printable {
        return Err(validation(
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
        ));
    }
    Ok(path.to_owned())
}

fn tags(params: &Params) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for tag in params.structures("Tags") {
        let key = required(&tag, "Key")?;
        let value = tag.get("Value").unwrap_or_default();
        let allowed = |c: char| c.is_alphanumeric() || "_.:/=+-@ ".contains(c);
        if key.chars().count() > 128
            || value.chars().count() > 256
            || !key.chars().chain(value.chars()).all(allowed)
        {
            return Err(validation(format!(
                "The tag {key:?} is invalid: keys up to 128, values up to 256 of letters, digits, spaces and _.:/=+-@"
            )));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(ApiError::new(
                "InvalidInput",
                "Tag keys beginning with aws: are reserved.",
            ));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(ApiError::new(
                "InvalidInput",
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
    }
    check_tag_count(&tags)?;
    Ok(tags)
}

fn check_tag_count(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() > MOST_TAGS {
        return Err(limit_exceeded(format!(
            "The number of tags has reached the maximum limit of {MOST_TAGS}."
        )));
    }
    Ok(())
}

fn write_tags(xml: &mut Xml, tags: &Tags) {
    xml.list("Tags", "member", tags, |xml, (key, value)| {
        xml.text("Key", key).text("Value", value);
    });
}

/// A list with `Marker` and `MaxItems`, as every List call has it.
fn write_page<T>(
    xml: &mut Xml,
    list: &str,
    all: Vec<T>,
    params: &Params,
    write: impl FnMut(&mut Xml, T),
) -> Result<(), ApiError> {
    let start = match params.get("Marker") {
        None => 0,
        Some(marker) => marker
            .strip_prefix("after-")
            .and_then(|number| number.parse::<usize>().ok())
            .ok_or_else(|| validation("The marker is not one of this service."))?,
    };
    let most = params.integer("MaxItems")?.unwrap_or(100);
    if !(1..=1000).contains(&most) {
        return Err(validation("MaxItems must be between 1 and 1000."));
    }
    let most = usize::try_from(most).unwrap_or(1000);
    let end = start.saturating_add(most);
    let more = end < all.len();
    xml.list(
        list,
        "member",
        all.into_iter().skip(start).take(most),
        write,
    )
    .text("IsTruncated", more);
    if more {
        xml.text("Marker", format!("after-{end}"));
    }
    Ok(())
}
