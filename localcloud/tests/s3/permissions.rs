//! What a role's policies allow of S3, object by object.

use aws_sdk_s3::types::{CreateBucketConfiguration, Delete, ObjectIdentifier};
use localcloud::Running;

use crate::support::{client, client_of, cloud, code, lasting, put, role, tag};

async fn bucket(running: &Running, keys: &[&str]) {
    let root = client(running);
    root.create_bucket().bucket("bucket").send().await.unwrap();
    for key in keys {
        put(&root, "bucket", key, "v").await;
    }
}

#[tokio::test]
async fn each_key_of_a_deletion_is_allowed_or_refused_for_itself() {
    let cloud = cloud().await;
    bucket(&cloud.running, &["mine/1", "mine/2", "yours/1"]).await;
    let role = role(
        &cloud.running,
        r#"{"Effect":"Allow","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::bucket/mine/*"}"#,
    );
    let s3 = client_of(&cloud.running, role);
    let keys = ["mine/1", "yours/1", "mine/2", "yours/none"];
    let keys = keys.map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let keys = Delete::builder()
        .set_objects(Some(keys.into()))
        .build()
        .unwrap();
    let answer = s3
        .delete_objects()
        .bucket("bucket")
        .delete(keys)
        .send()
        .await;
    let answer = answer.unwrap();
    let deleted: Vec<_> = answer
        .deleted()
        .iter()
        .filter_map(|one| one.key())
        .collect();
    assert_eq!(deleted, ["mine/1", "mine/2"]);
    let refused: Vec<_> = answer
        .errors()
        .iter()
        .map(|one| (one.key(), one.code()))
        .collect();
    assert_eq!(
        refused,
        [
            (Some("yours/1"), Some("AccessDenied")),
            (Some("yours/none"), Some("AccessDenied"))
        ]
    );
    let left = client(&cloud.running)
        .list_objects_v2()
        .bucket("bucket")
        .send()
        .await;
    assert_eq!(left.unwrap().contents()[0].key(), Some("yours/1"));
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn only_who_may_list_is_told_that_an_object_is_missing() {
    let cloud = cloud().await;
    bucket(&cloud.running, &["k"]).await;
    let read = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}"#;
    let list = r#"{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::bucket"}"#;
    for (statements, expected, status) in [
        (read.to_owned(), "AccessDenied", 403),
        (format!("{read},{list}"), "NoSuchKey", 404),
    ] {
        let role = role(&cloud.running, &statements);
        let s3 = client_of(&cloud.running, role);
        s3.head_object()
            .bucket("bucket")
            .key("k")
            .send()
            .await
            .unwrap();
        let get = s3.get_object().bucket("bucket").key("none").send().await;
        assert_eq!(code(get), expected);
        let head = s3.head_object().bucket("bucket").key("none").send().await;
        assert_eq!(
            head.unwrap_err().raw_response().unwrap().status().as_u16(),
            status
        );
        forget_role(&cloud.running);
    }
    cloud.running.shutdown().await;
}

fn forget_role(running: &Running) {
    use localcloud::auth::{Caller, Principal};
    use localcloud::wire::Params;
    let cloud = running.cloud();
    let account = cloud.context.account();
    let caller = Caller::new(account, Principal::Root, "us-east-1".into(), "iam".into());
    for call in [
        "Action=DeleteRolePolicy&RoleName=r&PolicyName=p",
        "Action=DeleteRole&RoleName=r",
    ] {
        let params = Params::parse(call.as_bytes()).unwrap();
        cloud.iam.call(&caller, &params).unwrap();
    }
}

#[tokio::test]
async fn a_copy_is_read_here_and_written_there() {
    let cloud = cloud().await;
    bucket(&cloud.running, &["from/1", "other/1"]).await;
    let role = role(
        &cloud.running,
        r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/from/*"},
           {"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::bucket/to/*"}"#,
    );
    let s3 = client_of(&cloud.running, role);
    let copy = |from: &str, to: &str| {
        let copy = s3.copy_object().bucket("bucket").key(to);
        copy.copy_source(format!("bucket/{from}")).send()
    };
    copy("from/1", "to/1").await.unwrap();
    assert_eq!(code(copy("other/1", "to/1").await), "AccessDenied");
    assert_eq!(code(copy("from/1", "from/2").await), "AccessDenied");
    // A source that is missing is not told from one that is not.
    assert_eq!(code(copy("from/none", "to/1").await), "AccessDenied");
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn a_presigned_address_has_the_rights_of_who_signed_it() {
    let cloud = cloud().await;
    bucket(&cloud.running, &["mine", "yours"]).await;
    let role = role(
        &cloud.running,
        r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/mine"}"#,
    );
    let s3 = client_of(&cloud.running, role);
    for (key, expected) in [("mine", 200), ("yours", 403)] {
        let get = s3.get_object().bucket("bucket").key(key);
        let signed = get.presigned(lasting(60)).await.unwrap();
        let (status, body) =
            crate::access::http_call(&cloud.running, "GET", signed.uri(), b"").await;
        assert_eq!(status, expected, "{}", String::from_utf8_lossy(&body));
    }
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn a_listing_can_be_allowed_below_a_prefix_only() {
    let cloud = cloud().await;
    bucket(&cloud.running, &["mine/1", "yours/1"]).await;
    let role = role(
        &cloud.running,
        r#"{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::bucket","Condition":{"StringLike":{"s3:prefix":"mine/*"}}}"#,
    );
    let s3 = client_of(&cloud.running, role);
    let list = |prefix: Option<&str>| {
        let list = s3.list_objects_v2().bucket("bucket");
        list.set_prefix(prefix.map(str::to_owned)).send()
    };
    assert_eq!(list(Some("mine/")).await.unwrap().contents().len(), 1);
    assert_eq!(code(list(Some("yours/")).await), "AccessDenied");
    assert_eq!(code(list(None).await), "AccessDenied");
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn tags_need_a_right_of_their_own() {
    let cloud = cloud().await;
    bucket(&cloud.running, &[]).await;
    let role = role(
        &cloud.running,
        r#"{"Effect":"Allow","Action":["s3:CreateBucket","s3:PutObject"],"Resource":"*"}"#,
    );
    let s3 = client_of(&cloud.running, role);
    let tagged = CreateBucketConfiguration::builder()
        .tags(tag("k", "v"))
        .build();
    let create = s3.create_bucket().bucket("tagged");
    let create = create.create_bucket_configuration(tagged).send().await;
    assert_eq!(code(create), "AccessDenied");
    s3.create_bucket().bucket("plain").send().await.unwrap();
    let put = || s3.put_object().bucket("bucket").key("k");
    put().send().await.unwrap();
    assert_eq!(code(put().tagging("k=v").send().await), "AccessDenied");
    cloud.running.shutdown().await;
}
