//! Photos that say what they are: whatever is read tells its key and version, and whether it is whole.
//!
//! The bytes of a photo (made up, or a real picture's) are followed by a trailer, which viewers of
//! pictures pass over: a mark, the run, the key, the version, the length of all, and a checksum of all
//! before it. Numbers are 64 bits each, big-endian.

use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use crc_fast::{CrcAlgorithm, checksum};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

use super::checker::Seen;

const MARK: &[u8; 8] = b"\x00bivouac";
const CHECKSUM: usize = 8;
/// Bytes that a photo is longer than the picture it was made of.
pub(super) const TRAILER: usize = 6 * 8;
/// The smallest photo there is.
pub(super) const SMALLEST: usize = 64;
/// The largest that is made up; front-ends take less.
pub(super) const LARGEST: usize = 64 * 1024 * 1024;

/// What a made-up photo begins with: an image of one colour, so that the pages that show photos have
/// something to show. The smallest have only its beginning, which the front-end takes for an image too.
const PNG: &[u8] = include_bytes!("../../data/tile.png");
/// How many places there are in the filling at which a photo may begin.
const PLACES: usize = 64 * 1024;

/// Which photo it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    /// The run that stored it.
    pub(super) run: u64,
    /// The number of its key.
    pub(super) key: u32,
    /// Which of the uploads under the key it is.
    pub(super) version: u64,
}

impl Identity {
    /// The photo made of `picture`, appended to `out`.
    pub(super) fn write(&self, picture: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(picture);
        out.extend_from_slice(MARK);
        let length = (picture.len() + TRAILER) as u64;
        for field in [self.run, self.key.into(), self.version, length] {
            out.extend_from_slice(&field.to_be_bytes());
        }
        let sum = checksum(CrcAlgorithm::Crc64Nvme, &out[start..]);
        out.extend_from_slice(&sum.to_be_bytes());
    }

    /// What `photo`, read under the key `key` in `run`, is.
    #[must_use]
    pub(super) fn recognise(run: u64, key: u32, photo: &[u8]) -> Seen {
        let Some(trailer) = photo
            .len()
            .checked_sub(TRAILER)
            .map(|start| &photo[start..])
        else {
            return Seen::Foreign;
        };
        let field = |place: usize| {
            let bytes = trailer[place * 8..][..8].try_into();
            bytes.map_or(0, u64::from_be_bytes)
        };
        if trailer[..8] != *MARK || field(1) != run {
            return Seen::Foreign;
        }
        let sum = checksum(CrcAlgorithm::Crc64Nvme, &photo[..photo.len() - CHECKSUM]);
        if field(4) != photo.len() as u64 || field(5) != sum {
            return Seen::Damaged("the bytes do not match their checksum".to_owned());
        }
        if field(2) != u64::from(key) {
            return Seen::Damaged(format!("it is the photo of key {}", field(2)));
        }
        Seen::Version(field(3))
    }
}

/// What photos are made of.
#[derive(Debug, Clone)]
pub struct Pictures(Source);

#[derive(Debug, Clone)]
enum Source {
    MadeUp {
        filling: Bytes,
        sizes: RangeInclusive<usize>,
    },
    Files(Vec<Bytes>),
}

/// Why there are no pictures.
#[derive(Debug, thiserror::Error)]
pub enum PicturesError {
    /// A size that no photo can have.
    #[error("a photo has {SMALLEST} bytes to {} MiB, and the first size is not the larger one", LARGEST / (1024 * 1024))]
    Sizes,
    /// A file or folder that cannot be read.
    #[error("reading {path}", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder without files.
    #[error("{path} holds no file with anything in it; name a folder with pictures", path = path.display())]
    Nothing {
        /// Which.
        path: PathBuf,
    },
}

impl Pictures {
    /// Made up, so that photos come out with sizes in this range, in bytes.
    ///
    /// # Errors
    /// When a photo cannot have such a size.
    pub fn made_up(sizes: RangeInclusive<usize>, seed: u64) -> Result<Self, PicturesError> {
        if *sizes.start() < SMALLEST || *sizes.end() > LARGEST || sizes.is_empty() {
            return Err(PicturesError::Sizes);
        }
        let mut filling = vec![0; PLACES + sizes.end()];
        StdRng::seed_from_u64(seed).fill_bytes(&mut filling);
        let filling = filling.into();
        Ok(Self(Source::MadeUp { filling, sizes }))
    }

    /// The files of a folder, all of them read into memory.
    ///
    /// # Errors
    /// When a file cannot be read, or there is none.
    pub fn in_folder(folder: &Path) -> Result<Self, PicturesError> {
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            move |source| PicturesError::Unreadable { path, source }
        };
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
            paths.push(entry.map_err(unreadable(folder))?.path());
        }
        // The order of a folder differs from machine to machine.
        paths.sort();
        let mut files = Vec::new();
        for path in paths.iter().filter(|path| path.is_file()) {
            let content = fs::read(path).map_err(unreadable(path))?;
            files.push(Bytes::from(content));
        }
        files.retain(|content| !content.is_empty());
        if files.is_empty() {
            let path = folder.to_owned();
            return Err(PicturesError::Nothing { path });
        }
        Ok(Self(Source::Files(files)))
    }

    /// A photo of this identity, of which the dice choose the rest.
    #[must_use]
    pub(super) fn photo(&self, identity: &Identity, dice: u64) -> Vec<u8> {
        let mut dice = StdRng::seed_from_u64(dice);
        match &self.0 {
            Source::MadeUp { filling, sizes } => {
                let length = dice.random_range(sizes.clone()) - TRAILER;
                let mut photo = Vec::with_capacity(length + TRAILER);
                let place = dice.random_range(0..PLACES);
                let image = &PNG[..PNG.len().min(length)];
                let filling = &filling[place..place + length - image.len()];
                identity.write(&[image, filling].concat(), &mut photo);
                photo
            }
            Source::Files(files) => {
                let file = &files[dice.random_range(0..files.len())];
                let mut photo = Vec::with_capacity(file.len() + TRAILER);
                identity.write(file, &mut photo);
                photo
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    const IDENTITY: Identity = Identity {
        run: 7,
        key: 3,
        version: 12,
    };

    fn photo() -> Vec<u8> {
        let pictures = Pictures::made_up(SMALLEST..=300, 1).unwrap();
        pictures.photo(&IDENTITY, 5)
    }

    #[test]
    fn a_photo_says_which_it_is() {
        let photo = photo();
        assert!(photo.starts_with(&PNG[..16]) && (SMALLEST..=300).contains(&photo.len()));
        assert_eq!(Identity::recognise(7, 3, &photo), Seen::Version(12));
        assert_eq!(Identity::recognise(8, 3, &photo), Seen::Foreign);
        let other = Identity::recognise(7, 4, &photo);
        assert_eq!(other, Seen::Damaged("it is the photo of key 3".to_owned()));
    }

    #[test]
    fn every_changed_missing_or_added_byte_is_noticed() {
        let photo = photo();
        for place in 0..photo.len() {
            let mut changed = photo.clone();
            changed[place] ^= 1;
            let cut = &photo[..place];
            let longer = [&photo[..place], b"x", &photo[place..]].concat();
            for bytes in [&changed[..], cut, &longer] {
                let seen = Identity::recognise(7, 3, bytes);
                assert!(!matches!(seen, Seen::Version(_)), "{place}: {seen:?}");
            }
        }
    }

    #[test]
    fn sizes_are_kept_to_the_byte() {
        for size in [SMALLEST, 2048, 1024 * 1024] {
            let pictures = Pictures::made_up(size..=size, 1).unwrap();
            assert_eq!(pictures.photo(&IDENTITY, 0).len(), size);
        }
        #[allow(clippy::reversed_empty_ranges)]
        for sizes in [0..=10, 63..=63, 200..=100, 64..=LARGEST + 1] {
            assert!(Pictures::made_up(sizes.clone(), 1).is_err(), "{sizes:?}");
        }
    }

    #[test]
    fn real_pictures_come_from_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let nothing = Pictures::in_folder(folder.path()).unwrap_err();
        assert!(nothing.to_string().contains("holds no file"), "{nothing}");
        fs::write(folder.path().join("empty.png"), b"").unwrap();
        fs::create_dir(folder.path().join("more")).unwrap();
        assert!(Pictures::in_folder(folder.path()).is_err());
        fs::write(folder.path().join("a.png"), b"a picture").unwrap();
        let photo = Pictures::in_folder(folder.path())
            .unwrap()
            .photo(&IDENTITY, 0);
        assert!(photo.starts_with(b"a picture"));
        assert_eq!(Identity::recognise(7, 3, &photo), Seen::Version(12));
        let missing = Pictures::in_folder(&folder.path().join("none")).unwrap_err();
        assert!(missing.to_string().contains("none"), "{missing}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_recognised_or_not_and_nothing_breaks(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            prop_assert!(!matches!(Identity::recognise(7, 3, &bytes), Seen::Version(_)));
        }
    }
}
