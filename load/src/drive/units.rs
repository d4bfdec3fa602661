//! Times, sizes and rates as people write them.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// A time such as `30s`, `500ms` or `2m`.
///
/// # Errors
/// What would be right.
pub fn time(text: &str) -> Result<Duration, String> {
    let time = text.parse::<jiff::SignedDuration>();
    time.ok()
        .and_then(|time| Duration::try_from(time).ok())
        .ok_or_else(|| "it is a time such as 30s, 500ms or 2m".to_owned())
}

/// A number and its unit: `20KiB`, `2 MB`, `512`.
fn size(text: &str) -> Option<usize> {
    let end = text.find(|character: char| !character.is_ascii_digit());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let factor = match unit.trim() {
        "" | "B" => 1,
        "KB" => 1_000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

/// The sizes of photos in bytes: one, or from one to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizes(pub RangeInclusive<usize>);

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        match (size(from.trim()), size(to.trim())) {
            (Some(from), Some(to)) => Ok(Self(from..=to)),
            _ => Err("it is a size such as 20KiB, or two such as 2KiB-200KiB".to_owned()),
        }
    }
}

/// Requests in a second, more than none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate(f64);

impl Rate {
    /// Requests in a second.
    #[must_use]
    pub fn per_second(self) -> f64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(rate) if (0.001..=1e6).contains(&rate) => Ok(Self(rate)),
            _ => Err("it is a number of requests a second, from 0.001 to 1000000".to_owned()),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn what_people_write_is_read() {
        assert_eq!(time("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(time("2m").unwrap(), Duration::from_secs(120));
        assert_eq!(time("1h 30m").unwrap(), Duration::from_secs(5400));
        let sizes = |text: &str| text.parse::<Sizes>().unwrap().0;
        assert_eq!(sizes("20KiB"), 20_480..=20_480);
        assert_eq!(sizes("2 KB - 1MiB"), 2_000..=1_048_576);
        assert_eq!(sizes("512"), 512..=512);
        assert_eq!("0.5".parse::<Rate>().unwrap().per_second(), 0.5);
    }

    #[test]
    fn what_is_none_is_refused_with_what_would_be_right() {
        for text in ["", "30", "-3s", "s", "soon"] {
            assert!(time(text).unwrap_err().contains("30s"), "{text}");
        }
        for text in [
            "",
            "KiB",
            "20 kilo",
            "-5KiB",
            "1-2-3",
            "99999999999999999999",
            "18446744073709551615MiB",
        ] {
            assert!(
                text.parse::<Sizes>().unwrap_err().contains("20KiB"),
                "{text}"
            );
        }
        for text in ["0", "-1", "NaN", "inf", "fast", "1e9"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
