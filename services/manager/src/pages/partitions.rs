//! The sixteen partitions of keys, and which node owns each.

use catalog::PoolState;
use kit::placement::PARTITIONS;
use serde::Serialize;

use crate::pool;

/// One partition in the picture.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Partition {
    /// The hexadecimal digit with which the MD5 of its keys begins.
    digit: String,
    /// The place of its owner, counted from 1; 0 while nobody owns anything.
    place: u32,
    /// Whether its owner serves.
    is_served: bool,
}

/// All partitions, in order.
pub(super) fn partitions(state: &PoolState) -> Vec<Partition> {
    let places = state.pool.size;
    let partitions = (0..u32::from(PARTITIONS)).map(|partition| {
        let place = partition.checked_rem(places);
        Partition {
            digit: format!("{partition:x}"),
            place: place.map_or(0, |place| place + 1),
            is_served: place.is_some_and(|place| pool::serving_at(state, place).is_some()),
        }
    });
    partitions.collect()
}

/// How many partitions a place has.
pub(super) fn share(place: u32, places: u32) -> u32 {
    if place < places {
        (u32::from(PARTITIONS) - 1 - place) / places + 1
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_places_share_all_partitions() {
        for places in 1..=8 {
            let shares: Vec<_> = (0..places).map(|place| share(place, places)).collect();
            assert_eq!(shares.iter().sum::<u32>(), 16, "{places}: {shares:?}");
        }
        assert_eq!((share(0, 3), share(1, 3), share(2, 3)), (6, 5, 5));
        assert_eq!(share(0, 0), 0);
    }
}
