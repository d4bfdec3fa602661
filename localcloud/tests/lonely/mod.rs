//! Networks for tests that stop a localcloud and start it again: meanwhile nobody else may take its
//! network.

use std::sync::atomic::{AtomicU8, Ordering};

/// A number of a network that no other test of this process begins with: far from those that are
/// taken one after the other from 0 on.
pub(crate) fn lonely_network() -> u8 {
    static COUNT: AtomicU8 = AtomicU8::new(0);
    let of_this_process = std::process::id().wrapping_mul(8).to_le_bytes()[0];
    let number = of_this_process.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed));
    128 | number
}
