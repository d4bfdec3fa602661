//! What must hold for every input that comes from outside, whoever wrote it: nothing panics, nothing
//! takes long, an answer is one that clients can read, and what is refused is told with a reason.
//!
//! Each function takes the bytes that libFuzzer made up. A target in `fuzz_targets/` is the call of
//! one; `seeds/<target>/` is what libFuzzer begins with.

#![forbid(unsafe_code)]

pub mod blueprint;
pub mod cloud;
pub mod instance;
pub mod photos;
pub mod request;
pub mod services;
