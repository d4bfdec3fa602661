//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html>

use super::{Call, Entity, Row, on_everything, tags};
use crate::access::decision::Check;
use crate::access::keys::Keys;

pub(super) const ROWS: &[(&str, Row)] = &[
    ("CreateRole", |call| {
        create(call, "role", "RoleName", "iam:TagRole")
    }),
    ("GetRole", on_role),
    ("ListRoles", on_everything),
    ("DeleteRole", on_role),
    ("UpdateAssumeRolePolicy", on_role),
    ("PutRolePolicy", on_role),
    ("GetRolePolicy", on_role),
    ("ListRolePolicies", on_role),
    ("DeleteRolePolicy", on_role),
    ("ListAttachedRolePolicies", on_role),
    ("AttachRolePolicy", on_role_with_policy),
    ("DetachRolePolicy", on_role_with_policy),
    ("CreatePolicy", |call| {
        create(call, "policy", "PolicyName", "iam:TagPolicy")
    }),
    ("DeletePolicy", |call| {
        let arn = call.params.get("PolicyArn").unwrap_or("*");
        vec![call.on(arn, Keys::default())]
    }),
    ("TagRole", on_role),
    ("UntagRole", on_role),
    ("ListRoleTags", on_role),
    ("CreateInstanceProfile", |call| {
        create(
            call,
            "instance-profile",
            "InstanceProfileName",
            "iam:TagInstanceProfile",
        )
    }),
    ("GetInstanceProfile", on_profile),
    ("ListInstanceProfiles", |call| {
        let prefix = call.params.get("PathPrefix").unwrap_or("/");
        vec![call.on(arn(call, "instance-profile", prefix, "*"), Keys::default())]
    }),
    ("ListInstanceProfilesForRole", on_role),
    ("AddRoleToInstanceProfile", |call| {
        let instances = format!("arn:aws:ec2:*:{}:instance/*", call.caller.account);
        let mut checks = on_profile(call);
        checks.push(call.pass_role(&role(call), instances));
        checks
    }),
    ("RemoveRoleFromInstanceProfile", on_profile),
    ("DeleteInstanceProfile", on_profile),
    ("TagInstanceProfile", on_profile),
    ("UntagInstanceProfile", on_profile),
    ("ListInstanceProfileTags", on_profile),
];

fn on_role(call: &Call<'_>) -> Vec<Check> {
    on(call, role(call))
}

fn on_role_with_policy(call: &Call<'_>) -> Vec<Check> {
    let Entity { arn, keys } = role(call);
    vec![call.on(
        arn,
        keys.with_some("iam:PolicyARN", call.params.get("PolicyArn")),
    )]
}

fn on_profile(call: &Call<'_>) -> Vec<Check> {
    let name = call.params.get("InstanceProfileName").unwrap_or("*");
    let found = call.resources.profile(name);
    let profile = found.unwrap_or_else(|| unknown(call, "instance-profile", name));
    on(call, profile)
}

fn role(call: &Call<'_>) -> Entity {
    let name = call.params.get("RoleName").unwrap_or("*");
    let found = call.resources.role(name);
    found.unwrap_or_else(|| unknown(call, "role", name))
}

fn on(call: &Call<'_>, entity: Entity) -> Vec<Check> {
    let removed = call.params.list("TagKeys");
    let mut keys = entity.keys.with_requested_tags(&tags(call.params, "Tags"));
    if !removed.is_empty() {
        keys = keys.with_all("aws:TagKeys", removed);
    }
    vec![call.on(entity.arn, keys)]
}

fn create(call: &Call<'_>, kind: &str, parameter: &str, tagging: &str) -> Vec<Check> {
    let name = call.params.get(parameter).unwrap_or("*");
    let path = call.params.get("Path").unwrap_or("/");
    let arn = arn(call, kind, path, name);
    let tags = tags(call.params, "Tags");
    let keys = Keys::default().with_requested_tags(&tags);
    let mut checks = vec![call.on(arn.as_str(), keys.clone())];
    if !tags.is_empty() {
        checks.push(call.also(tagging, arn, keys));
    }
    checks
}

/// What does not exist has the ARN that it would have without a path.
fn unknown(call: &Call<'_>, kind: &str, name: &str) -> Entity {
    Entity {
        arn: arn(call, kind, "/", name),
        keys: Keys::default(),
    }
}

fn arn(call: &Call<'_>, kind: &str, path: &str, name: &str) -> String {
    format!("arn:aws:iam::{}:{kind}{path}{name}", call.caller.account)
}
