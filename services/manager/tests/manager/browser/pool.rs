//! Growing and shrinking, and how the pool looks meanwhile.

use browser::key;

use super::at;
use crate::faults::no_room;
use crate::world::World;

#[tokio::test]
async fn the_pool_grows_and_shrinks_while_the_page_follows() {
    let world = World::start().await;
    world.serving(1).await;
    let browser = at(&world, "/pool").await;
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
    // What is on its way is shown by a page that was just opened too.
    browser.open(&world.url("/pool")).await;
    world.serving(2).await;
    browser.until_said("All 2 nodes serve").await;
    browser
        .until("!document.querySelector('#shrink').disabled")
        .await;
    browser.look("pool-two").await;
    // The way back over the form leads to the pool as it is.
    browser.back(1).await;
    browser
        .until("document.querySelector('#wanted')?.textContent === '2'")
        .await;

    browser
        .run("document.querySelector('#shrink').focus()")
        .await;
    browser.press(&[key::ENTER]).await;
    browser.until_said("The pool goes to 1 node.").await;
    world.instances(1).await;
    browser.until_said("The node serves").await;
    browser.close(&[]).await;
}

#[tokio::test]
async fn the_largest_pool_cannot_grow_and_a_lost_node_is_shown() {
    let world = World::start().await;
    world.serving(1).await;
    world.post("/api/configure_cache?numNodes=8").await;
    let table = world.serving(8).await;
    let browser = at(&world, "/pool").await;
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
async fn two_tabs_that_both_grow_grow_by_one() {
    let world = World::start().await;
    world.serving(1).await;
    let browser = at(&world, "/pool").await;
    browser
        .run("window.other = window.open('/pool', 'other')")
        .await;
    browser
        .until("window.other.document.querySelector('#grow')")
        .await;
    // The other tab does not look at the pool again, as one in the background, and does not take up
    // what it was about to be told.
    let asks = "window.other.document.querySelector('#size').elements.from.value";
    browser.until(&format!("{asks} === '1'")).await;
    browser
        .run(
            "Object.defineProperty(window.other.document, 'hidden', { value: true });
             window.other.step = () => {};",
        )
        .await;
    browser.click("#grow").await;
    browser.until_said("The pool goes to 2 nodes.").await;
    browser
        .run("window.open('', 'other').document.querySelector('#grow').click()")
        .await;
    browser
        .until(
            "(window.open('', 'other').document.body?.innerText ?? '').includes('in the meantime')",
        )
        .await;
    let size = world.post("/api/getNumNodes").await.1;
    assert_eq!(size, r#"{"success":"true","numNodes":2}"#);
    browser.close(&["status of 409"]).await;
}

#[tokio::test]
async fn while_the_scaler_sets_the_size_the_buttons_go_off_by_themselves() {
    let world = World::start().await;
    world.serving(1).await;
    let browser = at(&world, "/pool").await;
    browser
        .until("!document.querySelector('#grow').disabled")
        .await;
    world.post("/api/configure_cache?mode=auto").await;
    browser
        .until("document.querySelector('#grow').disabled")
        .await;
    browser.until_said("The scaler sets the size").await;
    browser.look("pool-automatic").await;
    browser.close(&[]).await;
}

#[tokio::test]
async fn a_nodes_log_is_read_by_keyboard_and_follows() {
    let world = World::start().await;
    world.serving(1).await;
    for message in ["serving", "configured", "cleared"] {
        let long = "a-long-value-without-a-space-".repeat(8);
        kit::logging::tail().push(&format!(
            r#"{{"at":"2026-03-04T05:06:07Z","level":"info","message":"{message}","capacity":67108864,"told":"{long}"}}"#
        ));
    }
    kit::logging::tail().push(
        r#"{"at":"2026-03-04T05:07:08Z","level":"warn","message":"publishing figures to CloudWatch","cause":"no answer in time"}"#,
    );
    kit::logging::tail().push(
        r#"{"at":"2026-03-04T05:08:09Z","level":"error","message":"panic","reason":"made up"}"#,
    );
    let browser = at(&world, "/pool").await;
    // The focus stays while the part around it is replaced.
    browser
        .run("document.querySelector('[id^=log-]').focus()")
        .await;
    browser
        .run("document.querySelector('#nodes').firstElementChild.id = 'old'")
        .await;
    world.post("/api/configure_cache?numNodes=2").await;
    browser.until("!document.querySelector('#old')").await;
    browser
        .until("document.activeElement.id.startsWith('log-')")
        .await;
    browser.press(&[key::ENTER]).await;
    browser.until_said("Log of i-").await;
    browser.until_said("publishing figures to CloudWatch").await;
    browser.look("log").await;
    kit::logging::tail().push(r#"{"level":"info","message":"a newer line"}"#);
    browser.until_said("a newer line").await;
    browser.close(&[]).await;
}
