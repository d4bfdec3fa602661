//! What outlives a deployment because somebody asked for it.

use deployer_core::inventory::Keep;
use teardown::Verdict;

use crate::account::Place;
use crate::strange::{Thing, make};

async fn database(place: &Place) -> String {
    let id = format!("{}-catalog", place.ours().prefix());
    let create = place.rds.create_db_instance().db_instance_identifier(&id);
    let create = create.db_instance_class("db.t4g.micro").engine("postgres");
    let create = create
        .master_username("keeper")
        .master_user_password("not-a-secret");
    let create = create.allocated_storage(20).copy_tags_to_snapshot(true);
    create.backup_retention_period(0).send().await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bucket_is_kept_and_goes_with_the_next() {
    let place = Place::new().await;
    for thing in [Thing::Bucket, Thing::Volume, Thing::Role] {
        make(&place, &place.ours(), thing, 1).await;
    }
    let keep = Keep {
        buckets: true,
        databases: false,
    };
    let ended = place.take_away_but(keep, None).await;
    let Verdict::Kept(kept) = &ended.verdict else {
        panic!("{ended:#?}")
    };
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].resource, "bucket/strange");
    assert_eq!(place.remaining().len(), 1, "{:#?}", place.remaining());

    let ended = place.take_away().await;
    assert!(matches!(ended.verdict, Verdict::Zero), "{ended:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_snapshot_stays_and_goes_with_the_next() {
    let place = Place::new().await;
    let id = database(&place).await;
    let ended = place.take_away_but(Keep::default(), Some("last-1")).await;
    let Verdict::Kept(kept) = &ended.verdict else {
        panic!("{ended:#?}")
    };
    assert_eq!(kept[0].id, format!("{id}-last-1"));
    assert_eq!(
        place.remaining(),
        [format!("database snapshot {id}-last-1 in us-east-1")]
    );

    let ended = place.take_away().await;
    assert!(matches!(ended.verdict, Verdict::Zero), "{ended:#?}");
    assert!(place.remaining().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn backups_that_outlived_their_database_go() {
    let place = Place::new().await;
    let id = database(&place).await;
    let modify = place.rds.modify_db_instance().db_instance_identifier(&id);
    let modify = modify.backup_retention_period(1).apply_immediately(true);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while let Err(error) = modify.clone().send().await {
        assert!(std::time::Instant::now() < deadline, "{error:?}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let delete = place.rds.delete_db_instance().db_instance_identifier(&id);
    let delete = delete
        .skip_final_snapshot(true)
        .delete_automated_backups(false);
    while let Err(error) = delete.clone().send().await {
        assert!(std::time::Instant::now() < deadline, "{error:?}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let ended = place.take_away().await;
    assert!(matches!(ended.verdict, Verdict::Zero), "{ended:#?}");
    let gone: Vec<&str> = ended.removed.iter().map(|r| r.resource.as_str()).collect();
    assert!(gone.contains(&"automated backups"), "{gone:?}");
    assert!(place.remaining().is_empty());
}
