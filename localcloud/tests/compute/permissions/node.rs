//! A node's credentials, in the hands of somebody who should not have them.

use aws_sdk_cloudwatch::types::MetricDatum;
use aws_sdk_ec2::types::{InstanceType, IpPermission, Tag};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::stage::{BUCKET, NAMESPACE, Stage, put, seen};
use crate::support::{Clients, code};

#[tokio::test]
async fn a_node_may_do_its_work() {
    let mut stage = Stage::new().await;
    let node = stage.cloud.as_role("node").await;
    for key in ["settings/pool/cache.json", "secrets/pool/cache.json"] {
        let got = node.s3.get_object().bucket(BUCKET).key(key).send().await;
        got.unwrap();
        let head = node.s3.head_object().bucket(BUCKET).key(key).send().await;
        head.unwrap();
    }
    put_metric(&node, NAMESPACE).await.unwrap();
    let identity = node.sts.get_caller_identity().send().await.unwrap();
    assert!(
        identity
            .arn()
            .unwrap()
            .ends_with("assumed-role/node/i-0123456789abcdef0")
    );
    stage.cloud.stop().await;
}

#[tokio::test]
async fn a_node_may_do_nothing_else() {
    let mut stage = Stage::new().await;
    let node = stage.cloud.as_role("node").await;
    let before = seen(&stage.cloud.clients).await;
    let refused = [
        ec2(&node, &stage).await,
        iam(&node).await,
        rds(&node).await,
        cloudwatch(&node).await,
        s3(&node).await,
    ]
    .concat();
    assert!(refused.len() > 45, "{}", refused.len());
    for (what, expected, got) in &refused {
        assert_eq!(got, expected, "{what}");
    }
    assert_eq!(seen(&stage.cloud.clients).await, before, "nothing changed");
    stage.cloud.stop().await;
}

/// What was tried, the code it must be refused with, the code it was refused with.
type Tried = Vec<(&'static str, &'static str, String)>;

macro_rules! tried {
    ($expected:literal: $($call:expr),+ $(,)?) => {
        vec![$((stringify!($call), $expected, code($call.send().await))),+]
    };
}

async fn ec2(node: &Clients, stage: &Stage) -> Tried {
    let Clients { ec2, .. } = node;
    let (image, group, manager) = (&stage.image, &stage.group, &stage.manager);
    let run = || {
        ec2.run_instances()
            .image_id(image)
            .instance_type(InstanceType::T3Micro)
            .min_count(1)
            .max_count(1)
    };
    let tag = Tag::builder().key("bivouac:deployment").value("y").build();
    let open = IpPermission::builder().ip_protocol("-1").build();
    tried!("UnauthorizedOperation":
        ec2.describe_instances(),
        ec2.describe_images(),
        ec2.describe_volumes(),
        ec2.describe_security_groups(),
        ec2.describe_regions(),
        run(),
        run().dry_run(true),
        ec2.terminate_instances().instance_ids(manager),
        ec2.stop_instances().instance_ids(manager),
        ec2.start_instances().instance_ids(manager),
        ec2.reboot_instances().instance_ids(manager),
        ec2.terminate_instances().instance_ids("i-0123456789abcdef0"),
        ec2.get_console_output().instance_id(manager),
        ec2.modify_instance_attribute().instance_id(manager).groups(group),
        ec2.create_tags().resources(manager).tags(tag.clone()),
        ec2.delete_tags().resources(manager).tags(tag.clone()),
        ec2.create_security_group().group_name("mine").description("d"),
        ec2.authorize_security_group_ingress().group_id(group).ip_permissions(open),
        ec2.delete_security_group().group_name("nodes"),
        ec2.create_image().instance_id(manager).name("stolen"),
        ec2.deregister_image().image_id(image),
    )
}

async fn iam(node: &Clients) -> Tried {
    let Clients { iam, sts, .. } = node;
    let all =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    tried!("AccessDenied":
        iam.get_role().role_name("node"),
        iam.get_role().role_name("no-such-role"),
        iam.list_roles(),
        iam.get_role_policy().role_name("node").policy_name("allow"),
        iam.put_role_policy().role_name("node").policy_name("allow").policy_document(all),
        iam.delete_role_policy().role_name("manager").policy_name("allow"),
        iam.create_role().role_name("mine").assume_role_policy_document(all),
        iam.delete_role().role_name("manager"),
        iam.add_role_to_instance_profile().instance_profile_name("node").role_name("manager"),
        iam.remove_role_from_instance_profile().instance_profile_name("node").role_name("node"),
        sts.decode_authorization_message().encoded_message("e30"),
    )
}

async fn rds(node: &Clients) -> Tried {
    let Clients { rds, .. } = node;
    tried!("AccessDenied":
        rds.describe_db_instances(),
        rds.describe_db_instances().db_instance_identifier("catalog"),
        rds.delete_db_instance().db_instance_identifier("catalog").skip_final_snapshot(true),
        rds.modify_db_instance().db_instance_identifier("catalog").master_user_password("mine-now"),
        rds.create_db_instance().db_instance_identifier("mine").db_instance_class("db.t4g.micro").engine("postgres"),
    )
}

async fn cloudwatch(node: &Clients) -> Tried {
    let Clients { cloudwatch, .. } = node;
    let mut tried = tried!("AccessDenied":
        cloudwatch.list_metrics(),
        cloudwatch.list_metrics().namespace(NAMESPACE),
    );
    let other = code(put_metric(node, "Bivouac/other").await);
    tried.push((
        "put_metric_data in another namespace",
        "AccessDenied",
        other,
    ));
    tried
}

async fn put_metric(
    node: &Clients,
    namespace: &str,
) -> Result<
    aws_sdk_cloudwatch::operation::put_metric_data::PutMetricDataOutput,
    aws_sdk_cloudwatch::error::SdkError<
        aws_sdk_cloudwatch::operation::put_metric_data::PutMetricDataError,
    >,
> {
    let datum = MetricDatum::builder()
        .metric_name("Hits")
        .value(1.0)
        .build();
    let put = node.cloudwatch.put_metric_data().namespace(namespace);
    put.metric_data(datum).send().await
}

async fn s3(node: &Clients) -> Tried {
    let Clients { s3, .. } = node;
    let get = |key| s3.get_object().bucket(BUCKET).key(key);
    let mut tried = tried!("AccessDenied":
        s3.list_buckets(),
        s3.list_objects_v2().bucket(BUCKET),
        s3.list_objects_v2().bucket(BUCKET).prefix("settings/pool/"),
        s3.list_object_versions().bucket(BUCKET),
        get("settings/instance/manager.json"),
        get("secrets/instance/manager.json"),
        get("photos/1"),
        // What it may read, were it there: that it is not is for those who may list.
        get("settings/pool/missing.json"),
        s3.delete_object().bucket(BUCKET).key("settings/pool/cache.json"),
        s3.get_object_tagging().bucket(BUCKET).key("settings/pool/cache.json"),
        s3.copy_object().bucket(BUCKET).key("photos/2").copy_source(format!("{BUCKET}/settings/pool/cache.json")),
        s3.create_multipart_upload().bucket(BUCKET).key("photos/2"),
        s3.create_bucket().bucket("bivouac-mine"),
        s3.delete_bucket().bucket(BUCKET),
        s3.get_bucket_tagging().bucket(BUCKET),
        s3.get_bucket_location().bucket(BUCKET),
    );
    for key in ["settings/pool/cache.json", "photos/2"] {
        tried.push(("put_object", "AccessDenied", code(put(s3, key).await)));
    }
    // The answer to HEAD has no body, so it has no code either.
    for key in ["photos/1", "settings/pool/missing.json"] {
        let head = s3.head_object().bucket(BUCKET).key(key).send().await;
        let status = head.unwrap_err().raw_response().unwrap().status().as_u16();
        tried.push(("head_object", "403", status.to_string()));
    }
    tried.push(("delete_objects", "AccessDenied", delete_many(s3).await));
    tried
}

/// `DeleteObjects` answers for each key.
async fn delete_many(s3: &aws_sdk_s3::Client) -> String {
    let key = ObjectIdentifier::builder().key("photos/1").build().unwrap();
    let keys = Delete::builder().objects(key).build().unwrap();
    let answer = s3.delete_objects().bucket(BUCKET).delete(keys).send().await;
    let answer = answer.unwrap();
    assert!(answer.deleted().is_empty(), "{answer:?}");
    answer.errors()[0].code().unwrap().to_owned()
}

#[tokio::test]
async fn a_refusal_says_who_may_not_do_what() {
    let mut stage = Stage::new().await;
    let node = stage.cloud.as_role("node").await;
    let error = node
        .ec2
        .terminate_instances()
        .instance_ids(&stage.manager)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let account = stage.cloud.running().account();
    let message = error.message().unwrap();
    let expected = format!(
        "You are not authorized to perform this operation. User: \
         arn:aws:sts::{account}:assumed-role/node/i-0123456789abcdef0 is not authorized to perform: \
         ec2:TerminateInstances on resource: arn:aws:ec2:us-east-1:{account}:instance/{} because no \
         identity-based policy allows the ec2:TerminateInstances action. Encoded authorization \
         failure message: ",
        stage.manager
    );
    let encoded = message.strip_prefix(&expected).expect(message);
    let decoded = stage
        .cloud
        .clients
        .sts
        .decode_authorization_message()
        .encoded_message(encoded)
        .send()
        .await
        .unwrap();
    let decoded: serde_json::Value =
        serde_json::from_str(decoded.decoded_message().unwrap()).unwrap();
    assert_eq!(decoded["context"]["action"], "ec2:TerminateInstances");
    assert_eq!(decoded["explicitDeny"], false);
    stage.cloud.stop().await;
}
