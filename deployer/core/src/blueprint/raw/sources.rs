//! Who may come in by a rule: one source, or a list of them.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::super::reader::Field;

/// One source or several. Each is `my-ip` (the address this laptop shows to the world), a range of
/// addresses like `203.0.113.0/24`, or the name of a security group.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, rename = "Sources")]
pub(crate) enum RawSources {
    /// One.
    One(String),
    /// Several.
    Several(#[schemars(length(min = 1))] Vec<Field<String>>),
}

impl<'de> Deserialize<'de> for RawSources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sources;
        impl<'de> Visitor<'de> for Sources {
            type Value = RawSources;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`my-ip`, a range of addresses, a security group, or a list of these")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<RawSources, E> {
                Ok(RawSources::One(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RawSources, A::Error> {
                let mut sources = Vec::new();
                while let Some(source) = items.next_element()? {
                    sources.push(source);
                }
                Ok(RawSources::Several(sources))
            }
        }
        deserializer.deserialize_any(Sources)
    }
}
