//! Which node of a pool owns a key: the placement that clients and graders compute for themselves.

use md5::{Digest, Md5};

/// How many partitions there are.
pub const PARTITIONS: u8 = 16;

/// The partition of a key: the top four bits of the MD5 of its UTF-8 bytes, 0 to 15.
#[must_use]
pub fn partition(key: &str) -> u8 {
    Md5::digest(key.as_bytes())[0] >> 4
}

/// The place, counted from 0 in the order of joining, of the node that owns `key` in a pool of
/// `nodes`: partition mod nodes. A pool of none has no owner.
#[must_use]
pub fn owner(key: &str, nodes: usize) -> Option<usize> {
    usize::from(partition(key)).checked_rem(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_gives_two_keys() {
        assert_eq!(partition("k1"), 11);
        assert_eq!(partition("k2"), 6);
    }

    #[test]
    fn nodes_take_partitions_in_turn() {
        assert_eq!(owner("k1", 1), Some(0));
        assert_eq!(owner("k1", 3), Some(2));
        assert_eq!(owner("k2", 4), Some(2));
        assert_eq!(owner("k2", 0), None);
    }
}
