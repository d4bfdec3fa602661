//! Images and their snapshots.

use std::time::{Duration, Instant};

use aws_sdk_ec2::types::{InstanceStateName, ResourceType, Tag, TagSpecification};

use crate::machines::with_service;
use crate::support::{Cloud, PATIENCE, code, content, filter, newest};

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_of_a_baked_image_has_its_files_and_runs_its_own_user_data() {
    let mut cloud = Cloud::real().await;
    let builder = cloud
        .launch(&(with_service() + "mkdir -p $BIVOUAC_ROOT/opt/bivouac/bin\necho baked > $BIVOUAC_ROOT/opt/bivouac/bin/node\npoweroff\nsleep 60\n"))
        .await;
    cloud.wait_for(&builder, InstanceStateName::Stopped).await;
    let image = cloud.image_of(&builder, "bivouac-test-node").await;
    cloud
        .ec2()
        .terminate_instances()
        .instance_ids(&builder)
        .send()
        .await
        .unwrap();

    let node = cloud
        .launch_from(
            &image,
            "#!/bin/bash\ncp $BIVOUAC_ROOT/opt/bivouac/bin/node $BIVOUAC_ROOT/var/copy\n",
        )
        .await;
    assert_eq!(
        content(&cloud.root_of(&node).join("var/copy")).await,
        "baked\n"
    );
    let other = cloud.launch_from(&image, "").await;
    let var = cloud.root_of(&other).join("var");
    // Services start after the user data.
    content(&var.join("starts")).await;
    assert_eq!(
        content(&var.join("runs")).await,
        "ran\n",
        "the user data of the builder ran again"
    );
    assert!(
        !var.join("copy").exists(),
        "the user data of another instance ran"
    );
    // What one writes, no other sees.
    std::fs::write(
        cloud.root_of(&node).join("opt/bivouac/bin/node"),
        "changed\n",
    )
    .unwrap();
    assert_eq!(
        content(&cloud.root_of(&other).join("opt/bivouac/bin/node")).await,
        "baked\n"
    );
    cloud.stop().await;
}

#[tokio::test]
async fn the_newest_base_image_has_to_be_looked_for() {
    let mut cloud = Cloud::paper().await;
    for (pattern, owner) in [
        ("al2023-ami-2023.*-kernel-6.1-x86_64", "137112412989"),
        ("al2023-ami-2023.*-kernel-6.1-arm64", "137112412989"),
        ("debian-12-amd64-*", "136693071363"),
        ("debian-12-arm64-*", "136693071363"),
    ] {
        let answer = cloud
            .ec2()
            .describe_images()
            .owners(owner)
            .filters(filter("name", pattern))
            .filters(filter("state", "available"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.images().len(), 2, "{pattern}");
        let newest = newest(cloud.ec2(), pattern).await;
        let older = answer
            .images()
            .iter()
            .find(|image| image.image_id != newest.image_id)
            .unwrap();
        assert!(older.name() < newest.name());
        assert_eq!(newest.root_device_name(), Some("/dev/xvda"));
    }
    let own = cloud
        .ec2()
        .describe_images()
        .owners("self")
        .send()
        .await
        .unwrap();
    assert_eq!(own.images().len(), 0);
    cloud.stop().await;
}

#[tokio::test]
async fn an_image_owns_its_snapshot_until_it_is_deregistered() {
    let mut cloud = Cloud::paper().await;
    let ec2 = cloud.ec2();
    // On paper, a builder stops by itself.
    let builder = cloud.launch("#!/bin/bash\npoweroff\n").await;
    cloud.wait_for(&builder, InstanceStateName::Stopped).await;
    let tagged = |kind| {
        let tag = Tag::builder().key("bivouac:deployment").value("x").build();
        TagSpecification::builder()
            .resource_type(kind)
            .tags(tag)
            .build()
    };
    let made = ec2
        .create_image()
        .instance_id(&builder)
        .name("baked")
        .tag_specifications(tagged(ResourceType::Image))
        .tag_specifications(tagged(ResourceType::Snapshot))
        .send()
        .await
        .unwrap();
    let image = made.image_id().unwrap();
    let again = ec2
        .create_image()
        .instance_id(&builder)
        .name("baked")
        .send()
        .await;
    assert_eq!(code(again), "InvalidAMIName.Duplicate");

    let ours = filter("tag:bivouac:deployment", "x");
    let snapshots = ec2
        .describe_snapshots()
        .owner_ids("self")
        .filters(ours.clone())
        .send()
        .await;
    let snapshot = snapshots.unwrap().snapshots()[0]
        .snapshot_id()
        .unwrap()
        .to_owned();
    let images = ec2
        .describe_images()
        .owners("self")
        .filters(ours)
        .send()
        .await
        .unwrap();
    assert_eq!(images.images()[0].image_id(), Some(image));
    let mapped = images.images()[0].block_device_mappings()[0].ebs().unwrap();
    assert_eq!(mapped.snapshot_id(), Some(snapshot.as_str()));

    let refused = ec2.delete_snapshot().snapshot_id(&snapshot).send().await;
    assert_eq!(code(refused), "InvalidSnapshot.InUse");
    let begin = Instant::now();
    loop {
        let answer = ec2
            .deregister_image()
            .image_id(image)
            .delete_associated_snapshots(true)
            .send()
            .await;
        match answer {
            Ok(answer) => {
                assert_eq!(
                    answer.delete_snapshot_results()[0].snapshot_id(),
                    Some(snapshot.as_str())
                );
                break;
            }
            Err(_) if begin.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    let gone = ec2.delete_snapshot().snapshot_id(&snapshot).send().await;
    assert_eq!(code(gone), "InvalidSnapshot.NotFound");
    let gone = ec2.describe_images().image_ids(image).send().await;
    assert_eq!(code(gone), "InvalidAMIID.NotFound");
    cloud.stop().await;
}

#[tokio::test]
async fn nobody_removes_a_base_image() {
    let mut cloud = Cloud::paper().await;
    let base = cloud.base_image().await;
    let refused = cloud.ec2().deregister_image().image_id(base).send().await;
    assert_eq!(code(refused), "AuthFailure");
    cloud.stop().await;
}
