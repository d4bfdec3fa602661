//! What can go wrong.

use std::io;

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A program is not there.
    #[error("starting {program}: {source}")]
    Start {
        /// What should have been started.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A server that was started does not listen.
    #[error("{program} does not listen at {address} after 30 s; the end of its log:\n{log}")]
    Silent {
        /// The program.
        program: String,
        /// Where it should listen.
        address: String,
        /// The last of what it said.
        log: String,
    },
    /// Something else on this machine.
    #[error("{operation}: {source}")]
    Machine {
        /// What was attempted.
        operation: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A connection broke, or carried something else than an answer.
    #[error("asking {host}: {source}")]
    Exchange {
        /// `address:port`.
        host: String,
        /// What happened.
        source: io::Error,
    },
    /// A server answers, but not what it should.
    #[error("{server} answers `{asked}` with something else than it should: {came}")]
    Wrong {
        /// The server.
        server: String,
        /// The first line of the request.
        asked: String,
        /// The beginning of what came.
        came: String,
    },
}

impl BenchError {
    /// For `map_err` of anything the system does.
    pub(super) fn machine(operation: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Machine { operation, source }
    }
}
