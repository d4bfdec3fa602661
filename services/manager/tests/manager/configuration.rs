//! The page of the configuration, as a browser without JavaScript uses it.

use http::StatusCode;
use http::header::LOCATION;

use crate::person::{Person, hidden, text};
use crate::world::World;

/// Sends the form, and then what the review holds.
async fn set(person: &mut Person<'_>, fields: &[(&str, &str)]) -> StatusCode {
    let review = person.send("/configuration", fields).await;
    assert_eq!(review.status(), StatusCode::OK);
    let seen = hidden(&text(&review), "seen");
    let all: Vec<_> = fields
        .iter()
        .copied()
        .chain([("seen", seen.as_str())])
        .collect();
    person.send("/configuration/save", &all).await.status()
}

#[tokio::test]
async fn what_would_change_is_shown_and_saved_only_then() {
    let world = World::start().await;
    let table = world.serving(1).await;
    let address = table.nodes[0].clone().unwrap().address;
    let mut person = Person::logged_in(&world).await;
    let fields = [("cacheSize", "3"), ("policy", "RR"), ("mode", "manual")];
    let review = text(&person.send("/configuration", &fields).await);
    for told in [
        "64 MB",
        "3 MB",
        "least recently used (LRU)",
        "any entry (RR)",
    ] {
        assert!(review.contains(told), "{told}: {review}");
    }
    assert!(!review.contains("Who sets the size"), "that stays");
    assert_eq!(world.statistics(&address).await.capacity, 64 << 20);
    let seen = hidden(&review, "seen");
    let saved = [
        ("cacheSize", "3"),
        ("policy", "RR"),
        ("seen", seen.as_str()),
    ];
    let answer = person.send("/configuration/save", &saved).await;
    assert_eq!(answer.headers()[LOCATION], "/configuration");
    assert_eq!(world.statistics(&address).await.capacity, 3 << 20);
    let page = text(&person.get("/configuration").await);
    assert!(page.contains(r#"<option value="RR" selected>"#));
    // What was changed, and by whom.
    assert!(
        page.contains("64 MB") && page.contains("manager&#x27;s page"),
        "{page}"
    );
}

#[tokio::test]
async fn what_was_changed_by_others_in_between_is_not_overwritten() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    let fields = [("cacheSize", "3")];
    let review = text(&person.send("/configuration", &fields).await);
    let seen = hidden(&review, "seen");
    world
        .post("/api/configure_cache?cacheSize=7&maxMiss=0.9")
        .await;
    let outdated = [("cacheSize", "3"), ("seen", seen.as_str())];
    let answer = person.send("/configuration/save", &outdated).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let page = text(&answer);
    assert!(
        page.contains("nothing was saved") && page.contains("7 MB"),
        "{page}"
    );
    // What is shown now can be saved.
    let seen = hidden(&page, "seen");
    let fresh = [("cacheSize", "3"), ("seen", seen.as_str())];
    let answer = person.send("/configuration/save", &fresh).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let without_review = [("cacheSize", "5")];
    let answer = person.send("/configuration/save", &without_review).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_form_that_is_outdated_changes_only_what_was_typed_into_it() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    let seen = hidden(&text(&person.get("/configuration").await), "seen");
    world.post("/api/configure_cache?cacheSize=7").await;
    let mut fields = [
        ("cacheSize", "64"),
        ("policy", "RR"),
        ("maxMiss", "0.6"),
        ("seen", seen.as_str()),
    ];
    let review = text(&person.send("/configuration", &fields).await);
    assert!(review.contains("changed since this form was opened"));
    assert!(review.contains("any entry (RR)"), "{review}");
    assert!(!review.contains("Capacity"), "nobody typed it: {review}");
    for odd in ["", "{", r#"{"capacity":-1}"#] {
        fields[3].1 = odd;
        let review = text(&person.send("/configuration", &fields).await);
        assert!(review.contains("Capacity") && !review.contains("since this form"));
    }
}

#[tokio::test]
async fn mistakes_are_said_at_their_fields_and_what_was_typed_stays() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    let fields = [("cacheSize", "<b>"), ("policy", "SIEVE"), ("expRatio", "1")];
    let answer = person.send("/configuration", &fields).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let page = text(&answer);
    assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"));
    assert!(page.contains("Give a whole number from 1 to 65536."));
    assert!(page.contains("Give a number above 1."));
    assert!(page.contains(r#"<option value="SIEVE" selected>"#));
    let fields = [("minMiss", "0.7")];
    let answer = person.send("/configuration", &fields).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(text(&answer).contains("must be below maxMiss"));
    let fields = [("mode", "perhaps"), ("policy", "FIFO")];
    let answer = person.send("/configuration", &fields).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let fields = [("cacheSize", "64")];
    let page = text(&person.send("/configuration", &fields).await);
    assert!(page.contains("Nothing would change"), "{page}");
}

#[tokio::test]
async fn the_limits_of_the_form_are_those_of_the_api() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    let page = text(&person.get("/configuration").await);
    for limits in [
        r#"data-from="1" data-to="65536" data-whole="yes""#,
        r#"data-above="1" data-wrong="Give a number above 1.""#,
        r#"data-above="0" data-below="1""#,
        r#"data-from="0" data-to="1" data-less-than="maxMiss""#,
    ] {
        let limits = limits
            .replace("\"1\"", "\"1.0\"")
            .replace("\"0\"", "\"0.0\"");
        let limits = limits.replace("65536\"", "65536.0\"");
        assert!(page.contains(&limits), "{limits}: {page}");
    }
}

#[tokio::test]
async fn a_long_history_has_pages() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    for size in 1..=20 {
        let path = format!("/api/configure_cache?cacheSize={size}");
        assert_eq!(world.post(&path).await.0, StatusCode::OK);
    }
    let page = text(&person.get("/configuration").await).replace("&#x3D;", "=");
    assert!(page.contains("19 MB") && !page.contains(">2 MB<"), "{page}");
    assert!(page.contains("changes=1&amp;decisions=0#changes") && !page.contains(">Newer<"));
    let older = text(&person.get("/configuration?changes=1").await);
    assert!(older.contains(">2 MB<") && older.contains(">Newer<") && !older.contains(">Older<"));
    for odd in [
        "changes=4294967295",
        "changes=-1",
        "changes=x",
        "decisions=99",
    ] {
        let answer = person.get(&format!("/configuration?{odd}")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{odd}");
    }
}

#[tokio::test]
async fn what_the_scaler_decided_is_told_with_its_reason() {
    let world = World::start_resized(&[(5, 2, 4)]).await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    let page = text(&person.get("/configuration").await);
    for told in [
        "grew 2 → 4",
        "0.71 is above 0.6",
        "71 %",
        "held 2",
        "no lookups in the last minute",
        ">scaler<",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains("grew 2 -"), "the deed is said once");
}

#[tokio::test]
async fn what_is_edited_again_comes_back_as_it_was_typed() {
    let world = World::start().await;
    world.serving(1).await;
    let mut person = Person::logged_in(&world).await;
    let page = text(&person.get("/configuration?cacheSize=12&policy=SIEVE").await);
    assert!(
        page.contains(r#"value="12""#) && page.contains(r#""SIEVE" selected"#),
        "{page}"
    );
    assert_eq!(
        set(&mut person, &[("cacheSize", "12")]).await,
        StatusCode::SEE_OTHER
    );
}
