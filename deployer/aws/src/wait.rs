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

/// A wait that goes on is told of again after so long.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// Looks again and again until the resource is there, at the account's pace. The deadline is one of
/// AWS's clock.
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
        let waited = pace.on_aws(begun.elapsed());
        if waited > deadline {
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
