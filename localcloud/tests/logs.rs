//! Log groups: made, listed page by page, deleted, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod lonely;

use http_body_util::BodyExt as _;
use localcloud::auth::{Caller, Principal};
use localcloud::{Options, Running};
use serde_json::{Value, json};
use tempfile::TempDir;

use lonely::lonely_network;

struct Stage {
    running: Running,
    folder: TempDir,
}

impl Stage {
    async fn new() -> Stage {
        let folder = TempDir::new().unwrap();
        let running = start(&folder).await;
        Stage { running, folder }
    }

    /// What the service answers, or the code of its refusal.
    async fn call_in(&self, region: &str, operation: &str, body: &str) -> Result<Value, String> {
        let cloud = self.running.cloud();
        let account = cloud.context.account();
        let owner = Caller::new(account, Principal::Root, region.into(), "logs".into());
        let answer = cloud.logs.call(&owner, operation, &body.to_owned().into());
        let answer = answer.map_err(|error| error.code.to_string())?;
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        Ok(serde_json::from_slice(&bytes).unwrap())
    }

    async fn call(&self, operation: &str, body: Value) -> Result<Value, String> {
        self.call_in("us-east-1", operation, &body.to_string())
            .await
    }

    async fn make(&self, name: &str) {
        let made = self.call("CreateLogGroup", json!({ "logGroupName": name }));
        made.await.unwrap();
    }

    /// The names of a page, and what leads to the next.
    async fn page(&self, asked: Value) -> (Vec<String>, Option<String>) {
        let page = self.call("DescribeLogGroups", asked).await.unwrap();
        let groups = page["logGroups"].as_array().unwrap().iter();
        let names = groups.map(|g| g["logGroupName"].as_str().unwrap().to_owned());
        let next = page["nextToken"].as_str().map(str::to_owned);
        (names.collect(), next)
    }
}

async fn start(folder: &TempDir) -> Running {
    let options = Options {
        first_network: lonely_network(),
        ..Options::paper(folder.path().join("cloud"))
    };
    localcloud::start(options).await.unwrap()
}

#[tokio::test]
async fn groups_are_listed_by_prefix_and_page_and_go() {
    let stage = Stage::new().await;
    for name in ["a/1", "a/2", "a/3", "b"] {
        stage.make(name).await;
    }
    let (names, next) = stage
        .page(json!({ "logGroupNamePrefix": "a/", "limit": 2 }))
        .await;
    assert_eq!(names, ["a/1", "a/2"]);
    let (names, next) = stage
        .page(json!({ "logGroupNamePrefix": "a/", "limit": 2, "nextToken": next.unwrap() }))
        .await;
    assert_eq!((names, next), (vec!["a/3".to_owned()], None));
    let asked = json!({ "logGroupName": "a/2" });
    stage.call("DeleteLogGroup", asked).await.unwrap();
    assert_eq!(stage.page(json!({})).await.0, ["a/1", "a/3", "b"]);
    let elsewhere = stage.call_in("eu-west-1", "DescribeLogGroups", "{}").await;
    assert_eq!(elsewhere.unwrap()["logGroups"], json!([]));
}

#[tokio::test]
async fn they_are_there_after_a_restart_and_are_told_as_left() {
    let Stage { running, folder } = {
        let stage = Stage::new().await;
        stage.make("/aws/rds/instance/db-1/postgresql").await;
        stage
    };
    running.shutdown().await;
    let stage = Stage {
        running: start(&folder).await,
        folder,
    };
    assert_eq!(
        stage.running.cloud().remaining(),
        ["us-east-1: log group /aws/rds/instance/db-1/postgresql"]
    );
}

#[tokio::test]
async fn what_is_wrong_is_refused_in_awss_codes() {
    let stage = Stage::new().await;
    stage.make("a").await;
    let named = |name: &str| json!({ "logGroupName": name }).to_string();
    let long = "a".repeat(513);
    for (operation, body, code) in [
        (
            "CreateLogGroup",
            named("a"),
            "ResourceAlreadyExistsException",
        ),
        ("DeleteLogGroup", named("b"), "ResourceNotFoundException"),
        ("CreateLogGroup", named(""), "InvalidParameterException"),
        ("CreateLogGroup", named("a b"), "InvalidParameterException"),
        ("CreateLogGroup", named(&long), "InvalidParameterException"),
        ("DeleteLogGroup", "{}".into(), "InvalidParameterException"),
        ("DeleteLogGroup", "[1".into(), "SerializationException"),
        ("DescribeLogGroups", String::new(), "SerializationException"),
        (
            "DescribeLogGroups",
            r#"{"limit":0}"#.into(),
            "InvalidParameterException",
        ),
        (
            "DescribeLogGroups",
            r#"{"limit":51}"#.into(),
            "InvalidParameterException",
        ),
        ("PutLogEvents", "{}".into(), "InvalidAction"),
    ] {
        let refused = stage.call_in("us-east-1", operation, &body).await;
        assert_eq!(refused.unwrap_err(), code, "{operation} {body}");
    }
    assert_eq!(stage.page(json!({})).await.0, ["a"]);
}
