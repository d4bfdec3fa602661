//! What tests of several rooms find in an account.
#![allow(clippy::unwrap_used)]

use super::{FoundDatabase, FoundInstance, InstanceState, Pending};

/// An instance that runs, and of which nothing else is known.
pub(crate) fn instance(resource: &str, id: &str) -> FoundInstance {
    FoundInstance {
        id: id.to_owned(),
        resource: resource.parse().unwrap(),
        state: InstanceState::Running,
        machine: "t3.micro".to_owned(),
        private_address: None,
        public_address: None,
        zone: "us-east-1a".to_owned(),
        launched: None,
        expires_at: None,
        settings: None,
        programs: None,
        base: None,
        cpu_credits: None,
        profile: None,
        groups: Vec::new(),
    }
}

/// A small database that can be used, and of which nothing else is known.
pub(crate) fn database(id: &str) -> FoundDatabase {
    FoundDatabase {
        id: id.to_owned(),
        resource: "catalog".parse().unwrap(),
        state: "available".to_owned(),
        endpoint: None,
        class: "db.t3.micro".to_owned(),
        storage_gib: 20,
        pending: Pending::default(),
        groups: Vec::new(),
        created: None,
    }
}
