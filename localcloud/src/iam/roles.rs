//! Roles and their inline policies.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::model::{Account, Role, new_id};
use super::{
    Iam, already_exists, check_tag_count, delete_conflict, limit_exceeded, name, no_such_entity,
    path, required, tags, validation, write_page, write_tags,
};
use crate::access::{Document, Malformed, TrustPolicy, Written};
use crate::wire::{ApiError, Params, Xml};

/// Bytes of a trust policy, and of all inline policies of a role together.
const LARGEST_TRUST_POLICY: usize = 2048;
const LARGEST_POLICIES: usize = 10240;
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl Iam {
    pub(super) fn create_role(&self, params: &Params) -> Result<String, ApiError> {
        let name = role_name(params)?;
        let path = path(params)?;
        let role = Role {
            arn: format!("arn:aws:iam::{}:role{path}{name}", self.account()),
            name: name.to_owned(),
            id: new_id("AROA"),
            path,
            created_at: Timestamp::now(),
            description: params.get("Description").map(str::to_owned),
            trust_policy: trust_policy(params, "AssumeRolePolicyDocument")?,
            longest_session_seconds: longest_session(params)?,
            policies: Default::default(),
            attached: Default::default(),
            tags: tags(params)?,
        };
        self.state.change(|account| {
            if account
                .roles
                .keys()
                .any(|other| other.eq_ignore_ascii_case(name))
            {
                return Err(already_exists("Role", name));
            }
            account.roles.insert(name.to_owned(), role.clone());
            Ok(())
        })?;
        let mut xml = Xml::fragment();
        xml.element("Role", |xml| write_role(xml, &role, true));
        Ok(xml.finish())
    }

    pub(super) fn get_role(&self, params: &Params) -> Result<String, ApiError> {
        let role = self.role(params)?;
        let mut xml = Xml::fragment();
        xml.element("Role", |xml| write_role(xml, &role, true));
        Ok(xml.finish())
    }

    pub(super) fn list_roles(&self, params: &Params) -> Result<String, ApiError> {
        let prefix = params.get("PathPrefix").unwrap_or("/");
        let roles: Vec<Role> = self.state.read(|account| {
            let all = account.roles.values();
            all.filter(|role| role.path.starts_with(prefix))
                .cloned()
                .collect()
        });
        let mut xml = Xml::fragment();
        // Tags are not in this answer, on AWS either.
        write_page(&mut xml, "Roles", roles, params, |xml, role| {
            write_role(xml, &role, false);
        })?;
        Ok(xml.finish())
    }

    pub(super) fn delete_role(&self, params: &Params) -> Result<String, ApiError> {
        let name = role_name(params)?;
        let id = self.state.change(|account| {
            let role = found(account, name)?;
            if !role.policies.is_empty() || !role.attached.is_empty() {
                return Err(delete_conflict(
                    "Cannot delete entity, must delete policies first.",
                ));
            }
            let id = role.id.clone();
            let in_profile = |role: &Option<String>| role.as_deref() == Some(name);
            if account
                .profiles
                .values()
                .any(|profile| in_profile(&profile.role))
            {
                return Err(delete_conflict(
                    "Cannot delete entity, must remove roles from instance profile first.",
                ));
            }
            account.roles.remove(name);
            Ok(id)
        })?;
        self.context.credentials.revoke_role(&id);
        Ok(String::new())
    }

    pub(super) fn update_assume_role_policy(&self, params: &Params) -> Result<String, ApiError> {
        let document = trust_policy(params, "PolicyDocument")?;
        self.change_role(params, |role| {
            role.trust_policy = document;
            Ok(())
        })
    }

    pub(super) fn put_role_policy(&self, params: &Params) -> Result<String, ApiError> {
        let policy_name = name(params, "PolicyName", 128)?.to_owned();
        let document = document(required(params, "PolicyDocument")?)?;
        self.change_policies(params, |role| {
            role.policies.insert(policy_name, document);
            let weight: usize = role
                .policies
                .values()
                .map(|policy| weight(policy.text()))
                .sum();
            if weight > LARGEST_POLICIES {
                return Err(limit_exceeded(format!(
                    "Maximum policy size of {LARGEST_POLICIES} bytes exceeded for role {}",
                    role.name
                )));
            }
            Ok(())
        })
    }

    pub(super) fn get_role_policy(&self, params: &Params) -> Result<String, ApiError> {
        let role = self.role(params)?;
        let policy_name = name(params, "PolicyName", 128)?;
        let document = role
            .policies
            .get(policy_name)
            .ok_or_else(|| no_such_entity("role policy", policy_name))?;
        let mut xml = Xml::fragment();
        xml.text("RoleName", &role.name)
            .text("PolicyName", policy_name)
            .text("PolicyDocument", encoded(document.text()));
        Ok(xml.finish())
    }

    pub(super) fn list_role_policies(&self, params: &Params) -> Result<String, ApiError> {
        let names: Vec<String> = self.role(params)?.policies.into_keys().collect();
        let mut xml = Xml::fragment();
        // The names are plain members: letters, digits and +=,.@_- only.
        write_page(&mut xml, "PolicyNames", names, params, |xml, name| {
            xml.raw(&name);
        })?;
        Ok(xml.finish())
    }

    pub(super) fn delete_role_policy(&self, params: &Params) -> Result<String, ApiError> {
        let policy_name = name(params, "PolicyName", 128)?;
        self.change_policies(params, |role| {
            role.policies
                .remove(policy_name)
                .map(|_| ())
                .ok_or_else(|| no_such_entity("role policy", policy_name))
        })
    }

    pub(super) fn tag_role(&self, params: &Params) -> Result<String, ApiError> {
        let new = tags(params)?;
        self.change_role(params, |role| {
            role.tags.extend(new);
            check_tag_count(&role.tags)
        })
    }

    pub(super) fn untag_role(&self, params: &Params) -> Result<String, ApiError> {
        let keys = params.list("TagKeys");
        self.change_role(params, |role| {
            role.tags.retain(|key, _| !keys.contains(key));
            Ok(())
        })
    }

    pub(super) fn list_role_tags(&self, params: &Params) -> Result<String, ApiError> {
        let tags: Vec<(String, String)> = self.role(params)?.tags.into_iter().collect();
        let mut xml = Xml::fragment();
        write_page(&mut xml, "Tags", tags, params, |xml, (key, value)| {
            xml.text("Key", key).text("Value", value);
        })?;
        Ok(xml.finish())
    }

    fn role(&self, params: &Params) -> Result<Role, ApiError> {
        let name = role_name(params)?;
        self.state
            .read(|account| account.roles.get(name).cloned())
            .ok_or_else(|| no_such_entity("role", name))
    }

    fn change_role(
        &self,
        params: &Params,
        change: impl FnOnce(&mut Role) -> Result<(), ApiError>,
    ) -> Result<String, ApiError> {
        let name = role_name(params)?;
        self.state.change(|account| change(found(account, name)?))?;
        Ok(String::new())
    }

    /// The same for what a role may do, which takes its time to come into effect.
    fn change_policies(
        &self,
        params: &Params,
        change: impl FnOnce(&mut Role) -> Result<(), ApiError>,
    ) -> Result<String, ApiError> {
        let name = role_name(params)?;
        self.state.change(|account| {
            let role = account.roles.get(name);
            let role = role.ok_or_else(|| no_such_entity("role", name))?;
            self.postpone(role, &account.policies);
            change(found(account, name)?)
        })?;
        Ok(String::new())
    }
}

fn found<'a>(account: &'a mut Account, name: &str) -> Result<&'a mut Role, ApiError> {
    account
        .roles
        .get_mut(name)
        .ok_or_else(|| no_such_entity("role", name))
}

/// The role a request names.
pub(super) fn role_name(params: &Params) -> Result<&str, ApiError> {
    name(params, "RoleName", 64)
}

/// Reads a document of one kind.
pub(super) fn document<P>(text: &str) -> Result<Written<P>, ApiError>
where
    P: TryFrom<Document, Error = Malformed>,
{
    Written::try_from(text.to_owned())
        .map_err(|error| ApiError::new("MalformedPolicyDocument", error.to_string()))
}

/// Bytes that count against a policy's limit: white space does not.
fn weight(document: &str) -> usize {
    document
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .count()
}

/// A document as IAM answers it: URL-encoded.
fn encoded(document: &str) -> String {
    utf8_percent_encode(document, UNRESERVED).to_string()
}

fn trust_policy(params: &Params, parameter: &str) -> Result<Written<TrustPolicy>, ApiError> {
    let text = required(params, parameter)?;
    let document = document(text)?;
    if weight(text) > LARGEST_TRUST_POLICY {
        return Err(limit_exceeded(format!(
            "Cannot exceed quota for ACLSizePerRole: {LARGEST_TRUST_POLICY}"
        )));
    }
    Ok(document)
}

fn longest_session(params: &Params) -> Result<i64, ApiError> {
    match params.integer("MaxSessionDuration")? {
        None => Ok(3600),
        Some(seconds @ 3600..=43200) => Ok(seconds),
        Some(_) => Err(validation(
            "MaxSessionDuration must be between 3600 and 43200.",
        )),
    }
}

/// One role, as every call that shows roles has it.
pub(super) fn write_role(xml: &mut Xml, role: &Role, with_tags: bool) {
    xml.text("Path", &role.path)
        .text("RoleName", &role.name)
        .text("RoleId", &role.id)
        .text("Arn", &role.arn)
        .text("CreateDate", role.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"))
        .text(
            "AssumeRolePolicyDocument",
            encoded(role.trust_policy.text()),
        )
        .optional("Description", role.description.as_ref())
        .text("MaxSessionDuration", role.longest_session_seconds);
    if with_tags {
        write_tags(xml, &role.tags);
    }
}
