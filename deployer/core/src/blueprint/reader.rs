//! Fills the raw types from a [tree](super::tree) by their serde derives, and goes on after a
//! mistake: the problem is noted where it stands and the field is left [`Field::Wrong`].

mod access;

use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use access::{Entries, Items, Keys, Placed, Word};

use super::problem::{Notes, Span, did_you_mean, nearest};
use super::tree::{Located, Node};

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// What a raw type holds where the file may be wrong. In the schema it is simply a `T`.
#[derive(Clone, Debug, Default)]
pub(crate) enum Field<T> {
    /// The key is not there.
    #[default]
    Missing,
    /// It is there and wrong, which has been noted.
    Wrong,
    /// It is there.
    Set(At<T>),
}

impl<T> Field<T> {
    pub(crate) fn set(self) -> Option<At<T>> {
        match self {
            Field::Set(at) => Some(at),
            Field::Missing | Field::Wrong => None,
        }
    }
}

/// Marks the newtype by which a [`Field`] asks the [`Reader`] for its place.
const FIELD: &str = "bivouac::Field";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Outer<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Outer<T> {
            type Value = Field<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            // serde asks for an absent field as for an option.
            fn visit_none<E>(self) -> Result<Self::Value, E> {
                Ok(Field::Missing)
            }
            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Self::Value, D::Error> {
                inner.deserialize_newtype_struct(FIELD, Inner(PhantomData))
            }
        }
        struct Inner<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Inner<T> {
            type Value = Field<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
                let (start, end) = parts.next_element()?.unwrap_or_default();
                Ok(match parts.next_element() {
                    Ok(Some(value)) => Field::Set(At {
                        value,
                        span: Span { start, end },
                    }),
                    Ok(None) | Err(_) => Field::Wrong,
                })
            }
        }
        deserializer.deserialize_option(Outer(PhantomData))
    }
}

/// Why a value was not taken: noted already, or still to be noted by the node it came from.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error("noted")]
    Noted,
    #[error("{0}")]
    Because(String),
    #[error("expected {0}")]
    Expected(String),
}

impl serde::de::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Refused::Because(message.to_string())
    }

    fn invalid_type(_: serde::de::Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Refused::Expected(expected.to_string())
    }
}

/// Reads the document into a raw type. Whatever is wrong is noted.
pub(crate) fn read<'t, T: Deserialize<'t>>(
    notes: &'t Notes<'_>,
    document: &'t Located,
) -> Option<At<T>> {
    Field::<T>::deserialize(Reader {
        notes,
        at: document,
    })
    .ok()
    .and_then(Field::set)
}

#[derive(Clone, Copy)]
struct Reader<'t> {
    notes: &'t Notes<'t>,
    at: &'t Located,
}

impl<'t> Reader<'t> {
    fn on(self, at: &'t Located) -> Self {
        Reader { at, ..self }
    }

    fn note(self, message: impl AsRef<str>, help: Option<String>) -> Refused {
        let span = match self.at.node {
            Node::Map(_) | Node::List(_) => self.at.span.head(),
            _ => self.at.span,
        };
        self.notes.note(span, message, help);
        Refused::Noted
    }

    fn expected(self, what: &str) -> Refused {
        let plain = matches!(
            self.at.node,
            Node::Whole(_) | Node::Decimal(_) | Node::Flag(_)
        );
        let text = if plain {
            self.notes.text_at(self.at.span)
        } else {
            ""
        };
        let found = format!("{} {text}", self.at.node.describe());
        self.note(format!("expected {what}, found {}", found.trim_end()), None)
    }

    /// Gives a refusal by the visitor its place: this node.
    fn placed<T>(self, outcome: Result<T, Refused>) -> Result<T, Refused> {
        outcome.map_err(|refused| match refused {
            Refused::Noted => Refused::Noted,
            Refused::Because(why) => self.note(why, None),
            Refused::Expected(what) => self.expected(&what),
        })
    }

    /// The entries of a mapping by their keys' text, without repeated keys and keys that are no
    /// text, which are noted.
    fn entries(self, what: &str) -> Result<Vec<Entry<'t>>, Refused> {
        let all = match &self.at.node {
            Node::Map(entries) => entries.as_slice(),
            // `photos:` with nothing after it is an entry without settings.
            Node::Empty => &[],
            _ => return Err(self.expected(what)),
        };
        let mut first_of: BTreeMap<&str, &Located> = BTreeMap::new();
        let mut entries = Vec::new();
        for (key, value) in all {
            let Node::Text(text) = &key.node else {
                self.on(key).expected("a name before the colon");
                continue;
            };
            match first_of.entry(text) {
                btree_map::Entry::Vacant(place) => {
                    place.insert(key);
                    entries.push(Entry { text, key, value });
                }
                btree_map::Entry::Occupied(first) => {
                    let line = self.notes.line(first.get().span);
                    let help = format!("the first is on line {line}; keep one of them");
                    self.on(key)
                        .note(format!("`{text}` stands here a second time"), Some(help));
                }
            }
        }
        Ok(entries)
    }

    /// Notes a key that is not known. Where it is a known one misspelt, the entry is read as that,
    /// so that its value is checked too and not also called missing.
    fn unknown(
        self,
        entry: Entry<'t>,
        known: &'static [&'static str],
        given: &[&str],
    ) -> Option<Entry<'t>> {
        let Entry { text, key, .. } = entry;
        let meant = nearest(text, known.iter().copied());
        let help = match (text, meant) {
            ("<<", _) => "merge keys are not read; write the keys out".into(),
            (_, Some(meant)) => format!("did you mean `{meant}`?"),
            (_, None) => format!("known here: {}", known.join(", ")),
        };
        self.notes.note(
            key.span,
            format!("there is no key `{text}` here"),
            Some(help),
        );
        meant
            .filter(|meant| !given.contains(meant))
            .map(|text| Entry { text, ..entry })
    }
}

/// One entry of a mapping.
#[derive(Clone, Copy)]
struct Entry<'t> {
    text: &'t str,
    key: &'t Located,
    value: &'t Located,
}

impl<'t> Deserializer<'t> for Reader<'t> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Refused> {
        let outcome = match &self.at.node {
            Node::Empty => visitor.visit_unit(),
            Node::Flag(flag) => visitor.visit_bool(*flag),
            Node::Whole(number) => visitor.visit_i128(*number),
            Node::Decimal(number) => visitor.visit_f64(*number),
            Node::Text(text) => visitor.visit_borrowed_str(text),
            Node::List(_) => return self.deserialize_seq(visitor),
            Node::Map(_) => return self.deserialize_map(visitor),
        };
        self.placed(outcome)
    }

    fn deserialize_str<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Refused> {
        match &self.at.node {
            Node::Text(text) => self.placed(visitor.visit_borrowed_str(text)),
            Node::Whole(_) | Node::Decimal(_) | Node::Flag(_) => {
                let text = self.notes.text_at(self.at.span);
                let help = format!("if this is meant as a text, put it into quotes: \"{text}\"");
                let found = self.at.node.describe();
                Err(self.note(format!("expected a text, found {found} {text}"), Some(help)))
            }
            _ => Err(self.expected("a text")),
        }
    }

    fn deserialize_i64<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Refused> {
        match &self.at.node {
            // What does not fit is far out of any range, and stays so at the bound.
            Node::Whole(number) => {
                let near = i64::try_from(*number).unwrap_or(i64::MAX);
                self.placed(visitor.visit_i64(near))
            }
            _ => Err(self.expected("a whole number")),
        }
    }

    fn deserialize_f64<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Refused> {
        match &self.at.node {
            #[expect(clippy::cast_precision_loss, reason = "checked against ranges near 1")]
            Node::Whole(number) => self.placed(visitor.visit_f64(*number as f64)),
            Node::Decimal(number) => self.placed(visitor.visit_f64(*number)),
            _ => Err(self.expected("a number")),
        }
    }

    fn deserialize_option<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'t>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if name == FIELD {
            visitor.visit_seq(Placed {
                reader: self,
                step: 0,
            })
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_seq<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Refused> {
        match &self.at.node {
            Node::List(items) => {
                let items = Items {
                    reader: self,
                    items: items.iter(),
                };
                self.placed(visitor.visit_seq(items))
            }
            _ => Err(self.expected("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Refused> {
        let entries = self.entries("a mapping of names")?.into_iter();
        let keys = Keys::Names;
        self.placed(visitor.visit_map(Entries {
            reader: self,
            keys,
            entries,
            value: None,
        }))
    }

    fn deserialize_struct<V: Visitor<'t>>(
        self,
        _name: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let (mut entries, unknown): (Vec<_>, Vec<_>) = self
            .entries("a mapping")?
            .into_iter()
            .partition(|entry| known.contains(&entry.text));
        for entry in unknown {
            let given: Vec<&str> = entries.iter().map(|entry| entry.text).collect();
            entries.extend(self.unknown(entry, known, &given));
        }
        let (keys, entries) = (Keys::Fields, entries.into_iter());
        self.placed(visitor.visit_map(Entries {
            reader: self,
            keys,
            entries,
            value: None,
        }))
    }

    fn deserialize_enum<V: Visitor<'t>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let choice = variants.join("`, `");
        let Node::Text(text) = &self.at.node else {
            return Err(self.expected(&format!("one of `{choice}`")));
        };
        if variants.contains(&text.as_str()) {
            return self.placed(visitor.visit_enum(Word(text)));
        }
        let message = match variants {
            [only] => format!("`{text}` is not known here; `{only}` is all there is so far"),
            _ => format!("`{text}` is not one of `{choice}`"),
        };
        Err(self.note(message, did_you_mean(text, variants.iter().copied())))
    }

    forward_to_deserialize_any! {
        <W: Visitor<'t>>
        bool i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 char bytes byte_buf unit unit_struct tuple
        tuple_struct ignored_any
    }

    fn deserialize_string<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }
}
