//! Waiting for a resource, with a deadline and a word on what was last seen.

use std::time::{Duration, Instant};

use crate::error::AwsError;
use crate::progress::Progress;

/// What a look at a resource found.
pub(crate) enum Look<T> {
    /// It is where it should be.
    There(T),
    /// It is on its way; the text says where.
    NotYet(String),
    /// It will never get there; the text says why.
    Never(String),
}

/// Looks again and again until the resource is there.
pub(crate) async fn until<T, F>(
    what: &str,
    poll: Duration,
    deadline: Duration,
    progress: &Progress,
    mut look: F,
) -> Result<T, AwsError>
where
    F: AsyncFnMut() -> Result<Look<T>, AwsError>,
{
    let begun = Instant::now();
    let mut said = String::new();
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
        if begun.elapsed() > deadline {
            let why = format!("{why} after {} s", begun.elapsed().as_secs());
            return Err(AwsError::NotReached {
                what: what.to_owned(),
                why,
            });
        }
        if why != said {
            progress.say(why.clone());
            said = why;
        }
        tokio::time::sleep(poll).await;
    }
}
