//! multipart/form-data (RFC 7578) written by hand, so that parts can be left out, doubled, put in
//! any order and cut short.

/// A form under construction.
#[derive(Clone, Default)]
pub(super) struct Form {
    parts: Vec<Part>,
    cut_short: bool,
}

#[derive(Clone)]
struct Part {
    headers: String,
    content: Vec<u8>,
}

const BOUNDARY: &str = "bivouac7MA4YWxkTrZu0gW";

impl Form {
    /// The form as nearly every client sends it.
    pub(super) fn of(key: &str, content: &[u8]) -> Self {
        Self::default()
            .key(key)
            .file(content, Some("photo.png"), None)
    }

    pub(super) fn key(self, key: &str) -> Self {
        self.part(
            "Content-Disposition: form-data; name=\"key\"\r\n",
            key.as_bytes(),
        )
    }

    /// The photo, with a file name and a type of its own or without.
    pub(super) fn file(
        self,
        content: &[u8],
        file_name: Option<&str>,
        content_type: Option<&str>,
    ) -> Self {
        let mut headers = "Content-Disposition: form-data; name=\"file\"".to_owned();
        if let Some(name) = file_name {
            // As browsers write it: <https://html.spec.whatwg.org/#multipart-form-data>
            let name = name
                .replace('"', "%22")
                .replace('\r', "%0D")
                .replace('\n', "%0A");
            headers.push_str(&format!("; filename=\"{name}\""));
        }
        headers.push_str("\r\n");
        if let Some(kind) = content_type {
            headers.push_str(&format!("Content-Type: {kind}\r\n"));
        }
        self.part(&headers, content)
    }

    /// Without the closing boundary.
    pub(super) fn cut_short(mut self) -> Self {
        self.cut_short = true;
        self
    }

    pub(super) fn content_type() -> String {
        format!("multipart/form-data; boundary={BOUNDARY}")
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for part in &self.parts {
            body.extend_from_slice(format!("--{BOUNDARY}\r\n{}\r\n", part.headers).as_bytes());
            body.extend_from_slice(&part.content);
            body.extend_from_slice(b"\r\n");
        }
        if !self.cut_short {
            body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        }
        body
    }

    fn part(mut self, headers: &str, content: &[u8]) -> Self {
        self.parts.push(Part {
            headers: headers.to_owned(),
            content: content.to_vec(),
        });
        self
    }
}
