//! Requests that are wrong: each gets the contract's failure, and nothing is stored.

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stage::{GIF, Stage, form};

type Part<'a> = (&'a str, &'a [u8]);

const TYPE: (&str, &str) = ("content-type", "multipart/form-data; boundary=XX");

async fn nothing_is_stored(stage: &Stage) {
    assert_eq!(
        stage.post("/api/list_keys").await.text(),
        r#"{"success":"true","keys":[]}"#
    );
    assert_eq!(stage.bucket.objects(), Vec::<String>::new());
    assert_eq!(std::fs::read_dir(stage.upload_folder()).unwrap().count(), 0);
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist_are_told_what_does() {
    let stage = Stage::new().await;
    for path in [
        "/api",
        "/api/",
        "/api/nothing",
        "/api/upload/more",
        "/api//upload",
        "/api/%75pload",
    ] {
        assert!(
            stage
                .post(path)
                .await
                .failure(404)
                .contains("/api/upload, "),
            "{path}"
        );
        stage.get(path).await.failure(404);
    }
    for path in [
        "/api/upload",
        "/api/list_keys",
        "/api/key/k1",
        "/api/delete_all",
        "/api/getRate?rate=miss",
    ] {
        for method in [
            Method::GET,
            Method::PUT,
            Method::DELETE,
            Method::OPTIONS,
            Method::PATCH,
        ] {
            let answer = stage.send(method, path, &[], b"").await;
            assert_eq!(answer.header("allow"), "POST");
            assert_eq!(answer.failure(405), "this path takes POST only");
        }
    }
}

#[tokio::test]
async fn parameters_in_the_url_are_refused_where_they_do_not_belong() {
    let stage = Stage::new().await;
    let body = form(&[("; name=\"key\"", b"k"), ("; name=\"file\"", GIF)]);
    let refused = stage
        .send(Method::POST, "/api/upload?key=k", &[TYPE], &body)
        .await;
    assert!(refused.failure(400).contains("no parameters in the URL"));
    stage.post("/api/list_keys?x").await.failure(400);
    stage.post("/api/key/k1?x=1").await.failure(400);
    nothing_is_stored(&stage).await;
}

#[tokio::test]
async fn forms_that_are_wrong_are_told_what_would_be_right() {
    let stage = Stage::new().await;
    let (key, file) = (
        ("; name=\"key\"", &b"k"[..]),
        ("; name=\"file\"; filename=\"file\"", GIF),
    );
    let forms: [(&[Part<'_>], &str); 8] = [
        (&[key], "\"file\" is missing"),
        (&[file], "\"key\" is missing"),
        (&[], "\"file\" is missing"),
        (&[key, file, key], "\"key\" is there more than once"),
        (&[key, file, file], "\"file\" is there more than once"),
        (
            &[key, ("; name=\"file\"; filename=\"\"", b"")],
            "\"file\" is empty",
        ),
        (&[("; name=\"key\"", b""), file], "key is empty"),
        (&[("; name=\"Key\"", b"k"), file], "\"key\" is missing"),
    ];
    for (parts, reason) in forms {
        let message = stage.upload_body(&form(parts)).await.failure(400);
        assert!(message.contains(reason), "{message}");
    }
    for content_type in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
    ] {
        let body = form(&[key, file]);
        let answer = stage
            .send(
                Method::POST,
                "/api/upload",
                &[("content-type", content_type)],
                &body,
            )
            .await;
        assert!(answer.failure(400).contains("multipart/form-data"));
    }
    assert!(
        stage
            .post("/api/upload")
            .await
            .failure(400)
            .contains("not a form")
    );
    nothing_is_stored(&stage).await;
}

#[tokio::test]
async fn keys_that_are_none_are_refused_by_both_doors() {
    let stage = Stage::new().await;
    let keys: [(&[u8], &str); 5] = [
        (&[b'x'; 256], "longer than 255 bytes"),
        (&[b'x'; 10_000], "longer than 255 bytes"),
        (&[b'\''; 300], "longer than 255 bytes"),
        (b"a\0b", "U+0000"),
        (b"\xff\xfe", "not UTF-8"),
    ];
    for (key, reason) in keys {
        let answer = stage
            .upload_body(&form(&[("; name=\"key\"", key), ("; name=\"file\"", GIF)]))
            .await;
        assert!(answer.failure(400).contains(reason));
        let path: String = key.iter().map(|byte| format!("%{byte:02X}")).collect();
        assert!(
            stage
                .post(&format!("/api/key/{path}"))
                .await
                .failure(400)
                .contains(reason)
        );
    }
    assert!(stage.post("/api/key/").await.failure(400).contains("empty"));
    assert!(stage.post("/api/key").await.failure(400).contains("empty"));
    nothing_is_stored(&stage).await;
}

#[tokio::test]
async fn an_upload_that_is_too_large_gets_413_and_the_connection_goes_on() {
    let stage = Stage::new().await;
    let over = form(&[
        ("; name=\"key\"", b"k"),
        ("; name=\"file\"", &vec![1; (3 << 20) + 1]),
    ]);
    assert!(
        stage
            .upload_body(&over)
            .await
            .failure(413)
            .contains("larger than 3145728 bytes (3 MiB)")
    );
    let mut connection = TcpStream::connect(&stage.host).await.unwrap();
    let length = 100 * 1024 * 1024;
    let head = format!(
        "POST /api/upload HTTP/1.1\r\nhost: x\r\ncontent-type: {}\r\ncontent-length: {length}\r\n\r\n",
        TYPE.1
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let megabyte = vec![b'x'; 1024 * 1024];
    for _ in 0..100 {
        connection.write_all(&megabyte).await.unwrap();
    }
    connection.write_all(b"POST /api/list_keys HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answers = String::new();
    connection.read_to_string(&mut answers).await.unwrap();
    assert!(answers.starts_with("HTTP/1.1 413 "), "{answers}");
    assert!(
        answers.contains("HTTP/1.1 200 OK") && answers.ends_with(r#"{"success":"true","keys":[]}"#),
        "{answers}"
    );
    nothing_is_stored(&stage).await;
}

#[tokio::test]
async fn a_client_that_asks_first_is_spared_the_sending() {
    let stage = Stage::new().await;
    let mut connection = TcpStream::connect(&stage.host).await.unwrap();
    let head = format!(
        "POST /api/upload HTTP/1.1\r\nhost: x\r\ncontent-type: {}\r\nexpect: 100-continue\r\ncontent-length: 104857600\r\n\r\n",
        TYPE.1
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 16];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer[..13], b"HTTP/1.1 413 ");
}

#[tokio::test]
async fn a_body_that_breaks_off_stores_nothing() {
    let stage = Stage::new().await;
    let body = form(&[
        ("; name=\"key\"", b"k"),
        ("; name=\"file\"", &vec![7; 2_000_000]),
    ]);
    for cut in [10, 60, 70_000, 1_900_000, body.len() - 5] {
        // As long as announced, but no end of the form in it.
        let message = stage.upload_body(&body[..cut]).await.failure(400);
        assert!(message.contains("ends before its last part"), "{message}");
        // Shorter than announced: the client hung up.
        let mut connection = TcpStream::connect(&stage.host).await.unwrap();
        let head = format!(
            "POST /api/upload HTTP/1.1\r\nhost: x\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
            TYPE.1,
            body.len()
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(&body[..cut]).await.unwrap();
        connection.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{cut}");
    }
    nothing_is_stored(&stage).await;
}

#[tokio::test]
async fn a_page_of_another_site_cannot_upload_nor_delete() {
    let stage = Stage::new().await;
    let body = form(&[("; name=\"key\"", b"k"), ("; name=\"file\"", GIF)]);
    for foreign in [
        ("origin", "http://elsewhere.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        for path in [
            "/api/upload",
            "/api/delete_all",
            "/api/configure_cache?numNodes=8",
        ] {
            let refused = stage
                .send(Method::POST, path, &[TYPE, foreign], &body)
                .await;
            assert!(refused.failure(403).contains("another site"));
        }
        assert_eq!(
            stage
                .send(Method::POST, "/upload", &[TYPE, foreign], &body)
                .await
                .status,
            403
        );
    }
    nothing_is_stored(&stage).await;
    let own = format!("http://{}", stage.host);
    let answer = stage
        .send(
            Method::POST,
            "/api/upload",
            &[TYPE, ("origin", &own)],
            &body,
        )
        .await;
    assert_eq!(answer.status, 200);
}
