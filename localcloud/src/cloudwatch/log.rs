//! The metrics on disk: a log of data, appended to and now and then rewritten.
//!
//! Two kinds of records. `S`, a length (u32) and a series in JSON: the series gets the next number.
//! `D`, a series' number (u32), a unit (u8), a minute (u32) and count, sum, minimum, maximum (f64):
//! a datum. Little-endian. It is handed to the kernel before the answer but not flushed to disk: a
//! killed localcloud loses nothing, a power failure the last seconds, which is what metrics are worth.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::state::write_atomically;

use super::series::{Datum, Series, Statistics, Store};

const NAME: &str = "log";
const DATUM: usize = 4 + 1 + 4 + 4 * 8;
/// The log is rewritten when it holds this many data more than four times what is kept.
const SLACK: usize = 100_000;

/// The store, and the log that it is made of again after a restart.
#[derive(Debug)]
pub(super) struct Log {
    store: Store,
    path: PathBuf,
    file: File,
    length: u64,
    data: usize,
    numbers: HashMap<Series, u32>,
}

impl Log {
    /// Reads the log in a folder; a record cut off at its end is dropped.
    pub(super) fn open(folder: &Path, now: Timestamp) -> io::Result<Self> {
        crate::home::make_private_folder(folder)?;
        let path = folder.join(NAME);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let mut store = Store::default();
        let whole = replay(&bytes, &mut store).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{} is damaged; delete it to go on without its metrics",
                    path.display()
                ),
            )
        })?;
        if whole < bytes.len() {
            OpenOptions::new()
                .write(true)
                .open(&path)?
                .set_len(whole as u64)?;
        }
        drop(bytes);
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let mut log = Self {
            store,
            path,
            file,
            length: 0,
            data: 0,
            numbers: HashMap::new(),
        };
        log.rewrite(now)?;
        Ok(log)
    }

    /// What is kept.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Adds data: all of it, or on an error nothing.
    pub(super) fn append(&mut self, data: Vec<Datum>, now: Timestamp) -> io::Result<()> {
        if self.data > 4 * self.store.len() + SLACK {
            self.rewrite(now)?;
        }
        let mut records = Vec::with_capacity(data.len() * (DATUM + 1));
        let known = self.numbers.len();
        for datum in &data {
            let number = number(&mut self.numbers, &datum.series, &mut records)?;
            write_datum(
                &mut records,
                number,
                datum.unit,
                datum.minute,
                datum.statistics,
            );
        }
        if let Err(error) = self.file.write_all(&records) {
            self.file.set_len(self.length)?;
            self.numbers.retain(|_, number| (*number as usize) < known);
            return Err(error);
        }
        self.length += records.len() as u64;
        self.data += data.len();
        for datum in data {
            self.store
                .add(&datum.series, datum.minute, datum.unit, datum.statistics);
        }
        Ok(())
    }

    fn rewrite(&mut self, now: Timestamp) -> io::Result<()> {
        self.store.prune(now);
        let mut records = Vec::new();
        let mut numbers = HashMap::new();
        for (series, minutes) in self.store.all() {
            let number = number(&mut numbers, series, &mut records)?;
            for ((minute, unit), statistics) in minutes {
                write_datum(&mut records, number, *unit, *minute, *statistics);
            }
        }
        write_atomically(&self.path, &records, false)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.length = records.len() as u64;
        self.data = self.store.len();
        self.numbers = numbers;
        Ok(())
    }
}

/// The number of a series; a new one is introduced to the log.
fn number(
    numbers: &mut HashMap<Series, u32>,
    series: &Series,
    records: &mut Vec<u8>,
) -> io::Result<u32> {
    if let Some(number) = numbers.get(series) {
        return Ok(*number);
    }
    let number = u32::try_from(numbers.len()).map_err(io::Error::other)?;
    let text = serde_json::to_vec(series)?;
    records.push(b'S');
    records.extend(
        u32::try_from(text.len())
            .map_err(io::Error::other)?
            .to_le_bytes(),
    );
    records.extend(text);
    numbers.insert(series.clone(), number);
    Ok(number)
}

fn write_datum(records: &mut Vec<u8>, number: u32, unit: u8, minute: u32, statistics: Statistics) {
    records.push(b'D');
    records.extend(number.to_le_bytes());
    records.push(unit);
    records.extend(minute.to_le_bytes());
    for value in [
        statistics.count,
        statistics.sum,
        statistics.minimum,
        statistics.maximum,
    ] {
        records.extend(value.to_le_bytes());
    }
}

/// Reads records into the store; answers how many bytes were whole records, or nothing if there is
/// something else among them.
fn replay(bytes: &[u8], store: &mut Store) -> Option<usize> {
    let mut known: Vec<Series> = Vec::new();
    let mut rest = Reader { bytes, at: 0 };
    loop {
        let whole = rest.at;
        match rest.take::<1>() {
            None => return Some(whole),
            Some(b"S") => {
                let Some(length) = rest.take().map(|length| u32::from_le_bytes(*length)) else {
                    return Some(whole);
                };
                let Some(text) = rest.slice(length as usize) else {
                    return Some(whole);
                };
                known.push(serde_json::from_slice(text).ok()?);
            }
            Some(b"D") => {
                let Some((number, unit, minute, statistics)) = rest.datum() else {
                    return Some(whole);
                };
                store.add(known.get(number as usize)?, minute, unit, statistics);
            }
            Some(_) => return None,
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let slice = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(slice)
    }

    fn take<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        self.slice(N)?.try_into().ok()
    }

    fn datum(&mut self) -> Option<(u32, u8, u32, Statistics)> {
        let number = u32::from_le_bytes(*self.take()?);
        let [unit] = *self.take()?;
        let minute = u32::from_le_bytes(*self.take()?);
        let mut value = || Some(f64::from_le_bytes(*self.take()?));
        let statistics = Statistics {
            count: value()?,
            sum: value()?,
            minimum: value()?,
            maximum: value()?,
        };
        Some((number, unit, minute, statistics))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::cloudwatch::series::minute_of;

    fn datum(name: &str, value: f64, now: Timestamp) -> Datum {
        let series = Series {
            region: "us-east-1".to_owned(),
            namespace: "N".to_owned(),
            name: name.to_owned(),
            dimensions: [("d".to_owned(), "é".to_owned())].into(),
        };
        Datum {
            series,
            minute: minute_of(now),
            unit: 15,
            statistics: Statistics::of(value, 1.0),
        }
    }

    fn sums(log: &Log) -> Vec<(String, f64)> {
        let all = log.store().all();
        all.map(|(series, minutes)| {
            (
                series.name.clone(),
                minutes.values().map(|all| all.sum).sum(),
            )
        })
        .collect()
    }

    #[test]
    fn data_are_there_after_a_restart_and_a_torn_end_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::now();
        let mut log = Log::open(folder.path(), now).unwrap();
        log.append(
            vec![
                datum("a", 1.0, now),
                datum("b", 2.0, now),
                datum("a", 3.0, now),
            ],
            now,
        )
        .unwrap();
        log.append(vec![datum("a", 4.0, now)], now).unwrap();
        drop(log);
        let path = folder.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        for cut in [1, DATUM] {
            fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let log = Log::open(folder.path(), now).unwrap();
            assert_eq!(sums(&log), [("a".to_owned(), 4.0), ("b".to_owned(), 2.0)]);
        }
        fs::write(&path, &whole).unwrap();
        let mut log = Log::open(folder.path(), now).unwrap();
        log.append(vec![datum("c", 5.0, now)], now).unwrap();
        drop(log);
        let log = Log::open(folder.path(), now).unwrap();
        assert_eq!(
            sums(&log),
            [
                ("a".to_owned(), 8.0),
                ("b".to_owned(), 2.0),
                ("c".to_owned(), 5.0)
            ]
        );
    }

    #[test]
    fn what_is_no_log_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join(NAME),
            "D not a datum of ours, and more than enough bytes of it",
        )
        .unwrap();
        let error = Log::open(folder.path(), Timestamp::now()).unwrap_err();
        assert!(error.to_string().contains("metrics"), "{error}");
    }

    #[test]
    fn the_log_stays_small_and_the_old_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let now = Timestamp::now();
        let mut log = Log::open(folder.path(), now).unwrap();
        let old = now - jiff::SignedDuration::from_hours(24 * 14);
        log.append(vec![datum("old", 1.0, old)], now).unwrap();
        let later = now + jiff::SignedDuration::from_hours(24 * 2);
        for _ in 0..120 {
            log.append(vec![datum("a", 1.0, later); 1000], later)
                .unwrap();
        }
        let length = fs::metadata(folder.path().join(NAME)).unwrap().len();
        assert!(length < 1_000_000, "{length} bytes");
        assert_eq!(sums(&log), [("a".to_owned(), 120_000.0)]);
    }
}
