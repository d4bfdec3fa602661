//! Keys: any UTF-8 of 1 to 255 bytes, without U+0000, and never anything but a name.

use super::Mismatch;
use super::api::{Api, Outcome, encoded};
use super::form::Form;
use super::run::Run;
use super::samples::{self, GIF};

pub(super) async fn check(run: &mut Run<'_>) {
    run.about("/api/key/");
    for (number, (name, key)) in odd_keys().into_iter().enumerate() {
        let content = samples::bytes(number as u32, 64);
        run.check(format!("a key {name} works"), async move |api: &Api| {
            api.store(&key, &content).await?;
            api.reads_as(&key, &content).await?;
            is_listed(api, &key).await
        })
        .await;
    }
    for (name, key) in refused_keys() {
        run.check(
            format!("a key {name} is refused"),
            async move |api: &Api| {
                api.upload(&Form::of(&key, GIF)).await?.is_failure(&[400])?;
                let path = format!("/api/key/{}", encoded(&key));
                api.post(&path).await?.is_failure(&[400, 404])
            },
        )
        .await;
    }
    run.check("keys that look alike are different keys", look_alikes)
        .await;
    run.check("a key is decoded once", decoded_once).await;
    run.check(
        "below /api/key/ the rest of the path is the key",
        rest_of_the_path,
    )
    .await;
    run.check("a path that is no UTF-8 is refused", async |api: &Api| {
        api.post("/api/key/%FF%FE").await?.is_failure(&[400, 404])
    })
    .await;
}

fn odd_keys() -> Vec<(&'static str, String)> {
    vec![
        ("`test_1`", "test_1".into()),
        ("`123`", "123".into()),
        ("of one byte", "x".into()),
        ("with spaces", "  two  words  ".into()),
        ("with slashes", "/albums/2024//summer/".into()),
        ("with quotes", r#"it's "quoted" `here`"#.into()),
        ("with backslashes", r"C:\photos\new".into()),
        ("of emoji", "📷🏔️".into()),
        ("in another script", "ключ-写真-مفتاح".into()),
        ("with the signs of a URL", "a?b=c&d#e;f:g@h=i+j%20k".into()),
        ("with percent signs", "100%25 %2F %".into()),
        ("with a line break", "first\nsecond".into()),
        ("that tries a path", "../../etc/passwd".into()),
        ("that tries SQL", "'; DROP TABLE photo; --".into()),
        ("that tries HTML", "<script>alert('1')</script>".into()),
        ("that is a word of the program", "null".into()),
        ("of 255 bytes", "k".repeat(255)),
        ("of 255 bytes in 85 characters", "写".repeat(85)),
    ]
}

fn refused_keys() -> Vec<(&'static str, String)> {
    vec![
        ("that is empty", String::new()),
        ("of 256 bytes", "k".repeat(256)),
        ("of 258 bytes in 86 characters", "写".repeat(86)),
        ("of 10,000 characters", "k".repeat(10_000)),
        ("with U+0000", "a\0b".into()),
    ]
}

pub(super) async fn listed(api: &Api) -> Result<Vec<String>, Mismatch> {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Listing {
        success: String,
        keys: Vec<String>,
    }
    let reply = api.post("/api/list_keys").await?;
    let wrong = || Mismatch::new(r#"{"success":"true","keys":["…"]}"#, reply.to_string());
    let listing: Listing = serde_json::from_slice(&reply.body).map_err(|_| wrong())?;
    let canonical = serde_json::to_string(&listing).map_err(|_| wrong())?;
    reply.is_success(&canonical)?;
    if listing.success == "true" {
        Ok(listing.keys)
    } else {
        Err(wrong())
    }
}

async fn is_listed(api: &Api, key: &str) -> Outcome {
    let keys = listed(api).await?;
    match keys.iter().filter(|listed| *listed == key).count() {
        1 => Ok(()),
        count => Err(Mismatch::new(
            "the key listed once",
            format!("it is listed {count} times"),
        )),
    }
}

async fn look_alikes(api: &Api) -> Outcome {
    // The last two are é as one character and as two.
    let keys = [
        "look",
        "Look",
        "look ",
        " look",
        "look/",
        "caf\u{e9}",
        "cafe\u{301}",
    ];
    for (seed, key) in (0..).zip(keys) {
        api.store(key, &samples::bytes(seed, 32)).await?;
    }
    for (seed, key) in (0..).zip(keys) {
        api.reads_as(key, &samples::bytes(seed, 32)).await?;
    }
    Ok(())
}

async fn decoded_once(api: &Api) -> Outcome {
    let (twice, once) = (samples::bytes(1, 32), samples::bytes(2, 32));
    api.store("a%2Fb", &once).await?;
    api.store("a/b", &twice).await?;
    api.post("/api/key/a%252Fb")
        .await?
        .is_photo("a%2Fb", &once)?;
    api.store("a+b", &twice).await?;
    api.post("/api/key/a+b").await?.is_photo("a+b", &twice)
}

async fn rest_of_the_path(api: &Api) -> Outcome {
    let (plain, slash) = (samples::bytes(3, 32), samples::bytes(4, 32));
    api.store("albums/1", &plain).await?;
    api.store("albums/1/", &slash).await?;
    api.post("/api/key/albums/1")
        .await?
        .is_photo("albums/1", &plain)?;
    api.post("/api/key/albums%2F1")
        .await?
        .is_photo("albums/1", &plain)?;
    // One unencoded slash at the end is dropped, an encoded one belongs to the key.
    api.post("/api/key/albums/1/")
        .await?
        .is_photo("albums/1", &plain)?;
    api.post("/api/key/albums/1%2F")
        .await?
        .is_photo("albums/1/", &slash)?;
    api.post("/api/key/albums/1//")
        .await?
        .is_photo("albums/1/", &slash)
}
