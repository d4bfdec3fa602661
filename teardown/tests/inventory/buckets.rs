//! A bucket with much in it, and one that somebody goes on writing to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use futures::stream::{self, StreamExt};
use teardown::Verdict;

use crate::account::Place;

async fn bucket(place: &Place) -> String {
    let name = format!("{}-photos-ab12", place.ours().prefix());
    place.s3.create_bucket().bucket(&name).send().await.unwrap();
    name
}

#[tokio::test(flavor = "multi_thread")]
async fn several_pages_of_objects_and_uploads_go() {
    let mut place = Place::new().await;
    let name = bucket(&place).await;
    let put = |number: usize| {
        let put = place
            .s3
            .put_object()
            .bucket(&name)
            .key(format!("photos/{number}"));
        async move { put.body(b"x".to_vec().into()).send().await.map(drop) }
    };
    let puts = stream::iter(0..250).map(put).buffer_unordered(16);
    assert!(puts.all(|done| async move { done.is_ok() }).await);
    for number in 0..25 {
        let upload = place.s3.create_multipart_upload().bucket(&name);
        upload
            .key(format!("unfinished/{number}"))
            .send()
            .await
            .unwrap();
    }
    place.account.page_size = Some(10);
    let ended = place.take_away().await;
    assert!(matches!(ended.verdict, Verdict::Zero), "{ended:#?}");
    assert!(place.remaining().is_empty(), "{:#?}", place.remaining());
}

#[tokio::test(flavor = "multi_thread")]
async fn old_versions_and_delete_markers_go() {
    let mut place = Place::new().await;
    let name = bucket(&place).await;
    let put = |key: &str| {
        let put = place.s3.put_object().bucket(&name).key(key);
        async move { put.body(b"x".to_vec().into()).send().await.unwrap() }
    };
    put("before").await;
    let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled);
    let versioning = place.s3.put_bucket_versioning().bucket(&name);
    let versioning = versioning.versioning_configuration(enabled.build());
    versioning.send().await.unwrap();
    for key in ["before", "a", "a", "a", "b"] {
        put(key).await;
    }
    let gone = place.s3.delete_object().bucket(&name).key("a");
    gone.send().await.unwrap();
    let listed = place
        .s3
        .list_object_versions()
        .bucket(&name)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (listed.versions().len(), listed.delete_markers().len()),
        (6, 1)
    );
    let refused = place.s3.delete_bucket().bucket(&name).send().await;
    assert!(format!("{:?}", refused.unwrap_err()).contains("BucketNotEmpty"));

    place.account.page_size = Some(2);
    let ended = place.take_away().await;
    assert!(matches!(ended.verdict, Verdict::Zero), "{ended:#?}");
    assert!(place.remaining().is_empty(), "{:#?}", place.remaining());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_somebody_writes_to_remains_and_says_so() {
    let place = Place::new().await;
    let name = bucket(&place).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let writer = {
        let (s3, name, is_over) = (place.s3.clone(), name.clone(), Arc::clone(&is_over));
        tokio::spawn(async move {
            let mut number = 0;
            while !is_over.load(Ordering::Acquire) {
                number += 1;
                let put = s3.put_object().bucket(&name).key(format!("log/{number}"));
                // Once the bucket is gone there is nothing to write to.
                if put.body(b"x".to_vec().into()).send().await.is_err() {
                    return;
                }
            }
        })
    };
    let ended = place.take_away().await;
    is_over.store(true, Ordering::Release);
    writer.await.unwrap();
    match &ended.verdict {
        Verdict::Remains { .. } => {
            let blocked = &ended.blocked[0];
            assert!(blocked.error.contains("BucketNotEmpty"), "{blocked:?}");
            let what = &blocked.holders[0].what;
            assert!(
                what.starts_with("somebody goes on writing to it, log/"),
                "{what}"
            );
        }
        // The writer was slow, and the bucket went between two of its objects.
        Verdict::Zero => assert!(place.remaining().is_empty()),
        other => panic!("{other:?}"),
    }
}
