//! What things cost: properties of the sums, budgets and the ways to keep to them, the screens, and
//! AWS's price lists.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::LazyLock;

use deployer_core::blueprint::{Blueprint, Files, read};
use deployer_core::names::ResourceName;
use deployer_core::prices::Prices;

mod budget;
mod offer;
mod screens;
mod sums;

struct Folder;

impl Files for Folder {
    fn read(&self, name: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(source().join("blueprints").join(name))
    }
}

fn source() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The shipped blueprint, without a budget and a ttl of its own.
fn elastic_cache() -> Blueprint {
    static SHIPPED: LazyLock<Blueprint> = LazyLock::new(shipped);
    SHIPPED.clone()
}

fn shipped() -> Blueprint {
    let file = source().join("blueprints/elastic-cache.yaml");
    let text = std::fs::read(file).unwrap();
    let mut blueprint = read("elastic-cache.yaml", &text, &Folder).unwrap();
    blueprint.budget = None;
    blueprint.ttl = None;
    blueprint
}

fn prices() -> Prices {
    static TABLE: LazyLock<Prices> = LazyLock::new(|| Prices::built_in("us-east-1").unwrap());
    TABLE.clone()
}

fn name(text: &str) -> ResourceName {
    text.parse().unwrap()
}
