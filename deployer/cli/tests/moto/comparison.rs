//! The same calls by boto3, right and wrong, to localcloud and to moto: what is answered differently is
//! listed in `differences.yaml`, with who is right.

use std::path::Path;
use std::process::Output;

use localcloud::Options;

use crate::stand::script;

fn said(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn localcloud_and_moto_answer_differently_where_that_is_listed_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = localcloud::start(Options::paper(folder.path().join("localcloud")));
    let cloud = cloud.await.unwrap();
    let key = cloud.credentials();
    let mut compare = script(&["compare.py", &cloud.endpoint()]);
    compare
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", &key.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &key.secret_access_key);
    let output = tokio::task::block_in_place(|| compare.output()).unwrap();
    assert!(output.status.success(), "{}", said(&output));
    cloud.shutdown().await;
}

#[test]
fn the_page_on_localcloud_tells_of_all_that_is_listed() {
    let output = script(&["compare.py", "--table"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let table = String::from_utf8(output.stdout).unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/localcloud.md");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        page.contains(table.trim()),
        "docs/localcloud.md has another table than `compare.py --table` prints:\n{table}"
    );
}
