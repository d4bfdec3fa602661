//! What is asked for, one number an object.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::Experiment;

/// Zipf's law does not know such an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Zipf's law takes 1 object or more, and an exponent of 0 or more")]
pub struct Lawless;

/// A trace by Zipf's law; the object of rank r, from 0, has the number r.
pub(super) fn zipf(experiment: &Experiment) -> Result<Vec<u32>, Lawless> {
    let law = experiment.skew.is_finite() && experiment.skew >= 0.0;
    if !law || experiment.objects == 0 {
        return Err(Lawless);
    }
    // Up to which number one of the ranks so far is meant.
    let mut up_to = Vec::new();
    let mut sum = 0.0;
    for rank in 1..=experiment.objects {
        sum += f64::from(rank).powf(-experiment.skew);
        up_to.push(sum);
    }
    let mut random = StdRng::seed_from_u64(experiment.seed);
    let draw = |_| {
        let drawn = random.random_range(0.0..sum);
        up_to.partition_point(|bound| *bound <= drawn) as u32
    };
    Ok((0..experiment.lookups).map(draw).collect())
}
