//! Buckets: AWS's rules for names and regions, and a bucket's settings.

use crate::support::client;
use crate::support::client_with;
use crate::support::cloud;
use crate::support::code;
use crate::support::lonely_cloud;
use crate::support::options;
use crate::support::put;
use crate::support::root;
use crate::support::tag;
use aws_sdk_s3::types::AbortIncompleteMultipartUpload;
use aws_sdk_s3::types::BucketLifecycleConfiguration;
use aws_sdk_s3::types::BucketLocationConstraint;
use aws_sdk_s3::types::CreateBucketConfiguration;
use aws_sdk_s3::types::ExpirationStatus;
use aws_sdk_s3::types::LifecycleRule;
use aws_sdk_s3::types::LifecycleRuleFilter;
use aws_sdk_s3::types::PublicAccessBlockConfiguration;
use aws_sdk_s3::types::Tagging;

#[tokio::test]
async fn buckets_follow_awss_rules() {
    let cloud = cloud().await;
    let here = client(&cloud.running);
    let there = client_with(&cloud.running, root(&cloud.running), "eu-west-1");
    let in_region = |region: &str| {
        CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::from(region))
            .build()
    };

    here.create_bucket().bucket("one").send().await.unwrap();
    here.create_bucket().bucket("one").send().await.unwrap();
    let unspecified = there.create_bucket().bucket("two").send().await;
    assert_eq!(code(unspecified), "IllegalLocationConstraintException");
    let own = here
        .create_bucket()
        .bucket("two")
        .create_bucket_configuration(in_region("us-east-1"))
        .send()
        .await;
    assert_eq!(code(own), "InvalidLocationConstraint");
    let tagged = CreateBucketConfiguration::builder()
        .location_constraint(BucketLocationConstraint::EuWest1)
        .tags(tag("bivouac:deployment", "x"))
        .tags(tag("b", "2 & 3"))
        .build();
    there
        .create_bucket()
        .bucket("two")
        .create_bucket_configuration(tagged)
        .send()
        .await
        .unwrap();
    let again = there
        .create_bucket()
        .bucket("two")
        .create_bucket_configuration(in_region("eu-west-1"))
        .send()
        .await;
    assert_eq!(code(again), "BucketAlreadyOwnedByYou");
    for name in ["Upper", "a", "a..b", "192.168.1.1"] {
        assert_eq!(
            code(here.create_bucket().bucket(name).send().await),
            "InvalidBucketName",
            "{name}"
        );
    }

    let tags = there
        .get_bucket_tagging()
        .bucket("two")
        .send()
        .await
        .unwrap();
    assert_eq!(
        tags.tag_set(),
        [tag("b", "2 & 3"), tag("bivouac:deployment", "x")]
    );
    assert_eq!(
        code(here.get_bucket_tagging().bucket("one").send().await),
        "NoSuchTagSet"
    );
    let tagging = Tagging::builder().tag_set(tag("k", "v")).build().unwrap();
    here.put_bucket_tagging()
        .bucket("one")
        .tagging(tagging)
        .send()
        .await
        .unwrap();
    assert_eq!(
        here.get_bucket_tagging()
            .bucket("one")
            .send()
            .await
            .unwrap()
            .tag_set(),
        [tag("k", "v")]
    );
    here.delete_bucket_tagging()
        .bucket("one")
        .send()
        .await
        .unwrap();
    assert_eq!(
        code(here.get_bucket_tagging().bucket("one").send().await),
        "NoSuchTagSet"
    );

    let location = here
        .get_bucket_location()
        .bucket("two")
        .send()
        .await
        .unwrap();
    assert_eq!(
        location.location_constraint(),
        Some(&BucketLocationConstraint::EuWest1)
    );
    assert_eq!(
        there
            .head_bucket()
            .bucket("two")
            .send()
            .await
            .unwrap()
            .bucket_region(),
        Some("eu-west-1")
    );
    let elsewhere = here.head_bucket().bucket("two").send().await.unwrap_err();
    assert_eq!(elsewhere.raw_response().unwrap().status().as_u16(), 301);
    assert_eq!(
        elsewhere
            .raw_response()
            .unwrap()
            .headers()
            .get("x-amz-bucket-region"),
        Some("eu-west-1")
    );
    assert_eq!(
        code(here.head_bucket().bucket("none").send().await),
        "NotFound"
    );
    assert_eq!(
        code(here.list_objects_v2().bucket("none").send().await),
        "NoSuchBucket"
    );
    assert_eq!(
        code(here.list_objects_v2().bucket("two").send().await),
        "AuthorizationHeaderMalformed"
    );

    let all = here.list_buckets().send().await.unwrap();
    let names: Vec<_> = all
        .buckets()
        .iter()
        .map(|bucket| bucket.name().unwrap())
        .collect();
    assert_eq!(names, ["one", "two"]);
    assert_eq!(all.buckets()[1].bucket_region(), Some("eu-west-1"));
    let first = here.list_buckets().max_buckets(1).send().await.unwrap();
    assert_eq!(
        (first.buckets().len(), first.continuation_token()),
        (1, Some("one"))
    );
    let rest = here
        .list_buckets()
        .max_buckets(1)
        .continuation_token("one")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (rest.buckets()[0].name(), rest.continuation_token()),
        (Some("two"), None)
    );
    assert_eq!(
        here.list_buckets()
            .prefix("tw")
            .send()
            .await
            .unwrap()
            .buckets()
            .len(),
        1
    );

    put(&here, "one", "k", "v").await;
    assert_eq!(
        code(here.delete_bucket().bucket("one").send().await),
        "BucketNotEmpty"
    );
    here.delete_object()
        .bucket("one")
        .key("k")
        .send()
        .await
        .unwrap();
    let upload = here
        .create_multipart_upload()
        .bucket("one")
        .key("m")
        .send()
        .await
        .unwrap();
    assert_eq!(
        code(here.delete_bucket().bucket("one").send().await),
        "BucketNotEmpty"
    );
    let id = upload.upload_id().unwrap();
    here.abort_multipart_upload()
        .bucket("one")
        .key("m")
        .upload_id(id)
        .send()
        .await
        .unwrap();
    here.delete_bucket().bucket("one").send().await.unwrap();
    assert_eq!(
        code(here.delete_bucket().bucket("one").send().await),
        "NoSuchBucket"
    );
    assert!(!cloud.home.path().join("buckets/one").exists());
    there.delete_bucket().bucket("two").send().await.unwrap();
    cloud.running.shutdown().await;
}

#[tokio::test]
async fn a_buckets_settings_are_kept() {
    let cloud = lonely_cloud().await;
    let s3 = client(&cloud.running);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    let block = s3
        .get_public_access_block()
        .bucket("bucket")
        .send()
        .await
        .unwrap();
    assert_eq!(
        block
            .public_access_block_configuration()
            .unwrap()
            .block_public_policy(),
        Some(true)
    );
    let open = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .build();
    s3.put_public_access_block()
        .bucket("bucket")
        .public_access_block_configuration(open)
        .send()
        .await
        .unwrap();
    let block = s3
        .get_public_access_block()
        .bucket("bucket")
        .send()
        .await
        .unwrap();
    let block = block.public_access_block_configuration().unwrap();
    assert_eq!(
        (block.block_public_acls(), block.block_public_policy()),
        (Some(true), Some(false))
    );
    s3.delete_public_access_block()
        .bucket("bucket")
        .send()
        .await
        .unwrap();
    let gone = s3.get_public_access_block().bucket("bucket").send().await;
    assert_eq!(code(gone), "NoSuchPublicAccessBlockConfiguration");

    let none = s3
        .get_bucket_lifecycle_configuration()
        .bucket("bucket")
        .send()
        .await;
    assert_eq!(code(none), "NoSuchLifecycleConfiguration");
    let rule = LifecycleRule::builder()
        .id("uploads")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .abort_incomplete_multipart_upload(
            AbortIncompleteMultipartUpload::builder()
                .days_after_initiation(1)
                .build(),
        )
        .build()
        .unwrap();
    let rules = BucketLifecycleConfiguration::builder()
        .rules(rule)
        .build()
        .unwrap();
    s3.put_bucket_lifecycle_configuration()
        .bucket("bucket")
        .lifecycle_configuration(rules)
        .send()
        .await
        .unwrap();

    cloud.running.shutdown().await;
    let running = localcloud::start(options(cloud.home.path())).await.unwrap();
    let s3 = client(&running);
    let kept = s3
        .get_bucket_lifecycle_configuration()
        .bucket("bucket")
        .send()
        .await
        .unwrap();
    let abort = kept.rules()[0].abort_incomplete_multipart_upload().unwrap();
    assert_eq!(abort.days_after_initiation(), Some(1));
    running.shutdown().await;
}

#[tokio::test]
async fn what_is_not_implemented_says_so() {
    let cloud = cloud().await;
    let s3 = client(&cloud.running);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    let policy = s3.get_bucket_policy().bucket("bucket").send().await;
    assert_eq!(code(policy), "NotImplemented");
    cloud.running.shutdown().await;
}
