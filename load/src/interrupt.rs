//! Ctrl-C: the first ends what runs, with all that has been found; the second ends the program.

use tokio_util::sync::CancellationToken;

/// How a program ends that was interrupted (128 and the signal's number, as shells have it).
const INTERRUPTED: i32 = 130;

/// Cancelled by the first Ctrl-C.
#[must_use]
pub fn listen() -> CancellationToken {
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        // Where it cannot be listened for, it ends the program as usual.
        if tokio::signal::ctrl_c().await.is_ok() {
            told.cancel();
            let _ = tokio::signal::ctrl_c().await;
            std::process::exit(INTERRUPTED);
        }
    });
    stop
}
