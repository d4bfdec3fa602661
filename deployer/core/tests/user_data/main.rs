//! The scripts that instances run, run for real by bash in a folder of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod builder;
mod instance;
mod machine;
mod text;

use deployer_core::user_data::{Download, Header};
use sha2::{Digest, Sha256};

fn header() -> Header {
    Header {
        deployment: "elastic-cache".into(),
        region: "us-east-1".into(),
        bucket: "bivouac-elastic-cache-1a2b3c4d-photos-x1y2".into(),
        resource: "instance/manager".into(),
        settings: "settings/instance/manager.json".into(),
        secrets: "secrets/instance/manager.json".into(),
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A program at that server, with the hash of these bytes.
fn download(machine: &machine::Machine, name: &str, bytes: &[u8]) -> Download {
    Download {
        name: name.into(),
        sha256: sha256(bytes),
        url: machine.url(&format!("/{name}")),
    }
}
