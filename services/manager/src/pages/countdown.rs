//! How long the deployment still lives, on every page.

use http::Response;
use jiff::Timestamp;
use kit::body::Body;
use kit::expiry::{Expiry, GRACE};
use serde::Serialize;
use serde_json::json;

use super::told;
use super::visit::Visit;

/// From then on it is said so that nobody overlooks it.
const LAST_SECONDS: i64 = 30 * 60;

/// What a page says of the expiry.
#[derive(Debug, Serialize)]
pub(super) struct Countdown {
    text: String,
    /// The instant, for the script to tell it in the reader's time.
    instant: String,
    clock: String,
    command: String,
    is_near: bool,
}

/// What there is to say of an expiry at `now`.
pub(super) fn countdown(deployment: &str, expiry: Expiry, now: Timestamp) -> Countdown {
    let due = expiry.due(GRACE);
    let left = due.duration_since(now).as_secs();
    let in_time = told::age(now, due);
    let text = match (expiry.was_slept_through(), left > 0) {
        (_, false) => "This deployment has expired and is being taken away.".to_owned(),
        (true, true) => format!(
            "This deployment expired while it was off, and goes in {in_time} with all its photos, at"
        ),
        (false, true) => format!("Expires in {in_time} with all its photos, at"),
    };
    Countdown {
        text,
        instant: due.to_string(),
        clock: told::clock(due),
        command: format!("deploy extend {deployment} 2h"),
        is_near: left <= LAST_SECONDS,
    }
}

/// The countdown, for the script.
pub(super) fn part<B>(visit: &Visit<'_, B>) -> Response<Body> {
    visit.part("countdown", &json!({ "countdown": visit.countdown() }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(now: &str, started: Option<&str>) -> Countdown {
        let expiry = Expiry {
            at: "2026-11-26T13:00:00Z".parse().unwrap(),
            started: started.map(|started| started.parse().unwrap()),
        };
        countdown("elastic-cache", expiry, now.parse().unwrap())
    }

    #[test]
    fn it_counts_down_and_speaks_up_in_the_last_half_hour() {
        let early = at("2026-11-26T05:48:00Z", None);
        assert_eq!(early.text, "Expires in 7 h 12 min with all its photos, at");
        assert_eq!((early.clock.as_str(), early.is_near), ("13:00", false));
        assert_eq!(early.command, "deploy extend elastic-cache 2h");
        let late = at("2026-11-26T12:31:00Z", None);
        assert!(late.text.starts_with("Expires in 29 min"));
        assert!(late.is_near);
        let over = at("2026-11-26T13:00:01Z", None);
        assert!(over.text.contains("being taken away"));
    }

    #[test]
    fn one_that_slept_through_it_says_how_long_there_is_to_save_it() {
        let saved = at("2026-11-27T09:03:00Z", Some("2026-11-27T09:00:00Z"));
        assert!(saved.text.contains("while it was off, and goes in 12 min"));
        assert!(saved.is_near);
        assert_eq!(saved.clock, "09:15");
    }
}
