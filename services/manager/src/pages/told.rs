//! Figures and times as the pages tell them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What there is nothing to tell of.
pub(super) const NOTHING: &str = "–";

/// A text, or that there is none.
pub(super) fn or_nothing(text: Option<String>) -> String {
    text.unwrap_or_else(|| NOTHING.to_owned())
}

/// A fraction of 1 in percent: a whole number, but for the first ten the tenths too.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let is_fine = percent < 9.95 && (percent - percent.round()).abs() >= 0.05;
    format!("{percent:.*} %", usize::from(is_fine))
}

/// The share of look-ups that were hits; of none there is none.
pub(super) fn rate(hits: u64, lookups: u64) -> String {
    if lookups == 0 {
        NOTHING.to_owned()
    } else {
        percent(crate::api::fraction(hits, lookups))
    }
}

/// How long ago something was, in the unit that fits.
pub(super) fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    match (seconds / 86_400, seconds / 3600, seconds / 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

/// The hour and minute, in UTC; the script tells it in the reader's time.
pub(super) fn clock(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%H:%M").to_string()
}

/// Date and time to the second, in UTC.
pub(super) fn moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// A count of nodes.
pub(super) fn nodes(count: u32) -> String {
    if count == 1 {
        "1 node".to_owned()
    } else {
        format!("{count} nodes")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn small_percentages_have_tenths() {
        for (share, told) in [
            (0.0, "0 %"),
            (0.004, "0.4 %"),
            (0.0004, "0 %"),
            (0.05, "5 %"),
            (0.0996, "10 %"),
            (0.256, "26 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(percent(share), told, "{share}");
        }
    }

    #[test]
    fn ages_are_told_in_the_unit_that_fits() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (seconds, told) in [
            (-5, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3660, "1 h 1 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(age(at(0), at(seconds)), told);
        }
    }

    #[test]
    fn times_are_told_in_utc() {
        let at: Timestamp = "2026-03-04T05:06:07.9Z".parse().unwrap();
        assert_eq!(clock(at), "05:06");
        assert_eq!(moment(at), "2026-03-04 05:06:07");
    }
}
