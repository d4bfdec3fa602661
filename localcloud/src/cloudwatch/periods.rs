//! A stretch of time cut into periods, and the statistics of each.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::series::{Minute, Series, Statistics, Store, Unit, minute_of};

/// A statistic that can be computed from what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
}

impl Statistic {
    const ALL: [(&'static str, Self); 5] = [
        ("SampleCount", Self::SampleCount),
        ("Average", Self::Average),
        ("Sum", Self::Sum),
        ("Minimum", Self::Minimum),
        ("Maximum", Self::Maximum),
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, statistic)| *statistic)
    }

    pub(super) fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, statistic)| *statistic == self)
            .map_or("", |(name, _)| name)
    }

    pub(super) fn of(self, statistics: Statistics) -> f64 {
        match self {
            Self::SampleCount => statistics.count,
            Self::Average => statistics.sum / statistics.count,
            Self::Sum => statistics.sum,
            Self::Minimum => statistics.minimum,
            Self::Maximum => statistics.maximum,
        }
    }
}

/// A stretch of whole minutes, cut into periods.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    from: Minute,
    until: Minute,
    period: Minute,
}

impl Stretch {
    /// The start is rounded down to a whole period; the end is exclusive: what begins at it or after
    /// is left out.
    pub(super) fn of(from: Timestamp, until: Timestamp, seconds: i64) -> Option<Self> {
        let period = Minute::try_from(seconds / 60)
            .ok()
            .filter(|period| *period > 0 && seconds % 60 == 0)?;
        let from = minute_of(from) / period * period;
        // A minute that begins before the end counts, even if the end is within it.
        let end = until.as_second() + i64::from(until.subsec_nanosecond() > 0);
        Some(Self {
            from,
            until: minute_of(Timestamp::from_second(end + 59).ok()?),
            period,
        })
    }

    pub(super) fn points(self) -> u32 {
        (self.until.saturating_sub(self.from)).div_ceil(self.period)
    }

    /// The periods that have data: their first minute, by unit.
    pub(super) fn read(
        self,
        store: &Store,
        series: &Series,
        wanted: Option<Unit>,
    ) -> BTreeMap<(Minute, Unit), Statistics> {
        let mut periods: BTreeMap<(Minute, Unit), Statistics> = BTreeMap::new();
        let Some(minutes) = store.minutes(series) else {
            return periods;
        };
        if self.from >= self.until {
            return periods;
        }
        for ((minute, unit), statistics) in minutes.range((self.from, 0)..(self.until, 0)) {
            if wanted.is_none_or(|wanted| wanted == *unit) {
                let period = (minute / self.period * self.period, *unit);
                periods
                    .entry(period)
                    .and_modify(|all| *all = all.and(*statistics))
                    .or_insert(*statistics);
            }
        }
        periods
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn the_start_is_rounded_down_and_the_end_excluded() {
        let minutes = |from, until, period| {
            let stretch = Stretch::of(at(from), at(until), period).unwrap();
            (stretch.from, stretch.until)
        };
        assert_eq!(minutes(600, 660, 60), (10, 11));
        assert_eq!(minutes(659, 660, 60), (10, 11));
        assert_eq!(minutes(600, 661, 60), (10, 12));
        assert_eq!(minutes(601, 1200, 300), (10, 20));
        assert_eq!(
            Stretch::of(at(0), at(60), 30).map(|stretch| stretch.period),
            None
        );
        assert!(Stretch::of(at(0), at(60), 0).is_none());
        assert!(Stretch::of(at(0), at(60), -60).is_none());
    }
}
