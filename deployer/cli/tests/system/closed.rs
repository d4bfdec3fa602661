//! A deployment whose API is closed, and opened again, while it runs.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::laptop::Laptop;
use crate::photos::Photos;

const PLAN: [&str; 4] = [
    "plan",
    "blueprints/elastic-cache.yaml",
    "--json",
    "--detailed-exitcode",
];
const TOKEN: [&str; 4] = ["output", "elastic-cache", "--show-token", "--json"];

#[test]
fn the_api_is_closed_and_opened_by_an_edit_and_photos_stay() {
    let laptop = Laptop::new();
    laptop.up();
    let photos = Photos::at(&laptop.front_end());
    photos.await_service();
    photos.upload("kept", 1000).unwrap();
    let open = laptop.run(&TOKEN, 0);
    assert!(open.err.contains("takes no token"), "{}", open.err);
    laptop.edit("api: open", "api: token");
    the_plan_tells_it(&laptop);
    let said = laptop.up();
    let token = token(&laptop);
    assert!(said.out.contains(&format!("Authorization: Bearer {token}")));
    assert!(!said.err.contains(&token), "told where logs are kept");
    every_door_asks_for_it(&laptop, &token);
    the_programs_that_try_it_show_the_token(&laptop);
    let plan = laptop.run(&PLAN, 0);
    assert!(!plan.out.contains(&token) && !plan.err.contains(&token));
    it_is_kept_where_secrets_are(&laptop, &token);
    laptop.edit("api: token", "api: open");
    laptop.up();
    photos.assert_all_there();
    laptop.down_to_zero();
}

fn the_plan_tells_it(laptop: &Laptop) {
    let plan: Value = serde_json::from_str(&laptop.run(&PLAN, 2).out).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 1, "{plan:#}");
    let change = &steps[0]["changes"][0];
    assert_eq!(
        (&change["what"], &change["from"], &change["to"]),
        (&"api".into(), &"open".into(), &"token".into())
    );
}

fn the_programs_that_try_it_show_the_token(laptop: &Laptop) {
    let load = ["load", "elastic-cache", "--duration", "1s", "--keys", "5"];
    let load = [&load[..], &["--prepare", "--verify", "--max-failures", "0"]].concat();
    laptop.run(&load, 0);
    let refused = laptop.run(&["check", "elastic-cache"], 1);
    assert!(refused.err.contains("photos are stored"), "{}", refused.err);
}

fn token(laptop: &Laptop) -> String {
    let shown: Value = serde_json::from_str(&laptop.run(&TOKEN, 0).out).unwrap();
    assert!(shown.get("password").is_none(), "nobody asked for it");
    shown["token"].as_str().unwrap().to_owned()
}

fn every_door_asks_for_it(laptop: &Laptop, token: &str) {
    let outputs = laptop.outputs();
    let right = format!("Bearer {token}");
    for door in ["front-end", "manager"] {
        let address = outputs[door].as_str().unwrap();
        let ask = |authorization: &str| status(address, "/api/getNumNodes", authorization);
        assert_eq!(ask("Bearer wrong"), 401, "{door}");
        assert_eq!(ask(""), 401, "{door}");
        assert_eq!(ask(&right), 200, "{door}");
    }
    assert_eq!(status(&laptop.front_end(), "/api/key/kept", &right), 200);
}

/// The status of an answer.
fn status(address: &str, path: &str, authorization: &str) -> u16 {
    let host = address.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: {authorization}\r\n\
         content-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// In the bucket and in the settings of the instance, which only its root may read.
fn it_is_kept_where_secrets_are(laptop: &Laptop, token: &str) {
    let mut found = Vec::new();
    search(&laptop.home(), token.as_bytes(), &mut found);
    let is_kept = |path: &PathBuf| {
        path.ends_with("run/bivouac/settings.json")
            || path.components().any(|part| part.as_os_str() == "buckets")
    };
    assert!(found.iter().all(is_kept), "{found:?}");
    assert!(found.len() >= 2, "the search finds nothing: {found:?}");
}

fn search(folder: &Path, wanted: &[u8], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() && !path.ends_with("databases") {
            search(&path, wanted, found);
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).unwrap_or_default();
            if bytes.windows(wanted.len()).any(|window| window == wanted) {
                found.push(path);
            }
        }
    }
}
