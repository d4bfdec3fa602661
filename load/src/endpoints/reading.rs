//! Reading, listing, replacing, deleting.

use super::Mismatch;
use super::api::{Api, Outcome};
use super::keys::listed;
use super::run::Run;
use super::samples::{self, GIF, JPEG, PNG};

pub(super) async fn check(run: &mut Run<'_>) {
    run.about("/api/key/");
    run.check(
        "a key that was never uploaded is not found",
        async |api: &Api| {
            api.post("/api/key/never-uploaded")
                .await?
                .is_failure(&[404])
        },
    )
    .await;
    run.about("/api/list_keys");
    run.check("list_keys names each key once", lists_each_key_once)
        .await;
    run.about("/api/key/");
    run.check("a replaced photo is never read again", replaced)
        .await;
    run.check(
        "readers at work never see a replaced photo",
        replaced_under_readers,
    )
    .await;
    run.about("/api/delete_all");
    run.check(
        "after delete_all the list is empty and nothing is found",
        deleted,
    )
    .await;
    run.check(
        "what was deleted can be uploaded again",
        async |api: &Api| {
            api.store("deleted", JPEG).await?;
            api.reads_as("deleted", JPEG).await
        },
    )
    .await;
    for path in [
        "/api/list_keys",
        "/api/getNumNodes",
        "/api/key/deleted",
        "/api/getRate",
    ] {
        run.about(path);
        run.check(format!("{path}/ is {path}"), async move |api: &Api| {
            let query = if path.ends_with("getRate") {
                "?rate=hit"
            } else {
                ""
            };
            let plain = api.post(&format!("{path}{query}")).await?;
            let slashed = api.post(&format!("{path}/{query}")).await?;
            if plain.status == 200 && slashed.status == 200 {
                Ok(())
            } else {
                Err(Mismatch::new(
                    "200 with and without the slash",
                    slashed.to_string(),
                ))
            }
        })
        .await;
    }
    run.about("/api/upload");
    run.check("/api/upload/ is /api/upload", async |api: &Api| {
        let form = super::form::Form::of("slashed", GIF);
        api.upload_to("/api/upload/", &form)
            .await?
            .is_stored("slashed")?;
        api.reads_as("slashed", GIF).await
    })
    .await;
}

/// Used at the end of a run too: the deployment is left as it was found, empty.
pub(super) async fn leave_nothing(api: &Api) -> Outcome {
    api.post("/api/delete_all/")
        .await?
        .is_success(r#"{"success":"true"}"#)?;
    api.post("/api/list_keys")
        .await?
        .is_success(r#"{"success":"true","keys":[]}"#)
}

async fn lists_each_key_once(api: &Api) -> Outcome {
    leave_nothing(api).await?;
    for key in ["one", "two", "three", "two"] {
        api.store(key, GIF).await?;
    }
    let mut keys = listed(api).await?;
    keys.sort_unstable();
    if keys == ["one", "three", "two"] {
        Ok(())
    } else {
        Err(Mismatch::new(
            r#""one", "two", "three" in any order"#,
            format!("{keys:?}"),
        ))
    }
}

async fn replaced(api: &Api) -> Outcome {
    api.store("replaced", PNG).await?;
    for seed in 0..20 {
        api.post("/api/key/replaced").await?;
        let content = samples::bytes(seed, 2048);
        api.store("replaced", &content).await?;
        api.reads_as("replaced", &content).await?;
    }
    Ok(())
}

/// While readers keep asking for the key, so that a fill is under way most of the time.
async fn replaced_under_readers(api: &Api) -> Outcome {
    let writer = async {
        for seed in 100..120 {
            let content = samples::bytes(seed, 2048);
            api.store("contended", &content).await?;
            for _ in 0..3 {
                api.reads_as("contended", &content).await?;
            }
        }
        Ok(())
    };
    let readers = futures::future::join_all((0..4).map(|_| async {
        loop {
            if api.post("/api/key/contended").await.is_err() {
                tokio::task::yield_now().await;
            }
        }
    }));
    tokio::select! {
        outcome = writer => outcome,
        _ = readers => Ok(()),
    }
}

async fn deleted(api: &Api) -> Outcome {
    api.store("deleted", PNG).await?;
    api.reads_as("deleted", PNG).await?;
    leave_nothing(api).await?;
    api.post("/api/key/deleted").await?.is_failure(&[404])
}
