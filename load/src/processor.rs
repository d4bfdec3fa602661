//! The processor time of processes.

use std::fs;
use std::io;
use std::time::Duration;

/// What the threads of a process have used so far, in user and system mode, to the nanosecond: the
/// first field of `/proc/PID/task/TID/schedstat` (the kernel's scheduler/sched-stats.rst).
///
/// # Errors
/// When there is no such process, or no such file.
pub(crate) fn time_used(process: u32) -> io::Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let field = text
            .split(' ')
            .next()
            .and_then(|field| field.parse::<u64>().ok());
        nanoseconds += field.ok_or(io::ErrorKind::InvalidData)?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}
