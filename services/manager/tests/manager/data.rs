//! The page of the data, as a browser without JavaScript uses it.

use http::StatusCode;
use http::header::LOCATION;

use crate::person::{Person, text};
use crate::world::{DEPLOYMENT, World, until};

#[tokio::test]
async fn what_is_stored_is_counted() {
    let world = World::start().await;
    world.serving(1).await;
    world.upload("a").await;
    world.bucket.insert("photos/stray");
    let mut person = Person::logged_in(&world).await;
    let page = text(&person.get("/data").await);
    for told in [
        "<dt>Photos</dt><dd>1</dd>",
        "<dt>Their size</dt><dd>5 B</dd>",
        "<dt>Objects in the bucket</dt><dd>2</dd>",
        "<dt>Their size</dt><dd>10 B</dd>",
        "<dt>Waiting to be swept</dt><dd>0</dd>",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    world.bucket.fail(true);
    let answer = person.get("/data").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(text(&answer).contains("The bucket cannot be listed"));
}

#[tokio::test]
async fn clearing_empties_the_caches() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    let answer = person.send("/clear", &[]).await;
    assert_eq!(answer.headers()[LOCATION], "/data");
    assert!(text(&person.get("/data").await).contains("All caches are empty"));
}

#[tokio::test]
async fn deleting_needs_the_deployments_name_and_tells_exactly_what_it_deleted() {
    let world = World::start().await;
    world.serving(1).await;
    world.upload("a").await;
    world.upload("b").await;
    world.bucket.insert("photos/stray");
    let mut person = Person::logged_in(&world).await;
    let answer = person.send("/delete", &[("name", "yes")]).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(text(&answer).contains("Nothing was deleted"));
    assert!(world.bucket.keys().contains(&"photos/a".to_owned()));
    let answer = person.send("/delete", &[("name", DEPLOYMENT)]).await;
    assert_eq!(answer.headers()[LOCATION], "/data");
    // The form is answered before the end of a deletion that takes long.
    let told = "Deleted 2 photos in the database and 3 objects in the bucket.";
    until("the end of the deletion", async || {
        text(&person.get("/live/deletion").await).contains(told)
    })
    .await;
    assert!(
        !world
            .bucket
            .keys()
            .iter()
            .any(|key| key.starts_with("photos/"))
    );
    assert!(world.catalog.keys().await.unwrap().is_empty());
    until("a deletion that the form waits for", async || {
        person.send("/delete", &[("name", DEPLOYMENT)]).await;
        text(&person.get("/data").await).contains("All photos are deleted.")
    })
    .await;
}

#[tokio::test]
async fn a_long_deletion_says_how_far_it_is_and_is_not_begun_twice() {
    let world = World::start().await;
    world.serving(1).await;
    world.bucket.insert("photos/1");
    world.bucket.slow_down(true);
    let mut person = Person::logged_in(&world).await;
    for _ in 0..2 {
        let answer = person.send("/delete", &[("name", DEPLOYMENT)]).await;
        assert_eq!(answer.headers()[LOCATION], "/data");
    }
    until("the first objects", async || {
        text(&person.get("/data").await).contains("0 of 1 objects removed")
    })
    .await;
    world.bucket.slow_down(false);
    until("the end of the deletion", async || {
        text(&person.get("/live/deletion").await).contains("and 1 object in the bucket")
    })
    .await;
}

#[tokio::test]
async fn a_deletion_that_fails_says_what_is_deleted_and_what_is_not() {
    let world = World::start().await;
    world.serving(1).await;
    world.upload("a").await;
    world.bucket.fail(true);
    let mut person = Person::logged_in(&world).await;
    let problem = "their objects are not all removed yet";
    until("a failure that the form waits for", async || {
        let answer = person.send("/delete", &[("name", DEPLOYMENT)]).await;
        let is_told = answer.status() == StatusCode::SERVICE_UNAVAILABLE;
        assert!(is_told || answer.status() == StatusCode::SEE_OTHER);
        is_told && text(&answer).contains(problem)
    })
    .await;
    world.bucket.fail(false);
    let answer = person.send("/delete", &[("name", DEPLOYMENT)]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    until("the object removed", async || {
        !world.bucket.keys().contains(&"photos/a".to_owned())
    })
    .await;
}
