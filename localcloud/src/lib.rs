//! The laptop's AWS.
