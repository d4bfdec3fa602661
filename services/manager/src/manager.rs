//! What every request can use.

use kit::door::Door;

use crate::charts::readings::Readings;
use crate::deadline::Deadline;
use crate::deletion::Deletion;
use crate::error::Error;
use crate::keeper::Keeper;
use crate::nodes::Nodes;
use crate::pages::Pages;
use crate::settings::Settings;

/// The manager's parts.
pub struct Manager<B> {
    /// What it was told.
    pub settings: Settings,
    /// The pool's state.
    pub keeper: Keeper,
    /// The way to the nodes.
    pub nodes: Nodes,
    /// The deployment's bucket.
    pub bucket: B,
    /// The door of the API.
    pub door: Door,
    /// The pages with their sessions.
    pub pages: Pages,
    /// The charts' figures.
    pub readings: Readings,
    /// The deletion that somebody asked for on a page.
    pub deletion: Deletion,
    /// When the deployment expires.
    pub deadline: Deadline,
}

impl<B> Manager<B> {
    /// Puts the parts together.
    ///
    /// # Errors
    /// When a page template is wrong, or the API is to be closed and there is no token to open it.
    pub fn new(
        settings: Settings,
        keeper: Keeper,
        nodes: Nodes,
        bucket: B,
        readings: Readings,
        deadline: Deadline,
    ) -> Result<Self, Error> {
        let pages = Pages::new(&settings)?;
        let door = Door::new(settings.api, settings.secrets.api_token.as_ref())?;
        Ok(Self {
            settings,
            keeper,
            nodes,
            bucket,
            door,
            pages,
            readings,
            deletion: Deletion::default(),
            deadline,
        })
    }
}
