//! What stops the manager.

/// Why the manager could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings file.
    #[error("could not read the settings")]
    Settings(#[from] kit::settings::SettingsError),
    /// The database refused in a way that waiting does not cure.
    #[error("could not use the database")]
    Catalog(#[from] catalog::Error),
    /// The port is taken, or the address is not ours.
    #[error("could not listen on {address}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// Signals.
    #[error("could not watch for signals")]
    Signals(#[source] std::io::Error),
    /// A page template is wrong.
    #[error("could not read a page template")]
    Template(#[from] Box<handlebars::TemplateError>),
    /// The API is to be closed, and nobody could open it.
    #[error("could not close the API")]
    Door(#[from] kit::door::NoToken),
}
