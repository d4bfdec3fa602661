//! Money in whole numbers: amounts in millionths of a dollar, prices of one unit in billionths.
//! Every rounding is upwards, so that no estimate is below the bill for being rounded.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount in millionths of a US dollar. What would be more than there can be stays at the most,
/// about 18 trillion dollars.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Microdollars(pub u64);

const MICRO: u64 = 1_000_000;
const NANO: u64 = 1_000_000_000;

impl Microdollars {
    /// Nothing.
    pub const ZERO: Microdollars = Microdollars(0);

    /// What an hourly amount comes to in that many seconds, rounded up.
    #[must_use]
    pub fn for_seconds(self, seconds: u64) -> Microdollars {
        self.part(seconds, 3600)
    }

    /// What an hourly amount comes to in a day.
    #[must_use]
    pub fn per_day(self) -> Microdollars {
        self.for_seconds(24 * 3600)
    }

    /// `times` such amounts divided by `by`, rounded up. A division by zero is one by one.
    #[must_use]
    pub fn part(self, times: u64, by: u64) -> Microdollars {
        let product = u128::from(self.0) * u128::from(times);
        let amount = product.div_ceil(u128::from(by.max(1)));
        Microdollars(u64::try_from(amount).unwrap_or(u64::MAX))
    }

    /// What is left of it after `other` was taken away, nothing at the least.
    #[must_use]
    pub fn less(self, other: Microdollars) -> Microdollars {
        Microdollars(self.0.saturating_sub(other.0))
    }
}

impl Add for Microdollars {
    type Output = Microdollars;

    fn add(self, other: Microdollars) -> Microdollars {
        Microdollars(self.0.saturating_add(other.0))
    }
}

impl Sum for Microdollars {
    fn sum<I: Iterator<Item = Microdollars>>(amounts: I) -> Microdollars {
        amounts.fold(Microdollars::ZERO, Add::add)
    }
}

/// `$1.25`; below a dollar with a third digit, `$0.094`; the last digit is rounded up.
impl fmt::Display for Microdollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: u32 = if self.0 < MICRO { 3 } else { 2 };
        let step = MICRO / 10_u64.pow(digits);
        let units = self.0.div_ceil(step);
        let whole = units / 10_u64.pow(digits);
        let rest = units % 10_u64.pow(digits);
        let width = usize::try_from(digits).unwrap_or(3);
        f.pad(&format!("${whole}.{rest:0width$}"))
    }
}

/// Why a text is no amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyProblem {
    /// There is no number.
    #[error("`{0}` is no amount of money: write for example `0.40 USD`")]
    NoNumber(String),
    /// It says no currency, or another one.
    #[error("`{text}` needs the currency: write `{number} USD`")]
    Currency {
        /// The text refused.
        text: String,
        /// The number in it.
        number: String,
    },
    /// It has more digits than a millionth of a dollar.
    #[error("`{0}` is finer than a millionth of a dollar")]
    TooFine(String),
    /// It does not fit.
    #[error("`{0}` is more money than can be counted here")]
    TooLarge(String),
}

/// `0.40 USD`, as a blueprint writes it.
impl FromStr for Microdollars {
    type Err = MoneyProblem;

    fn from_str(text: &str) -> Result<Microdollars, MoneyProblem> {
        let text = text.trim();
        let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
        let currency = text[number.len()..].trim();
        let number = number.strip_prefix('$').unwrap_or(number);
        let nano = decimal(number).map_err(|problem| match problem {
            Decimal::No => MoneyProblem::NoNumber(text.to_owned()),
            Decimal::TooLarge => MoneyProblem::TooLarge(text.to_owned()),
        })?;
        if currency != "USD" {
            return Err(MoneyProblem::Currency {
                text: text.to_owned(),
                number: number.to_owned(),
            });
        }
        if nano % u128::from(NANO / MICRO) != 0 {
            return Err(MoneyProblem::TooFine(text.to_owned()));
        }
        u64::try_from(nano / u128::from(NANO / MICRO))
            .map(Microdollars)
            .map_err(|_| MoneyProblem::TooLarge(text.to_owned()))
    }
}

/// The price of one unit of something in billionths of a US dollar: AWS publishes prices down to
/// some billionths, such as those of a request to S3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitPrice(u64);

impl UnitPrice {
    /// What `count` units divided by `by` cost, rounded up to a millionth: 8 GiB for one hour of
    /// the 730 of a month are `of(8, 730)`.
    #[must_use]
    pub fn of(self, count: u64, by: u64) -> Microdollars {
        let product = u128::from(self.0) * u128::from(count);
        let by = u128::from(by.max(1)) * u128::from(NANO / MICRO);
        Microdollars(u64::try_from(product.div_ceil(by)).unwrap_or(u64::MAX))
    }
}

/// Why a text is no price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no price in dollars, such as `0.0104`")]
pub struct NoPrice(pub String);

/// A number of dollars such as `0.0104`; what is finer than a billionth is rounded up.
impl FromStr for UnitPrice {
    type Err = NoPrice;

    fn from_str(text: &str) -> Result<UnitPrice, NoPrice> {
        let refused = || NoPrice(text.to_owned());
        let nano = decimal(text).map_err(|_| refused())?;
        u64::try_from(nano).map(UnitPrice).map_err(|_| refused())
    }
}

/// As AWS publishes it, without zeros at the end: `0.0104`.
impl fmt::Display for UnitPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:09}", self.0 % NANO);
        let digits = digits.trim_end_matches('0');
        let digits = if digits.len() < 2 {
            format!("{digits:0<2}")
        } else {
            digits.to_owned()
        };
        f.pad(&format!("{}.{digits}", self.0 / NANO))
    }
}

impl Serialize for UnitPrice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnitPrice {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

enum Decimal {
    No,
    TooLarge,
}

/// The billionths in a decimal number without sign or exponent, rounded up.
fn decimal(text: &str) -> Result<u128, Decimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Err(Decimal::No);
    }
    let kept: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let finer = fraction
        .get(9..)
        .is_some_and(|rest| rest.bytes().any(|b| b != b'0'));
    let whole: u64 = whole.parse().map_err(|_| Decimal::TooLarge)?;
    let kept: u64 = kept.parse().map_err(|_| Decimal::No)?;
    Ok(u128::from(whole) * u128::from(NANO) + u128::from(kept) + u128::from(finer))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_amount_is_shown_with_as_many_digits_as_it_needs() {
        let shown = |amount| Microdollars(amount).to_string();
        assert_eq!(shown(0), "$0.000");
        assert_eq!(shown(1), "$0.001");
        assert_eq!(shown(93_600), "$0.094");
        assert_eq!(shown(999_999), "$1.000");
        assert_eq!(shown(1_000_000), "$1.00");
        assert_eq!(shown(13_250_001), "$13.26");
    }

    #[test]
    fn an_amount_is_read_as_a_blueprint_writes_it() {
        let read = |text: &str| text.parse::<Microdollars>();
        assert_eq!(read("0.40 USD"), Ok(Microdollars(400_000)));
        assert_eq!(read("5 USD"), Ok(Microdollars(5_000_000)));
        assert_eq!(read("0.000001 USD"), Ok(Microdollars(1)));
        let told = |text: &str| read(text).unwrap_err().to_string();
        assert_eq!(told("5"), "`5` needs the currency: write `5 USD`");
        assert_eq!(told("$5"), "`$5` needs the currency: write `5 USD`");
        assert_eq!(told("5 EUR"), "`5 EUR` needs the currency: write `5 USD`");
        assert!(told("much USD").contains("is no amount of money"));
        assert!(told("-1 USD").contains("is no amount of money"));
        assert!(told("1e3 USD").contains("is no amount of money"));
        assert!(told("0.0000001 USD").contains("finer than a millionth"));
        assert!(told("99999999999999999999 USD").contains("more money"));
    }

    #[test]
    fn prices_keep_the_digits_that_aws_publishes() {
        let price = |text: &str| text.parse::<UnitPrice>().unwrap();
        assert_eq!(price("0.0104000000").to_string(), "0.0104");
        assert_eq!(price("0.0000004").of(1_000_000, 1), Microdollars(400_000));
        assert_eq!(price("0.08").of(8, 730), Microdollars(877));
        assert_eq!(price("0.0000000001").of(1, 1), Microdollars(1));
        assert!("1,5".parse::<UnitPrice>().is_err());
    }

    #[test]
    fn what_does_not_fit_stays_at_the_most() {
        let most = Microdollars(u64::MAX);
        assert_eq!(most + most, most);
        assert_eq!(most.for_seconds(u64::MAX), most);
        assert_eq!(Microdollars(7).part(3, 0), Microdollars(21));
    }
}
