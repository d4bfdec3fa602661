//! The processor time of processes.

use std::io;
use std::time::Duration;

use nix::time::ClockId;
use nix::unistd::Pid;

/// What a process has used so far, in user and system mode, to the nanosecond, by its own clock
/// (clock_getcpuclockid(3)). Threads that have ended count too; from /proc they are gone.
///
/// # Errors
/// When there is no such process.
pub(crate) fn time_used(process: u32) -> io::Result<Duration> {
    let process = i32::try_from(process).map_err(io::Error::other)?;
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(process))?;
    Ok(clock.now()?.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_a_thread_used_counts_after_its_end() {
        let process = std::process::id();
        let before = time_used(process).unwrap();
        let enough = before + Duration::from_millis(50);
        let busy = std::thread::spawn(move || while time_used(process).unwrap() < enough {});
        busy.join().unwrap();
        assert!(time_used(process).unwrap() >= enough);
    }

    #[test]
    fn who_is_not_there_has_no_time() {
        // The numbers of processes are below this (PID_MAX_LIMIT).
        assert!(time_used(1 << 22).is_err());
    }
}
