//! How many files and connections this process may have open.

/// Raises the limit as far as the system lets this process: the usual 1024 (`RLIMIT_NOFILE`, soft) is
/// fewer than the connections of a busy service. What it starts inherits the limit.
pub fn raise() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::debug!(limit, "open files"),
        Err(error) => tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the limit of open files stays as it was"
        ),
    }
}
