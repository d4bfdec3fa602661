//! memcached, as Debian packages it, with one thread.

use std::net::SocketAddr;
use std::path::Path;

use bytes::Bytes;

use super::SIZES;
use super::asking::{Protocol, Question};
use super::content::{content, key};
use super::errors::BenchError;
use super::process::Program;
use super::stage::Subject;

/// Its usual port.
pub(super) const PORT: u16 = 11211;

/// Told when it is not there.
pub(super) const MISSING: &str =
    "memcached is not on this machine and has no column: apt-get install memcached";

/// Starts it, if it is installed, and stores the content of every size in it.
pub(super) async fn start(
    core: usize,
    address: SocketAddr,
    home: &Path,
) -> Result<Option<Subject>, BenchError> {
    let Some(path) = find() else {
        return Ok(None);
    };
    let arguments = [
        "-l",
        &address.ip().to_string(),
        "-p",
        &address.port().to_string(),
        "-U",
        "0",
        "-t",
        "1",
        "-m",
        "64",
        "-I",
        "4m",
        // As root it takes another user.
        "-u",
        "nobody",
    ];
    let program = Program {
        path: &path,
        arguments: arguments.map(str::to_owned).to_vec(),
        environment: Vec::new(),
        log: home.join("memcached.log"),
    };
    let process = program.start(core, address).await?;
    for size in SIZES {
        question(address, set(size), Bytes::new())
            .check("memcached")
            .await?;
    }
    let get = |size| {
        question(
            address,
            format!("get {}\r\n", key(size)).into(),
            content(size),
        )
    };
    Ok(Some(Subject {
        name: "memcached",
        process,
        questions: SIZES.map(get).to_vec(),
    }))
}

fn find() -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("memcached"))
        .find(|file| file.is_file())
}

fn set(size: usize) -> Bytes {
    let head = format!("set {} 0 0 {size}\r\n", key(size));
    [head.as_bytes(), &content(size), b"\r\n"].concat().into()
}

fn question(address: SocketAddr, request: Bytes, answer: Bytes) -> Question {
    Question {
        address,
        protocol: Protocol::Memcached,
        request,
        answer,
    }
}
