//! Calls that tell what the credentials may do and make nothing: EC2 by `DryRun`, the others with
//! contents that cannot be accepted.

use aws_sdk_ec2::types::{
    IamInstanceProfileSpecification, InstanceType, ResourceType, Tag, TagSpecification,
};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use deployer_core::blueprint::BaseImage;
use deployer_core::doctor::{Basis, Needs, Outcome, Probe};
use deployer_core::inventory::Subnet;
use deployer_core::names::{Scope, TAG_DEPLOYMENT, TAG_RESOURCE};

use crate::account::Account;
use crate::error::{AwsError, During, Meaning};
use crate::read;

/// What a thing would be named that is never made.
const NAME: &str = "doctor";

pub(super) async fn all(
    account: &Account,
    scope: &Scope,
    needs: &Needs,
    vpc: &str,
    subnet: Option<&Subnet>,
) -> Vec<Probe> {
    let name = format!("{}-{NAME}", scope.prefix());
    let mut probes = Vec::new();
    if let Some(subnet) = subnet {
        let answer = run_instances(account, scope, needs, subnet).await;
        probes.push(in_a_foreign_group(proof("RunInstances", answer)));
    }
    let answer = create_security_group(account, scope, &name, vpc).await;
    probes.push(proof("CreateSecurityGroup", answer));
    if needs.roles > 0 {
        let answer = create_role(account, scope, &name).await;
        probes.push(hint("CreateRole", &["MalformedPolicyDocument"], answer));
    }
    if let Some(class) = needs.classes.keys().next() {
        let answer = create_database(account, &name, class).await;
        let refusals = [
            "InvalidParameterValue",
            "InvalidParameterCombination",
            "MissingParameter",
        ];
        probes.push(hint("CreateDBInstance", &refusals, answer));
    }
    let answer = create_bucket(account, &name).await;
    let refusals = [
        "InvalidLocationConstraint",
        "IllegalLocationConstraintException",
    ];
    probes.push(hint("CreateBucket", &refusals, answer));
    probes
}

/// EC2 says itself whether a call would be allowed.
fn proof(call: &'static str, answer: Result<(), AwsError>) -> Probe {
    let outcome = outcome(&["DryRunOperation"], answer);
    let basis = Basis::Proof;
    Probe {
        call,
        basis,
        outcome,
    }
}

/// Before anything is made the one group to launch into is the VPC's own, which a policy that is tied
/// to the deployment's tag rightly denies.
fn in_a_foreign_group(probe: Probe) -> Probe {
    match probe.outcome {
        Outcome::Denied(code) => Probe {
            basis: Basis::Hint,
            outcome: Outcome::Unclear(format!(
                "{code} in the VPC's default group, as with docs/deploy-policy.json it should be"
            )),
            ..probe
        },
        _ => probe,
    }
}

/// Refused for its contents, a call was most likely allowed.
fn hint(call: &'static str, refusals: &[&str], answer: Result<(), AwsError>) -> Probe {
    let outcome = outcome(refusals, answer);
    let basis = Basis::Hint;
    Probe {
        call,
        basis,
        outcome,
    }
}

fn outcome(refusals: &[&str], answer: Result<(), AwsError>) -> Outcome {
    let Err(error) = answer else {
        return Outcome::Allowed;
    };
    match error.code() {
        Some(code) if refusals.contains(&code) => Outcome::Allowed,
        Some(code) if error.meaning() == Meaning::NotAllowed => Outcome::Denied(code.to_owned()),
        _ => Outcome::Unclear(super::why(&error)),
    }
}

async fn run_instances(
    account: &Account,
    scope: &Scope,
    needs: &Needs,
    subnet: &Subnet,
) -> Result<(), AwsError> {
    let image = read::newest(account, BaseImage::AmazonLinux2023).await?;
    let machine = needs.types().into_iter().next().unwrap_or("t3.micro");
    // A profile that is passed needs a permission of its own.
    let profile = needs.profiles.first();
    let profile = profile.map(|name| {
        IamInstanceProfileSpecification::builder()
            .name(name)
            .build()
    });
    let answer = account
        .ec2
        .run_instances()
        .dry_run(true)
        .min_count(1)
        .max_count(1)
        .image_id(image.id)
        .instance_type(InstanceType::from(machine))
        .subnet_id(&subnet.id)
        .set_iam_instance_profile(profile)
        .tag_specifications(tags(scope, ResourceType::Instance))
        .tag_specifications(tags(scope, ResourceType::Volume))
        .tag_specifications(tags(scope, ResourceType::NetworkInterface))
        .send()
        .await;
    answer.during("RunInstances").map(drop)
}

async fn create_security_group(
    account: &Account,
    scope: &Scope,
    name: &str,
    vpc: &str,
) -> Result<(), AwsError> {
    let answer = account
        .ec2
        .create_security_group()
        .dry_run(true)
        .group_name(name)
        .description("never made")
        .vpc_id(vpc)
        .tag_specifications(tags(scope, ResourceType::SecurityGroup))
        .send()
        .await;
    answer.during("CreateSecurityGroup").map(drop)
}

fn tags(scope: &Scope, kind: ResourceType) -> TagSpecification {
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    TagSpecification::builder()
        .resource_type(kind)
        .tags(tag(TAG_DEPLOYMENT, scope.deployment.as_str()))
        .tags(tag(TAG_RESOURCE, &format!("instance/{NAME}")))
        .build()
}

/// With a trust policy that trusts nobody.
async fn create_role(account: &Account, scope: &Scope, name: &str) -> Result<(), AwsError> {
    let answer = account
        .iam
        .create_role()
        .role_name(name)
        .path(scope.iam_path())
        .assume_role_policy_document("{}")
        .send()
        .await;
    answer.during("CreateRole").map(drop)
}

/// With less storage than there is, and neither user nor password.
async fn create_database(account: &Account, name: &str, class: &str) -> Result<(), AwsError> {
    let answer = account
        .rds
        .create_db_instance()
        .db_instance_identifier(name)
        .engine("postgres")
        .db_instance_class(class)
        .storage_type("gp2")
        .allocated_storage(1)
        .send()
        .await;
    answer.during("CreateDBInstance").map(drop)
}

/// In a region that there is not.
async fn create_bucket(account: &Account, name: &str) -> Result<(), AwsError> {
    let nowhere = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::from("nowhere-1"))
        .build();
    let answer = account
        .s3
        .create_bucket()
        .bucket(name)
        .create_bucket_configuration(nowhere)
        .send()
        .await;
    answer.during("CreateBucket").map(drop)
}
