//! An in-memory cache node.
