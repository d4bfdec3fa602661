//! The pages of the pool and the overview, as a browser without JavaScript uses them.

use catalog::test_support::database;
use http::header::LOCATION;
use http::{HeaderMap, Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use kit::expiry::Expiry;
use manager::charts::Window;

use crate::metrics::half_an_hour;
use crate::person::{Person, text};
use crate::world::{World, until};

async fn wanted(world: &World) -> String {
    world.post("/api/getNumNodes").await.1
}

#[tokio::test]
async fn the_pool_says_which_of_its_nodes_is_being_replaced_and_why() {
    let world = World::start().await;
    world.serving(1).await;
    let person = Person::logged_in(&world).await;
    world.edit(|blueprint| blueprint["image"] = "ami-2".into());
    let headers = person.headers();
    for told in ["Replacing node 1 of 1: new image", "The node serves"] {
        until(told, async || {
            let page = world.call(Method::GET, "/", &headers, "").await;
            text(&page).contains(told)
        })
        .await;
    }
}

#[tokio::test]
async fn pages_allow_no_inline_script_and_have_none() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    for path in ["/", "/pool", "/configuration", "/data"] {
        let page = person.get(path).await;
        let policy = page.headers()["content-security-policy"].to_str().unwrap();
        assert!(!policy.contains("unsafe"), "{policy}");
        let page = text(&page);
        for inline in ["<script>", " onclick=", " style=", "<style", "http-equiv"] {
            assert!(!page.contains(inline), "{path}: {inline}");
        }
        for loaded in page.split("src=\"").skip(1) {
            assert!(loaded.starts_with("/assets/"), "{path}: {loaded:.40}");
        }
    }
}

#[tokio::test]
async fn every_page_marks_where_one_is_and_leads_to_the_others() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    for path in ["/", "/pool", "/configuration", "/data"] {
        let page = text(&person.get(path).await);
        assert!(
            page.contains(&format!(r#"href="{path}" aria-current="page""#)),
            "{path}"
        );
        assert_eq!(page.matches("aria-current").count(), 1, "{path}");
    }
    for path in [
        "/size",
        "/configuration/save",
        "/clear",
        "/delete",
        "/logout",
    ] {
        let answer = person.get(path).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
    }
    let nothing = person.get("/nothing").await;
    assert_eq!(nothing.status(), StatusCode::NOT_FOUND);
    assert!(text(&nothing).contains("Log out"));
}

#[tokio::test]
async fn the_pools_page_shows_nodes_and_who_owns_what() {
    let world = World::start().await;
    world.serving(1).await;
    world.post("/api/configure_cache?numNodes=3").await;
    let table = world.serving(3).await;
    let mut person = Person::logged_in(&world).await;
    let page = text(&person.get("/pool").await);
    for member in table.nodes.iter().flatten() {
        assert!(page.contains(&member.instance) && page.contains(&member.address));
    }
    assert!(page.contains("All 3 nodes serve"), "{page}");
    assert!(page.contains("us-east-1a"), "{page}");
    assert_eq!(page.matches(r#"<li class="place-1""#).count(), 6);
    assert_eq!(page.matches(r#"<li class="place-3""#).count(), 5);
    assert!(page.contains("6 of 16") && page.contains("5 of 16"));
    let part = text(&person.get("/live/nodes").await);
    assert!(part.contains("All 3 nodes serve") && !part.contains("<html"));
}

#[tokio::test]
async fn growing_and_shrinking_go_by_one_and_from_what_was_shown() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    let answer = person.send("/size", &[("from", "1"), ("to", "2")]).await;
    assert_eq!(answer.headers()[LOCATION], "/pool");
    let page = text(&person.get("/pool").await);
    assert!(page.contains("The pool goes to 2 nodes"), "{page}");
    assert!(!text(&person.get("/pool").await).contains("goes to"));
    let raced = person.send("/size", &[("from", "1"), ("to", "2")]).await;
    assert_eq!(raced.status(), StatusCode::CONFLICT);
    assert!(text(&raced).contains("changed to 2 nodes in the meantime"));
    let answer = person.send("/size", &[("from", "2"), ("to", "1")]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let outside = person.send("/size", &[("from", "1"), ("to", "0")]).await;
    assert_eq!(outside.status(), StatusCode::BAD_REQUEST);
    assert_eq!(wanted(&world).await, r#"{"success":"true","numNodes":1}"#);
}

#[tokio::test]
async fn while_the_scaler_sets_the_size_the_buttons_are_off_and_it_is_said_why() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    world.post("/api/configure_cache?mode=auto").await;
    let page = text(&person.get("/pool").await);
    let grow = page.split(r#"id="grow""#).nth(1).unwrap();
    assert!(grow.split('>').next().unwrap().contains("disabled"));
    assert!(
        page.contains(r#"<p class="hint" id="automatic">"#),
        "{page}"
    );
}

#[tokio::test]
async fn a_nodes_log_is_shown_and_another_nodes_is_not_there() {
    let world = World::start().await;
    let table = world.serving(1).await;
    let instance = table.nodes[0].clone().unwrap().instance;
    kit::logging::tail().push(
        r#"{"at":"2026-03-04T05:06:07Z","level":"warn","message":"<told> by a test","ms":7}"#,
    );
    let mut person = Person::logged_in(&world).await;
    // A node that does not answer in time has its log shown by the next look.
    until("the log on its page", async || {
        let page = text(&person.get(&format!("/log?node={instance}")).await);
        page.contains("&lt;told&gt; by a test") && page.contains("2026-03-04 05:06:07 UTC")
    })
    .await;
    until("the log for the script", async || {
        let part = text(&person.get(&format!("/live/log?node={instance}")).await);
        assert!(!part.contains("<html"));
        part.contains("by a test")
    })
    .await;
    for odd in ["/log", "/log?node=i-0", "/log?node=%00%ff", "/log?node="] {
        assert_eq!(
            person.get(odd).await.status(),
            StatusCode::NOT_FOUND,
            "{odd}"
        );
    }
}

#[tokio::test]
async fn the_charts_are_tables_with_gaps_thresholds_and_resizes() {
    let world = World::start().await;
    world.serving(1).await;
    world.metrics.publish(half_an_hour);
    let mut person = Person::logged_in(&world).await;
    let page = text(&person.get("/").await);
    assert_eq!(page.matches("<figure").count(), 6);
    for title in [
        "Nodes",
        "Miss rate",
        "Hit rate",
        "Cached entries",
        "Cached bytes",
        "Requests per minute",
    ] {
        assert!(page.contains(&format!("<h3>{title}</h3>")), "{title}");
    }
    assert_eq!(page.matches("<tr data-second").count(), 6 * 30);
    // Three minutes are missing in each chart; the wish is known in all of them.
    assert_eq!(page.matches(r#"<td class="num">–</td>"#).count(), 6 * 3);
    assert!(page.contains("grow above 60 %") && page.contains("shrink below 20 %"));
    assert!(!page.contains("i-00000001"), "no node was asked for");
    let each = text(&person.get("/?nodes=each").await);
    assert!(
        each.contains(r#"data-place="1" title="i-00000001">Node 1<"#),
        "{each}"
    );
}

#[tokio::test]
async fn resizes_are_marked_in_the_charts_and_told_in_the_table_of_nodes() {
    let world = World::start_resized(&[(40, 8, 1), (20, 1, 2), (8, 2, 1)]).await;
    world.serving(1).await;
    world.metrics.publish(half_an_hour);
    let mut person = Person::logged_in(&world).await;
    let page = text(&person.get("/").await);
    assert_eq!(page.matches(r#"<data class="mark""#).count(), 6 * 2);
    assert_eq!(page.matches("<td>1 → 2 </td>").count(), 1, "{page}");
    assert!(!page.contains("8 → 1"), "that was before");
    let wished: Vec<_> = page.split(r#"data-value="2.0">2</td><td>"#).collect();
    assert!(wished.len() > 10, "twelve minutes of two nodes");
}

#[tokio::test]
async fn who_looks_at_the_charts_shares_one_reading_a_minute() {
    let world = World::start().await;
    world.serving(1).await;
    world.metrics.publish(half_an_hour);
    let person = Person::logged_in(&world).await;
    let headers = person.headers();
    assert!(world.metrics.reads() >= 1, "the overview was looked at");
    // Those who look on both sides of a minute's end read back and forth.
    until("looks within one minute", async || {
        let (window, before) = (Window::at(Timestamp::now()), world.metrics.reads());
        let looks = (0..10).map(|_| world.call(Method::GET, "/live/charts", &headers, ""));
        for answer in futures::future::join_all(looks).await {
            assert_eq!(answer.status(), StatusCode::OK);
        }
        let is_one = Window::at(Timestamp::now()) == window;
        assert!(!is_one || world.metrics.reads() <= before + 1);
        is_one
    })
    .await;
}

#[tokio::test]
async fn a_cloudwatch_that_refuses_is_said_and_the_rest_is_shown() {
    let world = World::start().await;
    world.serving(1).await;
    world.metrics.fail(true);
    let mut person = Person::logged_in(&world).await;
    let answer = person.get("/").await;
    assert_eq!(answer.status(), StatusCode::OK);
    let page = text(&answer);
    assert!(
        page.contains("Could not read the metrics: AccessDenied"),
        "{page}"
    );
    assert!(page.contains("The node serves"));
    assert!(page.contains("No figures in these 30 minutes."));
}

#[tokio::test]
async fn the_pools_part_follows_a_resize() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    person.send("/size", &[("from", "1"), ("to", "2")]).await;
    world.serving(2).await;
    until("both nodes on the page", async || {
        text(&person.get("/live/nodes").await).contains("All 2 nodes serve")
    })
    .await;
}

#[tokio::test]
async fn in_mode_auto_a_click_on_the_size_is_refused_with_why() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    let grow = [("from", "1"), ("to", "2")];
    world.post("/api/configure_cache?mode=auto").await;
    let answer = person.send("/size", &grow).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert!(text(&answer).contains("The mode is auto: the scaler decides"));
    assert_eq!(wanted(&world).await, r#"{"success":"true","numNodes":1}"#);
    world.post("/api/configure_cache?mode=manual").await;
    let answer = person.send("/size", &grow).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let newest = &world.catalog.changes("cache", 1).await.unwrap()[0];
    assert_eq!(
        (newest.by, newest.what.as_str()),
        (catalog::By::Page, "numNodes")
    );
}

#[tokio::test]
async fn every_page_counts_down_to_the_expiry() {
    let (settings, _) = database().await;
    let mut world = World::prepare(&settings);
    world.expiry = Some(Expiry {
        at: Timestamp::now() + SignedDuration::from_mins(29),
        started: None,
    });
    world.start_manager();
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    for path in [
        "/",
        "/pool",
        "/configuration",
        "/data",
        "/live/countdown",
        "/nowhere",
    ] {
        let page = text(&person.get(path).await);
        assert!(page.contains("Expires in 2"), "{path}: {page}");
        assert!(page.contains("notice warn"), "{path}: {page}");
        assert!(
            page.contains("<code>deploy extend elastic-cache 2h</code>"),
            "{path}: {page}"
        );
    }
    let stranger = world
        .call(Method::GET, "/login", &HeaderMap::new(), "")
        .await;
    assert!(!text(&stranger).contains("Expires in"));
}

#[tokio::test]
async fn a_deployment_without_an_end_counts_down_to_nothing() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    let page = text(&person.get("/").await);
    assert!(!page.contains("xpires") && page.contains("/live/countdown"));
    assert_eq!(text(&person.get("/live/countdown").await).trim(), "");
}
