//! What is asked for, one number an object.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::Experiment;
use crate::zipf::{Lawless, Zipf};

/// A trace by Zipf's law; the object of rank r, from 0, has the number r.
pub(super) fn zipf(experiment: &Experiment) -> Result<Vec<u32>, Lawless> {
    let law = Zipf::new(experiment.objects, experiment.skew)?;
    let mut random = StdRng::seed_from_u64(experiment.seed);
    Ok((0..experiment.lookups)
        .map(|_| law.draw(&mut random))
        .collect())
}
