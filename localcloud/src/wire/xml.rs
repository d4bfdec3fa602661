//! XML writer: elements and escaped text, which is all that AWS's answers need.

use std::fmt::{Display, Write as _};

/// An XML fragment in the making.
#[derive(Clone, Debug, Default)]
pub struct Xml {
    out: String,
}

impl Xml {
    /// A fragment: what a service answers, to be wrapped by the frame.
    pub fn fragment() -> Self {
        Self::default()
    }

    /// A whole document with its declaration.
    pub fn document() -> Self {
        Self {
            out: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(),
        }
    }

    /// `<name>value</name>`, the value escaped.
    pub fn text(&mut self, name: &str, value: impl Display) -> &mut Self {
        self.open(name);
        // Writing into a String cannot fail.
        let _ = write!(Escaping(&mut self.out), "{value}");
        self.close(name)
    }

    /// The same if there is a value, nothing otherwise.
    pub fn optional(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// An element whose content is written by `content`.
    pub fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) -> &mut Self {
        self.open(name);
        content(self);
        self.close(name)
    }

    /// The root element, with its namespace.
    pub fn root(
        &mut self,
        name: &str,
        namespace: &str,
        content: impl FnOnce(&mut Self),
    ) -> &mut Self {
        let _ = write!(self.out, "<{name} xmlns=\"{namespace}\">");
        content(self);
        self.close(name)
    }

    /// `<name><item>…</item>…</name>`: a list with its members called `item`.
    pub fn list<T>(
        &mut self,
        name: &str,
        item: &str,
        values: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.element(name, |xml| {
            for value in values {
                xml.element(item, |xml| write(xml, value));
            }
        })
    }

    /// Another fragment, as it is.
    pub fn raw(&mut self, fragment: &str) -> &mut Self {
        self.out.push_str(fragment);
        self
    }

    /// The text written so far.
    pub fn finish(self) -> String {
        self.out
    }

    fn open(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
    }

    fn close(&mut self, name: &str) -> &mut Self {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
        self
    }
}

/// Escapes all that is written through it.
struct Escaping<'a>(&'a mut String);

impl std::fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&apos;"),
                // A parser turns a bare carriage return into a line feed.
                '\r' => self.0.push_str("&#xD;"),
                '\t' | '\n' => self.0.push(character),
                // XML 1.0 has no way to write the other control characters.
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => self.0.push('\u{fffd}'),
                _ => self.0.push(character),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let mut xml = Xml::fragment();
        xml.text("a", "<&>\"'\u{0}\r\né")
            .optional("b", None::<&str>);
        assert_eq!(
            xml.finish(),
            "<a>&lt;&amp;&gt;&quot;&apos;\u{fffd}&#xD;\né</a>"
        );
    }

    #[test]
    fn lists_and_elements_nest() {
        let mut xml = Xml::fragment();
        xml.list("set", "item", [1, 2], |xml, n| {
            xml.text("n", n);
        });
        assert_eq!(
            xml.finish(),
            "<set><item><n>1</n></item><item><n>2</n></item></set>"
        );
    }
}
