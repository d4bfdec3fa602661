//! What must be refused, each with the failure body.

use http::Method;

use super::Mismatch;
use super::api::{Api, Outcome};
use super::form::Form;
use super::run::Run;
use super::samples::{self, GIF};

pub(super) async fn check(run: &mut Run<'_>) {
    other_methods(run).await;
    unknown_paths(run).await;
    url_parameters(run).await;
    malformed_forms(run).await;
    let limit = run.options.upload_limit;
    run.check(
        "a photo over the limit is refused, and work goes on",
        async move |api: &Api| too_large(api, limit).await,
    )
    .await;
}

async fn other_methods(run: &mut Run<'_>) {
    let paths = [
        "/api/upload",
        "/api/list_keys",
        "/api/key/first",
        "/api/delete_all",
        "/api/configure_cache?policy=LRU",
        "/api/getNumNodes",
        "/api/getRate?rate=miss",
    ];
    for path in paths {
        run.about(path);
        run.check(format!("GET {path} is refused"), async move |api: &Api| {
            refused(api, Method::GET, path, 405).await
        })
        .await;
    }
    run.about("/api/key/");
    run.check("PUT, PATCH and DELETE are refused", async |api: &Api| {
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            refused(api, method, "/api/key/first", 405).await?;
        }
        Ok(())
    })
    .await;
}

async fn refused(api: &Api, method: Method, path: &str, status: u16) -> Outcome {
    api.send(method, path, None, bytes::Bytes::new())
        .await?
        .is_failure(&[status])
}

async fn unknown_paths(run: &mut Run<'_>) {
    for path in [
        "/api/nothing",
        "/api/key",
        "/api/uploads",
        "/api/list_keys/more",
    ] {
        run.about("/api");
        run.check(format!("{path} is not found"), async move |api: &Api| {
            // `/api/key` is also a key left out.
            let statuses: &[u16] = if path == "/api/key" {
                &[400, 404]
            } else {
                &[404]
            };
            api.post(path).await?.is_failure(statuses)
        })
        .await;
    }
}

async fn url_parameters(run: &mut Run<'_>) {
    run.about("/api/upload");
    run.check("upload refuses parameters in the URL", async |api: &Api| {
        let form = Form::of("parameter", GIF);
        api.upload_to("/api/upload?key=parameter", &form)
            .await?
            .is_failure(&[400])?;
        api.post("/api/key/parameter").await?.is_failure(&[404])
    })
    .await;
    for path in [
        "/api/list_keys?page=1",
        "/api/list_keys/?page=1",
        "/api/key/first?size=small",
    ] {
        run.about(path);
        run.check(
            format!("{path} refuses its parameter"),
            async move |api: &Api| api.post(path).await?.is_failure(&[400]),
        )
        .await;
    }
}

async fn malformed_forms(run: &mut Run<'_>) {
    run.about("/api/upload");
    let file = |form: Form| form.file(GIF, Some("a.gif"), None);
    let forms = [
        ("without a key", file(Form::default())),
        ("without a file", Form::default().key("malformed")),
        ("without anything", Form::default()),
        (
            "with two keys",
            file(Form::default().key("malformed").key("second")),
        ),
        (
            "with two files",
            file(file(Form::default().key("malformed"))),
        ),
        (
            "cut short",
            file(Form::default().key("malformed")).cut_short(),
        ),
    ];
    for (name, form) in forms {
        run.check(
            format!("an upload {name} is refused"),
            async move |api: &Api| {
                api.upload(&form).await?.is_failure(&[400])?;
                api.post("/api/key/malformed").await?.is_failure(&[404])
            },
        )
        .await;
    }
    let bodies: [(&str, Option<&str>, &'static [u8]); 5] = [
        ("without a body", None, b""),
        ("without a content type", None, b"key=malformed&file=photo"),
        (
            "as a plain form",
            Some("application/x-www-form-urlencoded"),
            b"key=malformed&file=photo",
        ),
        (
            "without a boundary",
            Some("multipart/form-data"),
            b"--x\r\n\r\n--x--\r\n",
        ),
        (
            "of garbage",
            Some("multipart/form-data; boundary=x"),
            b"\0\xff\r\n\r\n--y\r\n\x01",
        ),
    ];
    for (name, kind, body) in bodies {
        run.check(
            format!("an upload {name} is refused"),
            async move |api: &Api| {
                let body = bytes::Bytes::from_static(body);
                let reply = api.send(Method::POST, "/api/upload", kind, body).await?;
                reply.is_failure(&[400, 415])
            },
        )
        .await;
    }
}

async fn too_large(api: &Api, limit: usize) -> Outcome {
    let photo = samples::bytes(1, limit + 1024 * 1024);
    api.upload(&Form::of("too large", &photo))
        .await?
        .is_failure(&[413])?;
    api.post("/api/key/too%20large").await?.is_failure(&[404])?;
    let kept = samples::bytes(2, 1024);
    api.store("after too large", &kept).await?;
    api.reads_as("after too large", &kept)
        .await
        .map_err(|mismatch| {
            Mismatch::new(
                format!("the next upload to work: {}", mismatch.expected),
                mismatch.came,
            )
        })
}
