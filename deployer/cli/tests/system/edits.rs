//! A blueprint that is edited while people use what it made.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::laptop::Laptop;
use crate::photos::Photos;

const PLAN: [&str; 4] = [
    "plan",
    "blueprints/elastic-cache.yaml",
    "--json",
    "--detailed-exitcode",
];

#[test]
fn an_edited_blueprint_is_done_under_load_and_no_request_fails() {
    let laptop = Laptop::new();
    laptop.edit("start: 1", "start: 2");
    laptop.up();
    let photos = Photos::at(&laptop.front_end());
    photos.await_service();
    let (manager, nodes) = instances(&laptop);
    let load = photos.load();
    edit(&laptop);
    the_plan_tells_each_edit(&laptop);
    let told = laptop.up().err;
    for step in ["node 1 of 2: new image and type", "node 2 of 2"] {
        assert!(told.contains(step), "{told}");
    }
    laptop.run(&PLAN, 0);
    load.end();
    assert_eq!(photos.failures(), BTreeMap::new());
    photos.assert_all_there();
    let (manager_after, nodes_after) = instances(&laptop);
    assert_eq!(manager_after, manager, "nothing of it was edited");
    assert_eq!(nodes_after.len(), 2);
    assert!(nodes_after.is_disjoint(&nodes), "{nodes_after:?}");
    let has = photos.ask("/api/configure_cache").unwrap();
    assert_eq!(
        (&has["cacheSize"], &has["policy"]),
        (&96.into(), &"RR".into())
    );
    what_counts_once_is_a_note(&laptop);
    what_is_left_out_goes(&laptop);
    photos.assert_all_there();
    laptop.down_to_zero();
}

fn edit(laptop: &Laptop) {
    laptop.edit(
        "image: node\n    type: t3.micro",
        "image: node\n    type: t3.small",
    );
    laptop.edit("capacity: 64 MiB", "capacity: 96 MiB");
    laptop.edit("policy: lru", "policy: random");
    laptop.edit("  photos: {}", "  archive: {}\n  photos: {}");
    laptop.edit_in("ami/node.yaml", "run: []", "run: [\"true\"]");
}

fn the_plan_tells_each_edit(laptop: &Laptop) {
    let plan: Value = serde_json::from_str(&laptop.run(&PLAN, 2).out).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    let of = |step: &Value| step["resource"].as_str().unwrap().to_owned();
    let resources: Vec<_> = steps.iter().map(of).collect();
    let expected = [
        "bucket/archive",
        "image/node",
        "instance/manager settings",
        "image/node",
    ];
    assert_eq!(resources, expected, "{plan:#}");
    let changes = steps[2]["changes"].as_array().unwrap();
    let told = |what: &str| {
        let change = changes.iter().find(|c| c["what"] == what);
        change.unwrap_or_else(|| panic!("{what} is not told: {plan:#}"))
    };
    assert_eq!(told("pool/cache type")["from"], "t3.micro");
    assert_eq!(told("pool/cache type")["to"], "t3.small");
    let means = told("pool/cache image")["means"].as_str().unwrap();
    assert_eq!(means, "nodes are replaced one by one");
    assert_eq!(told("pool/cache capacity")["to"], "96 MiB");
    assert_eq!(told("pool/cache policy")["to"], "random");
}

fn what_counts_once_is_a_note(laptop: &Laptop) {
    laptop.edit("start: 2", "start: 3");
    let plan: Value = serde_json::from_str(&laptop.run(&PLAN, 0).out).unwrap();
    let note = plan["notes"][0]["text"].as_str().unwrap();
    assert!(note.contains("first start only"), "{note}");
}

fn what_is_left_out_goes(laptop: &Laptop) {
    laptop.edit("  archive: {}\n", "");
    let plan: Value = serde_json::from_str(&laptop.run(&PLAN, 2).out).unwrap();
    assert_eq!(plan["steps"][0]["verb"], "remove", "{plan:#}");
    laptop.up();
    laptop.run(&PLAN, 0);
}

/// The ids of the manager and of the nodes.
fn instances(laptop: &Laptop) -> (String, BTreeSet<String>) {
    let status = laptop.run(&["status", "elastic-cache", "--json"], 0).out;
    let status: Value = serde_json::from_str(&status).unwrap();
    let rows = status["resources"].as_array().unwrap().clone();
    let ids = |resource: &str| {
        let of = rows.iter().filter(|row| row["resource"] == resource);
        of.map(|row| row["id"].as_str().unwrap().to_owned())
            .collect::<BTreeSet<String>>()
    };
    let manager = ids("instance/manager").pop_first().unwrap();
    (manager, ids("pool/cache"))
}
