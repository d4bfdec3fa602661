//! A photo's bytes on their way to a reader.

use base64_simd::{AppendBase64Encode, STANDARD};
use bytes::Bytes;

use crate::image::Kind;
use crate::key::Key;

/// What a key stands for: the bytes in the pieces they arrived in, never copied together.
#[derive(Debug, Clone)]
pub struct Photo {
    kind: Kind,
    chunks: Vec<Bytes>,
    length: usize,
}

impl Photo {
    /// A photo out of its pieces.
    #[must_use]
    pub fn new(kind: Kind, chunks: Vec<Bytes>) -> Self {
        let length = chunks.iter().map(Bytes::len).sum();
        Self {
            kind,
            chunks,
            length,
        }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The pieces, in order.
    #[must_use]
    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// How many bytes there are.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// The contract's answer to `/api/key/<key>`, encoded straight from the pieces into one buffer
    /// of the right size.
    #[must_use]
    pub fn answer(&self, key: &Key) -> Vec<u8> {
        let key = serde_json::Value::from(key.as_str()).to_string();
        let before = [r#"{"success":"true","key":"#, &key, r#","content":""#];
        let after = r#""}"#;
        let room = before.iter().map(|text| text.len()).sum::<usize>()
            + STANDARD.encoded_length(self.length)
            + after.len();
        let mut answer = Vec::with_capacity(room);
        before
            .iter()
            .for_each(|text| answer.extend_from_slice(text.as_bytes()));
        append_base64(&self.chunks, &mut answer);
        answer.extend_from_slice(after.as_bytes());
        answer
    }
}

/// Encodes pieces as if they were one: base64 turns three bytes into four, so that what is left over
/// at the end of a piece goes with the beginning of the next.
fn append_base64(chunks: &[Bytes], out: &mut Vec<u8>) {
    let mut left = Vec::with_capacity(3);
    for chunk in chunks {
        let mut rest = chunk.as_ref();
        if !left.is_empty() {
            let (head, tail) = rest.split_at(rest.len().min(3 - left.len()));
            left.extend_from_slice(head);
            rest = tail;
            if left.len() < 3 {
                continue;
            }
            append(&left, out);
            left.clear();
        }
        let (whole, over) = rest.split_at(rest.len() - rest.len() % 3);
        append(whole, out);
        left.extend_from_slice(over);
    }
    append(&left, out);
}

fn append(bytes: &[u8], out: &mut Vec<u8>) {
    Vec::append_base64_encode(&STANDARD, bytes, out);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn photo(pieces: &[usize]) -> (Photo, Vec<u8>) {
        let bytes: Vec<u8> = (0..pieces.iter().sum())
            .map(|n: usize| (n * 7 % 256) as u8)
            .collect();
        let mut rest = Bytes::from(bytes.clone());
        let chunks = pieces.iter().map(|length| rest.split_to(*length)).collect();
        (Photo::new(Kind::Png, chunks), bytes)
    }

    #[test]
    fn pieces_of_any_length_encode_as_the_whole_does() {
        let pieces: [&[usize]; 8] = [
            &[],
            &[0],
            &[1],
            &[2, 2],
            &[1, 1, 1, 1],
            &[3, 4, 0, 5, 1],
            &[100, 1, 1, 301],
            &[4096],
        ];
        for pieces in pieces {
            let (photo, bytes) = photo(pieces);
            let mut encoded = Vec::new();
            append_base64(photo.chunks(), &mut encoded);
            assert_eq!(
                encoded,
                STANDARD.encode_to_string(&bytes).into_bytes(),
                "{pieces:?}"
            );
        }
    }

    #[test]
    fn the_answer_is_the_contracts_to_the_byte_and_fills_its_buffer() {
        let key = Key::from_bytes("a \"b\"\n🏕️".as_bytes()).unwrap();
        let photo = Photo::new(Kind::Other, vec![Bytes::from_static(b"hi")]);
        let answer = photo.answer(&key);
        assert_eq!(
            String::from_utf8(answer.clone()).unwrap(),
            r#"{"success":"true","key":"a \"b\"\n🏕️","content":"aGk="}"#
        );
        assert_eq!(answer.len(), answer.capacity());
    }
}
