//! The pool as the pages show it, and the login of a deployment whose API is closed.

use browser::Browser;
use kit::door::Api;

use super::{Files, address, opened, picture, shows_another};
use crate::pool::PASSWORD;
use crate::stage::{Options, Stage};

/// What the page says of how the pool stands.
async fn standing(browser: &Browser) -> String {
    browser.text("[data-standing]").await
}

/// What the row of a photo's page says that tells where it came from, once it is known.
async fn served(browser: &Browser) -> String {
    browser
        .until("document.querySelector('[data-served-name]').textContent === 'Served by'")
        .await;
    browser.text("[data-served]").await
}

/// A visitor whose browser has seen nothing yet, and what the page says of where the photo came from.
/// One for whom a node was too slow, on a busy machine, is followed by another.
async fn visitor(stage: &Stage) -> (Browser, String) {
    for _ in 0..10 {
        let browser = opened(stage, "/view/lake").await;
        let said = served(&browser).await;
        if !said.contains("read through") {
            return (browser, said);
        }
        browser.close(&[]).await;
    }
    panic!("no node serves the photo");
}

#[tokio::test]
async fn the_pool_is_shown_as_it_changes_without_a_reload() {
    let stage = Stage::new().await;
    stage.stored("lake", picture(1, "lake").as_bytes()).await;
    let browser = opened(&stage, "/").await;
    assert_eq!(standing(&browser).await, "Pool: 2 nodes");
    browser.look("pool-well").await;
    browser.run("window.isTheSamePage = true").await;
    let [first, second] = [&stage.nodes[0], &stage.nodes[1]].map(|node| Some(node.clone()));
    stage.manager.commit(vec![first.clone(), None]).await;
    browser
        .until_said("Pool: 2 nodes, one is being replaced")
        .await;
    browser.look("pool-one-replaced").await;
    stage.manager.commit(vec![None, None]).await;
    browser.until_said("Pool: no node now").await;
    stage.manager.commit(vec![first, second]).await;
    browser
        .until("document.querySelector('[data-standing]').textContent === 'Pool: 2 nodes'")
        .await;
    stage.manager_stop.cancel();
    browser.until_said("Pool: not reachable").await;
    browser.look("pool-not-reachable").await;
    assert_eq!(browser.run("return window.isTheSamePage").await, true);
    browser.close(&[]).await;
}

#[tokio::test]
async fn a_photos_page_says_where_the_photo_it_shows_came_from() {
    let stage = Stage::new().await;
    stage.stored("lake", picture(1, "lake").as_bytes()).await;
    let node = &stage.owner("lake").member.instance;
    let place = kit::placement::owner("lake", 2).unwrap() + 1;
    let (browser, said) = visitor(&stage).await;
    let miss = format!("the bucket · miss at {node} (node {place} of 2) · ");
    assert!(said.starts_with(&miss) && said.ends_with(" ms"), "{said}");
    browser.look("photo-miss").await;

    let cached = stage.served("hit", async |stage| stage.read("lake").await);
    cached.await;
    let (other, said) = visitor(&stage).await;
    let hit = format!("{node} (node {place} of 2) · hit · ");
    assert!(said.starts_with(&hit) && said.ends_with(" ms"), "{said}");
    other.look("photo-hit").await;
    other.open(&address(&stage, "/view/lake")).await;
    let said = served(&other).await;
    assert!(
        said.starts_with("this browser, which had it · unchanged · "),
        "{said}"
    );
    other.close(&[]).await;

    stage.manager.commit(vec![None, None]).await;
    browser.until_said("Pool: no node now").await;
    stage.stored("lake", picture(2, "another").as_bytes()).await;
    browser.open(&address(&stage, "/view/lake")).await;
    let said = served(&browser).await;
    assert!(said.starts_with("the bucket · read through · "), "{said}");
    browser.look("photo-read-through").await;
    browser.close(&[]).await;
}

#[tokio::test]
async fn without_scripts_the_pages_say_how_things_stood() {
    let stage = Stage::new().await;
    stage.stored("lake", picture(1, "lake").as_bytes()).await;
    let browser = Browser::start().await;
    browser.allow_scripts(false).await;
    browser.open(&address(&stage, "/view/lake")).await;
    let node = &stage.owner("lake").member.instance;
    assert_eq!(standing(&browser).await, "Pool: 2 nodes");
    assert!(browser.text("[data-served]").await.starts_with(node));
    browser.close(&[]).await;
}

#[tokio::test]
async fn a_closed_deployment_asks_for_the_password_and_then_takes_photos() {
    let stage = Stage::with(Options {
        api: Api::Token,
        ..Options::default()
    })
    .await;
    let files = Files::new();
    let browser = opened(&stage, "/?q=lake").await;
    browser.until_said("Log in").await;
    assert_eq!(
        browser.count("[data-standing]").await,
        0,
        "not told to strangers"
    );
    browser.look("login").await;
    browser.type_into("#password", "wrong").await;
    browser.click("main .primary").await;
    browser.until_said("That is not the password.").await;
    browser.look("login-wrong").await;
    browser.type_into("#password", PASSWORD).await;
    browser.click("main .primary").await;
    browser.until("location.search === '?q=lake'").await;
    browser.open(&address(&stage, "/")).await;
    browser.until_said("Pool: 2 nodes").await;
    let lake = files.make("lake.svg", &picture(1, "lake"));
    browser.choose("#file", &[&lake]).await;
    browser.click("[data-send]").await;
    browser.until_said("Uploaded. View it").await;
    browser
        .until("document.querySelector('.tile img')?.naturalWidth > 0")
        .await;
    browser.look("closed-photos").await;
    browser.click(".tile").await;
    browser.until_said("Replace this photo").await;
    let other = files.make("other.svg", &picture(5, "another lake"));
    browser.choose("#file", &[&other]).await;
    browser.click("[data-send]").await;
    shows_another(&browser, &other).await;
    browser.click("[action='/logout'] button").await;
    browser.until_said("The photos of this deployment").await;
    browser.close(&["status of 401"]).await;
}
