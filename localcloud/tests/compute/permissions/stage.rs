//! A deployment as the roles that ship find it.

use std::path::Path;

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
use aws_sdk_s3::primitives::ByteStream;

use crate::roles::role_with_profile;
use crate::support::{Clients, Cloud, REGION};

pub(super) const DEPLOYMENT: &str = "x";
pub(super) const BUCKET: &str = "bivouac-x-photos";
pub(super) const NAMESPACE: &str = "Bivouac/x-1a2b3c4d";

/// A localcloud with a bucket, two roles with the policies that ship, an image, a group and an
/// instance of the deployment `x`.
pub(super) struct Stage {
    pub(super) cloud: Cloud,
    pub(super) image: String,
    pub(super) group: String,
    pub(super) manager: String,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let cloud = Cloud::paper().await;
        for role in ["node", "manager"] {
            role_with_profile(cloud.iam(), role).await;
        }
        for role in ["node", "manager"] {
            let policy = shipped(&cloud, &format!("{role}.json.hbs"));
            put_policy(&cloud, role, "allow", &policy).await;
        }
        fill_bucket(&cloud.clients.s3).await;
        let group = cloud
            .ec2()
            .create_security_group()
            .group_name("nodes")
            .description("of the nodes")
            .tag_specifications(tags(ResourceType::SecurityGroup, DEPLOYMENT, "group"))
            .send()
            .await
            .unwrap();
        let manager = launch_manager(&cloud).await;
        let image = cloud.image_of(&manager, "node").await;
        let tagged = tags(ResourceType::Image, DEPLOYMENT, "image/node").tags;
        cloud
            .ec2()
            .create_tags()
            .resources(&image)
            .set_tags(tagged)
            .send()
            .await
            .unwrap();
        Self {
            image,
            group: group.group_id.unwrap(),
            manager,
            cloud,
        }
    }
}

/// A policy out of `ami/policies`, filled in as the deployer does.
fn shipped(cloud: &Cloud, name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ami/policies");
    let account = cloud.running().account();
    let node = format!("arn:aws:iam::{account}:role/bivouac/x/us-east-1/node");
    [
        ("partition", "aws"),
        ("region", REGION),
        ("account", account),
        ("deployment", DEPLOYMENT),
        ("bucket", BUCKET),
        ("namespace", NAMESPACE),
        ("roles.node", &node),
        ("> reaping", ""),
    ]
    .iter()
    .fold(
        without_an_end(&std::fs::read_to_string(folder.join(name)).unwrap()),
        |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value),
    )
}

/// What a template says of a deployment that does not expire.
fn without_an_end(template: &str) -> String {
    let (begin, end) = ("{{#if expires-at}}", "{{/if}}");
    match (template.find(begin), template.find(end)) {
        (Some(from), Some(to)) => template[..from].to_owned() + &template[to + end.len()..],
        _ => template.to_owned(),
    }
}

pub(super) async fn put_policy(cloud: &Cloud, role: &str, name: &str, document: &str) {
    cloud
        .iam()
        .put_role_policy()
        .role_name(role)
        .policy_name(name)
        .policy_document(document)
        .send()
        .await
        .unwrap();
}

async fn fill_bucket(s3: &aws_sdk_s3::Client) {
    s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    for key in [
        "settings/pool/cache.json",
        "secrets/pool/cache.json",
        "settings/instance/manager.json",
        "secrets/instance/manager.json",
        "photos/1",
    ] {
        put(s3, key).await.unwrap();
    }
}

pub(super) async fn put(
    s3: &aws_sdk_s3::Client,
    key: &str,
) -> Result<(), aws_sdk_s3::error::SdkError<aws_sdk_s3::operation::put_object::PutObjectError>> {
    let content = ByteStream::from_static(b"{}");
    let put = s3.put_object().bucket(BUCKET).key(key).body(content);
    put.send().await.map(|_| ())
}

async fn launch_manager(cloud: &Cloud) -> String {
    let launched = cloud
        .ec2()
        .run_instances()
        .image_id(cloud.base_image().await)
        .instance_type(aws_sdk_ec2::types::InstanceType::T3Micro)
        .min_count(1)
        .max_count(1)
        .tag_specifications(tags(ResourceType::Instance, DEPLOYMENT, "instance/manager"))
        .send()
        .await
        .unwrap();
    let id = launched.instances()[0].instance_id().unwrap().to_owned();
    cloud
        .wait_for(&id, aws_sdk_ec2::types::InstanceStateName::Running)
        .await;
    id
}

pub(super) fn tags(kind: ResourceType, deployment: &str, resource: &str) -> TagSpecification {
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    TagSpecification::builder()
        .resource_type(kind)
        .tags(tag("bivouac:deployment", deployment))
        .tags(tag("bivouac:resource", resource))
        .build()
}

/// Everything that can be seen of the account: to show that nothing changed.
pub(super) async fn seen(clients: &Clients) -> String {
    let instances = clients.ec2.describe_instances().send().await.unwrap();
    let groups = clients.ec2.describe_security_groups().send().await.unwrap();
    let images = clients.ec2.describe_images().owners("self").send();
    let roles = clients.iam.list_roles().send().await.unwrap();
    let policies = clients.iam.get_role_policy().role_name("node");
    let policies = policies.policy_name("allow").send().await.unwrap();
    let objects = clients.s3.list_objects_v2().bucket(BUCKET).send().await;
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?}",
        instances.reservations,
        groups.security_groups,
        images.await.unwrap().images,
        roles.roles,
        policies.policy_document,
        objects.unwrap().contents,
    )
}
