//! Waiting for a resource, with a deadline and a word on what was last seen.

use std::time::{Duration, Instant};

use crate::error::AwsError;
use crate::progress::Progress;
use crate::target::Pace;

/// What a look at a resource found.
pub(crate) enum Look<T> {
    /// It is where it should be.
    There(T),
    /// It is on its way; the text says where.
    NotYet(String),
    /// It will never get there; the text says why.
    Never(String),
}

/// No wait is given up sooner than this by the clock here: AWS is faster in a rehearsal, this machine
/// is not.
const LEAST: Duration = Duration::from_secs(10);

/// A wait that goes on is told of again after so long.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// Looks again and again until the resource is there, at the account's pace. The deadline is one of
/// AWS's clock, and at least [`LEAST`] by the clock here.
pub(crate) async fn until<T, F>(
    what: &str,
    pace: Pace,
    deadline: Duration,
    progress: &Progress,
    mut look: F,
) -> Result<T, AwsError>
where
    F: AsyncFnMut() -> Result<Look<T>, AwsError>,
{
    let begun = Instant::now();
    let mut said = String::new();
    let mut spoke = Duration::ZERO;
    loop {
        let why = match look().await? {
            Look::There(found) => return Ok(found),
            Look::Never(why) => {
                return Err(AwsError::NotReached {
                    what: what.to_owned(),
                    why,
                });
            }
            Look::NotYet(why) => why,
        };
        let here = begun.elapsed();
        let waited = pace.on_aws(here);
        if waited > deadline && here > LEAST {
            let why = format!("{why} after {} s", waited.as_secs());
            return Err(AwsError::NotReached {
                what: what.to_owned(),
                why,
            });
        }
        if why != said || waited > spoke + SAY_AGAIN {
            progress.say(match waited.as_secs() {
                0 => why.clone(),
                seconds => format!("{why}, {seconds} s (at most {} s)", deadline.as_secs()),
            });
            said = why;
            spoke = waited;
        }
        tokio::time::sleep(pace.poll).await;
    }
}
