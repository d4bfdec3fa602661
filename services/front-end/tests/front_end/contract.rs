//! What existing clients send and expect, to the byte.

use http::Method;

use crate::stage::{GIF, Options, Stage, encoded, form};

#[tokio::test]
async fn upload_list_and_read_answer_as_the_contract_says() {
    let stage = Stage::new().await;
    let empty = stage.post("/api/list_keys").await;
    assert_eq!(empty.text(), r#"{"success":"true","keys":[]}"#);
    assert_eq!(empty.header("content-type"), "application/json");
    assert_eq!(
        stage.upload("k1", b"hello").await.text(),
        r#"{"success":"true","key":"k1"}"#
    );
    assert_eq!(
        stage.upload("k2", GIF).await.text(),
        r#"{"success":"true","key":"k2"}"#
    );
    assert_eq!(
        stage.post("/api/list_keys").await.text(),
        r#"{"success":"true","keys":["k1","k2"]}"#
    );
    for _ in 0..2 {
        let read = stage.post("/api/key/k1").await;
        assert_eq!(
            read.text(),
            r#"{"success":"true","key":"k1","content":"aGVsbG8="}"#
        );
        assert_eq!(read.header("content-type"), "application/json");
        assert_eq!(stage.read("k2").await.content(), GIF);
    }
    let message = stage.post("/api/key/k3").await.failure(404);
    assert!(
        message.starts_with("there is no photo with the key \"k3\""),
        "{message}"
    );
}

#[tokio::test]
async fn a_miss_fills_the_owner_and_the_next_read_is_a_hit() {
    let stage = Stage::new().await;
    for key in ["k1", "k2"] {
        stage.stored(key, GIF).await;
        for outcome in ["miss", "hit"] {
            let read = stage.served(outcome, async |stage| stage.read(key).await);
            assert_eq!(read.await.content(), GIF);
        }
        // More, if the node was too slow for a reader.
        let counted = stage.owner(key).statistics().await.total;
        assert!(counted.misses >= 1 && counted.hits >= 1, "{counted:?}");
        assert_eq!(counted.lookups, counted.misses + counted.hits, "{key}");
    }
}

#[tokio::test]
async fn readers_are_told_by_whom_a_photo_was_served() {
    let stage = Stage::new().await;
    stage.stored("k", GIF).await;
    let owner = stage.owner("k").member.instance.clone();
    for outcome in ["miss", "hit"] {
        let read = stage.served(outcome, async |stage| stage.read("k").await);
        assert_eq!(read.await.header("x-bivouac-served-by"), owner);
    }
    stage.manager.commit(vec![None, None]).await;
    stage
        .until("no node is asked any more", async |stage| {
            let read = stage.read("k").await;
            assert_eq!(read.content(), GIF);
            read.header("x-bivouac-cache") == "read-through"
                && read.header("x-bivouac-served-by").is_empty()
        })
        .await;
    let missing = stage.read("nothing").await;
    missing.failure(404);
    assert_eq!(missing.header("x-bivouac-cache"), "");
}

#[tokio::test]
async fn parts_come_in_any_order_with_any_name_or_none() {
    let stage = Stage::new().await;
    for (number, file) in [
        "; name=\"file\"; filename=\"file\"",
        "; name=\"file\"",
        "; name=file; filename=X.JPG",
    ]
    .iter()
    .enumerate()
    {
        let key = format!("key {number}");
        let answer = stage
            .upload_body(&form(&[(file, GIF), ("; name=\"key\"", key.as_bytes())]))
            .await;
        assert_eq!(
            answer.text(),
            format!(r#"{{"success":"true","key":"{key}"}}"#)
        );
        assert_eq!(stage.read(&key).await.content(), GIF);
    }
}

#[tokio::test]
async fn any_text_is_a_key_and_comes_back_as_it_was() {
    let stage = Stage::new().await;
    let long = "é".repeat(127) + "x";
    let keys = [
        "with space",
        "a/b//c",
        "a/",
        "/",
        "..",
        "../../etc/passwd",
        "test_1",
        "123",
        "\"quoted\" 'too'",
        "🏕️ ⛺",
        "'; DROP TABLE photo; --",
        "<script>alert(1)</script>",
        "a?b#c&d=e",
        "%2F%00",
        "100%",
        "tab\tand\nline",
        "\\",
        &long,
    ];
    for key in keys {
        stage.stored(key, key.as_bytes()).await;
    }
    for key in keys {
        assert_eq!(stage.read(key).await.content(), key.as_bytes(), "{key:?}");
        let slashed = stage.post(&format!("/api/key/{}/", encoded(key))).await;
        assert_eq!(slashed.content(), key.as_bytes(), "{key:?}");
    }
    let list: serde_json::Value =
        serde_json::from_slice(&stage.post("/api/list_keys").await.body).unwrap();
    let mut wanted: Vec<_> = keys
        .iter()
        .map(|key| serde_json::Value::from(*key))
        .collect();
    wanted.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    assert_eq!(list["keys"].as_array().unwrap(), &wanted);
    assert_eq!(stage.post("/api/key/a/b//c").await.content(), b"a/b//c");
}

#[tokio::test]
async fn an_upload_of_an_existing_key_replaces_it_everywhere() {
    let stage = Stage::new().await;
    stage.stored("k", b"old").await;
    assert_eq!(stage.read("k").await.content(), b"old");
    stage.stored("k", b"new").await;
    assert_eq!(stage.read("k").await.content(), b"new");
    assert_eq!(stage.read("k").await.content(), b"new");
    assert_eq!(
        stage.post("/api/list_keys").await.text(),
        r#"{"success":"true","keys":["k"]}"#
    );
}

#[tokio::test]
async fn the_bytes_say_what_a_photo_is_and_other_files_are_kept_too() {
    let stage = Stage::new().await;
    let files: [(&[u8], &str); 4] = [
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (GIF, "image/gif"),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'/>",
            "image/svg+xml",
        ),
        (
            b"<html><script>alert(1)</script>",
            "application/octet-stream",
        ),
    ];
    for (file, content_type) in files {
        stage.stored("k", file).await;
        let row = stage.catalog.photo("k").await.unwrap().unwrap();
        assert_eq!(
            (row.content_type.as_str(), row.size),
            (content_type, file.len() as u64)
        );
        assert_eq!(stage.bucket.content_type(&row.object), content_type);
        assert_eq!(stage.read("k").await.content(), file);
    }
    let picky = Stage::with(Options {
        images_only: true,
        ..Options::default()
    })
    .await;
    assert!(
        picky
            .upload("k", b"text")
            .await
            .failure(415)
            .contains("only images")
    );
    picky.stored("k", GIF).await;
}

#[tokio::test]
async fn photos_beyond_memory_arrive_whole_and_leave_no_file_behind() {
    let stage = Stage::new().await;
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    stage.stored("large", &large).await;
    assert!(stage.read("large").await.content() == large);
    assert!(stage.read("large").await.content() == large);
    assert_eq!(std::fs::read_dir(stage.upload_folder()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_photo_that_no_node_has_room_for_is_served_all_the_same() {
    let stage = Stage::new().await;
    for node in &stage.nodes {
        node.set_capacity(10).await;
    }
    stage.stored("k", GIF).await;
    assert_eq!(stage.read("k").await.content(), GIF);
    assert_eq!(stage.read("k").await.content(), GIF);
}

#[tokio::test]
async fn what_belongs_to_the_manager_is_passed_on_and_back_unchanged() {
    let stage = Stage::new().await;
    for (path, target) in [
        ("/api/delete_all", "/api/delete_all"),
        ("/api/getNumNodes/", "/api/getNumNodes"),
        ("/api/getRate?rate=miss", "/api/getRate?rate=miss"),
        (
            "/api/configure_cache?mode=manual&numNodes=2&policy=a%20b",
            "/api/configure_cache?mode=manual&numNodes=2&policy=a%20b",
        ),
    ] {
        let answer = stage.send(Method::POST, path, &[], b"x=1").await;
        assert_eq!(answer.status, 418);
        assert_eq!(answer.header("content-type"), "application/json");
        let told: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(told["method"], "POST");
        assert_eq!(told["target"], target);
        assert_eq!(told["body"], "x=1");
    }
}

#[tokio::test]
async fn a_slash_at_the_end_changes_nothing() {
    let stage = Stage::new().await;
    stage.stored("k", GIF).await;
    assert_eq!(
        stage.post("/api/list_keys/").await.text(),
        r#"{"success":"true","keys":["k"]}"#
    );
    let body = form(&[("; name=\"key\"", b"k2"), ("; name=\"file\"", GIF)]);
    let headers = [("content-type", "multipart/form-data; boundary=XX")];
    assert_eq!(
        stage
            .send(Method::POST, "/api/upload/", &headers, &body)
            .await
            .status,
        200
    );
}
