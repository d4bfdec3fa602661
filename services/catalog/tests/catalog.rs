//! The queries against a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use catalog::test_support::{PASSWORD, PostgresServer, database, pool};
use catalog::{
    Catalog, Commit, Listing, NewPhoto, NodeRow, Notes, Place, Policy, Save, Stage, Totals,
};
use jiff::Timestamp;
use uuid::Uuid;

fn new_photo<'a>(key: &'a str, object: &'a str) -> NewPhoto<'a> {
    NewPhoto {
        key,
        object,
        size: 5,
        content_type: "image/png",
        etag: Some("e"),
    }
}

async fn upload(catalog: &Catalog, key: &str, object: &str) -> i64 {
    catalog.begin_upload(object).await.unwrap();
    match catalog
        .commit_upload(&new_photo(key, object))
        .await
        .unwrap()
    {
        Commit::Done { version } => version,
        Commit::Expired => panic!("the upload expired"),
    }
}

fn node(stage: Stage, place: Option<u32>) -> NodeRow {
    NodeRow {
        id: Uuid::new_v4(),
        instance: Some(format!("i-{}", Uuid::new_v4().simple())),
        address: Some("127.0.0.1:5003".to_owned()),
        subnet: Some("subnet-1".to_owned()),
        place,
        stage,
        since: Timestamp::from_second(1_700_000_000).unwrap(),
    }
}

#[tokio::test]
async fn an_uploaded_photo_is_found_under_any_key() {
    let (_, catalog) = database().await;
    for (n, key) in [
        "a",
        "'; DROP TABLE photo; --",
        "../../x",
        "<b>",
        "📷 1",
        "a/b",
    ]
    .into_iter()
    .enumerate()
    {
        let object = format!("photos/{n}");
        let version = upload(&catalog, key, &object).await;
        let photo = catalog.photo(key).await.unwrap().unwrap();
        assert_eq!(photo.object, object);
        assert_eq!(photo.version, version);
        assert_eq!(photo.size, 5);
    }
    assert_eq!(catalog.photo("nothing").await.unwrap(), None);
    assert_eq!(catalog.keys().await.unwrap().len(), 6);
    assert_eq!(
        catalog.totals().await.unwrap(),
        Totals {
            photos: 6,
            bytes: 30
        }
    );
}

fn keys(listing: &Listing) -> Vec<&str> {
    let keys = listing.photos.iter().map(|photo| photo.key.as_str());
    keys.collect()
}

#[tokio::test]
async fn pages_go_from_newest_to_oldest_and_back_and_a_replaced_photo_is_new() {
    let (_, catalog) = database().await;
    for key in ["a", "b", "c"] {
        upload(&catalog, key, key).await;
    }
    upload(&catalog, "a", "a2").await;
    let list = async |place| catalog.list_photos("", place, 2).await.unwrap();
    let first = list(Place::Newest).await;
    assert_eq!(keys(&first), ["a", "c"]);
    assert_eq!((first.newer, first.totals.photos), (0, 3));
    let rest = list(Place::Before(first.photos[1].version)).await;
    assert_eq!(keys(&rest), ["b"]);
    assert_eq!((rest.newer, rest.totals.photos), (2, 3));
    assert_eq!(list(Place::After(rest.photos[0].version)).await, first);
    let last = list(Place::After(0)).await;
    assert_eq!((keys(&last), last.newer), (vec!["c", "b"], 1));
    let beyond = list(Place::Before(i64::MIN)).await;
    assert_eq!((keys(&beyond), beyond.newer), (vec![], 3));
}

#[tokio::test]
async fn a_search_finds_keys_by_any_part_of_them_to_the_letter() {
    let (_, catalog) = database().await;
    let stored = [
        "100%",
        "a_b",
        "Beach.JPG",
        "beach 2",
        "back\\slash",
        "'\"",
        "École",
    ];
    for key in stored {
        upload(&catalog, key, key).await;
    }
    for (search, found) in [
        ("", stored.len()),
        ("%", 1),
        ("_", 1),
        ("\\", 1),
        ("'", 1),
        ("BEACH", 2),
        ("each.jpg", 1),
        ("cole", 1),
        ("École", 1),
        ("nothing", 0),
        ("a\0b", 0),
        (&"a".repeat(10_000), 0),
    ] {
        let listing = catalog.list_photos(search, Place::Newest, 9).await.unwrap();
        assert_eq!(listing.photos.len(), found, "{search}");
        assert_eq!(listing.totals.photos, found as u64, "{search}");
        assert_eq!(listing.totals.bytes, found as u64 * 5, "{search}");
    }
    let first = catalog
        .list_photos("beach", Place::Newest, 1)
        .await
        .unwrap();
    let place = Place::Before(first.photos[0].version);
    let second = catalog.list_photos("beach", place, 1).await.unwrap();
    assert_eq!(
        (keys(&first), keys(&second)),
        (vec!["beach 2"], vec!["Beach.JPG"])
    );
    assert_eq!((second.newer, second.totals.photos), (1, 2));
}

#[tokio::test]
async fn a_replaced_object_is_an_orphan_until_it_is_forgotten() {
    let (_, catalog) = database().await;
    upload(&catalog, "k", "old").await;
    upload(&catalog, "k", "new").await;
    let taken = catalog.take_orphans(Duration::ZERO, 10).await.unwrap();
    assert_eq!(taken, ["old"]);
    catalog.forget_orphans(&taken).await.unwrap();
    let taken = catalog.take_orphans(Duration::ZERO, 10).await.unwrap();
    assert!(taken.is_empty());
}

#[tokio::test]
async fn young_orphans_are_left_alone() {
    let (_, catalog) = database().await;
    catalog.begin_upload("o").await.unwrap();
    let taken = catalog
        .take_orphans(Duration::from_secs(600), 10)
        .await
        .unwrap();
    assert!(taken.is_empty());
}

#[tokio::test]
async fn a_swept_upload_cannot_be_committed() {
    let (_, catalog) = database().await;
    catalog.begin_upload("slow").await.unwrap();
    catalog.take_orphans(Duration::ZERO, 10).await.unwrap();
    let commit = catalog.commit_upload(&new_photo("k", "slow")).await;
    assert_eq!(commit.unwrap(), Commit::Expired);
    assert_eq!(catalog.photo("k").await.unwrap(), None);
}

#[tokio::test]
async fn committing_again_after_a_lost_answer_says_the_same() {
    let (_, catalog) = database().await;
    let version = upload(&catalog, "k", "o").await;
    let again = catalog.commit_upload(&new_photo("k", "o")).await.unwrap();
    assert_eq!(again, Commit::Done { version });
}

#[tokio::test]
async fn many_uploads_of_one_key_at_once_lose_no_object() {
    let (_, catalog) = database().await;
    let uploads = (0..20).map(|n| {
        let catalog = catalog.clone();
        tokio::spawn(async move { upload(&catalog, "k", &format!("o{n}")).await })
    });
    for upload in uploads.collect::<Vec<_>>() {
        upload.await.unwrap();
    }
    let photo = catalog.photo("k").await.unwrap().unwrap();
    let mut objects = catalog.take_orphans(Duration::ZERO, 100).await.unwrap();
    assert_eq!(objects.len(), 19);
    objects.push(photo.object);
    objects.sort();
    objects.dedup();
    assert_eq!(objects.len(), 20);
}

#[tokio::test]
async fn delete_all_answers_every_object_but_uploads_in_flight() {
    let (_, catalog) = database().await;
    upload(&catalog, "a", "replaced").await;
    upload(&catalog, "a", "a").await;
    upload(&catalog, "b", "b").await;
    catalog.begin_upload("in flight").await.unwrap();
    let stored = catalog.stored().await.unwrap();
    assert_eq!((stored.photos.photos, stored.orphans), (2, 2));
    assert!(stored.database_bytes > 0);
    let mut forgotten = catalog.delete_all_photos().await.unwrap();
    forgotten.objects.sort();
    assert_eq!(forgotten.objects, ["a", "b", "replaced"]);
    assert_eq!(forgotten.photos, 2);
    assert!(catalog.keys().await.unwrap().is_empty());
    let listed = ["a", "in flight", "stray"].map(str::to_owned);
    let mut unknown = catalog.unknown_objects(&listed).await.unwrap();
    unknown.sort();
    assert_eq!(unknown, ["a", "stray"]);
    let commit = catalog.commit_upload(&new_photo("c", "in flight")).await;
    assert!(matches!(commit.unwrap(), Commit::Done { .. }));
}

#[tokio::test]
async fn the_pool_is_made_once_and_saved_only_from_its_newest_revision() {
    let (_, catalog) = database().await;
    let mut state = catalog.pool_or_create(&pool()).await.unwrap();
    assert!(state.nodes.is_empty());
    let stale = state.clone();
    state.pool.epoch = 2;
    state.pool.size = 2;
    state.pool.policy = Policy::Random;
    state.nodes = vec![node(Stage::Serving, Some(0)), node(Stage::Lost, Some(1))];
    state.nodes.sort_by_key(|node| node.id);
    let Save::Done { revision } = catalog.save_pool(&state, &Notes::default()).await.unwrap()
    else {
        panic!("a conflict without a second writer");
    };
    assert_eq!(
        catalog.save_pool(&stale, &Notes::default()).await.unwrap(),
        Save::Conflict
    );
    state.pool.revision = revision;
    let read = catalog.pool_or_create(&pool()).await.unwrap();
    assert_eq!(read, state);
    // Two nodes that change places are written in any order.
    state.nodes[0].place = Some(1);
    state.nodes[1].place = Some(0);
    let saved = catalog.save_pool(&state, &Notes::default()).await.unwrap();
    assert!(matches!(saved, Save::Done { .. }));
}

#[tokio::test]
async fn two_nodes_never_have_one_place() {
    let (_, catalog) = database().await;
    let mut state = catalog.pool_or_create(&pool()).await.unwrap();
    state.nodes = vec![node(Stage::Serving, Some(0)), node(Stage::Lost, Some(0))];
    let error = catalog
        .save_pool(&state, &Notes::default())
        .await
        .unwrap_err();
    assert!(!error.is_unavailable());
    let read = catalog.pool_or_create(&pool()).await.unwrap();
    assert!(read.nodes.is_empty());
}

#[tokio::test]
async fn only_one_leads_at_a_time() {
    let (_, catalog) = database().await;
    let leader = catalog.lead("cache").await.unwrap().unwrap();
    assert!(leader.is_held().await);
    assert!(catalog.lead("cache").await.unwrap().is_none());
    assert!(catalog.lead("another").await.unwrap().is_some());
    drop(leader);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while catalog.lead("cache").await.unwrap().is_none() {
        assert!(tokio::time::Instant::now() < deadline, "nobody can lead");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_session_is_open_until_it_is_closed_or_expires() {
    let (_, catalog) = database().await;
    catalog
        .open_session("s", Duration::from_secs(60))
        .await
        .unwrap();
    assert!(catalog.session_is_open("s").await.unwrap());
    catalog.close_session("s").await.unwrap();
    assert!(!catalog.session_is_open("s").await.unwrap());
    catalog.open_session("t", Duration::ZERO).await.unwrap();
    assert!(!catalog.session_is_open("t").await.unwrap());
}

#[tokio::test]
async fn services_that_start_together_migrate_once() {
    let (settings, _) = database().await;
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let catalog = Catalog::connect(&settings, PASSWORD).unwrap();
            tokio::spawn(async move { catalog.migrate().await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_stopped_server_is_unavailable_and_a_resumed_one_works() {
    let mut server = PostgresServer::start();
    let catalog = Catalog::connect(&server.create_database().await, PASSWORD).unwrap();
    catalog.migrate().await.unwrap();
    let leader = catalog.lead("cache").await.unwrap().unwrap();
    server.stop();
    let error = catalog.keys().await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    let error = catalog.migrate().await.unwrap_err();
    assert!(error.is_unavailable(), "{error:?}");
    assert!(!leader.is_held().await);
    server.resume();
    assert!(catalog.keys().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_our_authority_does_not_vouch_for_is_refused() {
    let (mut settings, _) = database().await;
    let other = PostgresServer::start();
    settings.ca = other.settings().ca;
    let catalog = Catalog::connect(&settings, PASSWORD).unwrap();
    assert!(catalog.ping().await.is_err());
    settings.ca = "not a certificate".to_owned();
    assert!(Catalog::connect(&settings, PASSWORD).is_err());
}

#[tokio::test]
async fn a_wrong_password_is_not_called_unavailable() {
    let (settings, _) = database().await;
    let catalog = Catalog::connect(&settings, "wrong").unwrap();
    let error = catalog.ping().await.unwrap_err();
    assert!(!error.is_unavailable(), "{error:?}");
}
