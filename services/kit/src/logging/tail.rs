//! The newest lines of a log, kept in memory: what somebody wants to read who cannot log in.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};

/// Lines that are kept.
const LINES: usize = 200;
/// Bytes that are kept of one line.
const LONGEST: usize = 4096;

/// The newest lines, oldest first.
#[derive(Debug, Default)]
pub struct Tail(Mutex<VecDeque<String>>);

impl Tail {
    /// Nothing was said yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }

    /// Keeps a line; the oldest one goes when there are too many.
    pub fn push(&self, line: &str) {
        let line = line.trim_end();
        let mut end = line.len().min(LONGEST);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let mut kept = line[..end].to_owned();
        if end < line.len() {
            kept.push('…');
        }
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(kept);
    }

    /// All that is kept, each line with its end.
    #[must_use]
    pub fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().flat_map(|line| [line, "\n"]).collect()
    }
}

/// What is written at once is a line.
impl io::Write for &Tail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_lines_are_kept_oldest_first() {
        let tail = Tail::new();
        assert_eq!(tail.text(), "");
        for number in 0..LINES + 5 {
            tail.push(&format!("line {number}\n"));
        }
        let text = tail.text();
        assert_eq!(text.lines().count(), LINES);
        assert_eq!(text.lines().next(), Some("line 5"));
        assert_eq!(text.lines().last(), Some("line 204"));
    }

    #[test]
    fn a_line_of_any_length_and_any_bytes_takes_its_share_only() {
        let tail = Tail::new();
        tail.push(&"é".repeat(100_000));
        let text = tail.text();
        assert!(text.len() <= LONGEST + "…\n".len(), "{}", text.len());
        assert!(text.ends_with("é…\n"));
        assert!(io::Write::write(&mut &tail, b"\xff\x00\n").is_ok());
        assert_eq!(tail.text().lines().last(), Some("\u{fffd}\0"));
    }
}
