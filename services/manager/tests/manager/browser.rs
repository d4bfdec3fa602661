//! The manager's pages in Chromium: what people do, by mouse and by keyboard, and how each state
//! looks.

use browser::{Browser, key};
use catalog::test_support::PostgresServer;

use crate::faults::no_room;
use crate::world::{DEPLOYMENT, MANAGER_PASSWORD, World};

async fn opened(world: &World) -> Browser {
    let browser = Browser::start().await;
    browser.open(&world.url("/")).await;
    browser
}

/// Logs in by keyboard alone: the field has the focus.
async fn logged_in(world: &World) -> Browser {
    let browser = opened(world).await;
    browser
        .until("document.activeElement.id === 'password'")
        .await;
    browser.type_into("#password", MANAGER_PASSWORD).await;
    browser.press(&[key::ENTER]).await;
    browser.until_said("Log out").await;
    browser
}

#[tokio::test]
async fn wrong_passwords_are_refused_and_then_have_to_wait() {
    let world = World::start().await;
    world.serving(1).await;
    let browser = opened(&world).await;
    browser.look("login").await;
    for _ in 0..5 {
        browser.type_into("#password", "a wrong one").await;
        browser.press(&[key::ENTER]).await;
        // The page that answers has an empty field.
        browser
            .until("document.querySelector('#password').value === ''")
            .await;
        browser.until_said("That is not the password.").await;
    }
    browser.look("login-wrong").await;
    browser.type_into("#password", MANAGER_PASSWORD).await;
    browser.click(".primary").await;
    browser.until_said("Too many wrong passwords.").await;
    browser.look("login-wait").await;
    browser.close(&["status of 401", "status of 429"]).await;
}

#[tokio::test]
async fn the_pool_grows_and_shrinks_while_the_page_follows() {
    let world = World::start().await;
    world.serving(1).await;
    let browser = logged_in(&world).await;
    browser.until_said("The node serves").await;
    browser
        .until("document.querySelector('#shrink').disabled")
        .await;
    browser.look("pool-one").await;
    world
        .cloud
        .refuse(std::iter::repeat_with(no_room).take(3).collect());
    browser.click("#grow").await;
    browser.until_said("The pool goes to 2 nodes.").await;
    browser.until_said("It is tried again by itself.").await;
    browser.look("pool-waits-for-room").await;
    browser.until_said("All 2 nodes serve").await;
    browser
        .until("!document.querySelector('#shrink').disabled")
        .await;
    browser.look("pool-two").await;

    browser
        .run("document.querySelector('#shrink').focus()")
        .await;
    browser.press(&[key::ENTER]).await;
    browser.until_said("The pool goes to 1 node.").await;
    browser.until_said("The node serves").await;
    world.instances(1).await;
    browser.click(".nav .button").await;
    browser.until_said("Log in").await;
    browser.open(&world.url("/")).await;
    browser.until("location.pathname === '/login'").await;
    browser.close(&[]).await;
}

#[tokio::test]
async fn the_largest_pool_cannot_grow_and_a_lost_node_is_shown() {
    let world = World::start().await;
    world.serving(1).await;
    world.post("/api/configure_cache?numNodes=8").await;
    let table = world.serving(8).await;
    let browser = logged_in(&world).await;
    browser.until_said("All 8 nodes serve").await;
    browser
        .until("document.querySelector('#grow').disabled")
        .await;
    browser.look("pool-eight").await;
    let lost = table.nodes[2].clone().unwrap();
    world
        .cloud
        .refuse(std::iter::repeat_with(no_room).take(40).collect());
    world.cloud.kill(&lost.instance);
    browser.until_said("7 of 8 nodes serve").await;
    browser.look("pool-node-lost").await;
    browser.close(&[]).await;
}

#[tokio::test]
async fn forms_say_what_they_did_and_what_was_wrong() {
    let world = World::start().await;
    world.serving(1).await;
    world.bucket.insert("photos/1");
    let browser = logged_in(&world).await;
    browser.empty("#capacity").await;
    browser.type_into("#capacity", "3").await;
    browser.press(&[key::ENTER]).await;
    browser
        .until_said("All nodes have the new capacity and policy.")
        .await;
    browser.look("pool-configured").await;
    // The browser itself would refuse this one.
    browser
        .run("document.querySelector('#capacity').form.noValidate = true")
        .await;
    browser.empty("#capacity").await;
    browser.type_into("#capacity", "0").await;
    browser.press(&[key::ENTER]).await;
    browser
        .until("document.querySelector('#capacity-problem')")
        .await;
    let told = browser.text("#capacity-problem").await;
    assert_eq!(told, "Give a whole number from 1 to 65536.");
    assert_eq!(browser.count(".nav a").await, 2);
    browser.look("pool-refused").await;
    browser.click("[action='/clear'] .button").await;
    browser.until_said("All caches are empty.").await;
    browser.type_into("#name", "something else").await;
    browser.press(&[key::ENTER]).await;
    browser.until_said("Nothing was deleted").await;
    assert!(world.bucket.keys().contains(&"photos/1".to_owned()));
    browser.look("pool-not-deleted").await;
    browser.empty("#name").await;
    browser.type_into("#name", DEPLOYMENT).await;
    browser.click(".button.danger").await;
    browser.until_said("All photos are deleted.").await;
    assert!(!world.bucket.keys().contains(&"photos/1".to_owned()));
    browser.open(&world.url("/nothing")).await;
    browser.look("manager-not-found").await;
    browser.close(&["status of 400", "status of 404"]).await;
}

#[tokio::test]
async fn a_page_that_loses_its_manager_says_so_and_goes_on_when_it_is_back() {
    let mut world = World::start().await;
    world.serving(1).await;
    let browser = logged_in(&world).await;
    world.kill_manager().await;
    browser
        .until("!document.querySelector('#offline').hidden")
        .await;
    browser.look("manager-away").await;
    world.start_manager();
    browser
        .until("document.querySelector('#offline').hidden")
        .await;
    browser.until_said("The node serves").await;
    browser
        .close(&["ERR_CONNECTION_REFUSED", "status of 5"])
        .await;
}

#[tokio::test]
async fn without_the_database_nobody_is_recognised_and_that_is_said() {
    let mut server = PostgresServer::start();
    let world = World::start_on(&server.create_database().await).await;
    world.serving(1).await;
    let browser = logged_in(&world).await;
    server.stop();
    browser.open(&world.url("/")).await;
    browser.until_said("The database cannot be reached").await;
    browser.look("manager-database-away").await;
    server.resume();
    browser.click(".primary").await;
    browser.until_said("The node serves").await;
    browser.close(&["status of 503"]).await;
}

#[tokio::test]
async fn everything_works_without_scripts() {
    let world = World::start().await;
    world.serving(1).await;
    let browser = Browser::start().await;
    browser.allow_scripts(false).await;
    browser.open(&world.url("/")).await;
    browser.type_into("#password", MANAGER_PASSWORD).await;
    browser.click(".primary").await;
    browser.click("#grow").await;
    browser.until_said("The pool goes to 2 nodes.").await;
    world.serving(2).await;
    browser.open(&world.url("/")).await;
    browser.until_said("All 2 nodes serve").await;
    browser.click(".nav .button").await;
    browser.until_said("Log in").await;
    browser.close(&[]).await;
}
