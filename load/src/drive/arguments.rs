//! What `load` and `walk` have in common on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::content::{Pictures, PicturesError};
use super::pace::Pace;
use super::units::{self, Rate, Sizes};
use super::workload::{Distribution, Share};
use super::{Address, Workload};
use crate::token::Token;

/// What is asked for, and when.
#[derive(Debug, Clone, Args)]
pub struct LoadArguments {
    /// Requests in a second, sent when they are due whatever becomes of the ones before
    #[arg(
        long,
        value_name = "PER-SECOND",
        default_value = "100",
        help_heading = "Load"
    )]
    pub rate: Rate,

    /// Instead of a rate: clients that each send the next request when the last one was answered
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..), conflicts_with = "rate", help_heading = "Load")]
    pub clients: Option<u16>,

    /// Pause of each client between its requests
    #[arg(long, value_name = "TIME", value_parser = units::time, default_value = "0s", requires = "clients", help_heading = "Load")]
    pub think: Duration,

    /// With a rate: requests that may wait for an answer at once; one more counts as failed
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..), default_value = "1000", help_heading = "Load")]
    pub in_flight: u16,

    /// How long a request may take
    #[arg(long, value_name = "TIME", value_parser = units::time, default_value = "10s", help_heading = "Load")]
    pub timeout: Duration,

    /// Part of the requests that are reads; the rest are uploads
    #[arg(
        long,
        value_name = "SHARE",
        default_value = "0.95",
        help_heading = "Load"
    )]
    pub reads: Share,

    /// How many keys there are
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=10_000_000), default_value = "1000", help_heading = "Photos")]
    pub keys: u32,

    /// How often each key is asked for: zipf:EXPONENT, uniform, or sequential
    #[arg(long, default_value = "zipf:0.9", help_heading = "Photos")]
    pub distribution: Distribution,

    /// What the names of keys begin with
    #[arg(long, value_name = "TEXT", value_parser = prefix, default_value = "load-", help_heading = "Photos")]
    pub prefix: String,

    /// Size of a photo, or the smallest and the largest, such as 2KiB-200KiB
    #[arg(long, default_value = "20KiB", help_heading = "Photos")]
    pub size: Sizes,

    /// Instead of a size: a folder with pictures, which are uploaded with 48 bytes added
    #[arg(
        long,
        value_name = "FOLDER",
        conflicts_with = "size",
        help_heading = "Photos"
    )]
    pub files: Option<PathBuf>,

    /// The same seed gives the same requests
    #[arg(long, default_value_t = 1, help_heading = "Load")]
    pub seed: u64,

    /// Where the API is closed: the token that `deploy output NAME --show-token` prints. Give it in
    /// the environment, where other users do not see it
    #[arg(long, env = "BIVOUAC_TOKEN", hide_env_values = true)]
    pub token: Option<Token>,
}

impl LoadArguments {
    /// Where requests go, with the token that is shown there.
    #[must_use]
    pub fn to(&self, address: &Address) -> Address {
        address.clone().with_token(self.token.clone())
    }

    /// When requests are due.
    #[must_use]
    pub fn pace(&self) -> Pace {
        match self.clients {
            Some(clients) => Pace::Closed {
                clients: clients.into(),
                think: self.think,
            },
            None => Pace::Open {
                rate: self.rate,
                in_flight: self.in_flight.into(),
            },
        }
    }

    /// What is asked for.
    ///
    /// # Errors
    /// When photos cannot have that size, or the pictures cannot be read.
    pub fn workload(&self) -> Result<Workload, PicturesError> {
        let pictures = match &self.files {
            Some(folder) => Pictures::in_folder(folder)?,
            None => Pictures::made_up(self.size.0.clone(), self.seed)?,
        };
        Ok(Workload {
            keys: self.keys,
            prefix: self.prefix.clone(),
            distribution: self.distribution,
            reads: self.reads,
            pictures,
            seed: self.seed,
            time: self.timeout,
        })
    }
}

/// A key has 255 bytes at most, its number included.
fn prefix(text: &str) -> Result<String, String> {
    if text.len() <= 200 && !text.contains(['\0', '\r', '\n']) {
        Ok(text.to_owned())
    } else {
        Err("it is a text of 200 bytes at most, on one line".to_owned())
    }
}
