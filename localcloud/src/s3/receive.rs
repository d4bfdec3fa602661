//! Taking in the bytes of an upload: to a file, hashed on the way, never whole in memory.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::StreamExt;
use http::StatusCode;
use md5::{Digest, Md5};
use s3s::checksum::ChecksumHasher;
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3Result, s3_error};
use tokio::task::JoinHandle;

use super::durable;
use super::error::{custom, internal};
use super::object::Checksums;

/// Bytes that are gathered before a thread writes and hashes them, while the next are received.
const BATCH: usize = 256 * 1024;

/// A new data file of a bucket, removed again unless it is kept.
#[derive(Debug)]
pub(crate) struct NewFile {
    pub(crate) name: String,
    path: PathBuf,
    kept: bool,
}

impl NewFile {
    /// Names a file that does not exist yet in `folder`; whoever has it creates it.
    pub(crate) fn reserve(folder: &Path) -> Self {
        let name = uuid::Uuid::new_v4().simple().to_string();
        let path = folder.join(&name);
        Self {
            name,
            path,
            kept: false,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// From now on the index refers to it.
    pub(crate) fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept
            && let Err(failure) = durable::remove(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %failure, "an unfinished upload's file stays until the next start");
        }
    }
}

/// Bytes that were received whole, not yet flushed to disk and not yet in any index.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) file: NewFile,
    pub(crate) data: File,
    pub(crate) size: u64,
    pub(crate) md5: [u8; 16],
    pub(crate) checksums: Checksums,
}

struct Sink {
    data: File,
    size: u64,
    md5: Md5,
    checksums: ChecksumHasher,
}

impl Sink {
    fn take(mut self, batch: &[Bytes]) -> io::Result<Self> {
        for bytes in batch {
            self.data.write_all(bytes)?;
            self.md5.update(bytes);
            self.checksums.update(bytes);
            self.size += bytes.len() as u64;
        }
        Ok(self)
    }
}

/// What is known of a body before it comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected {
    /// Bytes after any chunk encoding, when the request says so.
    pub(crate) length: Option<u64>,
    /// The request names the body's SHA-256, which the wire layer checks.
    pub(crate) signed: bool,
}

/// Receives a body into a new file of `folder`.
///
/// # Errors
/// `IncompleteBody` when the client stops early, `XAmzContentSHA256Mismatch` or `InvalidRequest`
/// when the bytes are not the signed ones, `InternalError` when the disk fails. The file is then gone.
pub(crate) async fn receive(
    folder: &Path,
    body: Option<StreamingBlob>,
    expected: Expected,
    checksums: ChecksumHasher,
) -> S3Result<Received> {
    let file = NewFile::reserve(folder);
    let data = File::options()
        .write(true)
        .create_new(true)
        .open(file.path())
        .map_err(internal)?;
    let mut sink = Sink {
        data,
        size: 0,
        md5: Md5::new(),
        checksums,
    };
    let mut received = 0_u64;
    if let Some(mut body) = body {
        let mut batch = Vec::new();
        let mut gathered = 0;
        let mut writing: Option<JoinHandle<io::Result<Sink>>> = None;
        let mut resting = Some(sink);
        while let Some(bytes) = body.next().await {
            let bytes = bytes.map_err(|source| broken(source, received, expected))?;
            received += bytes.len() as u64;
            gathered += bytes.len();
            batch.push(bytes);
            if gathered >= BATCH {
                writing = Some(write(
                    rest(&mut resting, &mut writing).await?,
                    std::mem::take(&mut batch),
                ));
                gathered = 0;
            }
        }
        let last = write(rest(&mut resting, &mut writing).await?, batch);
        sink = joined(last).await?;
    }
    if expected.length.is_some_and(|length| length != received) {
        return Err(s3_error!(IncompleteBody));
    }
    let found = sink.checksums.finalize();
    Ok(Received {
        file,
        data: sink.data,
        size: sink.size,
        md5: sink.md5.finalize().into(),
        checksums: Checksums {
            crc32: found.checksum_crc32,
            crc32c: found.checksum_crc32c,
            crc64nvme: found.checksum_crc64nvme,
            sha1: found.checksum_sha1,
            sha256: found.checksum_sha256,
            composite: false,
        },
    })
}

async fn rest(
    resting: &mut Option<Sink>,
    writing: &mut Option<JoinHandle<io::Result<Sink>>>,
) -> S3Result<Sink> {
    match (writing.take(), resting.take()) {
        (Some(writing), _) => joined(writing).await,
        (None, Some(sink)) => Ok(sink),
        (None, None) => Err(s3_error!(InternalError, "the upload's file was lost")),
    }
}

fn write(sink: Sink, batch: Vec<Bytes>) -> JoinHandle<io::Result<Sink>> {
    tokio::task::spawn_blocking(move || sink.take(&batch))
}

async fn joined(writing: JoinHandle<io::Result<Sink>>) -> S3Result<Sink> {
    writing.await.map_err(internal)?.map_err(internal)
}

/// Why a body ended in an error: the client went away, or the bytes were not what was signed.
fn broken(source: s3s::StdError, received: u64, expected: Expected) -> S3Error {
    let whole = expected.length.is_none_or(|length| received >= length);
    let mut error = match (whole, expected.signed) {
        (false, _) => s3_error!(
            IncompleteBody,
            "The request ended before the body that it announced."
        ),
        (true, true) => custom(
            "XAmzContentSHA256Mismatch",
            StatusCode::BAD_REQUEST,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        ),
        (true, false) => s3_error!(
            InvalidRequest,
            "The body's chunks are malformed or not what was signed."
        ),
    };
    error.set_source(source);
    error
}
