//! How serde walks through lists, mappings and names: the parts of the [`Reader`].

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess};
use serde::de::{VariantAccess, Visitor};

use super::super::problem::Span;
use super::super::tree::Located;
use super::{Entry, Reader, Refused};

/// First the place of a node, then its value: what [`Field`] asks for.
pub(super) struct Placed<'t> {
    pub(super) reader: Reader<'t>,
    pub(super) step: u8,
}

impl<'t> SeqAccess<'t> for Placed<'t> {
    type Error = Refused;

    fn next_element_seed<S: DeserializeSeed<'t>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        self.step += 1;
        if self.step > 1 {
            return seed.deserialize(self.reader).map(Some);
        }
        let Span { start, end } = self.reader.at.span;
        let place = serde::de::value::SeqDeserializer::new([start, end].into_iter());
        seed.deserialize(place).map(Some)
    }
}

pub(super) struct Items<'t> {
    pub(super) reader: Reader<'t>,
    pub(super) items: std::slice::Iter<'t, Located>,
}

impl<'t> SeqAccess<'t> for Items<'t> {
    type Error = Refused;

    fn next_element_seed<S: DeserializeSeed<'t>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        self.items
            .next()
            .map(|item| seed.deserialize(self.reader.on(item)))
            .transpose()
    }
}

/// What the keys of a mapping are.
#[derive(Clone, Copy)]
pub(super) enum Keys {
    /// Names that the blueprint gives; their places matter.
    Names,
    /// The fields of a struct, as they were meant.
    Fields,
}

pub(super) struct Entries<'t> {
    pub(super) reader: Reader<'t>,
    pub(super) keys: Keys,
    pub(super) entries: std::vec::IntoIter<Entry<'t>>,
    pub(super) value: Option<&'t Located>,
}

impl<'t> MapAccess<'t> for Entries<'t> {
    type Error = Refused;

    fn next_key_seed<S: DeserializeSeed<'t>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        let Some(Entry { text, key, value }) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        match self.keys {
            Keys::Names => seed.deserialize(self.reader.on(key)).map(Some),
            Keys::Fields => seed.deserialize(word(text)).map(Some),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        let value = self.value.take().unwrap_or(self.reader.at);
        seed.deserialize(self.reader.on(value))
    }
}

fn word(text: &str) -> StrDeserializer<'_, Refused> {
    text.into_deserializer()
}

/// The name of an enum's variant.
pub(super) struct Word<'t>(pub(super) &'t str);

impl<'t> EnumAccess<'t> for Word<'t> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'t>>(self, seed: S) -> Result<(S::Value, Self), Refused> {
        seed.deserialize(word(self.0)).map(|value| (value, self))
    }
}

impl<'t> VariantAccess<'t> for Word<'t> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'t>>(self, _: S) -> Result<S::Value, Refused> {
        Err(Refused::Because("this choice has no value".into()))
    }

    fn tuple_variant<V: Visitor<'t>>(self, _: usize, _: V) -> Result<V::Value, Refused> {
        Err(Refused::Because("this choice has no values".into()))
    }

    fn struct_variant<V: Visitor<'t>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Refused> {
        Err(Refused::Because("this choice has no keys".into()))
    }
}
