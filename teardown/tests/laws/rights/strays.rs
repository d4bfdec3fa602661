//! What no blueprint makes and still carries a deployment's tag or name: the account's owner made it.

use deployer_aws::read;
use deployer_core::names::Scope;

use super::{as_owner, element, owner, tags, until};
use crate::place::Place;

pub(super) const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const READ_ALL: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;

/// One of every kind, and more on a role and a group than was made with them.
pub(super) async fn strays(place: &Place) {
    let scope = place.scope();
    let by_hand = format!("{}-by-hand", scope.prefix());
    in_ec2(place, &by_hand).await;
    beside_databases(place, &by_hand).await;
    watching(place, &by_hand).await;
    on_a_role(place).await;
    left_by_a_database(place, &scope).await;
}

async fn make_tagged(place: &Place, kind: &str, form: &[(&str, &str)]) {
    let tagged = tags(kind, "by/hand", 1);
    let tagged = tagged
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()));
    let form: Vec<_> = form.iter().copied().chain(tagged).collect();
    as_owner(place, "ec2", &form).await;
}

async fn in_ec2(place: &Place, by_hand: &str) {
    let (plan, site) = place.plan("cd34").await;
    let allocate = [("Action", "AllocateAddress"), ("Domain", "vpc")];
    make_tagged(place, "elastic-ip", &allocate).await;
    let key = base64_simd::STANDARD.encode_to_string([7; 51]);
    let key = base64_simd::STANDARD.encode_to_string(format!("ssh-ed25519 {key} me"));
    let import = [
        ("Action", "ImportKeyPair"),
        ("KeyName", by_hand),
        ("PublicKeyMaterial", &key),
    ];
    make_tagged(place, "key-pair", &import).await;
    let template = [
        ("Action", "CreateLaunchTemplate"),
        ("LaunchTemplateName", by_hand),
        ("LaunchTemplateData.ImageId", "ami-12345678"),
    ];
    make_tagged(place, "launch-template", &template).await;
    let interface = [
        ("Action", "CreateNetworkInterface"),
        ("SubnetId", &site.ground.subnets[0].id),
    ];
    make_tagged(place, "network-interface", &interface).await;
    let mut groups = plan.known.security_groups.values();
    let (one, other) = (groups.next().unwrap(), groups.next().unwrap());
    let open = [
        ("Action", "AuthorizeSecurityGroupEgress"),
        ("GroupId", one),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "80"),
        ("IpPermissions.1.ToPort", "80"),
        ("IpPermissions.1.Groups.1.GroupId", other),
    ];
    as_owner(place, "ec2", &open).await;
}

async fn beside_databases(place: &Place, by_hand: &str) {
    let (_, site) = place.plan("cd34").await;
    let subnets = [
        ("Action", "CreateDBSubnetGroup"),
        ("DBSubnetGroupName", by_hand),
        ("DBSubnetGroupDescription", "by hand"),
        ("SubnetIds.SubnetIdentifier.1", &site.ground.subnets[0].id),
    ];
    as_owner(place, "rds", &subnets).await;
    let parameters = [
        ("Action", "CreateDBParameterGroup"),
        ("DBParameterGroupName", by_hand),
        ("DBParameterGroupFamily", "postgres17"),
        ("Description", "by hand"),
    ];
    as_owner(place, "rds", &parameters).await;
}

async fn watching(place: &Place, by_hand: &str) {
    let alarm = [
        ("Action", "PutMetricAlarm"),
        ("AlarmName", by_hand),
        ("Namespace", "N"),
        ("MetricName", "M"),
        ("Statistic", "Sum"),
        ("ComparisonOperator", "GreaterThanThreshold"),
        ("Threshold", "1"),
        ("Period", "60"),
        ("EvaluationPeriods", "1"),
    ];
    as_owner(place, "monitoring", &alarm).await;
    let dashboard = [
        ("Action", "PutDashboard"),
        ("DashboardName", by_hand),
        ("DashboardBody", r#"{"widgets":[]}"#),
    ];
    as_owner(place, "monitoring", &dashboard).await;
    let group = format!("/aws/rds/instance/{by_hand}/postgresql");
    for name in [by_hand, &group] {
        let body = serde_json::json!({ "logGroupName": name }).to_string();
        let cloud = place.paper.cloud.cloud();
        let made = cloud
            .logs
            .call(&owner(place, "logs"), "CreateLogGroup", &body.into());
        made.unwrap();
    }
}

/// A managed policy that somebody attached.
async fn on_a_role(place: &Place) {
    let roles = read::inventory(&place.account, &place.scope()).await;
    let role = &roles.unwrap().roles[0].name;
    let policy = [
        ("Action", "CreatePolicy"),
        ("PolicyName", "by-hand"),
        ("PolicyDocument", READ_ALL),
    ];
    let policy = element(&as_owner(place, "iam", &policy).await, "Arn");
    let attach = [
        ("Action", "AttachRolePolicy"),
        ("RoleName", role),
        ("PolicyArn", &policy),
    ];
    as_owner(place, "iam", &attach).await;
}

/// A last snapshot and automated backups of a database that is gone.
async fn left_by_a_database(place: &Place, scope: &Scope) {
    let id = format!("{}-old", scope.prefix());
    let create = [
        ("Action", "CreateDBInstance"),
        ("DBInstanceIdentifier", id.as_str()),
        ("DBInstanceClass", "db.t4g.micro"),
        ("Engine", "postgres"),
        ("MasterUsername", "keeper"),
        ("MasterUserPassword", "not-a-secret"),
        ("AllocatedStorage", "20"),
        ("BackupRetentionPeriod", "1"),
    ];
    as_owner(place, "rds", &create).await;
    let state = async || {
        let found = read::inventory(&place.account, scope).await.unwrap();
        let mut old = found.databases.into_iter().filter(|found| found.id == id);
        old.next().map(|found| found.state)
    };
    until("the old database", async || {
        state().await.as_deref() == Some("available")
    })
    .await;
    let last = format!("{id}-last");
    let delete = [
        ("Action", "DeleteDBInstance"),
        ("DBInstanceIdentifier", id.as_str()),
        ("FinalDBSnapshotIdentifier", &last),
        ("DeleteAutomatedBackups", "false"),
    ];
    as_owner(place, "rds", &delete).await;
    until("its end", async || state().await.is_none()).await;
}
