//! Managed policies of the account, and their attachment to roles. Those that AWS keeps are not here.

use http::StatusCode;
use jiff::Timestamp;

use super::model::{ManagedPolicy, new_id};
use super::roles::{document, role_name};
use super::{
    Iam, already_exists, delete_conflict, name, no_such_entity, path, required, tags, write_page,
    write_tags,
};
use crate::wire::{ApiError, Params, Xml};

impl Iam {
    pub(super) fn create_policy(&self, params: &Params) -> Result<String, ApiError> {
        let name = name(params, "PolicyName", 128)?;
        let path = path(params)?;
        let policy = ManagedPolicy {
            arn: format!("arn:aws:iam::{}:policy{path}{name}", self.account()),
            name: name.to_owned(),
            id: new_id("ANPA"),
            path,
            created_at: Timestamp::now(),
            document: document(required(params, "PolicyDocument")?)?,
            tags: tags(params)?,
        };
        self.state.change(|account| {
            if account.policies.values().any(|other| other.name == name) {
                return Err(already_exists("A policy", name));
            }
            account.policies.insert(policy.arn.clone(), policy.clone());
            Ok(())
        })?;
        let mut xml = Xml::fragment();
        xml.element("Policy", |xml| {
            xml.text("PolicyName", &policy.name)
                .text("PolicyId", &policy.id)
                .text("Arn", &policy.arn)
                .text("Path", &policy.path)
                .text("DefaultVersionId", "v1")
                .text("AttachmentCount", 0)
                .text("IsAttachable", true)
                .text(
                    "CreateDate",
                    policy.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                )
                .text(
                    "UpdateDate",
                    policy.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                );
            write_tags(xml, &policy.tags);
        });
        Ok(xml.finish())
    }

    pub(super) fn delete_policy(&self, params: &Params) -> Result<String, ApiError> {
        let arn = required(params, "PolicyArn")?;
        self.state.change(|account| {
            if !account.policies.contains_key(arn) {
                return Err(no_such_policy(arn));
            }
            if account
                .roles
                .values()
                .any(|role| role.attached.contains(arn))
            {
                return Err(delete_conflict(
                    "Cannot delete a policy attached to entities.",
                ));
            }
            account.policies.remove(arn);
            Ok(String::new())
        })
    }

    /// "Does not exist or is not attachable" is also the answer for those that AWS keeps.
    pub(super) fn attach_role_policy(&self, params: &Params) -> Result<String, ApiError> {
        let name = role_name(params)?;
        let arn = required(params, "PolicyArn")?.to_owned();
        self.state.change(|account| {
            if !account.policies.contains_key(&arn) {
                return Err(no_such_policy(&arn));
            }
            let role = account.roles.get_mut(name);
            let role = role.ok_or_else(|| no_such_entity("role", name))?;
            self.postpone(role, &account.policies);
            role.attached.insert(arn);
            Ok(String::new())
        })
    }

    pub(super) fn detach_role_policy(&self, params: &Params) -> Result<String, ApiError> {
        let name = role_name(params)?;
        let arn = required(params, "PolicyArn")?;
        self.state.change(|account| {
            let role = account.roles.get_mut(name);
            let role = role.ok_or_else(|| no_such_entity("role", name))?;
            self.postpone(role, &account.policies);
            if role.attached.remove(arn) {
                Ok(String::new())
            } else {
                Err(no_such_policy(arn))
            }
        })
    }

    pub(super) fn list_attached_role_policies(&self, params: &Params) -> Result<String, ApiError> {
        let name = role_name(params)?;
        let attached: Vec<(String, String)> = self.state.read(|account| {
            let role = account.roles.get(name);
            let role = role.ok_or_else(|| no_such_entity("role", name))?;
            let policies = role
                .attached
                .iter()
                .filter_map(|arn| account.policies.get(arn));
            Ok::<_, ApiError>(policies.map(|p| (p.name.clone(), p.arn.clone())).collect())
        })?;
        let mut xml = Xml::fragment();
        write_page(
            &mut xml,
            "AttachedPolicies",
            attached,
            params,
            |xml, (name, arn)| {
                xml.text("PolicyName", name).text("PolicyArn", arn);
            },
        )?;
        Ok(xml.finish())
    }
}

fn no_such_policy(arn: &str) -> ApiError {
    ApiError::with_status(
        StatusCode::NOT_FOUND,
        "NoSuchEntity",
        format!("Policy {arn} does not exist or is not attachable."),
    )
}
