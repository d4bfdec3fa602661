//! What an instance reads at its boot, and what the metadata service answers.

use boot::metadata::Facts;
use boot::order::Order;
use boot::settings::Prepared;

use crate::cloud;
use crate::request;

/// User data, and the objects of the bucket that it leads to. An order names all that boot needs.
pub fn user_data(bytes: &[u8]) {
    if let Ok(order) = Order::parse(&String::from_utf8_lossy(bytes)) {
        let needed = [
            &order.region,
            &order.bucket,
            &order.settings,
            &order.secrets,
        ];
        assert!(needed.iter().all(|value| !value.is_empty()));
    }
    let facts = Facts {
        id: "i-1".into(),
        address: "127.0.0.1".into(),
        zone: "us-east-1a".into(),
        kind: "t3.micro".into(),
        region: "us-east-1".into(),
    };
    if let Ok(prepared) = Prepared::new(bytes, b"{}", &facts) {
        for service in &prepared.services {
            assert!(!service.is_empty() && !service.contains(['/', '.', '\0']));
        }
    }
}

/// A request to the metadata service of an instance with user data, a role and tags. Without a
/// token of its own it is told nothing.
pub fn metadata(bytes: &[u8]) {
    if let Some(request) = request::parse(bytes) {
        cloud::ask_metadata(&request);
    }
}
