//! Ctrl-C: the first asks to stop, the second ends the program at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::failure::Failure;

/// Turns true when the user asks to stop.
pub fn listen() -> Result<watch::Receiver<bool>, Failure> {
    let failed = || Failure::here("listening for Ctrl-C");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed())?;
    let (told, stop) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        // Nobody listens any more when the command has just ended.
        let _ = told.send(true);
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        std::process::exit(130);
    });
    Ok(stop)
}

/// Whether the user has asked to stop.
pub fn asked(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow()
}
