//! How far this machine's clock is from AWS's. A request that is signed more than five minutes off is
//! refused, with codes that speak of wrong keys.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_sts::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// Reads the date of every answer, of refusals too. Clones are the same.
#[derive(Clone, Debug)]
pub struct Clock(Arc<AtomicI64>);

/// Stands for "no answer came yet".
const UNKNOWN: i64 = i64::MIN;

impl Default for Clock {
    fn default() -> Clock {
        Clock(Arc::new(AtomicI64::new(UNKNOWN)))
    }
}

impl Clock {
    /// Seconds by which this machine is ahead of AWS, behind it when negative, as the latest answer
    /// tells; nothing before the first.
    #[must_use]
    pub fn ahead(&self) -> Option<i64> {
        let ahead = self.0.load(Ordering::Relaxed);
        (ahead != UNKNOWN).then_some(ahead)
    }

    fn read(&self, date: Option<&str>) {
        let Ok(there) = DateTime::from_str(date.unwrap_or_default(), Format::HttpDate) else {
            return;
        };
        let here = SystemTime::now().duration_since(UNIX_EPOCH);
        let here = here.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0));
        self.0.store(here - there.secs(), Ordering::Relaxed);
    }
}

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.read(context.response().headers().get("date"));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_compared_with_the_time_here() {
        let clock = Clock::default();
        clock.read(None);
        clock.read(Some("yesterday"));
        assert_eq!(clock.ahead(), None);
        clock.read(Some("Thu, 01 Jan 1970 00:00:10 GMT"));
        assert!(clock.ahead().is_some_and(|ahead| ahead > 1_700_000_000));
    }
}
