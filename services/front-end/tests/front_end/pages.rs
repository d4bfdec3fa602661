//! The pages, as a browser without JavaScript meets them.

use catalog::test_support::seed_photos;
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

/// Where a page's link goes, by what it says.
fn link(page: &str, text: &str) -> Option<String> {
    let before = &page[..page.find(&format!(">{text}</a>"))?];
    let (_, address) = before.rsplit_once("href=\"")?;
    let address = address.split('"').next()?;
    Some(address.replace("&amp;", "&").replace("&#x3D;", "="))
}

#[tokio::test]
async fn many_photos_come_a_page_at_a_time() {
    let stage = Stage::new().await;
    seed_photos(&stage.catalog, 70, 1).await;
    let first = stage.get("/").await.text().to_owned();
    assert_eq!(first.matches("class=\"tile\"").count(), 60);
    assert!(first.contains("/view/photo-00070.svg") && first.contains("1–60 of 70"));
    assert!(link(&first, "← Newer").is_none() && link(&first, "Newest").is_none());
    let older = stage.get(&link(&first, "Older →").unwrap()).await;
    let older = older.text().to_owned();
    assert_eq!(older.matches("class=\"tile\"").count(), 10);
    assert!(older.contains("/view/photo-00001.svg") && older.contains("61–70 of 70"));
    assert!(link(&older, "Older →").is_none() && link(&older, "Oldest").is_none());
    let newer = stage.get(&link(&older, "← Newer").unwrap()).await;
    assert!(newer.text().contains("1–60 of 70"));
    let oldest = stage.get(&link(&first, "Oldest").unwrap()).await;
    assert!(oldest.text().contains("11–70 of 70"));
    let beyond = stage.get("/?before=-5").await;
    assert!(beyond.text().contains("Nothing on this page"));
    for nonsense in ["/?page=2", "/?before=", "/?before=x'--"] {
        assert_eq!(stage.get(nonsense).await.status, 404, "{nonsense}");
    }
}

#[tokio::test]
async fn photos_are_found_by_a_part_of_their_key() {
    let stage = Stage::new().await;
    seed_photos(&stage.catalog, 200, 1).await;
    stage.stored(HOSTILE, GIF).await;
    let search = async |text: &str| stage.get(&format!("/?q={}", encoded(text))).await;
    let found = search("HOTO-001").await.text().to_owned();
    assert!(found.contains("100 photos found") && found.contains("1–60 of 100"));
    assert!(!found.contains("Upload photos"));
    let next = stage.get(&link(&found, "Older →").unwrap()).await;
    assert!(next.text().contains("61–100 of 100"), "{}", next.text());
    assert!(next.text().contains("value=\"HOTO-001\""));
    let hostile = search(HOSTILE).await;
    assert!(hostile.text().contains("1 photo found") && !hostile.text().contains("<script>alert"));
    for nothing in ["x\0y", "\u{fffd}", "%", "' OR ''='", &"long".repeat(1000)] {
        let answer = search(nothing).await;
        assert_eq!(answer.status, 200, "{nothing}");
        assert!(answer.text().contains("0 photos found"), "{nothing}");
    }
    assert!(
        stage
            .get("/?q=%ff%00")
            .await
            .text()
            .contains("0 photos found")
    );
    assert!(search("  ").await.text().contains("201 photos, "));
}

#[tokio::test]
async fn the_form_can_ask_whether_a_key_is_there() {
    let stage = Stage::new().await;
    stage.stored(HOSTILE, GIF).await;
    let answer = stage.get(&format!("/exists/{}", encoded(HOSTILE))).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "true"));
    assert_eq!(stage.get("/exists/nothing").await.text(), "false");
    for no_key in ["/exists/", "/exists/%00"] {
        assert_eq!(stage.get(no_key).await.status, 400, "{no_key}");
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
        &format!("{} B", GIF.len()),
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
async fn a_photos_page_names_its_node_and_the_photo_says_where_it_came_from() {
    let stage = Stage::new().await;
    stage.stored("k", GIF).await;
    let owner = &stage.owner("k").member.instance;
    let place = kit::placement::owner("k", 2).unwrap() + 1;
    let page = stage.get("/view/k").await;
    let row = format!("<span class=\"key\">{owner}</span> (node {place} of 2)");
    assert!(page.text().contains(&row), "{}", page.text());
    let mut tag = String::new();
    for outcome in ["miss", "hit"] {
        let photo = stage.served(outcome, async |stage| stage.get("/photos/k").await);
        let photo = photo.await;
        assert_eq!(photo.header("x-bivouac-served-by"), owner);
        assert_eq!(photo.header("x-bivouac-node"), format!("{place} of 2"));
        let timing = format!("photo;desc=\"{outcome}\";dur=");
        assert!(photo.header("server-timing").starts_with(&timing));
        photo.header("etag").clone_into(&mut tag);
    }
    let headers = [("if-none-match", &*tag)];
    let known = stage.send(Method::GET, "/photos/k", &headers, b"").await;
    assert_eq!(known.header("x-bivouac-cache"), "unchanged");
    assert_eq!(known.header("x-bivouac-served-by"), "");
    stage.manager.commit(vec![None, None]).await;
    stage
        .until("the page knows that there is no node", async |stage| {
            let page = stage.get("/view/k").await;
            page.text().contains("none at the moment")
        })
        .await;
}

#[tokio::test]
async fn styles_and_scripts_come_from_here() {
    let stage = Stage::new().await;
    for (path, content_type) in [
        ("/assets/style.css", "text/css; charset=utf-8"),
        ("/assets/upload.js", "text/javascript; charset=utf-8"),
        ("/assets/pool.js", "text/javascript; charset=utf-8"),
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
    let manager = format!("href=\"http://{}", stage.manager_address);
    assert!(page.contains(&manager), "{page}");
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
