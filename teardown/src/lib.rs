//! Finds what is ours in an account and removes it.
