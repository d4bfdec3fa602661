//! The table, asked about anything.

use proptest::prelude::{Strategy, any, proptest};
use proptest::{collection, prop_assert};

use crate::access::Keys;
use crate::access::table::{self, Call, Entity, Resources, S3Call};
use crate::auth::{Caller, Principal};
use crate::wire::Params;

/// An account in which there is nothing.
struct Nothing;

impl Resources for Nothing {
    fn ec2(&self, _: &str, _: &str) -> Keys {
        Keys::default()
    }
    fn group_named(&self, _: &str, _: &str) -> Option<String> {
        None
    }
    fn key_pair_name(&self, _: &str, _: &str) -> Option<String> {
        None
    }
    fn default_group(&self, _: &str) -> String {
        "sg-1".to_owned()
    }
    fn default_subnet(&self, _: &str, _: Option<&str>) -> String {
        "subnet-1".to_owned()
    }
    fn default_vpc(&self, _: &str) -> String {
        "vpc-1".to_owned()
    }
    fn snapshots_of(&self, _: &str, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn role(&self, _: &str) -> Option<Entity> {
        None
    }
    fn profile(&self, _: &str) -> Option<Entity> {
        None
    }
    fn role_in_profile(&self, _: &str) -> Option<Entity> {
        None
    }
    fn database(&self, _: &str, _: &str) -> Keys {
        Keys::default()
    }
}

/// Parameters by the names that rows read, with any values, and none at all.
fn form() -> impl Strategy<Value = String> {
    let name = proptest::sample::select(
        &[
            "InstanceId.1",
            "InstanceId",
            "ResourceId.1",
            "ImageId",
            "GroupId",
            "GroupName",
            "SecurityGroup.1",
            "NetworkInterface.1.SecurityGroupId.1",
            "TagSpecification.1.ResourceType",
            "TagSpecification.1.Tag.1.Key",
            "Tag.1.Key",
            "Tags.member.1.Key",
            "TagKeys.member.1",
            "RoleName",
            "InstanceProfileName",
            "PathPrefix",
            "DBInstanceIdentifier",
            "ResourceName",
        ][..],
    );
    let value = proptest::prop_oneof![any::<String>(), "[a-z:/*?-]{0,12}"];
    collection::btree_map(name, value, 0..6).prop_map(|form| {
        let mut written = form_urlencoded::Serializer::new(String::new());
        written.extend_pairs(form).finish()
    })
}

fn services() -> impl Iterator<Item = (&'static str, &'static str, table::Row)> {
    let services = ["ec2", "iam", "logs", "rds", "servicequotas", "sts"].into_iter();
    services.flat_map(|service| {
        let rows = table::rows(service).unwrap_or_default().iter();
        rows.map(move |(action, row)| (service, *action, *row))
    })
}

proptest! {
    /// Whatever is asked, something is checked: no call slips through for what it leaves out.
    #[test]
    fn each_call_is_checked_for_its_own_action_at_least(form in form()) {
        // A name that is a value and a structure at once is refused before any row sees it.
        let Ok(params) = Params::parse(form.as_bytes()) else {
            return Ok(());
        };
        for (service, action, row) in services() {
            let caller = Caller::new("1", Principal::Root, "r".into(), service.into());
            let checks = row(&Call { caller: &caller, action, params: &params, resources: &Nothing });
            let own = format!("{service}:{action}");
            prop_assert!(
                checks.iter().any(|check| check.action == own) || action == "GetCallerIdentity",
                "{own} {form}"
            );
        }
    }
}

/// Of S3, only a deletion of many objects is checked later, for each of its keys.
#[test]
fn each_operation_of_s3_is_checked() {
    for operation in [
        "ListBuckets",
        "CreateBucket",
        "HeadBucket",
        "DeleteBucket",
        "ListObjects",
        "ListObjectsV2",
        "GetObject",
        "HeadObject",
        "PutObject",
        "CopyObject",
        "UploadPartCopy",
        "DeleteObject",
        "DeleteObjects",
        "PutBucketPolicy",
    ] {
        let checks = table::objects(&S3Call {
            operation,
            bucket: "b",
            key: "",
            query: &[],
            copied: None,
            object_tags: &[],
            bucket_tags: &[],
        });
        let count = checks.map(|checks| checks.len());
        let expected = match operation {
            "DeleteObjects" => Some(0),
            "CopyObject" | "UploadPartCopy" => Some(2),
            "PutBucketPolicy" => None,
            _ => Some(1),
        };
        assert_eq!(count, expected, "{operation}");
    }
}
