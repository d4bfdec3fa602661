//! What a file is, told from its first bytes and never from its name.

/// How many bytes of a file [`sniff`] wants to see. Only an SVG's prologue needs so many.
pub const HEAD: usize = 4096;

/// What a file was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// GIF 87a or 89a.
    Gif,
    /// WebP.
    Webp,
    /// AV1 Image File Format.
    Avif,
    /// High Efficiency Image File Format.
    Heic,
    /// JPEG XL.
    Jxl,
    /// Windows bitmap.
    Bmp,
    /// Windows icon.
    Ico,
    /// Tagged Image File Format.
    Tiff,
    /// Scalable Vector Graphics.
    Svg,
    /// Anything else.
    Other,
}

/// Every kind with its content type and the name people know it by.
const NAMES: [(Kind, &str, &str); 12] = [
    (Kind::Png, "image/png", "PNG image"),
    (Kind::Jpeg, "image/jpeg", "JPEG image"),
    (Kind::Gif, "image/gif", "GIF image"),
    (Kind::Webp, "image/webp", "WebP image"),
    (Kind::Avif, "image/avif", "AVIF image"),
    (Kind::Heic, "image/heic", "HEIC image"),
    (Kind::Jxl, "image/jxl", "JPEG XL image"),
    (Kind::Bmp, "image/bmp", "BMP image"),
    (Kind::Ico, "image/x-icon", "Icon"),
    (Kind::Tiff, "image/tiff", "TIFF image"),
    (Kind::Svg, "image/svg+xml", "SVG image"),
    (Kind::Other, "application/octet-stream", "File"),
];

impl Kind {
    /// The media type to store and to send the bytes with.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        NAMES
            .iter()
            .find(|(kind, ..)| *kind == self)
            .map_or("application/octet-stream", |row| row.1)
    }

    /// The kind behind a stored media type; one that [`sniff`] never gave is [`Kind::Other`].
    #[must_use]
    pub fn of_content_type(content_type: &str) -> Self {
        NAMES
            .iter()
            .find(|row| row.1 == content_type)
            .map_or(Self::Other, |row| row.0)
    }

    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(kind, ..)| *kind == self)
            .map_or("File", |row| row.2)
    }

    /// Whether it is an image at all.
    #[must_use]
    pub fn is_image(self) -> bool {
        self != Self::Other
    }

    /// Whether today's browsers show it in a page.
    #[must_use]
    pub fn is_shown_by_browsers(self) -> bool {
        !matches!(self, Self::Heic | Self::Jxl | Self::Tiff | Self::Other)
    }
}

/// Tells a file's kind from its first bytes; [`HEAD`] of them are enough.
///
/// Signatures as in the WHATWG MIME Sniffing Standard, section 6.1, and each format's own
/// specification where the standard does not name it.
#[must_use]
pub fn sniff(head: &[u8]) -> Kind {
    match head {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Kind::Png,
        [0xff, 0xd8, 0xff, ..] => Kind::Jpeg,
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Kind::Gif,
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Kind::Webp,
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => sniff_brands(head),
        [0xff, 0x0a, ..]
        | [
            0,
            0,
            0,
            0x0c,
            b'J',
            b'X',
            b'L',
            b' ',
            0x0d,
            0x0a,
            0x87,
            0x0a,
            ..,
        ] => Kind::Jxl,
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Kind::Bmp,
        [0, 0, 1, 0, count, ..] if *count > 0 => Kind::Ico,
        [b'I', b'I', 0x2a, 0, ..] | [b'M', b'M', 0, 0x2a, ..] => Kind::Tiff,
        _ if is_svg(head) => Kind::Svg,
        _ => Kind::Other,
    }
}

/// Looks through the brands of an ISO base media file (ISO/IEC 14496-12, section 4.3).
fn sniff_brands(head: &[u8]) -> Kind {
    let declared = head
        .first_chunk()
        .map_or(0, |size| u32::from_be_bytes(*size) as usize);
    let end = declared.clamp(12, 256).min(head.len());
    let brands = head.get(8..end).unwrap_or_default();
    // The second four bytes are the minor version, no brand; no brand looks like one.
    for brand in brands.chunks_exact(4) {
        match brand {
            b"avif" | b"avis" => return Kind::Avif,
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => return Kind::Heic,
            _ => {}
        }
    }
    Kind::Other
}

/// Whether the text's root element is `svg`, after any byte order mark, XML declaration, comments
/// and document type.
fn is_svg(head: &[u8]) -> bool {
    let mut rest = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    loop {
        rest = rest.trim_ascii_start();
        let skipped = if rest.starts_with(b"<?") {
            after(rest, b"?>")
        } else if rest.starts_with(b"<!--") {
            after(rest, b"-->")
        } else if rest
            .get(..9)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"<!doctype"))
        {
            after_doctype(rest)
        } else {
            return is_svg_element(rest);
        };
        match skipped {
            Some(further) => rest = further,
            None => return false,
        }
    }
}

fn after<'a>(text: &'a [u8], end: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(end.len()).position(|window| window == end)?;
    text.get(at + end.len()..)
}

/// A document type may carry declarations of its own in square brackets.
fn after_doctype(text: &[u8]) -> Option<&[u8]> {
    let close = text.iter().position(|byte| *byte == b'>')?;
    match text.iter().position(|byte| *byte == b'[') {
        Some(open) if open < close => after(text, b"]").and_then(|rest| after(rest, b">")),
        _ => text.get(close + 1..),
    }
}

fn is_svg_element(text: &[u8]) -> bool {
    let Some(name) = text.strip_prefix(b"<") else {
        return false;
    };
    let name = name.strip_prefix(b"svg:").unwrap_or(name);
    matches!(name, [b's', b'v', b'g', next, ..] if next.is_ascii_whitespace() || matches!(next, b'>' | b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_say_what_a_file_is() {
        let files: [(&[u8], Kind); 20] = [
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Kind::Png),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Kind::Jpeg),
            (b"GIF89a\x01\0\x01\0", Kind::Gif),
            (b"GIF87a\x01\0\x01\0", Kind::Gif),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Kind::Webp),
            (b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miaf", Kind::Avif),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", Kind::Avif),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Kind::Heic),
            (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", Kind::Other),
            (b"\0\0\0\x0cJXL \r\n\x87\n", Kind::Jxl),
            (b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0", Kind::Bmp),
            (b"\0\0\x01\0\x01\0\x10\x10", Kind::Ico),
            (b"II*\0\x08\0\0\0", Kind::Tiff),
            (b"RIFF\x24\0\0\0WAVEfmt ", Kind::Other),
            (b"BMW is a car maker", Kind::Other),
            (b"%PDF-1.7", Kind::Other),
            (b"<html><svg></svg></html>", Kind::Other),
            (b"plain text", Kind::Other),
            (b"\xff\xd8", Kind::Other),
            (b"", Kind::Other),
        ];
        for (bytes, kind) in files {
            assert_eq!(sniff(bytes), kind, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn an_svg_is_found_behind_its_prologue() {
        for text in [
            "<svg xmlns='http://www.w3.org/2000/svg'/>",
            "\u{feff}  <?xml version=\"1.0\"?>\n<!-- a <svg> comment -->\n<svg>",
            "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"x.dtd\">\n<svg\n>",
            "<!DOCTYPE svg [ <!ENTITY a \"b>c\"> ]><svg:svg xmlns:svg='x'>",
        ] {
            assert_eq!(sniff(text.as_bytes()), Kind::Svg, "{text}");
        }
        for text in [
            "<svgx>",
            "<!-- <svg>",
            "<?xml",
            "<!DOCTYPE html><html>",
            "svg",
            "<svg",
        ] {
            assert_eq!(sniff(text.as_bytes()), Kind::Other, "{text}");
        }
    }

    #[test]
    fn a_stored_content_type_leads_back_to_its_kind() {
        for (kind, content_type, name) in NAMES {
            assert_eq!((kind.content_type(), kind.name()), (content_type, name));
            assert_eq!(Kind::of_content_type(content_type), kind);
        }
        assert_eq!(Kind::of_content_type("text/html"), Kind::Other);
    }
}
