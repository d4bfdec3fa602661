//! Checksums that clients send and get back.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::{S3Request, S3Result, s3_error};

use super::super::object::Checksums;
use super::super::receive::{Expected, Received};

const PREFIX: &str = "x-amz-checksum-";
const ALGORITHMS: [&str; 5] = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"];

/// Copies the five checksums into an output of the wire library.
macro_rules! fill {
    ($output:expr, $checksums:expr) => {{
        let checksums = $checksums;
        $output.checksum_crc32 = checksums.crc32.clone();
        $output.checksum_crc32c = checksums.crc32c.clone();
        $output.checksum_crc64nvme = checksums.crc64nvme.clone();
        $output.checksum_sha1 = checksums.sha1.clone();
        $output.checksum_sha256 = checksums.sha256.clone();
    }};
}
pub(super) use fill;

impl Checksums {
    fn get(&self, algorithm: &str) -> Option<&String> {
        match algorithm {
            "crc32" => self.crc32.as_ref(),
            "crc32c" => self.crc32c.as_ref(),
            "crc64nvme" => self.crc64nvme.as_ref(),
            "sha1" => self.sha1.as_ref(),
            "sha256" => self.sha256.as_ref(),
            _ => None,
        }
    }

    /// `COMPOSITE` or `FULL_OBJECT`, where there is a checksum at all.
    pub(super) fn kind(&self) -> Option<s3s::dto::ChecksumType> {
        let name = if self.composite {
            s3s::dto::ChecksumType::COMPOSITE
        } else {
            s3s::dto::ChecksumType::FULL_OBJECT
        };
        (!self.is_empty()).then(|| s3s::dto::ChecksumType::from_static(name))
    }
}

/// A hasher for the named algorithms (any case).
pub(super) fn hasher<'a>(algorithms: impl IntoIterator<Item = &'a str>) -> ChecksumHasher {
    let mut hasher = ChecksumHasher::default();
    for algorithm in algorithms {
        match algorithm.to_ascii_lowercase().as_str() {
            "crc32" => hasher.crc32 = Some(Crc32::new()),
            "crc32c" => hasher.crc32c = Some(Crc32c::new()),
            "crc64nvme" => hasher.crc64nvme = Some(Crc64Nvme::new()),
            "sha1" => hasher.sha1 = Some(Sha1::new()),
            "sha256" => hasher.sha256 = Some(Sha256::new()),
            _ => {}
        }
    }
    hasher
}

/// What an upload's headers announce about its body: which checksums to compute, and what is known
/// of its length and signature.
pub(super) struct Announced {
    pub(super) expected: Expected,
    algorithms: Vec<String>,
    headers: HeaderMap,
}

impl Announced {
    /// Reads the headers of an upload; `length` is that of the content, without chunk encoding.
    pub(super) fn of<T>(request: &S3Request<T>) -> Self {
        let headers = &request.headers;
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let mut algorithms: Vec<String> = text("x-amz-trailer")
            .unwrap_or_default()
            .split(',')
            .filter_map(|name| {
                name.trim()
                    .to_ascii_lowercase()
                    .strip_prefix(PREFIX)
                    .map(str::to_owned)
            })
            .chain(text("x-amz-sdk-checksum-algorithm").map(str::to_ascii_lowercase))
            .collect();
        algorithms.extend(
            ALGORITHMS
                .iter()
                .filter(|name| headers.contains_key(format!("{PREFIX}{name}")))
                .map(|name| (*name).to_owned()),
        );
        let length = text("x-amz-decoded-content-length").or_else(|| text("content-length"));
        let signed = text("x-amz-content-sha256").is_some_and(|hash| hash.len() == 64);
        Self {
            expected: Expected {
                length: length.and_then(|length| length.parse().ok()),
                signed,
            },
            algorithms,
            headers: headers.clone(),
        }
    }

    /// Computes what was announced, or `otherwise` if nothing was.
    pub(super) fn hasher(&self, otherwise: &str) -> ChecksumHasher {
        if self.algorithms.is_empty() {
            hasher([otherwise])
        } else {
            hasher(self.algorithms.iter().map(String::as_str))
        }
    }

    /// Compares what was received with the checksums in headers and trailers and with `Content-MD5`.
    pub(super) fn verify(&self, received: &Received, trailers: Option<&HeaderMap>) -> S3Result<()> {
        let given = |name: &str| {
            let trailed = trailers.and_then(|trailers| trailers.get(name));
            self.headers
                .get(name)
                .or(trailed)
                .map(|value| value.as_bytes().to_owned())
        };
        for algorithm in ALGORITHMS {
            let Some(given) = given(&format!("{PREFIX}{algorithm}")) else {
                continue;
            };
            if received
                .checksums
                .get(algorithm)
                .is_none_or(|found| found.as_bytes() != given)
            {
                return Err(s3_error!(
                    BadDigest,
                    "The {} you specified did not match the calculated checksum.",
                    algorithm.to_uppercase()
                ));
            }
        }
        let Some(md5) = given("content-md5") else {
            return Ok(());
        };
        match base64_simd::STANDARD.decode_to_vec(&md5) {
            Ok(md5) if md5 == received.md5 => Ok(()),
            Ok(md5) if md5.len() == received.md5.len() => Err(s3_error!(
                BadDigest,
                "The Content-MD5 you specified did not match what we received."
            )),
            _ => Err(s3_error!(
                InvalidDigest,
                "The Content-MD5 you specified was invalid."
            )),
        }
    }
}

/// The checksum of the parts' checksums: what `COMPOSITE` means.
pub(super) fn composite(algorithm: &str, parts: &[&Checksums]) -> Checksums {
    let algorithm = algorithm.to_ascii_lowercase();
    let mut hasher = hasher([algorithm.as_str()]);
    for part in parts {
        let Some(Ok(sum)) = part
            .get(&algorithm)
            .map(|sum| base64_simd::STANDARD.decode_to_vec(sum))
        else {
            return Checksums::default();
        };
        hasher.update(&sum);
    }
    let sums = hasher.finalize();
    let counted = |sum: Option<String>| sum.map(|sum| format!("{sum}-{}", parts.len()));
    Checksums {
        crc32: counted(sums.checksum_crc32),
        crc32c: counted(sums.checksum_crc32c),
        crc64nvme: None,
        sha1: counted(sums.checksum_sha1),
        sha256: counted(sums.checksum_sha256),
        composite: true,
    }
}
