#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

fn rows(text: &str) -> Vec<Row> {
    Trace::parse(text.as_bytes()).unwrap().0
}

#[test]
fn counted_misses_are_the_same_at_every_size() {
    let rows = rows("minute,lookups,misses,samples\n# a remark\n3,100,40,\n5, 0 ,0,7\n6,,,\n");
    assert_eq!(rows[0].start.as_second(), 180);
    assert_eq!((rows[0].lookups, rows[0].samples), (Some(100), None));
    assert_eq!((rows[0].misses(100, 1), rows[0].misses(100, 8)), (40, 40));
    assert_eq!((rows[1].lookups, rows[1].samples), (Some(0), Some(7)));
    assert_eq!(rows[2].lookups, None);
}

#[test]
fn rates_go_by_size_and_carry_on() {
    let rows = rows("minute,lookups,rate1,rate2\n0,100,0.9,0.25\n1,200,,\n");
    for (row, size, misses) in [(0, 1, 90), (0, 2, 25), (0, 8, 25), (1, 1, 180)] {
        let row = &rows[row];
        assert_eq!(row.misses(row.lookups.unwrap(), size), misses);
    }
}

#[test]
fn times_are_read_as_minutes() {
    let rows = rows("lookups,minute,misses\n1,2026-01-31T10:05:00Z,0\n");
    assert_eq!(rows[0].start, "2026-01-31T10:05:00Z".parse().unwrap());
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_what_would_be_right() {
    let head = "minute,lookups,misses\n";
    for (text, line, part) in [
        ("", 1, "`minute` is missing"),
        ("minute,lookups\n0,1\n", 1, "either `misses` or `rate1`"),
        (
            "minute,lookups,misses,rate1\n",
            1,
            "either `misses` or `rate1`",
        ),
        ("minute,lookups,rate2\n", 1, "without a gap"),
        ("minute,lookups,mises\n", 1, "no column `mises`"),
        ("minute,lookups,misses,minute\n", 1, "twice"),
        ("minute,lookups,rate9\n", 1, "no column `rate9`"),
        (head, 2, "there is none"),
        (&format!("{head}0,1\n"), 2, "2 values where"),
        (&format!("{head}0,1,0\n1,1,1,1\n"), 3, "4 values where"),
        (
            &format!("\u{feff}# a remark\n{head}\r\n\n# another\n0,1,2"),
            6,
            "more than there are lookups",
        ),
        ("# a remark\nminute,lookups,mises\n", 2, "no column `mises`"),
        (&format!("{head}0,1,0\n0,1,0\n"), 3, "comes after"),
        (&format!("{head}-1,1,0\n"), 2, "minute `-1` is not possible"),
        (&format!("{head}1.5,1,0\n"), 2, "whole number"),
        (
            &format!("{head}2026-01-31T10:05:30Z,1,0\n"),
            2,
            "a full minute",
        ),
        (&format!("{head}0,many,0\n"), 2, "lookups `many`"),
        (&format!("{head}0,1e3,0\n"), 2, "lookups `1e3`"),
        (&format!("{head}0,99999999999999999999,0\n"), 2, "lookups"),
        (
            &format!("{head}0,1,0\n4000000000,1,0\n"),
            3,
            "a year at most",
        ),
        ("minute,lookups,rate1\n0,1,1.1\n", 2, "from 0 to 1"),
        ("minute,lookups,rate1\n0,1,NaN\n", 2, "from 0 to 1"),
        ("minute,lookups,rate1,rate2\n0,1,0.5,\n", 2, "from 0 to 1"),
        ("minute,lookups,rate1\n0,1,\n", 2, "from 0 to 1"),
    ] {
        let (found, what) = Trace::parse(text.as_bytes()).unwrap_err();
        assert!(what.contains(part), "{text:?}: {what}");
        assert_eq!(found, line, "{text:?}: {what}");
    }
    let (line, what) = Trace::parse(b"minute,lookups,misses\n0,\xff,0\n").unwrap_err();
    assert_eq!((line, what.contains("UTF-8")), (2, true));
}

#[test]
fn what_is_repeated_is_short() {
    let text = format!("minute,lookups,misses\n0,{},0\n", "x".repeat(100_000));
    assert!(Trace::parse(text.as_bytes()).unwrap_err().1.len() < 200);
    let text = "x".repeat(100_000);
    assert!(Trace::parse(text.as_bytes()).unwrap_err().1.len() < 200);
}

#[test]
fn a_file_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.csv");
    std::fs::write(&path, "minute,lookups,misses\n0,1,2\n").unwrap();
    let error = Trace::load(&path).unwrap_err().to_string();
    let place = format!("{}:2: 2 misses", path.display());
    assert!(error.starts_with(&place), "{error}");
    for (path, part) in [
        ("/nowhere/trace.csv", "reading /nowhere/trace.csv"),
        ("/", "reading /"),
        ("/dev/null", "`minute` is missing"),
        ("/dev/zero", "64 MiB at most"),
    ] {
        let error = Trace::load(Path::new(path)).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Trace::parse(&bytes);
        let _ = Trace::parse(&[b"minute,lookups,rate1\n", bytes.as_slice()].concat());
    }
}
