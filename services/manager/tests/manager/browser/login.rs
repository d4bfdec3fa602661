//! Logging in and out, and what is shown while the manager or its database is away.

use browser::{Browser, key};
use catalog::test_support::PostgresServer;
use http::{HeaderMap, Method, StatusCode};

use super::{at, logged_in, opened};
use crate::world::{MANAGER_PASSWORD, World, until};

#[tokio::test]
async fn a_wrong_password_is_told() {
    let world = World::start().await;
    world.serving(1).await;
    let browser = opened(&world).await;
    browser.look("login").await;
    browser.type_into("#password", "a wrong one").await;
    browser.press(&[key::ENTER]).await;
    browser.until_said("That is not the password.").await;
    browser.look("login-wrong").await;
    browser.close(&["status of 401"]).await;
}

#[tokio::test]
async fn wrong_passwords_are_refused_and_then_have_to_wait() {
    let world = World::start().await;
    world.serving(1).await;
    let browser = opened(&world).await;
    for _ in 0..5 {
        browser.type_into("#password", "a wrong one").await;
        browser.press(&[key::ENTER]).await;
        // The page that answers has an empty field.
        browser
            .until("document.querySelector('#password')?.value === ''")
            .await;
    }
    browser.type_into("#password", MANAGER_PASSWORD).await;
    browser.click(".primary").await;
    browser.until_said("Too many wrong passwords.").await;
    browser.look("login-wait").await;
    browser.close(&["status of 401", "status of 429"]).await;
}

#[tokio::test]
async fn a_logout_in_one_tab_ends_the_other_too() {
    let world = World::start().await;
    world.serving(1).await;
    let browser = at(&world, "/pool").await;
    let other = "window.open('/configuration', 'other')";
    browser.run(&format!("window.other = {other}")).await;
    browser
        .until("window.other.document.querySelector('.nav .button')")
        .await;
    browser
        .run("window.other.document.querySelector('.nav .button').click()")
        .await;
    // The page follows the pool, and is told that nobody is logged in.
    browser.until("location.pathname === '/login'").await;
    browser.until_said("Log in").await;
    browser.close(&["status of 401"]).await;
}

#[tokio::test]
async fn after_the_logout_the_way_back_shows_nothing() {
    let world = World::start().await;
    world.serving(1).await;
    let browser = at(&world, "/data").await;
    browser.click(".nav .button").await;
    browser.until("location.pathname === '/login'").await;
    browser.back(1).await;
    browser.until("location.pathname === '/login'").await;
    browser.until_said("Password").await;
    browser.close(&[]).await;
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
    until("the wish granted", async || {
        let (status, _) = world.post("/api/configure_cache?numNodes=2").await;
        status == StatusCode::OK
    })
    .await;
    world.serving(2).await;
    browser.until_said("All 2 nodes serve").await;
    // Refused, or cut off in the middle.
    browser.close(&["net::ERR_", "status of 5"]).await;
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
    // One click is all that there is: an answer without the database would stay.
    until("the manager well again", async || {
        let headers = HeaderMap::new();
        let answer = world.call(Method::GET, "/readyz", &headers, "").await;
        answer.status() == StatusCode::OK
    })
    .await;
    browser.click(".primary").await;
    browser.until_said("The node serves").await;
    browser.close(&["status of 503"]).await;
}

#[tokio::test]
async fn everything_works_without_scripts() {
    let world = World::start().await;
    world.serving(1).await;
    world.metrics.publish(crate::metrics::half_an_hour);
    let browser = Browser::start().await;
    browser.allow_scripts(false).await;
    browser.open(&world.url("/")).await;
    browser.type_into("#password", MANAGER_PASSWORD).await;
    browser.click(".primary").await;
    browser.until_said("The node serves").await;
    browser.click("#chart-items summary").await;
    browser.until_said("in the last 30 minutes.").await;
    browser.click(".nav a[href='/pool']").await;
    browser.click("#grow").await;
    browser.until_said("The pool goes to 2 nodes.").await;
    world.serving(2).await;
    browser.open(&world.url("/pool")).await;
    browser.until_said("All 2 nodes serve").await;
    browser.click(".nav a[href='/configuration']").await;
    super::retype(&browser, "#cacheSize", "3").await;
    browser.click("#configuration .primary").await;
    browser.click("[action$=save] .primary").await;
    browser.until_said("The configuration is saved.").await;
    browser.click(".nav .button").await;
    browser.until_said("Log in").await;
    browser.close(&[]).await;
}
