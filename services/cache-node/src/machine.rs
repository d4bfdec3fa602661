//! How busy and how full this machine is (proc(5), statvfs(3)).

use std::path::PathBuf;

/// Processor time of the machine since it started, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    all: u64,
}

/// Measures the processors between one look and the next.
pub(crate) struct Machine {
    root: PathBuf,
    last: Option<Ticks>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let root = std::env::var_os("BIVOUAC_ROOT").filter(|root| !root.is_empty());
        Self {
            root: root.map_or_else(|| "/".into(), PathBuf::from),
            last: read_ticks(),
        }
    }

    /// The share of processor time in use since the last look, in percent.
    pub(crate) fn cpu_percent(&mut self) -> Option<f64> {
        let now = read_ticks()?;
        let last = self.last.replace(now)?;
        percent(
            now.busy.saturating_sub(last.busy),
            now.all.saturating_sub(last.all),
        )
    }

    /// The share in use of the disk that holds the instance's root, in percent. What is reserved for
    /// root counts as used, as in df(1).
    pub(crate) fn disk_percent(&self) -> Option<f64> {
        let disk = nix::sys::statvfs::statvfs(&self.root).ok()?;
        let used = disk.blocks().saturating_sub(disk.blocks_free());
        percent(used, used + disk.blocks_available())
    }
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| 100.0 * part as f64 / whole as f64)
}

fn read_ticks() -> Option<Ticks> {
    ticks(&std::fs::read_to_string("/proc/stat").ok()?)
}

/// The first line: `cpu user nice system idle iowait irq softirq steal guest guest_nice`, where the
/// guests' time is part of the users'.
fn ticks(stat: &str) -> Option<Ticks> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> = line
        .split_whitespace()
        .take(8)
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    let all: u64 = fields.iter().sum();
    let idle = fields.get(3)? + fields.get(4).unwrap_or(&0);
    Some(Ticks {
        busy: all - idle,
        all,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_as_linux_writes_it() {
        let stat = "cpu  100 0 50 800 50 0 0 0 30 0\ncpu0 1 2 3 4\n";
        assert_eq!(
            ticks(stat),
            Some(Ticks {
                busy: 150,
                all: 1000
            })
        );
        assert_eq!(ticks("intr 5"), None);
        assert_eq!(ticks("cpu  a b"), None);
        assert_eq!(percent(150, 1000), Some(15.0));
        assert_eq!(percent(0, 0), None);
    }

    #[test]
    fn this_machine_has_a_disk() {
        let full = Machine::new().disk_percent();
        assert!(
            full.is_some_and(|percent| (0.0..=100.0).contains(&percent)),
            "{full:?}"
        );
    }
}
