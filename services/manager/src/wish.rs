//! What a client or a person may wish of the pool: checked as a whole before anything changes.

use catalog::{Mode, Policy, PoolRow};
use serde::Serialize;

use crate::pool::SIZES;

/// Bytes of a MB.
pub(crate) const MIB: u64 = 1024 * 1024;
/// What a cache may hold, in MB: far more memory than a node has is a typing error, and would end in
/// the kernel killing it.
pub const CAPACITY: Limits = Limits {
    from: Some(1.0),
    to: Some(65_536.0),
    is_whole: true,
    ..Limits::NONE
};
/// What `expRatio` may be.
pub const EXP_RATIO: Limits = Limits {
    above: Some(1.0),
    ..Limits::NONE
};
/// What `shrinkRatio` may be.
pub const SHRINK_RATIO: Limits = Limits {
    above: Some(0.0),
    below: Some(1.0),
    ..Limits::NONE
};
/// What `maxMiss` and `minMiss` may be.
pub const MISS_RATE: Limits = Limits {
    from: Some(0.0),
    to: Some(1.0),
    ..Limits::NONE
};

/// The parameters of `configure_cache`, by their names on the wire.
const PARAMETERS: [&str; 8] = [
    "mode",
    "numNodes",
    "cacheSize",
    "policy",
    "expRatio",
    "shrinkRatio",
    "maxMiss",
    "minMiss",
];

/// What a number may be; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// It is more than this,
    pub above: Option<f64>,
    /// or not less than this;
    pub from: Option<f64>,
    /// it is less than this,
    pub below: Option<f64>,
    /// or not more than this.
    pub to: Option<f64>,
    /// It has no fraction.
    pub is_whole: bool,
}

impl Limits {
    const NONE: Self = Self {
        above: None,
        from: None,
        below: None,
        to: None,
        is_whole: false,
    };

    /// Whether a number is within them.
    #[must_use]
    pub fn admit(&self, number: f64) -> bool {
        number.is_finite()
            && self.above.is_none_or(|limit| number > limit)
            && self.from.is_none_or(|limit| number >= limit)
            && self.below.is_none_or(|limit| number < limit)
            && self.to.is_none_or(|limit| number <= limit)
    }

    /// What would be right, such as "a number from 0 to 1".
    #[must_use]
    pub fn told(&self) -> String {
        let number = if self.is_whole {
            "a whole number"
        } else {
            "a number"
        };
        match (self.above, self.below, self.from, self.to) {
            (Some(above), Some(below), ..) => format!("{number} between {above} and {below}"),
            (Some(above), None, ..) => format!("{number} above {above}"),
            (.., Some(from), Some(to)) => format!("{number} from {from} to {to}"),
            _ => number.to_owned(),
        }
    }
}

/// A wish that cannot be granted: what is wrong, and what would be right.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

fn refuse<T>(message: String) -> Result<T, Refused> {
    Err(Refused(message))
}

/// Checked changes to the pool; whatever is `None` stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wish {
    mode: Option<Mode>,
    nodes: Option<u32>,
    capacity: Option<u64>,
    policy: Option<Policy>,
    exp_ratio: Option<f64>,
    shrink_ratio: Option<f64>,
    max_miss: Option<f64>,
    min_miss: Option<f64>,
}

impl Wish {
    /// Reads a URL query.
    ///
    /// # Errors
    /// When a parameter is unknown, given twice, or out of its range.
    pub fn from_query(query: &str) -> Result<Self, Refused> {
        Self::from_pairs(form_urlencoded::parse(query.as_bytes()))
    }

    /// Reads names and values.
    ///
    /// # Errors
    /// As [`Wish::from_query`].
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Refused> {
        let mut wish = Self::default();
        let mut given = Vec::new();
        for (name, value) in pairs {
            let (name, value) = (name.as_ref(), value.as_ref().trim());
            let Some(parameter) = PARAMETERS.iter().find(|known| **known == name) else {
                return refuse(format!(
                    "there is no parameter `{}`; there are {}",
                    shortened(name),
                    PARAMETERS.join(", ")
                ));
            };
            if given.contains(parameter) {
                return refuse(format!("`{parameter}` is given twice; give it once"));
            }
            given.push(parameter);
            wish.take(parameter, value)?;
        }
        Ok(wish)
    }

    /// A wish for a size only.
    ///
    /// # Errors
    /// When it is not 1 to 8.
    pub fn size(nodes: u32) -> Result<Self, Refused> {
        Self::from_pairs([("numNodes", nodes.to_string())])
    }

    fn take(&mut self, parameter: &str, value: &str) -> Result<(), Refused> {
        match parameter {
            "mode" => self.mode = Some(mode(value)?),
            "numNodes" => self.nodes = Some(nodes(value)?),
            "cacheSize" => self.capacity = Some(capacity(value)?),
            "policy" => self.policy = Some(policy(value)?),
            "expRatio" => {
                self.exp_ratio = Some(number(parameter, value, EXP_RATIO, ", such as 2")?);
            }
            "shrinkRatio" => {
                self.shrink_ratio = Some(number(parameter, value, SHRINK_RATIO, ", such as 0.5")?);
            }
            "maxMiss" => self.max_miss = Some(rate(parameter, value)?),
            _ => self.min_miss = Some(rate(parameter, value)?),
        }
        Ok(())
    }

    /// Whether nodes have to be told of it.
    #[must_use]
    pub const fn concerns_nodes(&self) -> bool {
        self.capacity.is_some() || self.policy.is_some()
    }

    /// Whether it is a person's word on the size that says nothing of who decides it: in mode auto
    /// the scaler would go another way at its next tick.
    #[must_use]
    pub const fn is_resize_by_hand(&self) -> bool {
        self.nodes.is_some() && self.mode.is_none()
    }

    /// The pool with the wish granted.
    ///
    /// # Errors
    /// When the wish does not go together with what it leaves as it is.
    pub fn grant(&self, pool: &PoolRow) -> Result<PoolRow, Refused> {
        let granted = PoolRow {
            mode: self.mode.unwrap_or(pool.mode),
            wanted: self.nodes.unwrap_or(pool.wanted),
            capacity: self.capacity.unwrap_or(pool.capacity),
            policy: self.policy.unwrap_or(pool.policy),
            exp_ratio: self.exp_ratio.unwrap_or(pool.exp_ratio),
            shrink_ratio: self.shrink_ratio.unwrap_or(pool.shrink_ratio),
            max_miss: self.max_miss.unwrap_or(pool.max_miss),
            min_miss: self.min_miss.unwrap_or(pool.min_miss),
            ..pool.clone()
        };
        if self.nodes.is_some() && !(pool.min..=pool.max).contains(&granted.wanted) {
            return refuse(format!(
                "numNodes `{}` is not possible; the blueprint gives this pool {} to {} nodes",
                granted.wanted, pool.min, pool.max
            ));
        }
        if granted.min_miss >= granted.max_miss {
            return refuse(format!(
                "minMiss ({}) must be below maxMiss ({}), both from 0 to 1",
                granted.min_miss, granted.max_miss
            ));
        }
        Ok(granted)
    }
}

/// The capacity in MB, as clients say it.
#[must_use]
pub const fn megabytes(capacity: u64) -> u64 {
    capacity / MIB
}

/// The policy as clients say it.
#[must_use]
pub const fn policy_name(policy: Policy) -> &'static str {
    match policy {
        Policy::Lru => "LRU",
        Policy::Random => "RR",
        Policy::Sieve => "SIEVE",
    }
}

fn mode(value: &str) -> Result<Mode, Refused> {
    match value.to_ascii_lowercase().as_str() {
        "manual" => Ok(Mode::Manual),
        "auto" => Ok(Mode::Auto),
        _ => refuse(format!(
            "mode `{}` is not known; it is manual or auto",
            shortened(value)
        )),
    }
}

fn nodes(value: &str) -> Result<u32, Refused> {
    match value.parse() {
        Ok(nodes) if SIZES.contains(&nodes) => Ok(nodes),
        _ => refuse(format!(
            "numNodes `{}` is not possible; the pool has {} to {} nodes",
            shortened(value),
            SIZES.start(),
            SIZES.end()
        )),
    }
}

fn capacity(value: &str) -> Result<u64, Refused> {
    match value.parse::<u64>() {
        Ok(megabytes) if CAPACITY.admit(megabytes as f64) => Ok(megabytes * MIB),
        _ => refuse(format!(
            "cacheSize `{}` is not possible; it is {}, in MB",
            shortened(value),
            CAPACITY.told()
        )),
    }
}

fn policy(value: &str) -> Result<Policy, Refused> {
    match value.to_ascii_uppercase().as_str() {
        "LRU" => Ok(Policy::Lru),
        "RR" => Ok(Policy::Random),
        "SIEVE" => Ok(Policy::Sieve),
        _ => refuse(format!(
            "policy `{}` is not known; it is LRU (least recently used), RR (random) or SIEVE",
            shortened(value)
        )),
    }
}

fn rate(parameter: &str, value: &str) -> Result<f64, Refused> {
    number(parameter, value, MISS_RATE, "")
}

fn number(parameter: &str, value: &str, limits: Limits, example: &str) -> Result<f64, Refused> {
    match value.parse::<f64>() {
        Ok(number) if limits.admit(number) => Ok(number),
        _ => refuse(format!(
            "{parameter} `{}` is not possible; it is {}{example}",
            shortened(value),
            limits.told()
        )),
    }
}

/// What is repeated to the client is short, whatever was sent.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut short: String = text.chars().take(LONGEST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn pool() -> PoolRow {
        PoolRow {
            size: 1,
            max: 6,
            ..catalog::test_support::pool()
        }
    }

    #[test]
    fn every_parameter_is_taken() {
        let wish = Wish::from_query(
            "mode=auto&numNodes=3&cacheSize=5&policy=rr&expRatio=3&shrinkRatio=.25&maxMiss=0.9&minMiss=0",
        )
        .unwrap();
        let granted = wish.grant(&pool()).unwrap();
        assert_eq!(granted.mode, Mode::Auto);
        assert_eq!(granted.wanted, 3);
        assert_eq!(granted.capacity, 5 * MIB);
        assert_eq!(granted.policy, Policy::Random);
        assert_eq!(granted.exp_ratio, 3.0);
        assert_eq!(granted.shrink_ratio, 0.25);
        assert_eq!((granted.max_miss, granted.min_miss), (0.9, 0.0));
        assert!(wish.concerns_nodes());
    }

    #[test]
    fn nothing_asked_changes_nothing() {
        let wish = Wish::from_query("").unwrap();
        assert_eq!(wish.grant(&pool()).unwrap(), pool());
        assert!(!wish.concerns_nodes());
    }

    #[test]
    fn what_is_out_of_range_is_refused_with_what_would_be_right() {
        for (query, part) in [
            ("numNodes=0", "1 to 8"),
            ("numNodes=9", "1 to 8"),
            ("numNodes=2.5", "1 to 8"),
            ("numNodes=-1", "1 to 8"),
            ("numNodes=99999999999999999999", "1 to 8"),
            ("cacheSize=0", "a whole number from 1 to 65536, in MB"),
            ("cacheSize=1.5", "a whole number"),
            ("cacheSize=18446744073709551615", "a whole number"),
            ("policy=FIFO", "LRU"),
            ("policy=FIFO", "SIEVE"),
            ("mode=on", "manual or auto"),
            ("expRatio=1", "above 1"),
            ("expRatio=inf", "above 1"),
            ("expRatio=NaN", "above 1"),
            ("shrinkRatio=1", "between 0 and 1"),
            ("shrinkRatio=0", "between 0 and 1"),
            ("maxMiss=1.1", "from 0 to 1"),
            ("minMiss=-0.1", "from 0 to 1"),
            ("size=2", "numNodes"),
            ("numNodes=2&numNodes=3", "twice"),
            ("numNodes=", "1 to 8"),
        ] {
            let refused = Wish::from_query(query).unwrap_err().to_string();
            assert!(refused.contains(part), "{query}: {refused}");
        }
    }

    #[test]
    fn limits_are_checked_together_with_what_stays() {
        let refused = |query: &str| Wish::from_query(query).unwrap().grant(&pool()).unwrap_err();
        assert!(refused("minMiss=0.6").to_string().contains("below maxMiss"));
        assert!(refused("maxMiss=0.1").to_string().contains("below maxMiss"));
        let both = Wish::from_query("minMiss=0.7&maxMiss=0.8").unwrap();
        assert!(both.grant(&pool()).is_ok());
    }

    #[test]
    fn sizes_stay_within_the_blueprints_bounds() {
        let grant = |query: &str| Wish::from_query(query).unwrap().grant(&pool());
        assert_eq!(grant("numNodes=6").unwrap().wanted, 6);
        let refused = grant("numNodes=7").unwrap_err().to_string();
        assert!(refused.contains("1 to 6"), "{refused}");
    }

    #[test]
    fn what_is_repeated_is_short() {
        let query = format!("policy={}", "x".repeat(10_000));
        assert!(Wish::from_query(&query).unwrap_err().to_string().len() < 200);
    }
}
