//! The pages in Chromium: what people do, by mouse and by keyboard, and how each state looks.

mod pool;

use std::fs;
use std::path::{Path, PathBuf};

use browser::{Browser, key};
use bytes::Bytes;
use catalog::test_support::seed_photos;
use tempfile::TempDir;

use crate::stage::{GIF, Stage, encoded, stopped};

const LONG: &str = "a-key-without-any-space-that-goes-on-and-on-";
const HOSTILE: &str = "<script>alert(\"x\")</script> '&\u{202e}gnp.📷";

/// A picture in one colour, so that tiles can be told apart.
fn picture(number: i64, words: &str) -> String {
    let hue = number * 47 % 360;
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 300 200'>\
         <rect width='300' height='200' fill='hsl({hue} 45% 55%)'/>\
         <circle cx='215' cy='60' r='26' fill='hsl({hue} 70% 80%)'/>\
         <path d='m0 200 90-95 60 60 50-45 100 80z' fill='hsl({hue} 40% 32%)'/>\
         <text x='16' y='36' font-size='20' fill='white'>{words}</text></svg>"
    )
}

/// Files to choose, in a folder of the test's own.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn make(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

async fn opened(stage: &Stage, path: &str) -> Browser {
    let browser = Browser::start().await;
    browser.open(&address(stage, path)).await;
    browser
}

fn address(stage: &Stage, path: &str) -> String {
    format!("http://{}{path}", stage.host)
}

/// Many photos, all of which can be read.
async fn seeded(count: i64) -> Stage {
    let stage = Stage::new().await;
    let size = picture(1, "").len();
    for number in 1..=count {
        let content = picture(number, &number.to_string());
        let object = format!("photos/seeded-{number}");
        stage.bucket.put(object, Bytes::from(content));
    }
    let size = i64::try_from(size).unwrap();
    seed_photos(&stage.catalog, count, size).await;
    stage
}

/// Waits until a photo's page shows the photo of a file that replaces another: the form showed
/// its size before too.
async fn shows_another(browser: &Browser, file: &Path) {
    let size = fs::metadata(file).unwrap().len();
    let shown = format!("document.body.innerText.includes('{size} B')");
    browser
        .until(&format!("!document.querySelector('.upload') && {shown}"))
        .await;
}

#[tokio::test]
async fn photos_are_uploaded_seen_replaced_and_found_again() {
    let stage = Stage::new().await;
    let files = Files::new();
    let browser = opened(&stage, "/").await;
    browser.until_said("No photos yet").await;
    browser.look("photos-none").await;

    let first = files.make("mountain lake.svg", &picture(1, "lake"));
    let second = files.make("dunes.svg", &picture(2, "dunes"));
    browser.choose("#file", &[&first, &second]).await;
    browser.until_said("Upload 2 photos").await;
    browser.look("upload-chosen").await;
    browser.click("[data-send]").await;
    browser.until_said("2 photos, ").await;
    browser
        .until("document.querySelectorAll('.tile img').length === 2")
        .await;
    browser
        .until("[...document.querySelectorAll('.tile img')].every((i) => i.naturalWidth > 0)")
        .await;
    browser.look("upload-done").await;
    assert_eq!(
        stage.read("mountain lake.svg").await.content(),
        fs::read(&first).unwrap()
    );

    browser.click(".tile[title='dunes.svg']").await;
    browser.until_said("Replace this photo").await;
    browser.look("photo").await;
    let other = files.make("other.svg", &picture(5, "dunes again"));
    browser.choose("#file", &[&other]).await;
    browser.click("[data-send]").await;
    shows_another(&browser, &other).await;
    assert_eq!(
        stage.read("dunes.svg").await.content(),
        fs::read(&other).unwrap()
    );
    browser.press(&[key::ESCAPE]).await;
    browser.until("location.pathname === '/'").await;
    browser.close(&[]).await;
}

#[tokio::test]
async fn what_cannot_be_uploaded_is_said_at_the_file_and_the_rest_goes_in() {
    let stage = Stage::new().await;
    stage.stored("taken", GIF).await;
    let files = Files::new();
    let browser = opened(&stage, "/").await;
    let huge = files.make("huge.svg", &" ".repeat((3 << 20) + 1));
    let nothing = files.make("nothing.svg", "");
    let fine = files.make("fine.svg", &picture(3, "fine"));
    browser.choose("#file", &[&huge, &nothing, &fine]).await;
    browser.until_said("This file is empty.").await;
    browser.until_said("the most is 3 MB").await;
    browser.until_said("Upload 1 photo").await;
    let field = ".upload:nth-child(3) input";
    browser.empty(field).await;
    browser.until_said("Give it a key.").await;
    browser.type_into(field, &"é".repeat(128)).await;
    browser.until_said("The key is 256 bytes long").await;
    browser.look("upload-refused").await;
    browser.empty(field).await;
    browser.type_into(field, "taken").await;
    browser
        .until_said("A photo with this key exists and will be replaced.")
        .await;
    browser.press(&[key::ENTER]).await;
    browser.until_said("Uploaded. View it").await;
    assert_eq!(
        stage.read("taken").await.content(),
        fs::read(&fine).unwrap()
    );
    browser.close(&[]).await;
}

#[tokio::test]
async fn ten_thousand_photos_are_searched_and_paged_by_keyboard() {
    let stage = seeded(10_000).await;
    let browser = opened(&stage, "/").await;
    browser.until_said("1–60 of 10,000").await;
    browser.look("photos-many").await;
    let focused = async || {
        browser
            .run("return document.activeElement.title || document.activeElement.id")
            .await
    };

    browser.press(&["/"]).await;
    assert_eq!(focused().await, "search");
    browser.press(&["0", "4", "2", "."]).await;
    browser.until_said("10 photos found").await;
    assert_eq!(browser.address().await, address(&stage, "/?q=042."));
    assert_eq!(browser.count(".tile").await, 10);
    browser.press(&[key::DOWN]).await;
    assert_eq!(focused().await, "photo-09042.svg");
    browser.press(&[key::RIGHT]).await;
    assert_eq!(focused().await, "photo-08042.svg");
    browser.press(&[key::END]).await;
    assert_eq!(focused().await, "photo-00042.svg");
    browser.press(&[key::LEFT, key::UP]).await;
    assert_ne!(focused().await, "photo-01042.svg");
    browser.press(&[key::HOME, key::UP]).await;
    assert_eq!(focused().await, "search");
    browser.look("photos-found").await;

    browser.press(&[key::DOWN, key::ENTER]).await;
    browser.until_said("Replace this photo").await;
    browser.press(&[key::ESCAPE]).await;
    browser.until_said("10 photos found").await;
    browser.press(&["/", key::ESCAPE]).await;
    browser.until_said("1–60 of 10,000").await;

    browser.click("[rel=next]").await;
    browser.until_said("61–120 of 10,000").await;
    browser.look("photos-later").await;
    browser.click(".pager a:last-child").await;
    browser.until_said("9,941–10,000 of 10,000").await;
    browser.click("[rel=prev]").await;
    browser.until_said("9,881–9,940 of 10,000").await;
    browser.click(".pager a:first-child").await;
    browser.until_said("1–60 of 10,000").await;
    browser.type_into("#search", "no such key").await;
    browser.until_said("No key has “no such key” in it").await;
    browser.look("photos-not-found").await;
    browser.close(&[]).await;
}

#[tokio::test]
async fn the_focus_can_be_seen_and_the_content_reached_at_once() {
    let stage = seeded(3).await;
    let browser = opened(&stage, "/").await;
    browser.press(&[key::TAB]).await;
    let top = "document.querySelector('.skip').getBoundingClientRect().top >= 0";
    browser.until(top).await;
    browser.press(&[key::ENTER]).await;
    browser.until("document.activeElement.id === 'main'").await;
    for _ in 0..12 {
        browser.press(&[key::TAB]).await;
        let outline = "const style = getComputedStyle(document.activeElement);
            return document.activeElement === document.body || style.outlineStyle !== 'none'";
        assert_eq!(
            browser.run(outline).await,
            true,
            "{}",
            browser.address().await
        );
    }
    browser.press(&["/", key::DOWN]).await;
    browser.look("focus-on-a-photo").await;
    browser.close(&[]).await;
}

#[tokio::test]
async fn long_and_strange_keys_stay_in_their_place() {
    let stage = Stage::new().await;
    let long = LONG.repeat(6)[..255].to_owned();
    for key in [&*long, HOSTILE, "no image", "one\nline\nand another"] {
        let content = if key == "no image" {
            "text".to_owned()
        } else {
            picture(7, "")
        };
        stage.stored(key, content.as_bytes()).await;
    }
    let browser = opened(&stage, "/").await;
    browser
        .until("document.querySelectorAll('.tile').length === 4")
        .await;
    browser.look("keys-strange").await;
    for (name, key) in [
        ("long", &*long),
        ("hostile", HOSTILE),
        ("no-image", "no image"),
    ] {
        browser
            .open(&address(&stage, &format!("/view/{}", encoded(key))))
            .await;
        assert_eq!(browser.text("h1").await, key.trim());
        browser.look(&format!("photo-{name}")).await;
    }
    browser
        .open(&address(&stage, &format!("/?q={}", encoded(HOSTILE))))
        .await;
    assert_eq!(browser.count(".tile").await, 1);
    browser
        .open(&address(&stage, &format!("/?q={long}x")))
        .await;
    browser.look("photos-not-found-long").await;
    browser.close(&[]).await;
}

#[tokio::test]
async fn what_is_away_is_told_and_looked_for_again() {
    let (server, stage) = Stage::with_own_server().await;
    stage.stored("kept", picture(4, "kept").as_bytes()).await;
    stage.stored("lost", picture(5, "lost").as_bytes()).await;
    let browser = opened(&stage, "/missing").await;
    browser
        .until_said("There is no page at this address.")
        .await;
    browser.look("error-not-found").await;
    stage.read("kept").await.content();
    stage.bucket.set_broken(true);
    browser.open(&address(&stage, "/")).await;
    browser.until_said("Cannot be shown").await;
    browser.look("error-bucket-away").await;
    browser.type_into("#search", "kept").await;
    browser.until_said("1 photo found").await;
    let mut server = stopped(server).await;
    browser.type_into("#search", "x").await;
    browser
        .until_said("The search has no answer right now.")
        .await;
    browser.look("error-search").await;
    browser.open(&address(&stage, "/")).await;
    browser.until_said("The database does not answer").await;
    browser.look("error-database-away").await;
    server.resume();
    // One click is all that there is: an answer without the database would stay.
    stage
        .until("the database is back", async |stage| {
            stage.post("/api/list_keys").await.status == 200
        })
        .await;
    browser.click(".primary").await;
    browser.until_said("2 photos, ").await;
    browser.close(&["status of 404", "status of 503"]).await;
}

#[tokio::test]
async fn everything_works_without_scripts() {
    let stage = seeded(70).await;
    let files = Files::new();
    let browser = Browser::start().await;
    browser.allow_scripts(false).await;
    browser.open(&address(&stage, "/")).await;
    let file = files.make("from a form.svg", &picture(9, "form"));
    browser.choose("#file", &[&file]).await;
    browser.click("[data-send]").await;
    browser.until_said("Replace this photo").await;
    assert_eq!(
        stage.read("from a form.svg").await.content(),
        fs::read(&file).unwrap()
    );
    browser.click(".crumbs a").await;
    browser.until_said("1–60 of 71").await;
    browser.click("[rel=next]").await;
    browser.until_said("61–71 of 71").await;
    browser.type_into("#search", "FORM").await;
    browser.click(".search .button").await;
    browser.until_said("1 photo found").await;
    browser.close(&[]).await;
}
