//! Configuration and data: forms that are checked, reviewed, saved, and gone back to.

use browser::key;

use super::{at, retype};
use crate::world::{DEPLOYMENT, World, until};

#[tokio::test]
async fn a_configuration_is_checked_as_it_is_typed_reviewed_and_saved() {
    let world = World::start().await;
    let table = world.serving(1).await;
    let address = table.nodes[0].clone().unwrap().address;
    let browser = at(&world, "/configuration").await;
    browser.look("configuration").await;
    retype(&browser, "#cacheSize", "0").await;
    retype(&browser, "#minMiss", "0.7").await;
    let told = browser.text("#cacheSize-problem").await;
    assert_eq!(told, "Give a whole number from 1 to 65536.");
    let told = browser.text("#minMiss-problem").await;
    assert_eq!(
        told,
        "It must be less than 0.6, above which the pool grows."
    );
    browser.look("configuration-wrong").await;
    browser.press(&[key::ENTER]).await;
    browser
        .until("document.activeElement.id === 'cacheSize'")
        .await;
    retype(&browser, "#cacheSize", "3").await;
    retype(&browser, "#minMiss", "0.1").await;
    browser
        .run("document.querySelector('#policy').value = 'SIEVE'")
        .await;
    browser.click("[value=auto]").await;
    browser.click("#configuration .primary").await;
    browser.until_said("3 MB").await;
    browser.look("configuration-review").await;
    // What was typed comes back to be edited.
    browser.click("a.button").await;
    browser
        .until("document.querySelector('#minMiss')?.value === '0.1'")
        .await;
    // The browser's way back leads to the form with what is set, as nothing was saved.
    browser.back(2).await;
    browser
        .until("document.querySelector('#cacheSize')?.value === '64'")
        .await;
    retype(&browser, "#cacheSize", "3").await;
    browser.click("#configuration .primary").await;
    browser.until_said("Edit again").await;
    browser.click(".primary").await;
    browser.until_said("The configuration is saved.").await;
    assert_eq!(world.statistics(&address).await.capacity, 3 << 20);
    browser.until_said("manager's page").await;
    browser.look("configuration-saved").await;
    browser.close(&[]).await;
}

#[tokio::test]
async fn two_tabs_that_both_change_do_not_overwrite_each_other() {
    let world = World::start().await;
    world.serving(1).await;
    let browser = at(&world, "/configuration").await;
    retype(&browser, "#cacheSize", "3").await;
    world.post("/api/configure_cache?cacheSize=7").await;
    browser.click("#configuration .primary").await;
    browser
        .until_said("changed since this form was opened")
        .await;
    browser.look("configuration-form-outdated").await;
    world.post("/api/configure_cache?cacheSize=5").await;
    browser.click(".primary").await;
    browser.until_said("so nothing was saved").await;
    browser.until_said("5 MB").await;
    browser.look("configuration-changed-meanwhile").await;
    browser.click(".primary").await;
    browser.until_said("The configuration is saved.").await;
    browser.close(&["status of 409"]).await;
}

#[tokio::test]
async fn a_long_history_is_read_page_by_page() {
    let world = World::start_resized(&[(9, 1, 2), (5, 2, 4), (3, 4, 1)]).await;
    world.serving(1).await;
    for size in 1..=18 {
        world
            .post(&format!("/api/configure_cache?cacheSize={size}"))
            .await;
    }
    let browser = at(&world, "/configuration").await;
    browser.look("configuration-history").await;
    browser.click("[href$='#changes']").await;
    browser.until_said("Newer").await;
    let cells = "[...document.querySelectorAll('td')]";
    browser
        .until(&format!(
            "{cells}.some((cell) => cell.textContent.trim() === '2 MB')"
        ))
        .await;
    browser.close(&[]).await;
}

#[tokio::test]
async fn data_are_cleared_and_deleted_with_progress_and_an_exact_result() {
    let world = World::start().await;
    world.serving(1).await;
    world.upload("a").await;
    world.upload("b").await;
    world.bucket.insert("photos/stray");
    let browser = at(&world, "/data").await;
    browser.look("data").await;
    browser.click("[action='/clear'] .button").await;
    browser.until_said("All caches are empty.").await;
    browser.type_into("#name", "something else").await;
    browser.press(&[key::ENTER]).await;
    browser.until_said("Nothing was deleted").await;
    assert!(world.bucket.keys().contains(&"photos/a".to_owned()));
    browser.look("data-not-deleted").await;
    world.bucket.slow_down(true);
    retype(&browser, "#name", DEPLOYMENT).await;
    browser.click(".button.danger").await;
    browser.until_said("0 of 3 objects removed").await;
    browser.look("data-deleting").await;
    world.bucket.slow_down(false);
    // The page follows by itself, and its counts too.
    browser
        .until_said("Deleted 2 photos in the database and 3 objects in the bucket.")
        .await;
    let photos = "document.querySelector('.figures dd').textContent";
    browser.until(&format!("{photos} === '0'")).await;
    browser.look("data-deleted").await;
    browser.open(&world.url("/nothing")).await;
    browser.look("manager-not-found").await;
    browser.close(&["status of 400", "status of 404"]).await;
}

#[tokio::test]
async fn the_policy_is_changed_by_keyboard_alone() {
    let world = World::start().await;
    world.serving(1).await;
    let browser = at(&world, "/").await;
    // Past the way to the content, the mark, Overview and Pool.
    browser.press(&[key::TAB; 5]).await;
    browser.press(&[key::ENTER]).await;
    browser
        .until("location.pathname === '/configuration'")
        .await;
    browser.until("document.querySelector('#policy')").await;
    browser
        .run("document.querySelector('#cacheSize').focus()")
        .await;
    browser.press(&[key::TAB, key::DOWN, key::TAB]).await;
    browser
        .until("document.querySelector('#policy').value === 'SIEVE'")
        .await;
    browser.press(&[key::RIGHT, key::LEFT]).await;
    browser.press(&[key::TAB; 5]).await;
    browser
        .until("document.activeElement.matches('#configuration .primary')")
        .await;
    browser.press(&[key::ENTER]).await;
    browser.until_said("Edit again").await;
    browser
        .run("document.querySelector('.primary').focus()")
        .await;
    browser.press(&[key::ENTER]).await;
    browser.until_said("The configuration is saved.").await;
    until("the policy in the pool", async || {
        let answer = world.post("/api/configure_cache").await.1;
        answer.contains(r#""policy":"SIEVE""#)
    })
    .await;
    browser.close(&[]).await;
}
