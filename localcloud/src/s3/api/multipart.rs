//! Multipart uploads: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use md5::{Digest, Md5};
use s3s::dto;
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

use super::super::bucket::Bucket;
use super::super::error::internal;
use super::super::index::{Change, Contents};
use super::super::object::{Attributes, Checksums, Object, Part, Upload, now};
use super::super::receive::NewFile;
use super::objects::attributes;
use super::{Answer, Api, blocking, checksums, conditions};

/// Every part but the last: at least 5 MiB.
const SMALLEST_PART: u64 = 5 << 20;

/// The upload of that id, if it is for that key.
pub(super) fn find<'a>(contents: &'a Contents, id: &str, key: &str) -> S3Result<&'a Upload> {
    contents.uploads.get(id).filter(|upload| upload.key == key).ok_or_else(|| {
        s3_error!(
            NoSuchUpload,
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
        )
    })
}

pub(super) async fn create(
    api: &Api,
    mut request: S3Request<dto::CreateMultipartUploadInput>,
) -> Answer<dto::CreateMultipartUploadOutput> {
    let bucket = api.bucket(&request, &request.input.bucket)?;
    let attributes = attributes!(request.input)?;
    let input = request.input;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let algorithm = input
        .checksum_algorithm
        .as_ref()
        .map(|algorithm| algorithm.as_str().to_owned());
    let full_object = match &input.checksum_type {
        Some(kind) => kind.as_str() == dto::ChecksumType::FULL_OBJECT,
        None => algorithm.as_deref() == Some("CRC64NVME"),
    };
    let upload = Box::new(Upload {
        key: input.key.clone(),
        initiated: now(),
        algorithm,
        full_object,
        attributes,
        parts: BTreeMap::new(),
    });
    let kind = if full_object {
        dto::ChecksumType::FULL_OBJECT
    } else {
        dto::ChecksumType::COMPOSITE
    };
    let output = dto::CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(id.clone()),
        checksum_type: input
            .checksum_algorithm
            .as_ref()
            .map(|_| dto::ChecksumType::from_static(kind)),
        checksum_algorithm: input.checksum_algorithm,
        ..Default::default()
    };
    blocking(move || bucket.commit(None, |_| Ok(vec![Change::Begin { id, upload }]))).await?;
    Ok(S3Response::new(output))
}

pub(super) async fn abort(
    api: &Api,
    request: S3Request<dto::AbortMultipartUploadInput>,
) -> Answer<dto::AbortMultipartUploadOutput> {
    let bucket = api.bucket(&request, &request.input.bucket)?;
    let input = request.input;
    blocking(move || {
        bucket.commit(None, |contents| {
            find(contents, &input.upload_id, &input.key)?;
            Ok(vec![Change::Abort {
                id: input.upload_id,
            }])
        })
    })
    .await?;
    Ok(S3Response::new(dto::AbortMultipartUploadOutput::default()))
}

pub(super) async fn complete(
    api: &Api,
    request: S3Request<dto::CompleteMultipartUploadInput>,
) -> Answer<dto::CompleteMultipartUploadOutput> {
    let bucket = api.bucket(&request, &request.input.bucket)?;
    let input = request.input;
    let asked = input
        .multipart_upload
        .and_then(|upload| upload.parts)
        .unwrap_or_default();
    let (name, key, id) = (input.bucket, input.key, input.upload_id);
    let condition = conditions::Write {
        matches: input.if_match,
        matches_not: input.if_none_match,
    };
    let mut output = dto::CompleteMultipartUploadOutput {
        location: Some(format!("/{name}/{key}")),
        bucket: Some(name),
        key: Some(key.clone()),
        ..Default::default()
    };
    let object = blocking(move || {
        let upload = bucket.read(|contents| find(contents, &id, &key).cloned())?;
        let parts = choose(&upload, &asked)?;
        let (mut file, data, size) = join(&bucket, &parts)?;
        let checksums = match &upload.algorithm {
            Some(algorithm) if upload.full_object => whole(algorithm, file.path())?,
            Some(algorithm) => {
                let sums: Vec<_> = parts.iter().map(|part| &part.checksums).collect();
                checksums::composite(algorithm, &sums)
            }
            None => Checksums::default(),
        };
        let object = Arc::new(Object {
            file: file.name.clone(),
            size,
            etag: etag(&parts)?,
            version: None,
            modified: now(),
            checksums,
            attributes: Attributes::clone(&upload.attributes),
        });
        let made = Arc::clone(&object);
        bucket.commit(Some((&mut file, &data)), |contents| {
            // Parts that came meanwhile are not what was put together.
            if find(contents, &id, &key)? != &upload {
                return Err(s3_error!(
                    OperationAborted,
                    "The upload changed while it was completed; try again."
                ));
            }
            condition.check(contents.objects.get(&key).map(AsRef::as_ref))?;
            Ok(vec![Change::Complete {
                id,
                key,
                object: made,
            }])
        })?;
        Ok(object)
    })
    .await?;
    output.e_tag = Some(conditions::etag(&object));
    output.checksum_type = object.checksums.kind();
    checksums::fill!(output, &object.checksums);
    Ok(S3Response::new(output))
}

/// The parts that a completion names: in order, each there with that `ETag`, none but the last small.
fn choose(upload: &Upload, asked: &[dto::CompletedPart]) -> S3Result<Vec<Arc<Part>>> {
    if asked.is_empty() {
        return Err(s3_error!(
            MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema"
        ));
    }
    if !asked.is_sorted_by(|one, next| one.part_number < next.part_number) {
        return Err(s3_error!(
            InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number."
        ));
    }
    let parts = asked
        .iter()
        .map(|asked| {
            let part = upload.parts.get(&asked.part_number.unwrap_or_default());
            part.filter(|part| agrees(part, asked))
                .cloned()
                .ok_or_else(invalid_part)
        })
        .collect::<S3Result<Vec<_>>>()?;
    let all_but_last = &parts[..parts.len() - 1];
    if all_but_last.iter().any(|part| part.size < SMALLEST_PART) {
        return Err(s3_error!(
            EntityTooSmall,
            "Your proposed upload is smaller than the minimum allowed size"
        ));
    }
    Ok(parts)
}

fn agrees(part: &Part, asked: &dto::CompletedPart) -> bool {
    let same = |given: &Option<String>, found: &Option<String>| given.is_none() || given == found;
    let sums = &part.checksums;
    asked
        .e_tag
        .as_ref()
        .is_some_and(|etag| etag.value() == part.etag)
        && same(&asked.checksum_crc32, &sums.crc32)
        && same(&asked.checksum_crc32c, &sums.crc32c)
        && same(&asked.checksum_crc64nvme, &sums.crc64nvme)
        && same(&asked.checksum_sha1, &sums.sha1)
        && same(&asked.checksum_sha256, &sums.sha256)
}

fn invalid_part() -> S3Error {
    s3_error!(
        InvalidPart,
        "One or more of the specified parts could not be found. The part might not have been uploaded, or the specified entity tag might not have matched the part's entity tag."
    )
}

/// Puts the parts together in a new file; on file systems that can, without copying a byte.
fn join(bucket: &Bucket, parts: &[Arc<Part>]) -> S3Result<(NewFile, File, u64)> {
    let folder = bucket.files();
    let file = NewFile::reserve(&folder);
    let mut whole = File::create_new(file.path()).map_err(internal)?;
    let mut size = 0;
    for part in parts {
        let mut bytes = match File::open(folder.join(&part.file)) {
            // Replaced or aborted since it was looked up.
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => return Err(invalid_part()),
            other => other.map_err(internal)?,
        };
        size += io::copy(&mut bytes, &mut whole).map_err(internal)?;
    }
    Ok((file, whole, size))
}

fn etag(parts: &[Arc<Part>]) -> S3Result<String> {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(hex::decode(&part.etag).map_err(internal)?);
    }
    Ok(format!("{}-{}", hex::encode(md5.finalize()), parts.len()))
}

fn whole(algorithm: &str, path: &std::path::Path) -> S3Result<Checksums> {
    let mut hasher = checksums::hasher([algorithm]);
    let mut file = File::open(path).map_err(internal)?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer).map_err(internal)? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
    }
    let sums = hasher.finalize();
    Ok(Checksums {
        crc32: sums.checksum_crc32,
        crc32c: sums.checksum_crc32c,
        crc64nvme: sums.checksum_crc64nvme,
        sha1: sums.checksum_sha1,
        sha256: sums.checksum_sha256,
        composite: false,
    })
}
