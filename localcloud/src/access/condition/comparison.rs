//! One value of a condition against one value of a request.

use std::cmp::Ordering;
use std::net::IpAddr;

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;

use crate::access::keys::Keys;
use crate::access::pattern::{ArnPattern, Pattern, Syntax};

/// What an operator compares with, its negation aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    TextAnyCase,
    TextLike,
    Number(Order),
    Date(Order),
    Boolean,
    Binary,
    Address,
    /// `ArnEquals` and `ArnLike` are the same.
    Arn,
}

/// Which order of request and policy is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// A value that a policy names, read as its operator reads it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Comparison {
    Text(Pattern),
    TextAnyCase(Pattern),
    Number(Order, f64),
    Date(Order, Timestamp),
    Boolean(bool),
    Binary(Vec<u8>),
    Address(AddressRange),
    Arn(ArnPattern),
}

/// The kind of an operator, and whether it is negated.
pub(super) fn named(operator: &str) -> Option<(Kind, bool)> {
    let ordered = |order: &str| {
        Some(match order {
            "Equals" => (Order::Equal, false),
            "NotEquals" => (Order::Equal, true),
            "LessThan" => (Order::Less, false),
            "LessThanEquals" => (Order::AtMost, false),
            "GreaterThan" => (Order::Greater, false),
            "GreaterThanEquals" => (Order::AtLeast, false),
            _ => return None,
        })
    };
    Some(match operator {
        "StringEquals" => (Kind::Text, false),
        "StringNotEquals" => (Kind::Text, true),
        "StringEqualsIgnoreCase" => (Kind::TextAnyCase, false),
        "StringNotEqualsIgnoreCase" => (Kind::TextAnyCase, true),
        "StringLike" => (Kind::TextLike, false),
        "StringNotLike" => (Kind::TextLike, true),
        "Bool" => (Kind::Boolean, false),
        "BinaryEquals" => (Kind::Binary, false),
        "IpAddress" => (Kind::Address, false),
        "NotIpAddress" => (Kind::Address, true),
        "ArnEquals" | "ArnLike" => (Kind::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Kind::Arn, true),
        _ => {
            if let Some(order) = operator.strip_prefix("Numeric") {
                let (order, negated) = ordered(order)?;
                (Kind::Number(order), negated)
            } else {
                let (order, negated) = ordered(operator.strip_prefix("Date")?)?;
                (Kind::Date(order), negated)
            }
        }
    })
}

impl Kind {
    /// Reads a value of a policy.
    pub(super) fn read(self, text: &str, variables: bool) -> Result<Comparison, String> {
        let wrong = |what: &str| format!("the condition value {text:?} is not {what}.");
        let pattern = |text: &str, wildcards| {
            Pattern::parse(
                text,
                Syntax {
                    wildcards,
                    variables,
                },
            )
        };
        Ok(match self {
            Self::Text => Comparison::Text(pattern(text, false)?),
            Self::TextAnyCase => Comparison::TextAnyCase(pattern(text, false)?),
            Self::TextLike => Comparison::Text(pattern(text, true)?),
            Self::Number(order) => {
                Comparison::Number(order, number(text).ok_or_else(|| wrong("a number"))?)
            }
            Self::Date(order) => {
                Comparison::Date(order, date(text).ok_or_else(|| wrong("a date"))?)
            }
            Self::Boolean => Comparison::Boolean(boolean(text)?),
            Self::Binary => Comparison::Binary(binary(text).ok_or_else(|| wrong("base64"))?),
            Self::Address => Comparison::Address(
                AddressRange::parse(text).ok_or_else(|| wrong("an address or a range of them"))?,
            ),
            Self::Arn => Comparison::Arn(ArnPattern::parse(text, variables)?),
        })
    }
}

impl Comparison {
    /// Whether a request's value is as the policy's says. One of another kind never is.
    pub(super) fn holds(&self, given: &str, keys: &Keys) -> bool {
        match self {
            Self::Text(pattern) => pattern.matches(given, keys),
            Self::TextAnyCase(pattern) => pattern.matches_any_case(given, keys),
            Self::Number(order, wanted) => number(given)
                .and_then(|given| given.partial_cmp(wanted))
                .is_some_and(|found| order.accepts(found)),
            Self::Date(order, wanted) => {
                date(given).is_some_and(|given| order.accepts(given.cmp(wanted)))
            }
            Self::Boolean(wanted) => boolean(given) == Ok(*wanted),
            Self::Binary(wanted) => binary(given).as_ref() == Some(wanted),
            Self::Address(range) => given.parse().is_ok_and(|given| range.contains(given)),
            Self::Arn(pattern) => pattern.matches(given, keys),
        }
    }
}

impl Order {
    fn accepts(self, found: Ordering) -> bool {
        match self {
            Self::Equal => found.is_eq(),
            Self::Less => found.is_lt(),
            Self::AtMost => found.is_le(),
            Self::Greater => found.is_gt(),
            Self::AtLeast => found.is_ge(),
        }
    }
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Ok(true),
        _ if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(format!(
            "the condition value {text:?} is not true or false."
        )),
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn binary(text: &str) -> Option<Vec<u8>> {
    base64_simd::STANDARD.decode_to_vec(text).ok()
}

/// ISO 8601, with less than a time zone being UTC; or seconds since 1970.
fn date(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse() {
        return Timestamp::from_second(seconds).ok();
    }
    if let Ok(exact) = text.parse() {
        return Some(exact);
    }
    let local: civil::DateTime = text.parse().ok()?;
    Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// `203.0.113.0/24`; without a length one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AddressRange {
    first: IpAddr,
    length: u32,
}

impl AddressRange {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse().ok()?)),
            None => (text, None),
        };
        let first: IpAddr = address.parse().ok()?;
        let longest = if first.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(longest);
        (length <= longest).then_some(Self { first, length })
    }

    fn contains(self, address: IpAddr) -> bool {
        let (first, given, width) = match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(given)) => {
                (first.to_bits().into(), given.to_bits().into(), 32)
            }
            (IpAddr::V6(first), IpAddr::V6(given)) => (first.to_bits(), given.to_bits(), 128),
            _ => return false,
        };
        let differing: u128 = first ^ given;
        differing.checked_shr(width - self.length).unwrap_or(0) == 0
    }
}
