//! Zipf's law: few things are asked for often, and most of them hardly ever.

use rand::Rng;

/// Zipf's law does not know such a population.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Zipf's law takes 1 object or more, and an exponent of 0 or more")]
pub struct Lawless;

/// Objects by rank: that of rank r, counted from 1, is drawn in proportion to r^-s.
#[derive(Debug, Clone)]
pub(crate) struct Zipf {
    /// Up to which number one of the ranks so far is meant.
    up_to: Vec<f64>,
}

impl Zipf {
    /// The law over so many objects, with the exponent `skew`.
    pub(crate) fn new(objects: u32, skew: f64) -> Result<Self, Lawless> {
        let law = skew.is_finite() && skew >= 0.0;
        if !law || objects == 0 {
            return Err(Lawless);
        }
        let weights = (1..=objects).map(|rank| f64::from(rank).powf(-skew));
        let up_to = weights
            .scan(0.0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect();
        Ok(Self { up_to })
    }

    /// An object; the one of the first rank has the number 0.
    pub(crate) fn draw(&self, random: &mut impl Rng) -> u32 {
        let sum = self.up_to.last().copied().unwrap_or_default();
        let drawn = random.random_range(0.0..sum);
        self.up_to.partition_point(|bound| *bound <= drawn) as u32
    }
}
