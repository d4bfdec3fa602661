//! Who may see what, and how one logs in and out.

use std::net::SocketAddr;

use http::header::LOCATION;
use http::{HeaderMap, Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use crate::person::{Person, text};
use crate::world::{MANAGER_PASSWORD, TOKEN, World};

/// Everything that can be looked at.
const PAGES: [&str; 6] = [
    "/",
    "/pool",
    "/log?node=i-00000001",
    "/configuration",
    "/data",
    "/nothing",
];
const PARTS: [&str; 5] = [
    "/live/figures",
    "/live/charts?nodes=each",
    "/live/nodes",
    "/live/log?node=i-00000001",
    "/live/deletion",
];
const FORMS: [&str; 7] = [
    "/size",
    "/configuration",
    "/configuration/save",
    "/clear",
    "/delete",
    "/logout",
    "/nothing",
];

#[tokio::test]
async fn without_a_login_there_is_the_login_page_and_what_it_loads() {
    let world = World::start().await;
    let table = world.serving(1).await;
    let member = table.nodes[0].clone().unwrap();
    let mut person = Person::new(&world);
    let login = person.get("/login").await;
    assert_eq!(login.status(), StatusCode::OK);
    let page = text(&login);
    assert!(!page.contains("Log out") && !page.contains("/configuration"));
    for path in PAGES {
        let answer = person.get(path).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
        assert_eq!(answer.headers()[LOCATION], "/login", "{path}");
        assert!(answer.body().is_empty());
    }
    for path in PARTS {
        let answer = person.get(path).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert!(!text(&answer).contains(&member.instance));
    }
    for path in FORMS {
        let answer = person.send(path, &[("to", "2")]).await;
        assert_eq!(answer.headers()[LOCATION], "/login", "{path}");
    }
    for method in [Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
        let answer = world.call(method.clone(), "/", &HeaderMap::new(), "").await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    assert_eq!(world.metrics.reads(), 0);
}

#[tokio::test]
async fn files_hold_nothing_of_the_deployment_and_are_there_for_the_login_page() {
    let world = World::start().await;
    let mut person = Person::new(&world);
    for path in [
        "/assets/style.css",
        "/assets/manager.js",
        "/assets/charts.js",
        "/assets/form.js",
        "/assets/uplot.js",
        "/assets/uplot.css",
        "/assets/icon.svg",
    ] {
        assert_eq!(person.get(path).await.status(), StatusCode::OK, "{path}");
    }
    assert_eq!(
        person.get("/assets/nothing.js").await.status(),
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn figures_and_the_table_are_for_the_deployments_services_only() {
    let world = World::start().await;
    world.serving(1).await;
    let stranger = HeaderMap::new();
    let mut service = HeaderMap::new();
    service.insert("x-bivouac-token", TOKEN.parse().unwrap());
    for path in ["/metrics", "/internal/table?after=0"] {
        let answer = world.call(Method::GET, path, &stranger, "").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        let answer = world.call(Method::GET, path, &service, "").await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    let answer = world.call(Method::GET, "/healthz", &stranger, "").await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_cookie_taken_along_is_worth_nothing_after_the_logout() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    let taken = person.cookie.clone();
    let left = person.send("/logout", &[]).await;
    assert_eq!(left.headers()[LOCATION], "/login");
    person.cookie = taken;
    for path in PAGES {
        let answer = person.get(path).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
    }
}

#[tokio::test]
async fn a_session_outlives_the_manager() {
    let mut world = World::start().await;
    world.serving(1).await;
    let cookie = Person::logged_in(&world).await.cookie;
    world.kill_manager().await;
    world.start_manager();
    world.serving(1).await;
    let mut person = Person::new(&world);
    person.cookie = cookie;
    assert_eq!(person.get("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn five_wrong_passwords_make_even_the_right_one_wait_but_not_from_elsewhere() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::new(&world);
    person.get("/login").await;
    for _ in 0..5 {
        let answer = person.log_in("wrong").await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(text(&answer).contains("not the password"));
    }
    let answer = person.log_in(MANAGER_PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.headers().contains_key("retry-after"));
    assert!(text(&answer).contains("Too many wrong passwords"));
    let pretending = "x-bivouac-client: 203.0.113.9\r\nx-bivouac-token: a guess\r\n";
    let status = log_in_from("127.0.0.1:0", pretending, &world, &person).await;
    assert!(status.starts_with("HTTP/1.1 429"), "{status}");
    let passed_on = format!("x-bivouac-client: 203.0.113.9\r\nx-bivouac-token: {TOKEN}\r\n");
    for (address, head) in [("127.0.0.99:0", ""), ("127.0.0.1:0", &passed_on)] {
        let status = log_in_from(address, head, &world, &person).await;
        assert!(status.starts_with("HTTP/1.1 303"), "{head}{status}");
    }
}

/// Sends the right password from another address; the status line that answers.
async fn log_in_from(address: &str, head: &str, world: &World, person: &Person<'_>) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(address.parse().unwrap()).unwrap();
    let url = world.url("");
    let host = url.strip_prefix("http://").unwrap();
    let manager: SocketAddr = host.parse().unwrap();
    let mut stream = socket.connect(manager).await.unwrap();
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("csrf-token", &person.token)
        .append_pair("password", MANAGER_PASSWORD)
        .finish();
    let cookie = person.cookie.clone().unwrap();
    let request = format!(
        "POST /login HTTP/1.1\r\nhost: {host}\r\ncookie: {}\r\n{head}connection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        cookie.to_str().unwrap(),
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_form_without_its_token_or_from_another_site_changes_nothing() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    let right = person.token.clone();
    for path in FORMS {
        person.token = "00".repeat(32);
        let answer = person.send(path, &[("from", "1"), ("to", "2")]).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let body = format!("csrf-token={right}&from=1&to=2");
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let mut headers = person.headers();
        headers.insert(name, value.parse().unwrap());
        let answer = world.call(Method::POST, "/size", &headers, &body).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}: {value}");
    }
    let mut visitor = Person::new(&world);
    let answer = visitor.log_in(MANAGER_PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let size = world.post("/api/getNumNodes").await.1;
    assert_eq!(size, r#"{"success":"true","numNodes":1}"#);
    let headers = person.headers();
    let answer = world.call(Method::POST, "/size", &headers, &body).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_form_that_is_no_form_or_huge_is_refused() {
    let world = World::start().await;
    world.serving(1).await;
    let person = Person::logged_in(&world).await;
    let headers = person.headers();
    for path in FORMS {
        let huge = "x".repeat(100_000);
        let answer = world.call(Method::POST, path, &headers, &huge).await;
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        let odd = "\u{0}%%%&&&=";
        let answer = world.call(Method::POST, path, &headers, odd).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
}
