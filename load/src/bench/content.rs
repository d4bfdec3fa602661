//! The bytes that are handed out: the same in every process.

use bytes::Bytes;

/// Bytes that look like those of a photo to whoever stores, hashes or encodes them.
pub(super) fn content(size: usize) -> Bytes {
    let mut state = size as u64;
    // A linear congruential generator (Knuth's MMIX), of which the upper bits are good.
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..size).map(|_| next()).collect()
}

/// The key of the content of this size.
pub(super) fn key(size: usize) -> String {
    format!("photo-{size}")
}

/// The size that a path ends in.
pub(super) fn size_in(path: &str) -> Option<usize> {
    path.rsplit_once("photo-")?.1.parse().ok()
}

/// What `/api/key` answers for this size (the wire contract).
pub(super) fn key_answer(key: &str, content: &[u8]) -> Vec<u8> {
    let encoded = base64_simd::STANDARD.encode_to_string(content);
    format!(r#"{{"success":"true","key":"{key}","content":"{encoded}"}}"#).into_bytes()
}
