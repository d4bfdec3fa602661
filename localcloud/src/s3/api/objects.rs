//! Objects: written, read, removed.

use std::fs::File;
use std::sync::Arc;

use http::StatusCode;
use s3s::dto;
use s3s::{S3Request, S3Response, S3Result, TrailingHeaders, s3_error};

use super::super::bucket::Bucket;
use super::super::content::Content;
use super::super::error::custom;
use super::super::index::{Change, Contents};
use super::super::object::{Attributes, Object, now, timestamp};
use super::super::receive::{Received, receive};
use super::checksums::{self, Announced};
use super::{Answer, Api, blocking, conditions, only_version};
use crate::access::table;

/// Largest object that one `PutObject` or one part may bring: 5 GiB.
const LARGEST_PUT: u64 = 5 << 30;
/// User metadata: names and values together, in bytes.
const LARGEST_METADATA: usize = 2048;
const LARGEST_DELETE: usize = 1000;

/// Receives the body of an upload and checks it against all that its headers and trailers say.
pub(super) async fn take<T>(
    bucket: &Bucket,
    request: &S3Request<T>,
    body: Option<dto::StreamingBlob>,
    otherwise: &str,
) -> S3Result<Received> {
    let announced = Announced::of(request);
    if announced
        .expected
        .length
        .is_some_and(|length| length > LARGEST_PUT)
    {
        return Err(s3_error!(
            EntityTooLarge,
            "Your proposed upload exceeds the maximum allowed size"
        ));
    }
    let received = receive(
        &bucket.files(),
        body,
        announced.expected,
        announced.hasher(otherwise),
    )
    .await?;
    let trailers = request
        .trailing_headers
        .as_ref()
        .and_then(TrailingHeaders::take);
    announced.verify(&received, trailers.as_ref())?;
    Ok(received)
}

/// What an uploader says about an object, out of an input of the wire library.
macro_rules! attributes {
    ($input:expr) => {
        super::objects::checked(Attributes {
            content_type: $input.content_type.take(),
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $input.content_encoding.take(),
            content_language: $input.content_language.take(),
            expires: $input.expires.take(),
            metadata: $input
                .metadata
                .take()
                .unwrap_or_default()
                .into_iter()
                .collect(),
            tags: super::tags::from_header($input.tagging.as_deref())?,
        })
    };
}
pub(super) use attributes;

/// Limits the metadata and forgets the encoding of the transfer, which is not the content's.
pub(super) fn checked(mut attributes: Attributes) -> S3Result<Attributes> {
    let size: usize = attributes
        .metadata
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if size > LARGEST_METADATA {
        return Err(s3_error!(
            MetadataTooLarge,
            "Your metadata headers exceed the maximum allowed metadata size"
        ));
    }
    attributes.content_encoding = attributes.content_encoding.and_then(|encodings| {
        let kept: Vec<_> = encodings
            .split(',')
            .map(str::trim)
            .filter(|encoding| *encoding != "aws-chunked")
            .collect();
        (!kept.is_empty()).then(|| kept.join(","))
    });
    attributes
        .content_type
        .get_or_insert_with(|| "binary/octet-stream".to_owned());
    Ok(attributes)
}

pub(super) async fn put(
    api: &Api,
    mut request: S3Request<dto::PutObjectInput>,
) -> Answer<dto::PutObjectOutput> {
    let bucket = api.bucket(&request, &request.input.bucket)?;
    let attributes = attributes!(request.input)?;
    let body = request.input.body.take();
    let mut received = take(&bucket, &request, body, "crc64nvme").await?;
    let input = request.input;
    let condition = conditions::Write {
        matches: input.if_match,
        matches_not: input.if_none_match,
    };
    let object = Arc::new(Object {
        file: received.file.name.clone(),
        size: received.size,
        etag: hex::encode(received.md5),
        version: None,
        modified: now(),
        checksums: received.checksums.clone(),
        attributes,
    });
    let mut output = dto::PutObjectOutput {
        e_tag: Some(conditions::etag(&object)),
        checksum_type: object.checksums.kind(),
        ..Default::default()
    };
    checksums::fill!(output, &object.checksums);
    blocking(move || {
        bucket.commit(Some((&mut received.file, &received.data)), |contents| {
            condition.check(contents.objects.get(&input.key).map(AsRef::as_ref))?;
            Ok(vec![Change::Put {
                key: input.key,
                object,
            }])
        })
    })
    .await?;
    Ok(S3Response::new(output))
}

/// Fills what `GetObject` and `HeadObject` both say about an object.
macro_rules! describe {
    ($output:expr, $object:expr, $part:expr, $with_checksums:expr) => {{
        let object: &Object = $object;
        let attributes = &object.attributes;
        $output.accept_ranges = Some("bytes".to_owned());
        $output.e_tag = Some(conditions::etag(object));
        $output.last_modified = Some(timestamp(object.modified));
        $output.content_type = attributes.content_type.clone();
        $output.cache_control = attributes.cache_control.clone();
        $output.content_disposition = attributes.content_disposition.clone();
        $output.content_encoding = attributes.content_encoding.clone();
        $output.content_language = attributes.content_language.clone();
        $output.expires = attributes.expires.clone();
        $output.metadata = Some(attributes.metadata.clone().into_iter().collect());
        $output.content_length = i64::try_from($part.bytes.end - $part.bytes.start).ok();
        $output.content_range = $part.header(object.size);
        if $with_checksums && !$part.partial {
            checksums::fill!($output, &object.checksums);
            $output.checksum_type = object.checksums.kind();
        }
    }};
}

/// The bytes of an object that a read asks for.
struct Stretch {
    bytes: std::ops::Range<u64>,
    partial: bool,
}

impl Stretch {
    fn of(object: &Object, range: Option<dto::Range>, part: Option<i32>) -> S3Result<Self> {
        match part {
            None => {}
            Some(1) if !object.etag.contains('-') => {}
            Some(1) => {
                return Err(s3_error!(
                    NotImplemented,
                    "localcloud does not read single parts of an object."
                ));
            }
            Some(_) => {
                return Err(custom(
                    "InvalidPartNumber",
                    StatusCode::RANGE_NOT_SATISFIABLE,
                    "The requested partnumber is not satisfiable",
                ));
            }
        }
        let Some(range) = range else {
            return Ok(Self {
                bytes: 0..object.size,
                partial: false,
            });
        };
        let bytes = range
            .check(object.size)
            .map_err(|_| s3_error!(InvalidRange, "The requested range is not satisfiable"))?;
        Ok(Self {
            bytes,
            partial: true,
        })
    }

    fn header(&self, size: u64) -> Option<String> {
        self.partial.then(|| {
            format!(
                "bytes {}-{}/{size}",
                self.bytes.start,
                self.bytes.end.saturating_sub(1)
            )
        })
    }
}

fn wants_checksums(mode: Option<&dto::ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == dto::ChecksumMode::ENABLED)
}

pub(super) fn get(
    api: &Api,
    request: S3Request<dto::GetObjectInput>,
) -> Answer<dto::GetObjectOutput> {
    let bucket = api.bucket(&request, &request.input.bucket)?;
    only_version(request.input.version_id.as_deref())?;
    let (object, file): (_, File) = bucket
        .open_object(&request.input.key)
        .map_err(|error| api.missing(&request, &bucket.name, error))?;
    let input = request.input;
    conditions::Read {
        matches: input.if_match.as_ref(),
        matches_not: input.if_none_match.as_ref(),
        modified_since: input.if_modified_since.as_ref(),
        unmodified_since: input.if_unmodified_since.as_ref(),
    }
    .check(&object)?;
    let stretch = Stretch::of(&object, input.range, input.part_number)?;
    let mut output = dto::GetObjectOutput::default();
    describe!(
        output,
        &object,
        stretch,
        wants_checksums(input.checksum_mode.as_ref())
    );
    output.tag_count = i32::try_from(object.attributes.tags.len())
        .ok()
        .filter(|count| *count > 0);
    output.body = Some(Content::of(file, stretch.bytes));
    Ok(S3Response::new(output))
}

pub(super) fn head(
    api: &Api,
    request: &S3Request<dto::HeadObjectInput>,
) -> Answer<dto::HeadObjectOutput> {
    let input = &request.input;
    let bucket = api.bucket(request, &input.bucket)?;
    only_version(input.version_id.as_deref())?;
    let object = bucket
        .object(&input.key)
        .map_err(|error| api.missing(request, &bucket.name, error))?;
    conditions::Read {
        matches: input.if_match.as_ref(),
        matches_not: input.if_none_match.as_ref(),
        modified_since: input.if_modified_since.as_ref(),
        unmodified_since: input.if_unmodified_since.as_ref(),
    }
    .check(&object)?;
    let stretch = Stretch::of(&object, input.range, input.part_number)?;
    let mut output = dto::HeadObjectOutput::default();
    describe!(
        output,
        &object,
        stretch,
        wants_checksums(input.checksum_mode.as_ref())
    );
    Ok(S3Response::new(output))
}

/// `GetObjectAttributes`: of an object only what is asked for.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>
pub(super) fn get_attributes(
    api: &Api,
    request: &S3Request<dto::GetObjectAttributesInput>,
) -> Answer<dto::GetObjectAttributesOutput> {
    let input = &request.input;
    let bucket = api.bucket(request, &input.bucket)?;
    only_version(input.version_id.as_deref())?;
    let object = bucket
        .object(&input.key)
        .map_err(|error| api.missing(request, &bucket.name, error))?;
    let mut output = dto::GetObjectAttributesOutput {
        last_modified: Some(timestamp(object.modified)),
        ..Default::default()
    };
    // The wire library takes a list in one header for one attribute.
    let asked = input.object_attributes.iter();
    for name in asked.flat_map(|names| names.as_str().split(',')) {
        match name.trim() {
            dto::ObjectAttributes::ETAG => output.e_tag = Some(conditions::etag(&object)),
            dto::ObjectAttributes::OBJECT_SIZE => {
                output.object_size = i64::try_from(object.size).ok();
            }
            dto::ObjectAttributes::STORAGE_CLASS => {
                output.storage_class =
                    Some(dto::StorageClass::from_static(dto::StorageClass::STANDARD));
            }
            dto::ObjectAttributes::CHECKSUM => {
                let mut checksum = dto::Checksum {
                    checksum_type: object.checksums.kind(),
                    ..Default::default()
                };
                checksums::fill!(checksum, &object.checksums);
                output.checksum = (!object.checksums.is_empty()).then_some(checksum);
            }
            dto::ObjectAttributes::OBJECT_PARTS => {
                let parts = object.etag.split_once('-');
                output.object_parts = parts.map(|(_, count)| dto::GetObjectAttributesParts {
                    total_parts_count: count.parse().ok(),
                    ..Default::default()
                });
            }
            _ => {
                return Err(s3_error!(
                    InvalidArgument,
                    "Invalid attribute name specified."
                ));
            }
        }
    }
    Ok(S3Response::new(output))
}

pub(super) async fn delete(
    api: &Api,
    request: S3Request<dto::DeleteObjectInput>,
) -> Answer<dto::DeleteObjectOutput> {
    let bucket = api.bucket(&request, &request.input.bucket)?;
    let input = request.input;
    let condition = conditions::Write {
        matches: input.if_match,
        matches_not: None,
    };
    blocking(move || {
        bucket.commit(None, |contents| {
            let existing = contents.objects.get(&input.key);
            condition.check(existing.map(AsRef::as_ref))?;
            let gone = deletion(contents, input.key, input.version_id);
            Ok(gone.into_iter().collect())
        })
    })
    .await?;
    Ok(S3Response::new(dto::DeleteObjectOutput::default()))
}

/// The change that deletes a key, or one version of it for good; none if there is no such thing.
fn deletion(contents: &Contents, key: String, version: Option<String>) -> Option<Change> {
    match version {
        Some(id) => contents
            .has_version(&key, &id)
            .then_some(Change::DeleteVersion { key, id }),
        None => contents
            .objects
            .contains_key(&key)
            .then_some(Change::Delete { key }),
    }
}

pub(super) async fn delete_many(
    api: &Api,
    request: S3Request<dto::DeleteObjectsInput>,
) -> Answer<dto::DeleteObjectsOutput> {
    let bucket = api.bucket(&request, &request.input.bucket)?;
    let asked = &request.input.delete;
    if asked.objects.is_empty() || asked.objects.len() > LARGEST_DELETE {
        return Err(s3_error!(
            MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema"
        ));
    }
    let quiet = asked.quiet.unwrap_or(false);
    let (mut sound, mut errors) = (Vec::new(), Vec::new());
    for object in &asked.objects {
        let right = table::delete_one(&bucket.name, &object.key, object.version_id.is_some());
        match api.permit(&request, right) {
            Ok(()) => sound.push(object.clone()),
            Err(error) => errors.push(dto::Error {
                code: Some(error.code().as_str().to_owned()),
                message: error.message().map(str::to_owned),
                key: Some(object.key.clone()),
                version_id: object.version_id.clone(),
            }),
        }
    }
    let named: Vec<_> = sound
        .iter()
        .map(|object| (object.key.clone(), object.version_id.clone()))
        .collect();
    blocking(move || {
        bucket.commit(None, |contents| {
            let gone = named
                .into_iter()
                .filter_map(|(key, version)| deletion(contents, key, version));
            Ok(gone.collect())
        })
    })
    .await?;
    let deleted = sound.into_iter().map(|object| dto::DeletedObject {
        key: Some(object.key),
        version_id: object.version_id,
        ..Default::default()
    });
    Ok(S3Response::new(dto::DeleteObjectsOutput {
        deleted: (!quiet).then(|| deleted.collect()),
        errors: Some(errors),
        ..Default::default()
    }))
}
