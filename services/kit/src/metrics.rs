//! Figures of a service for Prometheus (text format 0.0.4,
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of latency buckets, in microseconds.
const BOUNDS: [u64; 14] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 5_000_000,
];

/// Counts something that only grows. Clones are the same counter.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `amount`.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// The count so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Something that goes up and down. Clones are the same gauge.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Changes it by `amount`.
    pub fn add(&self, amount: i64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// What it is.
    #[must_use]
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A distribution of durations, from 0.1 ms to 5 s. Clones are the same histogram.
#[derive(Debug, Clone, Default)]
pub struct Histogram(Arc<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    counts: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
}

impl Histogram {
    /// Takes in one duration.
    pub fn observe(&self, duration: Duration) {
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < microseconds);
        self.0.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.0
            .microseconds
            .fetch_add(microseconds, Ordering::Relaxed);
    }
}

#[derive(Clone)]
enum Series {
    Counter(Counter),
    Gauge(Gauge),
    Computed(Arc<dyn Fn() -> f64 + Send + Sync>),
    Histogram(Histogram),
}

struct Family {
    help: &'static str,
    kind: &'static str,
    series: BTreeMap<String, Series>,
}

/// All figures of a service. Clones are the same registry. Asking for a name and labels that are
/// there already gives the same figure again.
#[derive(Clone, Default)]
pub struct Registry(Arc<Mutex<BTreeMap<&'static str, Family>>>);

impl Registry {
    /// A registry with what is known of any process: memory and processor time.
    #[must_use]
    pub fn new() -> Self {
        let registry = Self::default();
        registry.computed(
            "process_resident_memory_bytes",
            "Memory in use",
            process::resident_bytes,
        );
        registry.computed(
            "process_cpu_seconds_total",
            "Processor time used",
            process::cpu_seconds,
        );
        registry
    }

    /// A counter; its name ends in `_total`.
    #[must_use]
    pub fn counter(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
    ) -> Counter {
        let new = || Series::Counter(Counter::default());
        match self.series(name, help, "counter", labels, new) {
            Series::Counter(counter) => counter,
            _ => Counter::default(),
        }
    }

    /// A gauge.
    #[must_use]
    pub fn gauge(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)]) -> Gauge {
        let new = || Series::Gauge(Gauge::default());
        match self.series(name, help, "gauge", labels, new) {
            Series::Gauge(gauge) => gauge,
            _ => Gauge::default(),
        }
    }

    /// A histogram of durations; its name ends in `_seconds`.
    #[must_use]
    pub fn histogram(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
    ) -> Histogram {
        let new = || Series::Histogram(Histogram::default());
        match self.series(name, help, "histogram", labels, new) {
            Series::Histogram(histogram) => histogram,
            _ => Histogram::default(),
        }
    }

    /// A figure that is worked out when somebody asks.
    pub fn computed(
        &self,
        name: &'static str,
        help: &'static str,
        compute: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        let kind = if name.ends_with("_total") {
            "counter"
        } else {
            "gauge"
        };
        self.series(name, help, kind, &[], || {
            Series::Computed(Arc::new(compute))
        });
    }

    fn series(
        &self,
        name: &'static str,
        help: &'static str,
        kind: &'static str,
        labels: &[(&str, &str)],
        new: impl FnOnce() -> Series,
    ) -> Series {
        let mut families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let family = families.entry(name).or_insert_with(|| Family {
            help,
            kind,
            series: BTreeMap::new(),
        });
        family
            .series
            .entry(written(labels))
            .or_insert_with(new)
            .clone()
    }

    /// The figures as text.
    #[must_use]
    pub fn render(&self) -> String {
        let families = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (name, family) in families.iter() {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "# HELP {name} {}\n# TYPE {name} {}",
                family.help, family.kind
            );
            for (labels, series) in &family.series {
                render(&mut text, name, labels, series);
            }
        }
        text
    }
}

fn render(text: &mut String, name: &str, labels: &str, series: &Series) {
    let in_braces = if labels.is_empty() {
        String::new()
    } else {
        format!("{{{labels}}}")
    };
    let _ = match series {
        Series::Counter(counter) => writeln!(text, "{name}{in_braces} {}", counter.value()),
        Series::Gauge(gauge) => writeln!(text, "{name}{in_braces} {}", gauge.value()),
        Series::Computed(compute) => writeln!(text, "{name}{in_braces} {}", compute()),
        Series::Histogram(histogram) => {
            render_histogram(text, name, labels, &in_braces, &histogram.0)
        }
    };
}

fn render_histogram(
    text: &mut String,
    name: &str,
    labels: &str,
    in_braces: &str,
    buckets: &Buckets,
) -> std::fmt::Result {
    let separator = if labels.is_empty() { "" } else { "," };
    let mut below = 0;
    for (index, count) in buckets.counts.iter().enumerate() {
        below += count.load(Ordering::Relaxed);
        let bound = BOUNDS
            .get(index)
            .map_or_else(|| "+Inf".to_owned(), |bound| seconds(*bound).to_string());
        writeln!(
            text,
            "{name}_bucket{{{labels}{separator}le=\"{bound}\"}} {below}"
        )?;
    }
    let sum = seconds(buckets.microseconds.load(Ordering::Relaxed));
    writeln!(
        text,
        "{name}_sum{in_braces} {sum}\n{name}_count{in_braces} {below}"
    )
}

fn seconds(microseconds: u64) -> f64 {
    Duration::from_micros(microseconds).as_secs_f64()
}

fn written(labels: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        let value = value
            .replace('\\', r"\\")
            .replace('"', "\\\"")
            .replace('\n', r"\n");
        let separator = if text.is_empty() { "" } else { "," };
        let _ = write!(text, "{separator}{name}=\"{value}\"");
    }
    text
}

/// What Linux tells of this process (proc(5)).
mod process {
    /// Linux counts processor time in ticks of 10 ms on every platform we run on.
    const TICKS_PER_SECOND: f64 = 100.0;
    const PAGE_BYTES: f64 = 4096.0;

    pub(super) fn resident_bytes() -> f64 {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let pages: Option<f64> = statm.split(' ').nth(1).and_then(|field| field.parse().ok());
        pages.unwrap_or(0.0) * PAGE_BYTES
    }

    pub(super) fn cpu_seconds() -> f64 {
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
        // The program's name, in parentheses, may hold anything: count from its end.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks: f64 = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<f64>().ok())
            .sum();
        ticks / TICKS_PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_prometheus_reads_them() {
        let registry = Registry::default();
        registry
            .counter("requests_total", "Requests", &[("code", "2xx")])
            .add(3);
        registry
            .counter("requests_total", "Requests", &[("code", "2xx")])
            .increment();
        registry
            .gauge("connections", "Open connections", &[])
            .set(-2);
        registry.computed("half", "A half", || 0.5);
        let histogram = registry.histogram("duration_seconds", "Durations", &[("path", "a\"b")]);
        histogram.observe(Duration::from_micros(100));
        histogram.observe(Duration::from_secs(60));
        let text = registry.render();
        for line in [
            "# TYPE requests_total counter",
            "requests_total{code=\"2xx\"} 4",
            "connections -2",
            "half 0.5",
            "duration_seconds_bucket{path=\"a\\\"b\",le=\"0.0001\"} 1",
            "duration_seconds_bucket{path=\"a\\\"b\",le=\"5\"} 1",
            "duration_seconds_bucket{path=\"a\\\"b\",le=\"+Inf\"} 2",
            "duration_seconds_sum{path=\"a\\\"b\"} 60.0001",
            "duration_seconds_count{path=\"a\\\"b\"} 2",
        ] {
            assert!(
                text.lines().any(|written| written == line),
                "{line} in\n{text}"
            );
        }
    }

    #[test]
    fn a_process_knows_its_own_memory() {
        let text = Registry::new().render();
        let memory = text
            .lines()
            .find(|line| line.starts_with("process_resident_memory_bytes "));
        assert!(memory.is_some_and(|line| !line.ends_with(" 0")), "{text}");
    }
}
