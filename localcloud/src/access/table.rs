//! What each call checks, from the Service Authorization Reference: which actions, on which
//! resources, with which condition keys. An action that has no row here does not exist for anybody:
//! so none can be added that is not checked.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>

mod cloudwatch;
mod ec2;
mod iam;
mod logs;
mod rds;
mod s3;
mod service_quotas;
mod sts;

pub use cloudwatch::metrics;
pub use s3::{S3Call, delete_one, list, objects};

use super::decision::Check;
use super::keys::Keys;
use crate::auth::Caller;
use crate::wire::Params;

/// A role or an instance profile as policies see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entity {
    /// Its ARN, which has its path in it.
    pub arn: String,
    /// Its tags, as keys.
    pub keys: Keys,
}

/// What rows have to look up. Of what is not there nothing is known, so that only policies that ask
/// for nothing allow it.
pub trait Resources: Send + Sync {
    /// Tags and attributes of an instance, a volume, a group…, as condition keys.
    fn ec2(&self, region: &str, id: &str) -> Keys;
    /// Id of the security group with that name.
    fn group_named(&self, region: &str, name: &str) -> Option<String>;
    /// Name of the key pair with that id.
    fn key_pair_name(&self, region: &str, id: &str) -> Option<String>;
    /// Id of the security group that instances get that name none.
    fn default_group(&self, region: &str) -> String;
    /// Id of the default subnet of a zone, of the first without one.
    fn default_subnet(&self, region: &str, zone: Option<&str>) -> String;
    /// Id of the VPC that groups are made in that name none.
    fn default_vpc(&self, region: &str) -> String;
    /// Ids of the snapshots of an image.
    fn snapshots_of(&self, region: &str, image: &str) -> Vec<String>;
    /// The role of that name.
    fn role(&self, name: &str) -> Option<Entity>;
    /// The instance profile of that name.
    fn profile(&self, name: &str) -> Option<Entity>;
    /// The role in the instance profile of that name or ARN.
    fn role_in_profile(&self, name_or_arn: &str) -> Option<Entity>;
    /// Tags and attributes of a database, as condition keys.
    fn database(&self, region: &str, identifier: &str) -> Keys;
}

/// A call in the Query protocol.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Who calls.
    pub caller: &'a Caller,
    /// The action.
    pub action: &'a str,
    /// Its parameters.
    pub params: &'a Params,
    /// What is known about what they name.
    pub resources: &'a dyn Resources,
}

/// What a call of one action checks.
pub type Row = fn(&Call<'_>) -> Vec<Check>;

/// The row of an action, if there is such an action.
pub fn row(service: &str, action: &str) -> Option<Row> {
    let rows = rows(service)?;
    let (_, row) = rows.iter().find(|(name, _)| *name == action)?;
    Some(*row)
}

/// All actions of a service, if it is one that is told apart by action: not S3, nor CloudWatch.
pub fn rows(service: &str) -> Option<&'static [(&'static str, Row)]> {
    match service {
        "ec2" => Some(ec2::ROWS),
        "iam" => Some(iam::ROWS),
        "logs" => Some(logs::ROWS),
        "rds" => Some(rds::ROWS),
        "servicequotas" => Some(service_quotas::ROWS),
        "sts" => Some(sts::ROWS),
        _ => None,
    }
}

impl Call<'_> {
    /// This action on one resource.
    fn on(&self, resource: impl Into<String>, keys: Keys) -> Check {
        self.also(
            &format!("{}:{}", self.caller.service, self.action),
            resource,
            keys,
        )
    }

    /// Another action that goes with this one.
    fn also(&self, action: &str, resource: impl Into<String>, keys: Keys) -> Check {
        Check {
            action: action.to_owned(),
            resource: resource.into(),
            keys,
        }
    }

    /// Whether the caller may give a role to instances.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html>
    fn pass_role(&self, role: &Entity, instances: String) -> Check {
        let keys = role
            .keys
            .clone()
            .with("iam:PassedToService", "ec2.amazonaws.com")
            .with("iam:AssociatedResourceArn", instances);
        self.also("iam:PassRole", role.arn.as_str(), keys)
    }
}

/// The action called, which acts on nothing that can be named.
fn on_everything(call: &Call<'_>) -> Vec<Check> {
    vec![call.on("*", Keys::default())]
}

/// `Tags.member.N.Key`, `Tags.Tag.N.Key` or `Tag.N.Key` with their values.
fn tags(params: &Params, list: &str) -> Vec<(String, String)> {
    let tag = |tag: &Params| {
        let value = tag.get("Value").unwrap_or_default();
        Some((tag.get("Key")?.to_owned(), value.to_owned()))
    };
    params.structures(list).iter().filter_map(tag).collect()
}
