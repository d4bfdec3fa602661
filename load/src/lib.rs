//! What puts a running deployment to the test from outside, over its public address only, and what
//! measures its parts on their own.

#![forbid(unsafe_code)]

pub mod bench;
pub mod drive;
pub mod endpoints;
pub mod hit_ratio;
pub mod interrupt;
mod processor;
mod token;
pub mod walk;
mod zipf;

pub use token::{NoToken, Token};
