//! Values that are written with their unit: sizes and amounts of money.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use crate::money::Microdollars;

/// A number of bytes, written with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

/// One MiB in bytes.
pub(crate) const MIB: u64 = 1 << 20;
/// One GiB in bytes.
pub(crate) const GIB: u64 = 1 << 30;

impl std::str::FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let (number, unit) = text.split_at(text.len() - digits.len());
        let unit = unit.trim();
        let bytes = match unit {
            "MiB" => MIB,
            "GiB" => GIB,
            "TiB" => GIB << 10,
            "" => return Err(format!("`{text}` needs a unit: MiB, GiB or TiB")),
            _ if matches!(unit.to_ascii_lowercase().as_str(), "m" | "mb" | "mib") => {
                return Err(format!("write `{number} MiB`: 1 MiB is 1,048,576 bytes"));
            }
            _ if matches!(unit.to_ascii_lowercase().as_str(), "g" | "gb" | "gib") => {
                return Err(format!(
                    "write `{number} GiB`: 1 GiB is 1,073,741,824 bytes"
                ));
            }
            _ => {
                return Err(format!(
                    "`{text}` is not a size: write a whole number and MiB, GiB or TiB"
                ));
            }
        };
        let number: u64 = number.parse().map_err(|_| match number {
            "" => format!("`{text}` is not a size: write a number first, for example `64 {unit}`"),
            _ => format!("`{text}` is too large"),
        })?;
        number
            .checked_mul(bytes)
            .map(Bytes)
            .ok_or_else(|| format!("`{text}` is too large"))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Size;
        impl Visitor<'_> for Size {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size like `64 MiB`")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Bytes, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_i128<E: serde::de::Error>(self, number: i128) -> Result<Bytes, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Size)
    }
}

impl JsonSchema for Bytes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+ *(MiB|GiB|TiB)$" })
    }
}

/// An amount of money, written with its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Money(pub(crate) Microdollars);

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Amount;
        impl Visitor<'_> for Amount {
            type Value = Money;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount of money like `0.40 USD`")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Money, E> {
                text.parse().map(Money).map_err(E::custom)
            }
            fn visit_i128<E: serde::de::Error>(self, number: i128) -> Result<Money, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Money, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Amount)
    }
}

impl JsonSchema for Money {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Money".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? *USD$" })
    }
}
