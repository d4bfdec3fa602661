//! Instance profiles: how a role gets onto an instance.

use jiff::Timestamp;

use super::model::{Account, InstanceProfile, Role, new_id};
use super::roles::{role_name, write_role};
use super::{
    Iam, already_exists, check_tag_count, delete_conflict, limit_exceeded, name, no_such_entity,
    path, tags, write_page, write_tags,
};
use crate::rehearsal::Delay;
use crate::wire::{ApiError, Params, Xml};

impl Iam {
    pub(super) fn create_instance_profile(&self, params: &Params) -> Result<String, ApiError> {
        let name = profile_name(params)?;
        let path = path(params)?;
        let profile = InstanceProfile {
            arn: format!(
                "arn:aws:iam::{}:instance-profile{path}{name}",
                self.account()
            ),
            name: name.to_owned(),
            id: new_id("AIPA"),
            path,
            created_at: Timestamp::now(),
            role: None,
            tags: tags(params)?,
        };
        self.state.change(|account| {
            if account
                .profiles
                .keys()
                .any(|other| other.eq_ignore_ascii_case(name))
            {
                return Err(already_exists("Instance Profile", name));
            }
            account.profiles.insert(name.to_owned(), profile);
            Ok(())
        })?;
        let stage = &self.context.stage;
        let _due = stage.begin(Delay::ProfileKnown, name);
        if self.past().profiles.contains_key(name) {
            let _due = stage.begin(Delay::OldProfileForgotten, name);
        }
        self.get_instance_profile(params)
    }

    pub(super) fn get_instance_profile(&self, params: &Params) -> Result<String, ApiError> {
        let name = profile_name(params)?;
        self.state.read(|account| {
            let profile = account
                .profiles
                .get(name)
                .ok_or_else(|| no_such_entity("instance profile", name))?;
            let mut xml = Xml::fragment();
            xml.element("InstanceProfile", |xml| write(xml, account, profile, true));
            Ok(xml.finish())
        })
    }

    pub(super) fn list_instance_profiles(&self, params: &Params) -> Result<String, ApiError> {
        let prefix = params.get("PathPrefix").unwrap_or("/");
        self.list(params, |profile| profile.path.starts_with(prefix))
    }

    pub(super) fn list_instance_profiles_for_role(
        &self,
        params: &Params,
    ) -> Result<String, ApiError> {
        let role = role_name(params)?;
        if !self.state.read(|account| account.roles.contains_key(role)) {
            return Err(no_such_entity("role", role));
        }
        self.list(params, |profile| profile.role.as_deref() == Some(role))
    }

    fn list(
        &self,
        params: &Params,
        wanted: impl Fn(&InstanceProfile) -> bool,
    ) -> Result<String, ApiError> {
        self.state.read(|account| {
            let profiles = account
                .profiles
                .values()
                .filter(|profile| wanted(profile))
                .collect();
            let mut xml = Xml::fragment();
            write_page(
                &mut xml,
                "InstanceProfiles",
                profiles,
                params,
                |xml, profile| {
                    write(xml, account, profile, false);
                },
            )?;
            Ok(xml.finish())
        })
    }

    pub(super) fn add_role_to_instance_profile(&self, params: &Params) -> Result<String, ApiError> {
        let role = role_name(params)?;
        self.change_profile(params, |account, name| {
            if !account.roles.contains_key(role) {
                return Err(no_such_entity("role", role));
            }
            let profile = found(account, name)?;
            if profile.role.is_some() {
                return Err(limit_exceeded(
                    "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
                ));
            }
            profile.role = Some(role.to_owned());
            Ok(())
        })
    }

    pub(super) fn remove_role_from_instance_profile(
        &self,
        params: &Params,
    ) -> Result<String, ApiError> {
        let role = role_name(params)?;
        self.change_profile(params, |account, name| {
            let profile = found(account, name)?;
            if profile.role.as_deref() != Some(role) {
                return Err(no_such_entity("role", role));
            }
            profile.role = None;
            let id = profile.id.clone();
            if let Some(role) = account.roles.get(role) {
                self.remember_role(id, role);
            }
            Ok(())
        })
    }

    pub(super) fn delete_instance_profile(&self, params: &Params) -> Result<String, ApiError> {
        self.change_profile(params, |account, name| {
            if found(account, name)?.role.is_some() {
                return Err(delete_conflict(
                    "Cannot delete entity, must remove roles from instance profile first.",
                ));
            }
            if let Some(gone) = account.profiles.remove(name) {
                self.remember_profile(gone);
            }
            Ok(())
        })
    }

    /// In a rehearsal, EC2 may launch with what was in a profile even when both were made anew.
    fn remember_role(&self, profile_id: String, role: &Role) {
        if self.context.stage.rehearsal().is_some() {
            self.past().roles.insert(profile_id, role.in_profile());
        }
    }

    fn remember_profile(&self, profile: InstanceProfile) {
        if self.context.stage.rehearsal().is_some() {
            self.past().profiles.insert(profile.name, profile.id);
        }
    }

    pub(super) fn tag_instance_profile(&self, params: &Params) -> Result<String, ApiError> {
        let new = tags(params)?;
        self.change_profile(params, |account, name| {
            let profile = found(account, name)?;
            profile.tags.extend(new);
            check_tag_count(&profile.tags)
        })
    }

    pub(super) fn untag_instance_profile(&self, params: &Params) -> Result<String, ApiError> {
        let keys = params.list("TagKeys");
        self.change_profile(params, |account, name| {
            found(account, name)?
                .tags
                .retain(|key, _| !keys.contains(key));
            Ok(())
        })
    }

    pub(super) fn list_instance_profile_tags(&self, params: &Params) -> Result<String, ApiError> {
        let name = profile_name(params)?;
        let tags: Vec<(String, String)> = self
            .state
            .read(|account| Some(account.profiles.get(name)?.tags.clone()))
            .ok_or_else(|| no_such_entity("instance profile", name))?
            .into_iter()
            .collect();
        let mut xml = Xml::fragment();
        write_page(&mut xml, "Tags", tags, params, |xml, (key, value)| {
            xml.text("Key", key).text("Value", value);
        })?;
        Ok(xml.finish())
    }

    fn change_profile(
        &self,
        params: &Params,
        change: impl FnOnce(&mut Account, &str) -> Result<(), ApiError>,
    ) -> Result<String, ApiError> {
        let name = profile_name(params)?;
        self.state.change(|account| {
            found(account, name)?;
            change(account, name)
        })?;
        Ok(String::new())
    }
}

fn found<'a>(account: &'a mut Account, name: &str) -> Result<&'a mut InstanceProfile, ApiError> {
    account
        .profiles
        .get_mut(name)
        .ok_or_else(|| no_such_entity("instance profile", name))
}

fn profile_name(params: &Params) -> Result<&str, ApiError> {
    name(params, "InstanceProfileName", 128)
}

fn write(xml: &mut Xml, account: &Account, profile: &InstanceProfile, with_tags: bool) {
    let role = profile
        .role
        .as_ref()
        .and_then(|name| account.roles.get(name));
    xml.text("Path", &profile.path)
        .text("InstanceProfileName", &profile.name)
        .text("InstanceProfileId", &profile.id)
        .text("Arn", &profile.arn)
        .text(
            "CreateDate",
            profile.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        .list("Roles", "member", role, |xml, role| {
            write_role(xml, role, false);
        });
    if with_tags {
        write_tags(xml, &profile.tags);
    }
}
