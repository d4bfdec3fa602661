//! A run second by second.

use std::io::{self, Write};

use serde::Serialize;

use super::pool::PoolSeen;
use super::tally::Tally;

/// What the requests that ended in one second came to.
#[derive(Debug, Clone, Serialize)]
pub struct Second {
    /// The end of it, in whole seconds since the load began.
    pub second: u64,
    /// Requests.
    pub requests: u64,
    /// Reads among them that were answered.
    pub reads: u64,
    /// Uploads among them that were acknowledged.
    pub uploads: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Reads of an old version.
    pub stale: u64,
    /// Reads of nothing where something had been stored.
    pub lost: u64,
    /// Reads of bytes that nobody sent.
    pub wrong: u64,
    /// Half of the requests took no longer, in milliseconds.
    pub p50: Option<f64>,
    /// 99 of 100.
    pub p99: Option<f64>,
    /// Requests that wait for an answer.
    pub in_flight: usize,
    /// What the deployment says of its pool.
    #[serde(flatten)]
    pub pool: PoolSeen,
}

impl Second {
    /// What `tally` counted in the second that ends at `second`.
    #[must_use]
    pub fn of(second: u64, tally: &Tally, in_flight: usize, pool: PoolSeen) -> Self {
        let percentiles = tally.percentiles();
        Self {
            second,
            requests: tally.requests(),
            reads: tally.reads.answered,
            uploads: tally.uploads.answered,
            failed: tally.failed(),
            stale: tally.stale,
            lost: tally.lost,
            wrong: tally.wrong,
            p50: percentiles.map(|all| all.p50),
            p99: percentiles.map(|all| all.p99),
            in_flight,
            pool,
        }
    }
}

/// Writes seconds as CSV (RFC 4180), a header first; what is not known is left empty.
///
/// # Errors
/// When it cannot be written.
pub fn write_csv(seconds: &[Second], out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "second,requests,reads,uploads,failed,stale,lost,wrong,p50_ms,p99_ms,in_flight,nodes,hit_rate"
    )?;
    for second in seconds {
        let counts = [
            second.second,
            second.requests,
            second.reads,
            second.uploads,
            second.failed,
            second.stale,
            second.lost,
            second.wrong,
        ];
        let fields = counts.map(|count| count.to_string()).into_iter().chain([
            or_empty(second.p50),
            or_empty(second.p99),
            second.in_flight.to_string(),
            or_empty(second.pool.nodes),
            or_empty(second.pool.hit_rate),
        ]);
        writeln!(out, "{}", fields.collect::<Vec<_>>().join(","))?;
    }
    Ok(())
}

fn or_empty(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn seconds_are_rows_and_what_is_not_known_is_empty() {
        let seen = PoolSeen {
            nodes: Some(4),
            hit_rate: Some(0.25),
        };
        let silent = PoolSeen::default();
        let seconds = [seen, silent].map(|pool| Second::of(1, &Tally::default(), 2, pool));
        let mut written = Vec::new();
        write_csv(&seconds, &mut written).unwrap();
        let written = String::from_utf8(written).unwrap();
        let rows: Vec<&str> = written.lines().collect();
        assert_eq!(rows[1], "1,0,0,0,0,0,0,0,,,2,4,0.25");
        assert_eq!(rows[2], "1,0,0,0,0,0,0,0,,,2,,");
        assert_eq!(rows[0].split(',').count(), rows[1].split(',').count());
    }
}
