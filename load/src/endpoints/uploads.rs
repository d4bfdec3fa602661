//! Uploads as browsers, scripts and graders send them.

use super::api::{Api, Outcome};
use super::form::Form;
use super::run::Run;
use super::samples::{self, GIF, JPEG, PNG, SVG, TEXT};

pub(super) async fn check(run: &mut Run<'_>) {
    run.about("/api/delete_all");
    run.check("delete_all answers success and nothing else", delete_all)
        .await;
    run.about("/api/upload");
    run.check(
        "an upload answers its key and nothing else",
        async |api: &Api| api.store("first", PNG).await,
    )
    .await;
    run.check(
        "an uploaded photo is read back to the byte",
        async |api: &Api| api.reads_as("first", PNG).await,
    )
    .await;
    forms(run).await;
    contents(run).await;
    run.check("one file is kept under many keys", one_file_many_keys)
        .await;
    run.check("uploads at the same time are all kept", many_at_once)
        .await;
    let large = samples::bytes(7, (run.options.upload_limit / 2).min(5 << 20));
    run.check(
        "a large photo is read back to the byte",
        async |api: &Api| stored_and_read(api, "large", &large).await,
    )
    .await;
}

async fn delete_all(api: &Api) -> Outcome {
    api.post("/api/delete_all")
        .await?
        .is_success(r#"{"success":"true"}"#)
}

/// Ways to write one and the same form.
async fn forms(run: &mut Run<'_>) {
    let empty = Form::default;
    let variants = [
        (
            "the key before the file",
            empty().key("form").file(PNG, Some("a.png"), None),
        ),
        (
            "the file before the key",
            empty().file(PNG, Some("a.png"), None).key("form"),
        ),
        (
            "a file with a type of its own",
            empty()
                .key("form")
                .file(PNG, Some("a.png"), Some("image/png")),
        ),
        (
            "a file of a wrong type",
            empty()
                .key("form")
                .file(PNG, Some("a.png"), Some("text/html")),
        ),
        (
            "the bare file name `file`",
            empty().key("form").file(PNG, Some("file"), None),
        ),
        (
            "an empty file name",
            empty().key("form").file(PNG, Some(""), None),
        ),
        ("no file name", empty().key("form").file(PNG, None, None)),
        (
            "a file name with quotes and a path",
            empty().key("form").file(PNG, Some("../a \"b\".png"), None),
        ),
        (
            "a file name in another script",
            empty()
                .key("form")
                .file(PNG, Some("фото 写真 📷.png"), None),
        ),
    ];
    for (name, form) in variants {
        run.check(
            format!("an upload with {name} is taken"),
            async move |api: &Api| {
                api.upload(&form).await?.is_stored("form")?;
                api.reads_as("form", PNG).await
            },
        )
        .await;
    }
}

/// What counts is the bytes, never the name.
async fn contents(run: &mut Run<'_>) {
    let variants: [(&str, &str, &[u8]); 6] = [
        ("a PNG named .jpeg", "photo.jpeg", PNG),
        ("a JPEG named .JPG", "PHOTO.JPG", JPEG),
        ("an SVG", "drawing.svg", SVG),
        ("a GIF", "pixel.gif", GIF),
        ("a file that is no image", "notes.png", TEXT),
        ("a file of one byte", "dot.png", b"."),
    ];
    for (name, file_name, content) in variants {
        run.check(
            format!("{name} is kept as it is"),
            async move |api: &Api| {
                let form = Form::default()
                    .key("content")
                    .file(content, Some(file_name), None);
                api.upload(&form).await?.is_stored("content")?;
                api.reads_as("content", content).await
            },
        )
        .await;
    }
}

async fn stored_and_read(api: &Api, key: &str, content: &[u8]) -> Outcome {
    api.store(key, content).await?;
    api.reads_as(key, content).await
}

async fn one_file_many_keys(api: &Api) -> Outcome {
    let keys = ["copy", "copy 1", "copy 2", "test_1", "test_2"];
    for key in keys {
        api.store(key, JPEG).await?;
    }
    for key in keys {
        api.reads_as(key, JPEG).await?;
    }
    Ok(())
}

async fn many_at_once(api: &Api) -> Outcome {
    let uploads = (0..16).map(|number| async move {
        let content = samples::bytes(number, 4096);
        stored_and_read(api, &format!("at once {number}"), &content).await
    });
    futures::future::try_join_all(uploads).await.map(|_| ())
}
