//! How long a deployment may live, what it may cost, and what may drive that up.

use crate::expiry::Lifetime;
use crate::money::Microdollars;

use super::super::raw::{Money, RawBudget};
use super::super::reader::{At, Field};
use super::super::{Budget, CpuCredits, machine};
use super::Check;

impl Check<'_> {
    /// Its own reader has refused what is no lifetime.
    pub(super) fn check_ttl(ttl: Field<Lifetime>) -> Option<Option<Lifetime>> {
        match ttl {
            Field::Missing => Some(None),
            Field::Wrong => None,
            Field::Set(ttl) => Some(Some(ttl.value)),
        }
    }

    pub(super) fn check_budget(&self, budget: Field<RawBudget>) -> Option<Option<Budget>> {
        let At { value: raw, span } = match budget {
            Field::Missing => return Some(None),
            Field::Wrong => return None,
            Field::Set(budget) => budget,
        };
        if let (Field::Missing, Field::Missing) = (&raw.per_hour, &raw.total) {
            let help = "write `per-hour: 0.40 USD`, `total: 5 USD`, or both";
            self.note_help(span.head(), "this budget limits nothing", help);
            return None;
        }
        let per_hour = self.check_amount(raw.per_hour);
        let total = self.check_amount(raw.total);
        Some(Some(Budget {
            per_hour: per_hour?,
            total: total?,
        }))
    }

    fn check_amount(&self, amount: Field<Money>) -> Option<Option<Microdollars>> {
        match amount {
            Field::Missing => Some(None),
            Field::Wrong => None,
            Field::Set(amount) if amount.value.0 == Microdollars::ZERO => {
                let help = "leave it out, or allow a little";
                self.note_help(amount.span, "nothing can be made for nothing", help);
                None
            }
            Field::Set(amount) => Some(Some(amount.value.0)),
        }
    }

    /// EC2 refuses credits for a type that has none.
    pub(super) fn check_credits(
        &self,
        credits: Field<CpuCredits>,
        machine: Option<&At<String>>,
    ) -> Option<Option<CpuCredits>> {
        let credits = match credits {
            Field::Missing => return Some(None),
            Field::Wrong => return None,
            Field::Set(credits) => credits,
        };
        let machine = machine?;
        if machine::burst(&machine.value).is_some() {
            return Some(Some(credits.value));
        }
        let message = format!("a {} has no CPU credits", machine.value);
        let help = "leave it out: only t2, t3, t3a and t4g have them";
        self.note_help(credits.span, message, help);
        None
    }
}
