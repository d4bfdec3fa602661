//! Drives every endpoint of the elastic photo cache as its clients and graders do, and compares
//! what comes back byte by byte: status, content type, order of fields, the body of each failure.

mod api;
mod configuration;
mod form;
mod keys;
mod reading;
mod refusals;
mod report;
mod resize;
mod run;
mod samples;
mod table;
mod uploads;

use std::time::Duration;

use futures::FutureExt;
use futures::future::LocalBoxFuture;
use serde::Deserialize;

use crate::token::Token;
use api::Api;
pub use report::{Check, Mismatch, Report};
use run::Run;
pub use table::{Table, summary};

/// What to check and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Also walk the pool from 1 to 8 nodes and back, with readers at work all the time.
    pub with_resize: bool,
    /// Go ahead where photos are stored. The check deletes everything, as its clients' own do.
    pub delete_photos: bool,
    /// Largest upload the deployment takes, in bytes.
    pub upload_limit: usize,
    /// How long a value that is sampled may take to show.
    pub patience: Duration,
    /// Shown with each request, where the API is closed.
    pub token: Option<Token>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            with_resize: false,
            delete_photos: false,
            upload_limit: 25 * 1024 * 1024,
            patience: Duration::from_secs(20),
            token: None,
        }
    }
}

/// Why nothing was checked.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The address is not one that can be asked.
    #[error("`{0}` is not an address such as http://127.78.0.16:5000")]
    Address(String),
    /// Nothing answers there.
    #[error("nothing answers at {base}: {problem}")]
    Unreachable {
        /// The address as given.
        base: String,
        /// What happened instead.
        problem: String,
    },
    /// The API is closed, and no token or a wrong one was shown.
    #[error("the API at {base} is closed: {message}")]
    Closed {
        /// The address as given.
        base: String,
        /// What it says.
        message: String,
    },
    /// What is stored cannot be counted, and would be gone afterwards: at the manager, which deletes
    /// as its front-ends do and lists nothing, or where listing is what does not work.
    #[error("{base} does not say which photos it holds ({came}), and the check deletes everything")]
    Uncounted {
        /// The address as given.
        base: String,
        /// What came in the place of a list.
        came: String,
    },
    /// There are photos, and they would be gone afterwards.
    #[error("{count} photos are stored at {base} and the check deletes everything")]
    Photos {
        /// The address as given.
        base: String,
        /// How many.
        count: usize,
    },
}

/// Runs every check against the front-end at `base` (scheme, host and port) and goes on after a
/// failed one.
///
/// # Errors
/// [`Unusable`], if nothing could be checked, or must not be.
pub async fn check(base: &str, options: Options) -> Result<Report, Unusable> {
    check_and_tell(base, options, &mut |_| {}).await
}

/// As [`check`], and tells each result when it is known.
///
/// # Errors
/// As [`check`].
pub fn check_and_tell<'a>(
    base: &'a str,
    options: Options,
    tell: &'a mut dyn FnMut(&Check),
) -> LocalBoxFuture<'a, Result<Report, Unusable>> {
    // Boxed, so that it is compiled here and not in every program and test that awaits it.
    async move {
        let api = Api::new(base, options.token.as_ref())
            .ok_or_else(|| Unusable::Address(base.to_owned()))?;
        refuse_to_lose_photos(base, &api, &options).await?;
        let mut run = Run::new(api, options, tell);
        uploads::check(&mut run).await;
        keys::check(&mut run).await;
        reading::check(&mut run).await;
        refusals::check(&mut run).await;
        configuration::check(&mut run).await;
        if run.options.with_resize {
            resize::check(&mut run).await;
        }
        run.about("/api/delete_all");
        run.check("delete_all leaves nothing behind", reading::leave_nothing)
            .await;
        Ok(run.finish(base))
    }
    .boxed_local()
}

async fn refuse_to_lose_photos(base: &str, api: &Api, options: &Options) -> Result<(), Unusable> {
    #[derive(Deserialize)]
    struct Listing {
        keys: Vec<String>,
    }
    let reply = api
        .post("/api/list_keys")
        .await
        .map_err(|mismatch| Unusable::Unreachable {
            base: base.to_owned(),
            problem: mismatch.came,
        })?;
    if reply.status == 401 {
        return Err(Unusable::Closed {
            base: base.to_owned(),
            message: reply.message(),
        });
    }
    if options.delete_photos {
        return Ok(());
    }
    let base = base.to_owned();
    match serde_json::from_slice::<Listing>(&reply.body) {
        Ok(listing) if listing.keys.is_empty() => Ok(()),
        Ok(listing) => Err(Unusable::Photos {
            base,
            count: listing.keys.len(),
        }),
        Err(_) => Err(Unusable::Uncounted {
            base,
            came: reply.to_string(),
        }),
    }
}
