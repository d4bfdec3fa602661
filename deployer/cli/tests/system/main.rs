//! The system as its users have it: the program `deploy`, a laptop of its own for each test, and
//! everything behind it real.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod closed;
mod edits;
mod faults;
mod full_disk;
mod interruptions;
mod laptop;
mod mistakes;
mod outages;
mod photos;
mod races;
mod readme;
mod story;
mod walk;
