//! The pages, as a browser without JavaScript meets them.

use http::Method;

use crate::stage::{GIF, Stage, encoded, form};

const TYPE: (&str, &str) = ("content-type", "multipart/form-data; boundary=XX");
const HOSTILE: &str = "<script>alert(\"x\")</script>'&";

#[tokio::test]
async fn the_first_page_asks_for_photos_and_later_shows_them_newest_first() {
    let stage = Stage::new().await;
    let page = stage.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("No photos yet"));
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    for key in ["first", HOSTILE, "last"] {
        stage.stored(key, GIF).await;
    }
    let page = stage.get("/").await;
    let text = page.text();
    assert!(
        !text.contains("<script>alert") && text.contains("&lt;script&gt;alert"),
        "{text}"
    );
    assert!(text.find("/view/last").unwrap() < text.find("/view/first").unwrap());
    assert!(text.contains("src=\"/photos/last\"") && text.contains("3 photos, "));
    assert!(!text.contains("No photos yet") && !text.contains("Older photos"));
}

#[tokio::test]
async fn many_photos_come_a_page_at_a_time() {
    let stage = Stage::new().await;
    for number in 0..70 {
        let object = format!("photos/{number}");
        stage.catalog.begin_upload(&object).await.unwrap();
        let key = format!("key-{number:03}");
        let new = catalog::NewPhoto {
            key: &key,
            object: &object,
            size: 1,
            content_type: "image/png",
            etag: None,
        };
        stage.catalog.commit_upload(&new).await.unwrap();
    }
    let first = stage.get("/").await.text().to_owned();
    assert_eq!(first.matches("class=\"tile\"").count(), 60);
    assert!(first.contains("/view/key-069") && !first.contains("/view/key-009\""));
    let older = first
        .split("href=\"/?before=")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let second = stage
        .get(&format!("/?before={older}"))
        .await
        .text()
        .to_owned();
    assert_eq!(second.matches("class=\"tile\"").count(), 10);
    assert!(second.contains("/view/key-000") && !second.contains("/?before="));
    for nonsense in ["/?page=2", "/?before=", "/?before=x'--"] {
        assert_eq!(stage.get(nonsense).await.status, 404, "{nonsense}");
    }
}

#[tokio::test]
async fn a_photos_page_tells_what_it_is() {
    let stage = Stage::new().await;
    stage.stored(HOSTILE, GIF).await;
    let page = stage.get(&format!("/view/{}", encoded(HOSTILE))).await;
    assert_eq!(page.status, 200);
    for told in [
        "GIF image",
        "image/gif",
        &format!("{} bytes", GIF.len()),
        "Replace this photo",
        "UTC",
    ] {
        assert!(page.text().contains(told), "{told}");
    }
    assert!(!page.text().contains("<script>alert"));
    let missing = stage.get("/view/nothing").await;
    assert_eq!(missing.status, 404);
    assert!(
        missing
            .text()
            .contains("There is no photo with the key &quot;nothing&quot;"),
        "{}",
        missing.text()
    );
    assert_eq!(stage.get("/no/such/page").await.status, 404);
    assert!(stage.get("/view/%00").await.text().contains("U+0000"));
}

#[tokio::test]
async fn the_form_works_without_javascript() {
    let stage = Stage::new().await;
    let file = ("; name=\"file\"; filename=\"holiday photo.gif\"", GIF);
    let answer = stage
        .send(
            Method::POST,
            "/upload",
            &[TYPE],
            &form(&[file, ("; name=\"key\"", b"")]),
        )
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (303, "/view/holiday%20photo.gif")
    );
    let answer = stage
        .send(
            Method::POST,
            "/upload",
            &[TYPE],
            &form(&[("; name=\"key\"", b"typed"), file]),
        )
        .await;
    assert_eq!(answer.header("location"), "/view/typed");
    let replaced = form(&[("; name=\"file\"; filename=\"x\"", b"new")]);
    let answer = stage
        .send(Method::POST, "/upload?replace=typed", &[TYPE], &replaced)
        .await;
    assert_eq!(answer.header("location"), "/view/typed");
    assert_eq!(stage.read("typed").await.content(), b"new");
    let none = form(&[
        ("; name=\"file\"; filename=\"\"", b""),
        ("; name=\"key\"", b"k"),
    ]);
    let answer = stage.send(Method::POST, "/upload", &[TYPE], &none).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("is empty; choose a file")
            && answer.text().contains("Upload photos"),
        "{}",
        answer.text()
    );
    let answer = stage
        .send(Method::POST, "/upload?replace=typed", &[TYPE], &none)
        .await;
    assert!(answer.text().contains("is empty") && answer.text().contains("Replace this photo"));
}

#[tokio::test]
async fn the_bytes_themselves_are_shown_but_run_nothing() {
    let stage = Stage::new().await;
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    stage.stored("svg", svg).await;
    let photo = stage.get("/photos/svg").await;
    assert_eq!((photo.status.as_u16(), &photo.body[..]), (200, &svg[..]));
    assert_eq!(photo.header("content-type"), "image/svg+xml");
    assert!(
        photo
            .header("content-security-policy")
            .starts_with("sandbox;")
    );
    assert_eq!(photo.header("x-content-type-options"), "nosniff");
    assert_eq!(photo.header("cache-control"), "no-cache");
    assert_eq!(photo.header("content-disposition"), "");
    stage
        .stored("page", b"<html><script>alert(1)</script>")
        .await;
    let page = stage.get("/photos/page").await;
    assert_eq!(page.header("content-type"), "application/octet-stream");
    assert_eq!(page.header("content-disposition"), "attachment");
    assert_eq!(stage.get("/photos/nothing").await.status, 404);
}

#[tokio::test]
async fn a_browser_that_has_the_photo_is_not_sent_it_again_until_it_changes() {
    let stage = Stage::new().await;
    stage.stored("k", GIF).await;
    let tag = stage.get("/photos/k").await.header("etag").to_owned();
    let again = |tag: String| {
        let stage = &stage;
        async move {
            stage
                .send(Method::GET, "/photos/k", &[("if-none-match", &tag)], b"")
                .await
        }
    };
    let known = again(tag.clone()).await;
    assert_eq!(
        (
            known.status.as_u16(),
            known.header("etag"),
            known.body.len()
        ),
        (304, tag.as_str(), 0)
    );
    stage.stored("k", b"another").await;
    let changed = again(tag.clone()).await;
    assert_eq!(
        (changed.status.as_u16(), &changed.body[..]),
        (200, &b"another"[..])
    );
    assert_ne!(changed.header("etag"), tag);
    let head = stage.send(Method::HEAD, "/photos/k", &[], b"").await;
    assert_eq!(
        (head.header("content-length"), head.header("etag")),
        ("7", changed.header("etag"))
    );
}

#[tokio::test]
async fn styles_and_scripts_come_from_here() {
    let stage = Stage::new().await;
    for (path, content_type) in [
        ("/assets/style.css", "text/css; charset=utf-8"),
        ("/assets/upload.js", "text/javascript; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
    ] {
        let asset = stage.get(path).await;
        assert_eq!(
            (asset.status.as_u16(), asset.header("content-type")),
            (200, content_type)
        );
    }
    let page = stage.get("/").await.text().to_owned();
    assert!(
        !page.contains("http://www") && !page.contains("https://") && !page.contains("style="),
        "{page}"
    );
    assert!(page.contains("href=\"http://127.0.0.1:"), "{page}");
    assert!(
        stage
            .get("/metrics")
            .await
            .text()
            .contains("photo_reads_total")
    );
    let refused = stage.send(Method::POST, "/", &[], b"").await;
    assert_eq!(
        (refused.status.as_u16(), refused.header("allow")),
        (405, "GET, HEAD")
    );
}
