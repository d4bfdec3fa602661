//! A trace of load, read from CSV.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use crate::window::MINUTE;

/// The largest trace that is read: years of minutes.
const LARGEST: u64 = 64 * 1024 * 1024;
/// The longest time a trace may span: a year.
const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);
/// The sizes that a trace may give a rate for.
const SIZES: usize = 8;
const FIXED: [&str; 4] = ["minute", "lookups", "misses", "samples"];

/// Minutes of load, oldest first; a minute that is left out has no figures.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace(Vec<Row>);

/// One minute of the load.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// When it began.
    pub start: Timestamp,
    /// Reads of entries; `None` if CloudWatch has no figures.
    pub lookups: Option<u64>,
    /// How many of them miss.
    pub missing: Missing,
    /// How many figures arrived; `None` if all did.
    pub samples: Option<u64>,
}

/// How many lookups miss.
#[derive(Debug, Clone, PartialEq)]
pub enum Missing {
    /// So many, whatever the size of the pool.
    Counted(u64),
    /// This part of them at 1, 2, … nodes; at more nodes, as at the last.
    BySize(Vec<f64>),
}

impl Row {
    /// Misses at a pool of `size` nodes.
    #[must_use]
    pub fn misses(&self, lookups: u64, size: u32) -> u64 {
        match &self.missing {
            Missing::Counted(misses) => *misses,
            Missing::BySize(rates) => {
                let place = (size as usize).clamp(1, rates.len().max(1)) - 1;
                let rate = rates.get(place).copied().unwrap_or_default();
                (lookups as f64 * rate).round() as u64
            }
        }
    }
}

/// Why a trace cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The file cannot be read.
    #[error("reading {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not what `--help` describes.
    #[error("{}:{line}: {what}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong, and what would be right.
        what: String,
    },
}

impl Trace {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read, or is not what `--help` describes.
    pub fn load(path: &Path) -> Result<Self, TraceError> {
        let unreadable = |source| TraceError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let wrong = |(line, what)| TraceError::Wrong {
            path: path.to_owned(),
            line,
            what,
        };
        // A device has no size, and may have no end.
        let file = File::open(path).map_err(unreadable)?;
        let mut text = Vec::new();
        let read = file.take(LARGEST + 1).read_to_end(&mut text);
        if read.map_err(unreadable)? as u64 > LARGEST {
            let what = format!("a trace has {} MiB at most", LARGEST >> 20);
            return Err(wrong((1, what)));
        }
        Self::parse(&text).map_err(wrong)
    }

    /// Reads CSV; an error says the line and what is wrong there.
    ///
    /// # Errors
    /// When it is not what `--help` describes.
    pub fn parse(text: &[u8]) -> Result<Self, (u64, String)> {
        let mut lines = lines(text)?;
        let (at, head) = lines.next().unwrap_or((1, Vec::new()));
        let columns = Columns::read(&head).map_err(|what| (at, what))?;
        let mut rows: Vec<Row> = Vec::new();
        for (line, values) in lines {
            let row = columns.row(&values, rows.last());
            let row = row.map_err(|what| (line, what))?;
            let first = rows.first().map_or(row.start, |row| row.start);
            if row.start.duration_since(first) > LONGEST {
                let what = "a trace spans a year at most; is this the right minute?";
                return Err((line, what.to_owned()));
            }
            rows.push(row);
        }
        if rows.is_empty() {
            let what = "a trace has a line for each minute; there is none";
            return Err((at + 1, what.to_owned()));
        }
        Ok(Self(rows))
    }

    /// The minutes.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.0
    }

    /// The first minute and the last.
    #[must_use]
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.0.first()?.start, self.0.last()?.start))
    }
}

impl From<Vec<Row>> for Trace {
    fn from(rows: Vec<Row>) -> Self {
        Self(rows)
    }
}

/// The lines that say something, each with its number from 1 and its values. No value of ours needs
/// quotes, and only lines of our own counting can be named rightly.
fn lines(text: &[u8]) -> Result<impl Iterator<Item = (u64, Vec<&str>)>, (u64, String)> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let before = &text[..error.valid_up_to()];
        let ends = before.iter().filter(|byte| **byte == b'\n').count();
        (ends as u64 + 1, "this is no text in UTF-8".to_owned())
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = (1..).zip(text.lines().map(str::trim));
    let saying = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    Ok(saying.map(|(number, line)| (number, line.split(',').map(str::trim).collect())))
}

/// Where each value stands in a line.
struct Columns {
    count: usize,
    minute: usize,
    lookups: usize,
    samples: Option<usize>,
    missing: MissingColumns,
}

enum MissingColumns {
    Counted(usize),
    BySize(Vec<usize>),
}

impl Columns {
    fn read(head: &[&str]) -> Result<Self, String> {
        for (place, name) in head.iter().enumerate() {
            let is_rate = rate_columns().any(|rate| rate == *name);
            if !is_rate && !FIXED.contains(name) {
                return Err(format!(
                    "there is no column `{}`; there are {}, rate1 to rate{SIZES}",
                    shortened(name),
                    FIXED.join(", ")
                ));
            }
            if head[..place].contains(name) {
                return Err(format!("the column `{name}` is given twice; give it once"));
            }
        }
        let find = |name: &str| head.iter().position(|column| *column == name);
        let need = |name: &str| {
            let missing = || format!("the column `{name}` is missing in the first line");
            find(name).ok_or_else(missing)
        };
        let (minute, lookups) = (need("minute")?, need("lookups")?);
        let rates: Vec<usize> = rate_columns().map_while(|name| find(&name)).collect();
        let given = rate_columns().filter(|name| find(name).is_some()).count();
        if given != rates.len() {
            return Err(
                "the columns rate1, rate2, … are given without a gap, from rate1".to_owned(),
            );
        }
        let missing = match (find("misses"), rates.is_empty()) {
            (Some(misses), true) => MissingColumns::Counted(misses),
            (None, false) => MissingColumns::BySize(rates),
            _ => return Err("a trace has either `misses` or `rate1`, `rate2`, …".to_owned()),
        };
        Ok(Self {
            count: head.len(),
            minute,
            lookups,
            samples: find("samples"),
            missing,
        })
    }

    fn row(&self, values: &[&str], before: Option<&Row>) -> Result<Row, String> {
        if values.len() != self.count {
            let (found, count) = (values.len(), self.count);
            return Err(format!(
                "{found} values where the first line names {count} columns"
            ));
        }
        let start = minute(values[self.minute])?;
        if before.is_some_and(|before| start <= before.start) {
            return Err("a minute comes after the one in the line before".to_owned());
        }
        let samples = self.samples.map(|at| count("samples", values[at]));
        let lookups = count("lookups", values[self.lookups])?;
        Ok(Row {
            start,
            lookups,
            missing: self.missing(values, lookups, before)?,
            samples: samples.transpose()?.flatten(),
        })
    }

    fn missing(
        &self,
        values: &[&str],
        lookups: Option<u64>,
        before: Option<&Row>,
    ) -> Result<Missing, String> {
        match &self.missing {
            MissingColumns::Counted(at) => {
                let misses = count("misses", values[*at])?.unwrap_or_default();
                if misses > lookups.unwrap_or_default() {
                    return Err(format!("{misses} misses are more than there are lookups"));
                }
                Ok(Missing::Counted(misses))
            }
            MissingColumns::BySize(columns) => {
                let rates: Vec<&str> = columns.iter().map(|at| values[*at]).collect();
                let is_left_out = rates.iter().all(|rate| rate.is_empty());
                match before {
                    Some(before) if is_left_out => Ok(before.missing.clone()),
                    _ => rates
                        .into_iter()
                        .map(rate)
                        .collect::<Result<_, _>>()
                        .map(Missing::BySize),
                }
            }
        }
    }
}

fn rate_columns() -> impl Iterator<Item = String> {
    (1..=SIZES).map(|size| format!("rate{size}"))
}

/// A count of minutes, or a time.
fn minute(text: &str) -> Result<Timestamp, String> {
    let counted = text
        .parse::<u32>()
        .ok()
        .and_then(|minutes| Timestamp::from_second(i64::from(minutes) * MINUTE.as_secs()).ok());
    let time = counted.or_else(|| text.parse().ok());
    let whole = time.filter(|time| time.as_second() % MINUTE.as_secs() == 0);
    whole
        .filter(|time| time.subsec_nanosecond() == 0)
        .ok_or_else(|| {
            format!(
                "minute `{}` is not possible; it is a whole number, or a full minute such as \
             2026-01-31T10:05:00Z",
                shortened(text)
            )
        })
}

fn count(what: &str, text: &str) -> Result<Option<u64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    // What floating point counts exactly.
    let largest = 1 << 53;
    let count = text.parse().ok().filter(|count| *count <= largest);
    count.map(Some).ok_or_else(|| {
        format!(
            "{what} `{}` is not possible; it is a whole number, or nothing if there are no figures",
            shortened(text)
        )
    })
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
    rate.ok_or_else(|| {
        format!(
            "rate `{}` is not possible; it is a number from 0 to 1",
            shortened(text)
        )
    })
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests;
