#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::s3::object::Object;

fn put(folder: &Path, key: &str, bytes: &[u8]) -> Change {
    let file = uuid::Uuid::new_v4().simple().to_string();
    fs::write(files(folder).join(&file), bytes).unwrap();
    Change::Put {
        key: key.to_owned(),
        object: Arc::new(Object {
            file,
            size: bytes.len() as u64,
            ..Object::default()
        }),
    }
}

fn change(index: &mut Index, change: Change) {
    index.change(vec![change]).unwrap().settle(None).unwrap();
}

#[test]
fn what_was_written_is_read_again_and_strays_are_swept() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = Index::open(folder.path(), true).unwrap();
    for key in ["a", "../b", "c\0", ""] {
        let change_ = put(folder.path(), key, b"one");
        change(&mut index, change_);
    }
    let again = put(folder.path(), "a", b"three");
    change(&mut index, again);
    change(
        &mut index,
        Change::Delete {
            key: "../b".to_owned(),
        },
    );
    fs::write(files(folder.path()).join("stray"), b"left by a crash").unwrap();
    drop(index);

    let index = Index::open(folder.path(), true).unwrap();
    let keys: Vec<_> = index
        .contents()
        .objects
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(keys, ["", "a", "c\0"]);
    assert_eq!(index.contents().objects["a"].size, 5);
    assert_eq!(fs::read_dir(files(folder.path())).unwrap().count(), 3);
}

#[test]
fn a_torn_last_line_is_dropped_and_a_torn_middle_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = Index::open(folder.path(), true).unwrap();
    let first = put(folder.path(), "kept", b"x");
    change(&mut index, first);
    drop(index);
    let path = folder.path().join(LOG);
    let mut log = OpenOptions::new().append(true).open(&path).unwrap();
    log.write_all(br#"{"put":{"key":"torn","obj"#).unwrap();
    let mut index = Index::open(folder.path(), true).unwrap();
    assert_eq!(index.contents().objects.len(), 1);
    let second = put(folder.path(), "after", b"y");
    change(&mut index, second);
    drop(index);
    assert_eq!(
        Index::open(folder.path(), true)
            .unwrap()
            .contents()
            .objects
            .len(),
        2
    );

    let mut log = OpenOptions::new().append(true).open(&path).unwrap();
    log.write_all(b"nonsense\n").unwrap();
    assert_eq!(
        Index::open(folder.path(), true).unwrap_err().kind(),
        io::ErrorKind::InvalidData
    );
}

#[test]
fn a_put_whose_file_never_reached_the_disk_leaves_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = Index::open(folder.path(), true).unwrap();
    let whole = put(folder.path(), "k", b"whole");
    change(&mut index, whole);
    let cut = put(folder.path(), "k", b"cut short");
    let Change::Put { object, .. } = &cut else {
        panic!("a put")
    };
    let file = files(folder.path()).join(&object.file);
    index.change(vec![cut.clone()]).unwrap();
    drop(index);
    File::options()
        .write(true)
        .open(file)
        .unwrap()
        .set_len(2)
        .unwrap();
    assert_eq!(
        Index::open(folder.path(), true).unwrap().contents().objects["k"].size,
        5
    );
}

#[test]
fn the_log_is_rewritten_when_most_of_it_is_history() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = Index::open(folder.path(), true).unwrap();
    let object = put(folder.path(), "k", b"x");
    for _ in 0..2 * SLACK {
        index.change(vec![object.clone()]).unwrap();
    }
    let lines = fs::read_to_string(folder.path().join(LOG))
        .unwrap()
        .lines()
        .count();
    assert!(lines < 2 * SLACK, "{lines} lines");
    drop(index);
    assert_eq!(
        Index::open(folder.path(), true)
            .unwrap()
            .contents()
            .objects
            .len(),
        1
    );
}
