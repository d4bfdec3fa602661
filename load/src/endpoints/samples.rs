//! Files to upload: what people really send, whatever it is called.

pub(super) const PNG: &[u8] = include_bytes!("../../data/coins.png");
pub(super) const JPEG: &[u8] = include_bytes!("../../data/rocket.jpg");
pub(super) const SVG: &[u8] =
    br#"<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><circle r="4"/></svg>"#;
/// One transparent pixel.
pub(super) const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\
    \0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
/// No image at all, with line ends and boundaries that a careless parser trips over.
pub(super) const TEXT: &[u8] = b"not an image\r\n--\r\n--boundary\r\n\r\n\0\xff";

/// The signature of a PNG and then noise that differs for each `seed`.
pub(super) fn bytes(seed: u32, length: usize) -> Vec<u8> {
    let mut content = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    while content.len() < length {
        // xorshift32: <https://www.jstatsoft.org/article/view/v008i14>
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        content.extend_from_slice(&state.to_le_bytes());
    }
    content.truncate(length);
    content
}
