//! What is asked for: reads and uploads of which keys, in which order.

use std::str::FromStr;

use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

use crate::zipf::{Lawless, Zipf};

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Reads a photo.
    Read,
    /// Stores one.
    Upload,
}

/// A request to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    /// What it does.
    pub(super) kind: Kind,
    /// With which key, from 0.
    pub(super) key: u32,
    /// What decides the rest.
    pub(super) dice: u64,
}

/// How often each key is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// By Zipf's law, with this exponent; key 0 most often.
    Zipf(f64),
    /// Each as often as the others, by chance.
    Uniform,
    /// One after the other, round and round.
    Sequential,
}

/// A text that names no distribution.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is zipf:0.9 (or another exponent of 0 or more), uniform or sequential")]
pub struct NoDistribution;

impl FromStr for Distribution {
    type Err = NoDistribution;

    fn from_str(text: &str) -> Result<Self, NoDistribution> {
        match text {
            "uniform" => return Ok(Self::Uniform),
            "sequential" => return Ok(Self::Sequential),
            _ => {}
        }
        let skew = text.strip_prefix("zipf:").ok_or(NoDistribution)?;
        match skew.parse::<f64>() {
            Ok(skew) if skew.is_finite() && skew >= 0.0 => Ok(Self::Zipf(skew)),
            _ => Err(NoDistribution),
        }
    }
}

/// The part of requests that are reads, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(f64);

/// A text that is no part of a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is a number from 0 (uploads only) to 1 (reads only)")]
pub struct NoShare;

impl FromStr for Share {
    type Err = NoShare;

    fn from_str(text: &str) -> Result<Self, NoShare> {
        match text.parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(Self(share)),
            _ => Err(NoShare),
        }
    }
}

/// Requests without end: the same seed gives the same ones.
#[derive(Debug)]
pub(super) struct Orders {
    random: StdRng,
    reads: Share,
    keys: Keys,
}

#[derive(Debug)]
enum Keys {
    Zipf(Zipf),
    Uniform(u32),
    Sequential { keys: u32, next: u32 },
}

impl Orders {
    pub(super) fn new(
        keys: u32,
        distribution: Distribution,
        reads: Share,
        seed: u64,
    ) -> Result<Self, Lawless> {
        let keys = match distribution {
            _ if keys == 0 => return Err(Lawless),
            Distribution::Zipf(skew) => Keys::Zipf(Zipf::new(keys, skew)?),
            Distribution::Uniform => Keys::Uniform(keys),
            Distribution::Sequential => Keys::Sequential { keys, next: 0 },
        };
        let random = StdRng::seed_from_u64(seed);
        Ok(Self {
            random,
            reads,
            keys,
        })
    }

    pub(super) fn draw(&mut self) -> Order {
        let kind = if self.random.random::<f64>() < self.reads.0 {
            Kind::Read
        } else {
            Kind::Upload
        };
        Order {
            kind,
            key: self.keys.draw(&mut self.random),
            dice: self.random.next_u64(),
        }
    }
}

impl Keys {
    fn draw(&mut self, random: &mut StdRng) -> u32 {
        match self {
            Self::Zipf(law) => law.draw(random),
            Self::Uniform(keys) => random.random_range(0..*keys),
            Self::Sequential { keys, next } => {
                let key = *next;
                *next = (key + 1) % *keys;
                key
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn orders(distribution: &str, reads: &str) -> Vec<Order> {
        let (distribution, reads) = (distribution.parse().unwrap(), reads.parse().unwrap());
        let mut orders = Orders::new(10, distribution, reads, 1).unwrap();
        (0..20_000).map(|_| orders.draw()).collect()
    }

    fn share(orders: &[Order], which: impl Fn(&Order) -> bool) -> f64 {
        orders.iter().filter(|order| which(order)).count() as f64 / orders.len() as f64
    }

    #[test]
    fn a_seed_gives_one_sequence_and_the_mix_is_as_asked() {
        assert_eq!(orders("zipf:0.9", "0.95"), orders("zipf:0.9", "0.95"));
        for (reads, expected) in [("0", 0.0), ("0.95", 0.95), ("1", 1.0)] {
            let found = share(&orders("uniform", reads), |order| order.kind == Kind::Read);
            assert!((found - expected).abs() < 0.01, "{reads}: {found}");
        }
    }

    #[test]
    fn keys_are_drawn_as_their_distribution_says() {
        let of = |distribution, key| share(&orders(distribution, "1"), |order| order.key == key);
        assert!((of("uniform", 9) - 0.1).abs() < 0.01);
        // Of ten keys by Zipf's law with exponent 1, the first is drawn 1 / (1 + 1/2 + … + 1/10).
        assert!((of("zipf:1", 0) - 0.341).abs() < 0.01);
        assert!((of("zipf:1", 9) - 0.034).abs() < 0.01);
        let in_turn: Vec<u32> = orders("sequential", "1")[..12]
            .iter()
            .map(|order| order.key)
            .collect();
        assert_eq!(in_turn, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    }

    #[test]
    fn what_is_no_distribution_or_share_is_refused_with_what_would_be_right() {
        for text in ["", "zipf", "zipf:", "zipf:-1", "zipf:NaN", "normal"] {
            let refused = text.parse::<Distribution>().unwrap_err().to_string();
            assert!(refused.contains("zipf:0.9"), "{text}");
        }
        for text in ["", "-0.1", "1.1", "95%", "NaN"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        assert!(Orders::new(0, Distribution::Uniform, Share(1.0), 1).is_err());
    }
}
