//! What every service reads off a request, and what services say to each other.

use std::time::Duration;

use kit::pool::{Clear, Configuration, Place, Progress, Table};
use kit::request_id::RequestId;
use kit::scaling::{Decision, Outcome};
use kit::session::{Key, SessionId, Sessions};

use crate::request;

/// A request's head: nobody gets a session or a form through by guessing. Its body is taken for an
/// order to a node: an order that is understood can be said again.
pub fn head(bytes: &[u8]) {
    let Some(request) = request::parse(bytes) else {
        return;
    };
    let key = Key::from_hex(&"5a".repeat(32)).expect("32 bytes");
    let sessions = Sessions::new(key.clone(), "bivouac", Duration::from_secs(60));
    assert!(sessions.read(request.headers()).is_none());
    let text = String::from_utf8_lossy(request.body());
    assert!(!kit::csrf::verify(&key, &SessionId::random(), &text));
    assert!((1..=64).contains(&RequestId::of(request.headers()).as_str().len()));
    // Judged by headers alone; either answer is right.
    let _ = kit::origin::check(&request);
    order::<Configuration>(request.body());
    order::<Place>(request.body());
    order::<Progress>(request.body());
    order::<Clear>(request.body());
    order::<Table>(request.body());
    // A decision of the scaler may contradict itself; it is told from one that does not.
    if let Ok(decision) = serde_json::from_slice::<Decision>(request.body()) {
        let resizes = decision.to != decision.size;
        assert!(!decision.is_sound() || resizes == (decision.outcome != Outcome::Held));
    }
}

fn order<T>(bytes: &[u8])
where
    T: serde::de::DeserializeOwned + serde::Serialize + PartialEq + std::fmt::Debug,
{
    if let Ok(order) = serde_json::from_slice::<T>(bytes) {
        let said = serde_json::to_vec(&order).expect("an order is JSON");
        assert_eq!(serde_json::from_slice::<T>(&said).ok(), Some(order));
    }
}
