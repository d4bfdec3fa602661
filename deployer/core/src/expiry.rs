//! When a deployment ends: an instant that is fixed at its first `up` and stands in a tag on
//! everything it has.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Unit};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// How long a deployment on an account lives if its blueprint does not say.
pub const DEFAULT_LIFETIME: Lifetime = Lifetime { seconds: 8 * HOUR };
/// A longer life is asked about.
pub const LONG_LIFETIME: Lifetime = Lifetime { seconds: 30 * DAY };
/// The longest life there is.
pub const LONGEST_LIFETIME: Lifetime = Lifetime { seconds: 365 * DAY };

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long a deployment lives, in seconds: one second to a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifetime {
    seconds: u64,
}

/// Why a text is no [`Lifetime`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoLifetime {
    /// It is written otherwise.
    #[error("`{0}` is no length of time: write for example `8h`, `90m` or `1h30m`")]
    Form(String),
    /// It is a number alone.
    #[error("`{0}` needs a unit: d, h, m or s, for example `{0}h`")]
    Unit(String),
    /// It is no time at all.
    #[error("a deployment that lives for no time is none: write for example `8h`")]
    Nothing,
    /// It is longer than a year.
    #[error("`{0}` is longer than a year, the most there is: write `365d` or less")]
    TooLong(String),
}

impl Lifetime {
    /// That many seconds; `None` for none at all and for more than a year.
    #[must_use]
    pub fn of_seconds(seconds: u64) -> Option<Lifetime> {
        let is_right = seconds > 0 && seconds <= LONGEST_LIFETIME.seconds;
        is_right.then_some(Lifetime { seconds })
    }

    /// Its length in seconds.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.seconds
    }
}

/// `8h`, `90m`, `45s`, `1h30m`, `2d`: whole numbers with falling units.
impl FromStr for Lifetime {
    type Err = NoLifetime;

    fn from_str(text: &str) -> Result<Lifetime, NoLifetime> {
        let wrong = || NoLifetime::Form(text.to_owned());
        let too_long = || NoLifetime::TooLong(text.to_owned());
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NoLifetime::Unit(text.to_owned()));
        }
        let (mut rest, mut seconds, mut largest) = (text, 0_u64, u64::MAX);
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
            let (number, unit) = rest.split_at(end);
            let mut letters = unit.chars();
            let unit = match letters.next() {
                Some('d') => DAY,
                Some('h') => HOUR,
                Some('m') => MINUTE,
                Some('s') => 1,
                _ => return Err(wrong()),
            };
            if number.is_empty() || unit >= largest {
                return Err(wrong());
            }
            let part = number
                .parse::<u64>()
                .ok()
                .and_then(|number| number.checked_mul(unit));
            seconds = part
                .and_then(|part| part.checked_add(seconds))
                .ok_or_else(too_long)?;
            (rest, largest) = (letters.as_str(), unit);
        }
        if text.is_empty() {
            return Err(wrong());
        }
        match seconds {
            0 => Err(NoLifetime::Nothing),
            _ => Lifetime::of_seconds(seconds).ok_or_else(too_long),
        }
    }
}

/// As it is written: `1h30m`.
impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.seconds;
        for (unit, letter) in [(DAY, 'd'), (HOUR, 'h'), (MINUTE, 'm'), (1, 's')] {
            if rest >= unit {
                write!(f, "{}{letter}", rest / unit)?;
                rest %= unit;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Lifetime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Length;
        impl serde::de::Visitor<'_> for Length {
            type Value = Lifetime;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time like `8h`")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Lifetime, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_i128<E: serde::de::Error>(self, number: i128) -> Result<Lifetime, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Length)
    }
}

impl JsonSchema for Lifetime {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Lifetime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
            "minLength": 2,
        })
    }
}

/// The instant at which a deployment ends, in whole seconds of UTC. In a tag it is written
/// `2026-11-26T13:00:00Z` (RFC 3339).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expiry(Timestamp);

/// Why a text is no [`Expiry`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no instant: write it as 2026-11-26T13:00:00Z")]
pub struct NoInstant(pub String);

impl Expiry {
    /// The whole second in which an instant lies.
    #[must_use]
    pub fn at(instant: Timestamp) -> Expiry {
        let second = Timestamp::from_second(instant.as_second());
        Expiry(second.unwrap_or(instant))
    }

    /// So long after an instant.
    #[must_use]
    pub fn after(instant: Timestamp, lifetime: Lifetime) -> Expiry {
        let seconds = i64::try_from(lifetime.seconds).unwrap_or(i64::MAX);
        let end = instant.saturating_add(SignedDuration::from_secs(seconds));
        Expiry::at(end.unwrap_or(Timestamp::MAX))
    }

    /// The instant.
    #[must_use]
    pub fn instant(self) -> Timestamp {
        self.0
    }

    /// When an instance that was started then acts on it: at once, or fifteen minutes after its start
    /// where it was off when this passed. `boot` does so.
    #[must_use]
    pub fn due(self, started: Timestamp) -> Timestamp {
        if started <= self.0 {
            return self.0;
        }
        started.saturating_add(GRACE).unwrap_or(Timestamp::MAX)
    }

    /// The seconds that are left at `now`; none once it has passed.
    #[must_use]
    pub fn seconds_left(self, now: Timestamp) -> u64 {
        let left = self.0.duration_since(now);
        u64::try_from(left.as_secs()).unwrap_or(0)
    }

    /// Whether it has passed at `now`.
    #[must_use]
    pub fn has_passed(self, now: Timestamp) -> bool {
        self.0 <= now
    }
}

/// How long what was off when it expired lives after its start.
const GRACE: SignedDuration = SignedDuration::from_mins(15);

impl FromStr for Expiry {
    type Err = NoInstant;

    fn from_str(text: &str) -> Result<Expiry, NoInstant> {
        let instant: Timestamp = text.parse().map_err(|_| NoInstant(text.to_owned()))?;
        Ok(Expiry::at(instant))
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.round(Unit::Second).unwrap_or(self.0);
        fmt::Display::fmt(&whole, f)
    }
}

impl Serialize for Expiry {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Something of a deployment that can carry a tag, by what AWS calls it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taggable {
    /// Whatever belongs to EC2, by its id.
    Ec2(String),
    /// A database, by its DB instance identifier.
    Database(String),
    /// A role, by its name.
    Role(String),
    /// An instance profile, by its name.
    Profile(String),
    /// A bucket, by its name.
    Bucket(String),
}

impl fmt::Display for Taggable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Taggable::Ec2(id)
        | Taggable::Database(id)
        | Taggable::Role(id)
        | Taggable::Profile(id)
        | Taggable::Bucket(id)) = self;
        f.write_str(id)
    }
}

/// All that a deployment has, with what its tag says of its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timers(pub Vec<(Taggable, Option<Expiry>)>);

impl Timers {
    /// When the deployment ends: the latest of what the tags say, since an `extend` that was cut
    /// off has moved some of them only.
    #[must_use]
    pub fn expires_at(&self) -> Option<Expiry> {
        self.0.iter().filter_map(|(_, expiry)| *expiry).max()
    }

    /// What does not carry that instant.
    #[must_use]
    pub fn other_than(&self, expiry: Expiry) -> Vec<Taggable> {
        let others = self.0.iter().filter(|(_, found)| *found != Some(expiry));
        others.map(|(thing, _)| thing.clone()).collect()
    }
}

/// When a deployment ends: as its tags say, else, when it is made or has no end yet, so long from
/// now on as its blueprint says, or its place by itself. `None` is for ever.
#[must_use]
pub fn decide(
    timers: &Timers,
    asked: Option<Lifetime>,
    usual: Option<Lifetime>,
    now: Timestamp,
) -> Option<Expiry> {
    let fresh = || asked.or(usual).map(|lifetime| Expiry::after(now, lifetime));
    timers.expires_at().or_else(fresh)
}

/// A length of time in its two largest units: `7 h 12 min`.
#[must_use]
pub fn in_words(seconds: u64) -> String {
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..DAY => format!("{} h {} min", seconds / HOUR, seconds % HOUR / MINUTE),
        _ => format!("{} d {} h", seconds / DAY, seconds % DAY / HOUR),
    }
}

/// When a deployment ends, for people in that time zone: `expires in 7 h 12 min, at 21:30`.
#[must_use]
pub fn told(expires_at: Expiry, now: Timestamp, zone: &TimeZone) -> String {
    let there = expires_at.0.to_zoned(zone.clone());
    let clock = format!("{:02}:{:02}", there.hour(), there.minute());
    let clock = match there.date() {
        today if today == now.to_zoned(zone.clone()).date() => format!("at {clock}"),
        date => format!("at {clock} on {date}"),
    };
    if expires_at.has_passed(now) {
        let past = now.duration_since(expires_at.0).as_secs();
        let past = in_words(u64::try_from(past).unwrap_or(0));
        format!("expired {past} ago, {clock}")
    } else {
        format!(
            "expires in {}, {clock}",
            in_words(expires_at.seconds_left(now))
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn length(text: &str) -> Result<u64, String> {
        let read = text.parse::<Lifetime>();
        read.map(Lifetime::seconds).map_err(|e| e.to_string())
    }

    #[test]
    fn a_lifetime_is_read_and_written_alike() {
        for (text, seconds) in [
            ("8h", 28_800),
            ("45s", 45),
            ("1h30m", 5400),
            ("2d", 172_800),
            ("1d2h3m4s", 93_784),
        ] {
            assert_eq!(length(text), Ok(seconds));
            assert_eq!(text.parse::<Lifetime>().unwrap().to_string(), text);
        }
        assert_eq!("90m".parse::<Lifetime>().unwrap().to_string(), "1h30m");
    }

    #[test]
    fn what_is_no_lifetime_is_told_with_what_would_be() {
        let told = |text: &str| length(text).unwrap_err();
        assert_eq!(
            told("8"),
            "`8` needs a unit: d, h, m or s, for example `8h`"
        );
        assert!(told("0h").contains("lives for no time"));
        for wrong in [
            "", "h", "8 h", "-8h", "8h8h", "30m1h", "1.5h", "8x", "8h3", "ä",
        ] {
            assert!(told(wrong).contains("no length of time"), "{wrong}");
        }
        for long in ["366d", "99999999999999999999h", "18446744073709551615d"] {
            assert!(told(long).contains("longer than a year"), "{long}");
        }
    }

    #[test]
    fn lengths_are_told_in_the_two_largest_units() {
        assert_eq!(in_words(59), "59 s");
        assert_eq!(in_words(3599), "59 min");
        assert_eq!(in_words(11_520), "3 h 12 min");
        assert_eq!(in_words(90_000), "1 d 1 h");
    }

    #[test]
    fn an_instant_is_written_in_whole_seconds_of_utc() {
        let instant: Expiry = "2026-11-26T14:00:00.999+01:00".parse().unwrap();
        assert_eq!(instant.to_string(), "2026-11-26T13:00:00Z");
        assert!("tomorrow".parse::<Expiry>().is_err());
        assert!("2026-11-26".parse::<Expiry>().is_err());
    }

    #[test]
    fn the_end_is_told_with_what_is_left_and_the_time_of_day() {
        let end: Expiry = "2026-11-26T21:30:00Z".parse().unwrap();
        let told = |now: &str| told(end, now.parse().unwrap(), &TimeZone::UTC);
        assert_eq!(
            told("2026-11-26T14:18:00Z"),
            "expires in 7 h 12 min, at 21:30"
        );
        assert_eq!(
            told("2026-11-24T21:29:00Z"),
            "expires in 2 d 0 h, at 21:30 on 2026-11-26"
        );
        assert_eq!(told("2026-11-26T21:42:30Z"), "expired 12 min ago, at 21:30");
    }

    #[test]
    fn the_end_is_fixed_once_and_the_latest_tag_counts() {
        let now: Timestamp = "2026-11-26T06:00:00Z".parse().unwrap();
        let hours = |n| Lifetime::of_seconds(n * HOUR);
        let end = |text: &str| text.parse::<Expiry>().ok();
        let none = Timers::default();
        assert_eq!(decide(&none, None, None, now), None);
        assert_eq!(
            decide(&none, None, hours(8), now),
            end("2026-11-26T14:00:00Z")
        );
        assert_eq!(
            decide(&none, hours(2), hours(8), now),
            end("2026-11-26T08:00:00Z")
        );
        let (early, late) = (end("2026-11-26T07:00:00Z"), end("2026-11-26T09:00:00Z"));
        let group = Taggable::Ec2("sg-1".into());
        let role = Taggable::Role("role".into());
        let bucket = Taggable::Bucket("bucket".into());
        let timers = Timers(vec![
            (group.clone(), early),
            (role, late),
            (bucket.clone(), None),
        ]);
        assert_eq!(decide(&timers, hours(2), hours(8), now), late);
        assert_eq!(timers.other_than(late.unwrap()), [group, bucket]);
    }
}
