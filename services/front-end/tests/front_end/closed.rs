//! A deployment whose blueprint says `api: token`: programs show a token, people log in.

use catalog::test_support::PostgresServer;
use http::Method;
use kit::door::Api;

use crate::pool::{API_TOKEN, PASSWORD};
use crate::stage::{Answer, GIF, Options, Stage, form, stopped};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const MULTIPART: (&str, &str) = ("content-type", "multipart/form-data; boundary=XX");
const JSON: (&str, &str) = ("accept", "application/json");

async fn closed() -> Stage {
    Stage::with(options()).await
}

fn options() -> Options {
    Options {
        api: Api::Token,
        ..Options::default()
    }
}

/// What the tag `name="csrf-token"` of a page says.
fn token(page: &Answer) -> String {
    let (_, rest) = page
        .text()
        .split_once("name=\"csrf-token\" value=\"")
        .unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// The cookie that an answer gives.
fn cookie(answer: &Answer) -> String {
    answer
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned()
}

/// Types a password into the login form that `/login?to=…` shows.
async fn try_password(stage: &Stage, to: &str, password: &str) -> Answer {
    let page = stage.get(&format!("/login?to={to}")).await;
    assert_eq!(page.status, 200);
    let fields = format!("csrf-token={}&to={to}&password={password}", token(&page));
    let headers = [FORM, ("cookie", &*cookie(&page))];
    stage
        .send(Method::POST, "/login", &headers, fields.as_bytes())
        .await
}

/// The cookie of somebody who has logged in.
async fn logged_in(stage: &Stage) -> String {
    let answer = try_password(stage, "", PASSWORD).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (303, "/")
    );
    cookie(&answer)
}

#[tokio::test]
async fn the_api_answers_whoever_shows_the_token_and_nobody_else() {
    let stage = closed().await;
    let right = format!("Bearer {API_TOKEN}");
    let ask = async |path: &str, authorization: &str| {
        let headers = [("authorization", authorization), ("content-length", "0")];
        stage.send(Method::POST, path, &headers, b"").await
    };
    let listing = ask("/api/list_keys", &right).await;
    assert_eq!(listing.text(), r#"{"success":"true","keys":[]}"#);
    for path in [
        "/api/list_keys",
        "/api/key/k",
        "/api/upload",
        "/api/delete_all",
        "/api/getRate?rate=hit",
        "/api/nothing",
        "/api",
    ] {
        let refused = stage.post(path).await;
        let message = refused.failure(401);
        assert!(
            message.contains("Authorization: Bearer <token>"),
            "{message}"
        );
        assert_eq!(
            refused.header("www-authenticate"),
            "Bearer realm=\"bivouac\""
        );
        for wrong in [
            API_TOKEN,
            "Bearer wrong",
            "Bearer correct horse",
            "Basic YTpi",
        ] {
            ask(path, wrong).await.failure(401);
        }
    }
    assert_eq!(stage.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn what_is_the_managers_is_passed_on_with_the_token() {
    let stage = closed().await;
    let right = format!("Bearer {API_TOKEN}");
    let headers = [("authorization", &*right), ("content-length", "0")];
    let answer = stage
        .send(Method::POST, "/api/getNumNodes", &headers, b"")
        .await;
    let told: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(told["authorization"], right);
}

#[tokio::test]
async fn nobody_sees_a_photo_or_stores_one_who_has_not_logged_in() {
    let stage = closed().await;
    for (page, to) in [
        ("/", "/login?to=%2F"),
        ("/?q=a%20b", "/login?to=%2F%3Fq%3Da%2520b"),
        ("/view/k", "/login?to=%2Fview%2Fk"),
    ] {
        let answer = stage.get(page).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (303, to)
        );
    }
    for path in ["/photos/k", "/exists/k", "/pool/events", "/nothing"] {
        let answer = stage.get(path).await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.text().contains("href=\"/login\""), "{path}");
    }
    let body = form(&[("; name=\"file\"; filename=\"x\"", GIF)]);
    let answer = stage
        .send(Method::POST, "/upload", &[MULTIPART], &body)
        .await;
    assert_eq!(answer.status, 401);
    let answer = stage
        .send(Method::POST, "/upload", &[MULTIPART, JSON], &body)
        .await;
    assert!(answer.failure(401).contains("log in"));
    let invented = [("cookie", "bivouac-manager=aa.9999999999.bb")];
    let answer = stage.send(Method::GET, "/photos/k", &invented, b"").await;
    assert_eq!(answer.status, 401);
    assert!(stage.catalog.keys().await.unwrap().is_empty());
    for open in [
        "/assets/style.css",
        "/assets/pool.js",
        "/favicon.ico",
        "/healthz",
    ] {
        assert_eq!(stage.get(open).await.status, 200, "{open}");
    }
}

#[tokio::test]
async fn the_managers_password_opens_the_pages_until_one_logs_out() {
    let stage = closed().await;
    let answer = try_password(&stage, "%2Fview%2Fk", PASSWORD).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (303, "/view/k")
    );
    let cookie = cookie(&answer);
    let headers = [("cookie", &*cookie)];
    let page = stage.send(Method::GET, "/", &headers, b"").await;
    assert!(page.text().contains("No photos yet") && page.text().contains("Log out"));
    let fields = format!("csrf-token={}", token(&page));
    let headers = [FORM, ("cookie", &*cookie)];
    let out = stage
        .send(Method::POST, "/logout", &headers, fields.as_bytes())
        .await;
    assert_eq!(
        (out.status.as_u16(), out.header("location")),
        (303, "/login")
    );
    let page = stage
        .send(Method::GET, "/", &[("cookie", &*cookie)], b"")
        .await;
    assert_eq!(page.status, 303, "the session has ended");
}

#[tokio::test]
async fn a_login_that_fails_says_why() {
    let stage = closed().await;
    for (password, status, said) in [
        ("wrong", 401, "That is not the password."),
        ("", 401, "That is not the password."),
        ("too+often", 429, "Try again in 37 s."),
    ] {
        let answer = try_password(&stage, "%2Fview%2Fk", password).await;
        assert_eq!(answer.status, status);
        assert!(answer.text().contains(said), "{}", answer.text());
        assert!(answer.text().contains("name=\"to\" value=\"/view/k\""));
    }
    let no_cookie = stage
        .send(Method::POST, "/login", &[FORM], b"password=x")
        .await;
    assert_eq!(no_cookie.status, 403);
    assert!(no_cookie.text().contains("keeps no cookies"));
    for nonsense in [&b""[..], b"\xff\xfe=%%%&&&==", &[b'a'; 16 * 1024]] {
        let answer = stage.send(Method::POST, "/login", &[FORM], nonsense).await;
        assert_eq!(answer.status, 403);
    }
    let huge = vec![b'a'; 17 * 1024];
    let answer = stage.send(Method::POST, "/login", &[FORM], &huge).await;
    assert_eq!(answer.status, 413);
    let foreign = [FORM, ("origin", "http://evil.example")];
    let answer = stage
        .send(Method::POST, "/login", &foreign, b"password=x")
        .await;
    assert_eq!(answer.status, 403);
    stage.manager_stop.cancel();
    stage
        .until("the manager is away", async |stage| {
            let answer = stage
                .send(Method::POST, "/login", &[FORM], b"password=x")
                .await;
            answer.status == 503 && answer.text().contains("The manager")
        })
        .await;
}

#[tokio::test]
async fn a_photo_is_stored_by_a_form_that_was_made_for_whoever_sends_it() {
    let stage = closed().await;
    let (mine, others) = (logged_in(&stage).await, logged_in(&stage).await);
    let page = async |cookie: &str| {
        stage
            .send(Method::GET, "/", &[("cookie", cookie)], b"")
            .await
    };
    let (my_token, others_token) = (token(&page(&mine).await), token(&page(&others).await));
    let send = async |token: &str, headers: &[(&str, &str)]| {
        let body = form(&[
            ("; name=\"csrf-token\"", token.as_bytes()),
            ("; name=\"key\"", b"k"),
            ("; name=\"file\"; filename=\"x\"", GIF),
        ]);
        stage.send(Method::POST, "/upload", headers, &body).await
    };
    let headers = [MULTIPART, JSON, ("cookie", &*mine)];
    let long = "a".repeat(100_000);
    for wrong in ["", "x", &others_token, &my_token[1..], &long] {
        let message = send(wrong, &headers).await.failure(403);
        assert!(message.contains("not made for you"), "{message}");
    }
    let foreign = [
        MULTIPART,
        ("cookie", &*mine),
        ("origin", "http://evil.example"),
    ];
    assert_eq!(send(&my_token, &foreign).await.status, 403);
    assert!(stage.catalog.keys().await.unwrap().is_empty());
    let stored = send(&my_token, &headers).await;
    assert_eq!(stored.text(), r#"{"success":"true","key":"k"}"#);
    let without_script = [MULTIPART, ("cookie", &*mine)];
    let stored = send(&my_token, &without_script).await;
    assert_eq!(
        (stored.status.as_u16(), stored.header("location")),
        (303, "/view/k")
    );
    let photo = stage
        .send(Method::GET, "/photos/k", &[("cookie", &*mine)], b"")
        .await;
    assert_eq!(&photo.body[..], GIF);
}

#[tokio::test]
async fn while_the_database_is_away_nobody_is_let_in_and_told_why() {
    let server = PostgresServer::start();
    let database = Some(server.create_database().await);
    let stage = Stage::with(Options {
        database,
        ..options()
    })
    .await;
    let cookie = logged_in(&stage).await;
    let _server = stopped(server).await;
    for path in ["/", "/photos/k"] {
        let answer = stage
            .send(Method::GET, path, &[("cookie", &*cookie)], b"")
            .await;
        assert_eq!(answer.status, 503, "{path}");
    }
}

#[tokio::test]
async fn an_open_deployment_knows_no_login() {
    let stage = Stage::new().await;
    let login = stage.get("/login").await;
    assert_eq!(
        (login.status.as_u16(), login.header("location")),
        (303, "/")
    );
    assert!(!stage.get("/").await.text().contains("csrf-token"));
    let with_a_token = [
        ("authorization", "Bearer whatever"),
        ("content-length", "0"),
    ];
    let answer = stage
        .send(Method::POST, "/api/list_keys", &with_a_token, b"")
        .await;
    assert_eq!(answer.status, 200);
}
