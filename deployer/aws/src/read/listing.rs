//! One listing of the account, read to its last page, and what it says of itself.

use std::error::Error;

use aws_smithy_async::future::pagination_stream::PaginationStream;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use deployer_core::inventory::{Inventory, Stray, StrayKind};
use serde::{Deserialize, Serialize};

use crate::error::{Answer, AwsError, During};

/// A listing that was read: the evidence of what it did not show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Listing {
    /// The call, for example `DescribeInstances`.
    pub call: String,
    /// How many pages it had.
    pub pages: u32,
    /// How many entries it had, ours or not.
    pub entries: u32,
    /// How many of them are ours.
    pub ours: u32,
}

/// What one or more listings brought.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// What of it is ours.
    pub(crate) inventory: Inventory,
    /// Things that go with another one, by its id: the volume of an instance.
    pub(crate) held: Vec<(String, String)>,
    /// What was read.
    pub(crate) listings: Vec<Listing>,
    /// What is to be said of how it was read.
    pub(crate) notes: Vec<String>,
}

impl Part {
    pub(crate) fn stray(&mut self, kind: StrayKind, id: &str) -> &mut Stray {
        let strays = &mut self.inventory.strays;
        strays.push(Stray {
            kind,
            id: id.to_owned(),
            state: String::new(),
            created: None,
            gib: None,
        });
        let last = strays.len() - 1;
        &mut strays[last]
    }

    pub(crate) fn held_by(&mut self, thing: &str, holder: &str) {
        self.held.push((thing.to_owned(), holder.to_owned()));
    }

    /// Counts what is ours anew, after it was told apart when all was read.
    pub(crate) fn count_ours(&mut self) {
        let count = counted(self.inventory.count());
        if let Some(last) = self.listings.last_mut() {
            last.ours = count;
        }
    }

    /// A listing that has no pages.
    pub(crate) fn read_at_once<T>(
        &mut self,
        call: &str,
        entries: &[T],
        read: impl FnMut(&mut Part, &T),
    ) {
        self.read_all(call, 1, entries, read);
    }

    /// A listing whose pages are there already.
    pub(crate) fn read_all<T>(
        &mut self,
        call: &str,
        pages: u32,
        entries: &[T],
        mut read: impl FnMut(&mut Part, &T),
    ) {
        let before = self.inventory.count();
        for entry in entries {
            read(self, entry);
        }
        self.listings.push(Listing {
            call: call.to_owned(),
            pages,
            entries: counted(entries.len()),
            ours: counted(self.inventory.count() - before),
        });
    }

    /// Reads a listing to its last page; `read` takes a page and says how many entries it had.
    pub(crate) async fn read_pages<P, E, R>(
        &mut self,
        call: &'static str,
        mut pages: PaginationStream<Result<P, SdkError<E, R>>>,
        mut read: impl FnMut(&mut Part, P) -> usize,
    ) -> Result<(), AwsError>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
        R: std::fmt::Debug + Send + Sync + 'static + Answer,
    {
        let before = self.inventory.count();
        let mut listing = Listing {
            call: call.to_owned(),
            pages: 0,
            entries: 0,
            ours: 0,
        };
        while let Some(page) = pages.next().await {
            listing.pages += 1;
            listing.entries += counted(read(self, page.during(call)?));
        }
        listing.ours = counted(self.inventory.count() - before);
        self.listings.push(listing);
        Ok(())
    }
}

fn counted(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
