//! The pages as a browser without JavaScript uses them.

use bytes::Bytes;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use crate::world::{DEPLOYMENT, MANAGER_PASSWORD, World, until};

/// A browser: it keeps the cookie and sends the tokens of the forms it was shown.
struct Browser<'a> {
    world: &'a World,
    cookie: Option<HeaderValue>,
    token: String,
}

impl<'a> Browser<'a> {
    fn new(world: &'a World) -> Self {
        Self {
            world,
            cookie: None,
            token: String::new(),
        }
    }

    async fn logged_in(world: &'a World) -> Self {
        let mut browser = Self::new(world);
        browser.get("/login").await;
        let answer = browser.log_in(MANAGER_PASSWORD).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers()[LOCATION], "/");
        browser.get("/").await;
        browser
    }

    fn headers(&self) -> HeaderMap {
        let cookie = self.cookie.iter().map(|cookie| (COOKIE, cookie.clone()));
        cookie.collect()
    }

    fn remember(&mut self, answer: &Response<Bytes>) {
        if let Some(cookie) = answer.headers().get(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            self.cookie = Some(pair.parse().unwrap());
        }
        let body = text(answer);
        if let Some((_, rest)) = body.split_once(r#"name="csrf-token" value=""#) {
            rest.split('"').next().unwrap().clone_into(&mut self.token);
        }
    }

    async fn get(&mut self, path: &str) -> Response<Bytes> {
        let answer = self
            .world
            .call(Method::GET, path, &self.headers(), "")
            .await;
        self.remember(&answer);
        answer
    }

    async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Response<Bytes> {
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("csrf-token", &self.token)
            .extend_pairs(fields)
            .finish();
        let answer = self
            .world
            .call(Method::POST, path, &self.headers(), &form)
            .await;
        self.remember(&answer);
        answer
    }

    async fn log_in(&mut self, password: &str) -> Response<Bytes> {
        self.send("/login", &[("password", password)]).await
    }
}

fn text(answer: &Response<Bytes>) -> String {
    String::from_utf8(answer.body().to_vec()).unwrap()
}

async fn wanted(world: &World) -> String {
    world.post("/api/getNumNodes").await.1
}

#[tokio::test]
async fn the_pool_says_which_of_its_nodes_is_being_replaced_and_why() {
    let world = World::start().await;
    world.serving(1).await;
    let browser = Browser::logged_in(&world).await;
    world.edit(|blueprint| blueprint["image"] = "ami-2".into());
    let headers = browser.headers();
    for told in ["Replacing node 1 of 1: new image", "The node serves"] {
        until(told, async || {
            let page = world.call(Method::GET, "/", &headers, "").await;
            text(&page).contains(told)
        })
        .await;
    }
}

#[tokio::test]
async fn nothing_but_the_login_page_is_shown_without_a_login() {
    let world = World::start().await;
    let mut browser = Browser::new(&world);
    let answer = browser.get("/").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()[LOCATION], "/login");
    assert_eq!(
        browser.get("/pool").await.status(),
        StatusCode::UNAUTHORIZED
    );
    let login = browser.get("/login").await;
    assert_eq!(login.status(), StatusCode::OK);
    assert!(!text(&login).contains("Log out"));
    for path in ["/size", "/configuration", "/clear", "/delete", "/logout"] {
        let answer = browser.send(path, &[("to", "2")]).await;
        assert_eq!(answer.headers()[LOCATION], "/login", "{path}");
    }
    assert_eq!(
        browser.get("/nothing").await.status(),
        StatusCode::NOT_FOUND
    );
    for path in [
        "/assets/style.css",
        "/assets/manager.js",
        "/assets/icon.svg",
    ] {
        assert_eq!(browser.get(path).await.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn pages_allow_no_inline_script_and_have_none() {
    let world = World::start().await;
    world.serving(1).await;
    let mut browser = Browser::logged_in(&world).await;
    let page = browser.get("/").await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(!policy.contains("unsafe"), "{policy}");
    let page = text(&page);
    assert!(!page.contains("<script>") && !page.contains(" onclick=") && !page.contains(" style="));
}

#[tokio::test]
async fn the_overview_shows_nodes_and_can_be_left() {
    let world = World::start().await;
    let table = world.serving(1).await;
    let mut browser = Browser::logged_in(&world).await;
    let page = text(&browser.get("/").await);
    let member = table.nodes[0].clone().unwrap();
    assert!(page.contains(&member.instance) && page.contains(&member.address));
    assert!(page.contains("The node serves"), "{page}");
    let fragment = text(&browser.get("/pool").await);
    assert!(fragment.contains(&member.instance) && !fragment.contains("<html"));
    let left = browser.send("/logout", &[]).await;
    assert_eq!(left.headers()[LOCATION], "/login");
    assert_eq!(browser.get("/").await.headers()[LOCATION], "/login");
}

#[tokio::test]
async fn a_cookie_taken_along_is_worth_nothing_after_the_logout() {
    let world = World::start().await;
    world.serving(1).await;
    let mut browser = Browser::logged_in(&world).await;
    let taken = browser.cookie.clone();
    browser.send("/logout", &[]).await;
    browser.cookie = taken;
    assert_eq!(browser.get("/").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_session_outlives_the_manager() {
    let mut world = World::start().await;
    world.serving(1).await;
    let cookie = Browser::logged_in(&world).await.cookie;
    world.kill_manager().await;
    world.start_manager();
    world.serving(1).await;
    let mut browser = Browser::new(&world);
    browser.cookie = cookie;
    assert_eq!(browser.get("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn five_wrong_passwords_make_even_the_right_one_wait() {
    let world = World::start().await;
    world.serving(1).await;
    let mut browser = Browser::new(&world);
    browser.get("/login").await;
    for _ in 0..5 {
        let answer = browser.log_in("wrong").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(text(&answer).contains("not the password"));
    }
    let answer = browser.log_in(MANAGER_PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.headers().contains_key("retry-after"));
    assert!(text(&answer).contains("Too many wrong passwords"));
}

#[tokio::test]
async fn growing_and_shrinking_go_by_one_and_from_what_was_shown() {
    let world = World::start().await;
    world.serving(1).await;
    let mut browser = Browser::logged_in(&world).await;
    let answer = browser.send("/size", &[("from", "1"), ("to", "2")]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let page = text(&browser.get("/").await);
    assert!(page.contains("The pool goes to 2 nodes"), "{page}");
    assert!(!text(&browser.get("/").await).contains("goes to"));
    let raced = browser.send("/size", &[("from", "1"), ("to", "2")]).await;
    assert_eq!(raced.status(), StatusCode::CONFLICT);
    assert!(text(&raced).contains("changed to 2 nodes in the meantime"));
    let answer = browser.send("/size", &[("from", "2"), ("to", "1")]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let outside = browser.send("/size", &[("from", "1"), ("to", "0")]).await;
    assert_eq!(outside.status(), StatusCode::BAD_REQUEST);
    assert_eq!(wanted(&world).await, r#"{"success":"true","numNodes":1}"#);
}

#[tokio::test]
async fn capacity_and_policy_are_set_and_mistakes_are_said_at_the_field() {
    let world = World::start().await;
    let table = world.serving(1).await;
    let mut browser = Browser::logged_in(&world).await;
    let fields = [("cacheSize", "3"), ("policy", "RR")];
    let answer = browser.send("/configuration", &fields).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let address = table.nodes[0].clone().unwrap().address;
    assert_eq!(world.statistics(&address).await.capacity, 3 << 20);
    assert!(text(&browser.get("/").await).contains(r#"<option value="RR" selected>"#));
    let fields = [("cacheSize", "<b>"), ("policy", "SIEVE")];
    let answer = browser.send("/configuration", &fields).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let page = text(&answer);
    assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"));
    assert!(page.contains(r#"aria-describedby="capacity-problem""#));
    assert!(page.contains(r#"<option value="SIEVE" selected>"#));
}

#[tokio::test]
async fn clearing_empties_the_caches() {
    let world = World::start().await;
    world.serving(1).await;
    let mut browser = Browser::logged_in(&world).await;
    let answer = browser.send("/clear", &[]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!(text(&browser.get("/").await).contains("All caches are empty"));
}

#[tokio::test]
async fn deleting_needs_the_deployments_name() {
    let world = World::start().await;
    world.serving(1).await;
    world.bucket.insert("photos/1");
    let mut browser = Browser::logged_in(&world).await;
    let answer = browser.send("/delete", &[("name", "yes")]).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(text(&answer).contains("Nothing was deleted"));
    assert!(world.bucket.keys().contains(&"photos/1".to_owned()));
    let answer = browser.send("/delete", &[("name", DEPLOYMENT)]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!(!world.bucket.keys().contains(&"photos/1".to_owned()));
}

#[tokio::test]
async fn a_form_without_its_token_or_from_another_site_changes_nothing() {
    let world = World::start().await;
    world.serving(1).await;
    let mut browser = Browser::logged_in(&world).await;
    let right = browser.token.clone();
    browser.token = "00".repeat(32);
    let answer = browser.send("/size", &[("from", "1"), ("to", "2")]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let body = format!("csrf-token={right}&from=1&to=2");
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let mut headers = browser.headers();
        headers.insert(name, value.parse().unwrap());
        let answer = world.call(Method::POST, "/size", &headers, &body).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}: {value}");
    }
    let mut visitor = Browser::new(&world);
    let answer = visitor.log_in(MANAGER_PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(wanted(&world).await, r#"{"success":"true","numNodes":1}"#);
    let answer = world
        .call(Method::POST, "/size", &browser.headers(), &body)
        .await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_form_that_is_no_form_or_huge_is_refused() {
    let world = World::start().await;
    world.serving(1).await;
    let browser = Browser::logged_in(&world).await;
    let huge = "x".repeat(100_000);
    let answer = world
        .call(Method::POST, "/size", &browser.headers(), &huge)
        .await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let answer = world
        .call(Method::POST, "/size", &browser.headers(), "\u{0}%%%&&&=")
        .await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_page_follows_a_resize() {
    let world = World::start().await;
    world.serving(1).await;
    let mut browser = Browser::logged_in(&world).await;
    browser.send("/size", &[("from", "1"), ("to", "2")]).await;
    world.serving(2).await;
    until("both nodes on the page", async || {
        text(&browser.get("/pool").await).contains("All 2 nodes serve")
    })
    .await;
}

#[tokio::test]
async fn in_mode_auto_a_click_on_the_size_is_refused_with_why() {
    let world = World::start().await;
    world.serving(1).await;
    let mut browser = Browser::logged_in(&world).await;
    let grow = [("from", "1"), ("to", "2")];
    world.post("/api/configure_cache?mode=auto").await;
    let answer = browser.send("/size", &grow).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert!(text(&answer).contains("The mode is auto: the scaler decides"));
    assert_eq!(wanted(&world).await, r#"{"success":"true","numNodes":1}"#);
    world.post("/api/configure_cache?mode=manual").await;
    let answer = browser.send("/size", &grow).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let newest = &world.catalog.changes("cache", 1).await.unwrap()[0];
    assert_eq!(
        (newest.by, newest.what.as_str()),
        (catalog::By::Page, "numNodes")
    );
}
