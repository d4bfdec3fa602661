//! The photo front-end.
