//! Listings of objects, versions, uploads and parts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::super::listing::{Page, Query, page};
use super::super::object::{Object, timestamp};
use super::super::versions::{self, After};
use super::{Answer, Api, conditions, multipart};

const LARGEST_PAGE: i32 = 1000;
const KEPT: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b'/');

/// How keys are written in an answer: as they are, or percent-encoded if the client asked so.
#[derive(Clone)]
struct Encoding(Option<dto::EncodingType>);

impl Encoding {
    fn of(asked: Option<&dto::EncodingType>) -> S3Result<Self> {
        match asked.map(dto::EncodingType::as_str) {
            None | Some(dto::EncodingType::URL) => Ok(Self(asked.cloned())),
            Some(_) => Err(s3_error!(
                InvalidArgument,
                "Invalid Encoding Method specified in Request"
            )),
        }
    }

    fn write(&self, text: &str) -> String {
        match self.0 {
            None => text.to_owned(),
            Some(_) => Cow::from(utf8_percent_encode(text, &KEPT)).into_owned(),
        }
    }

    fn some(&self, text: Option<&str>) -> Option<String> {
        text.filter(|text| !text.is_empty())
            .map(|text| self.write(text))
    }
}

fn limit(asked: Option<i32>) -> S3Result<i32> {
    match asked.unwrap_or(LARGEST_PAGE) {
        asked if asked < 0 => Err(s3_error!(
            InvalidArgument,
            "Argument maxKeys must be an integer between 0 and 2147483647"
        )),
        asked => Ok(asked.min(LARGEST_PAGE)),
    }
}

fn count(number: i32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

/// What the three listings of objects have in common.
struct Listed {
    encoding: Encoding,
    limit: i32,
    objects: Vec<(String, Arc<Object>)>,
    prefixes: Vec<dto::CommonPrefix>,
    next: Option<String>,
}

fn list<T>(
    api: &Api,
    request: &S3Request<T>,
    bucket: &str,
    query: Query<'_>,
    max_keys: Option<i32>,
    encoding: Option<&dto::EncodingType>,
) -> S3Result<Listed> {
    let bucket = api.bucket(request, bucket)?;
    let encoding = Encoding::of(encoding)?;
    let limit = limit(max_keys)?;
    bucket.read(|contents| {
        let Page {
            entries,
            prefixes,
            next,
        } = page(
            &contents.objects,
            Query {
                limit: count(limit),
                ..query
            },
        );
        Ok(Listed {
            objects: entries
                .into_iter()
                .map(|(key, object)| (key.to_owned(), Arc::clone(object)))
                .collect(),
            prefixes: common(&encoding, &prefixes),
            next: next.map(str::to_owned),
            limit,
            encoding,
        })
    })
}

fn common(encoding: &Encoding, prefixes: &[&str]) -> Vec<dto::CommonPrefix> {
    prefixes
        .iter()
        .map(|prefix| dto::CommonPrefix {
            prefix: Some(encoding.write(prefix)),
        })
        .collect()
}

impl Listed {
    fn contents(&self, owner: Option<&dto::Owner>) -> Vec<dto::Object> {
        self.objects
            .iter()
            .map(|(key, object)| dto::Object {
                key: Some(self.encoding.write(key)),
                e_tag: Some(conditions::etag(object)),
                last_modified: Some(timestamp(object.modified)),
                size: i64::try_from(object.size).ok(),
                storage_class: Some(dto::ObjectStorageClass::from_static(
                    dto::ObjectStorageClass::STANDARD,
                )),
                checksum_type: object.checksums.kind(),
                owner: owner.cloned(),
                ..Default::default()
            })
            .collect()
    }
}

pub(super) fn objects(
    api: &Api,
    request: &S3Request<dto::ListObjectsInput>,
) -> Answer<dto::ListObjectsOutput> {
    let input = &request.input;
    let query = Query {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref().unwrap_or_default(),
        after: input.marker.as_deref().unwrap_or_default(),
        limit: 0,
    };
    let listed = list(
        api,
        request,
        &input.bucket,
        query,
        input.max_keys,
        input.encoding_type.as_ref(),
    )?;
    let encoding = &listed.encoding;
    Ok(S3Response::new(dto::ListObjectsOutput {
        name: Some(input.bucket.clone()),
        prefix: Some(encoding.write(query.prefix)),
        marker: Some(encoding.write(query.after)),
        delimiter: encoding.some(input.delimiter.as_deref()),
        max_keys: Some(listed.limit),
        is_truncated: Some(listed.next.is_some()),
        // "This element is returned only if you have the delimiter request parameter specified."
        next_marker: encoding.some(
            listed
                .next
                .as_deref()
                .filter(|_| !query.delimiter.is_empty()),
        ),
        contents: Some(listed.contents(Some(&api.owner()))),
        common_prefixes: Some(listed.prefixes.clone()),
        encoding_type: encoding.0.clone(),
        request_charged: None,
    }))
}

pub(super) fn objects_v2(
    api: &Api,
    request: &S3Request<dto::ListObjectsV2Input>,
) -> Answer<dto::ListObjectsV2Output> {
    let input = &request.input;
    let resumed = input
        .continuation_token
        .as_deref()
        .map(untoken)
        .transpose()?;
    let query = Query {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref().unwrap_or_default(),
        after: resumed
            .as_deref()
            .or(input.start_after.as_deref())
            .unwrap_or_default(),
        limit: 0,
    };
    let listed = list(
        api,
        request,
        &input.bucket,
        query,
        input.max_keys,
        input.encoding_type.as_ref(),
    )?;
    let encoding = &listed.encoding;
    let owner = input.fetch_owner.unwrap_or(false).then(|| api.owner());
    Ok(S3Response::new(dto::ListObjectsV2Output {
        name: Some(input.bucket.clone()),
        prefix: Some(encoding.write(query.prefix)),
        delimiter: encoding.some(input.delimiter.as_deref()),
        start_after: encoding.some(input.start_after.as_deref()),
        max_keys: Some(listed.limit),
        key_count: i32::try_from(listed.objects.len() + listed.prefixes.len()).ok(),
        continuation_token: input.continuation_token.clone(),
        is_truncated: Some(listed.next.is_some()),
        next_continuation_token: listed.next.as_deref().map(token),
        contents: Some(listed.contents(owner.as_ref())),
        common_prefixes: Some(listed.prefixes.clone()),
        encoding_type: encoding.0.clone(),
        request_charged: None,
    }))
}

fn token(after: &str) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(after)
}

fn untoken(token: &str) -> S3Result<String> {
    let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| {
            s3_error!(
                InvalidArgument,
                "The continuation token provided is incorrect"
            )
        })
}

pub(super) fn versions(
    api: &Api,
    request: &S3Request<dto::ListObjectVersionsInput>,
) -> Answer<dto::ListObjectVersionsOutput> {
    let input = &request.input;
    let bucket = api.bucket(request, &input.bucket)?;
    if input.delimiter.as_deref().is_some_and(|d| !d.is_empty()) {
        return Err(s3_error!(
            NotImplemented,
            "localcloud lists versions without a delimiter only"
        ));
    }
    let encoding = Encoding::of(input.encoding_type.as_ref())?;
    let limit = limit(input.max_keys)?;
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let after = After {
        key: input.key_marker.as_deref().unwrap_or_default(),
        id: input.version_id_marker.as_deref().unwrap_or_default(),
    };
    let (found, more) =
        bucket.read(|contents| versions::page(contents, prefix, after, count(limit)));
    let next = found.last().filter(|_| more);
    let next = next.map(|last| (encoding.write(&last.key), last.id.clone()));
    let (objects, markers) = found.iter().partition::<Vec<_>, _>(|v| v.object.is_some());
    let versions = objects.into_iter().filter_map(|version| {
        let object = version.object.as_ref()?;
        Some(dto::ObjectVersion {
            key: Some(encoding.write(&version.key)),
            version_id: Some(version.id.clone()),
            is_latest: Some(version.is_latest),
            e_tag: Some(conditions::etag(object)),
            last_modified: Some(timestamp(version.at)),
            size: i64::try_from(object.size).ok(),
            storage_class: Some(dto::ObjectVersionStorageClass::from_static(
                dto::ObjectVersionStorageClass::STANDARD,
            )),
            owner: Some(api.owner()),
            ..Default::default()
        })
    });
    let markers = markers.into_iter().map(|version| dto::DeleteMarkerEntry {
        key: Some(encoding.write(&version.key)),
        version_id: Some(version.id.clone()),
        is_latest: Some(version.is_latest),
        last_modified: Some(timestamp(version.at)),
        owner: Some(api.owner()),
    });
    Ok(S3Response::new(dto::ListObjectVersionsOutput {
        name: Some(input.bucket.clone()),
        prefix: Some(encoding.write(prefix)),
        key_marker: Some(encoding.write(after.key)),
        version_id_marker: Some(after.id.to_owned()),
        max_keys: Some(limit),
        is_truncated: Some(more),
        next_key_marker: next.as_ref().map(|(key, _)| key.clone()),
        next_version_id_marker: next.map(|(_, id)| id),
        versions: Some(versions.collect()),
        delete_markers: Some(markers.collect()),
        encoding_type: encoding.0.clone(),
        ..Default::default()
    }))
}

pub(super) fn uploads(
    api: &Api,
    request: &S3Request<dto::ListMultipartUploadsInput>,
) -> Answer<dto::ListMultipartUploadsOutput> {
    let input = &request.input;
    let bucket = api.bucket(request, &input.bucket)?;
    let encoding = Encoding::of(input.encoding_type.as_ref())?;
    let limit = limit(input.max_uploads)?;
    // Key and upload id in one name, so that the listing of names is one of uploads in AWS's order.
    let name = |key: &str, id: &str| format!("{key}\0{id}");
    let after = match (
        input.key_marker.as_deref().unwrap_or_default(),
        input.upload_id_marker.as_deref(),
    ) {
        ("", _) => String::new(),
        (key, Some(id)) if !id.is_empty() => name(key, id),
        (key, _) => name(key, "\u{10ffff}"),
    };
    let all: BTreeMap<String, dto::MultipartUpload> = bucket.read(|contents| {
        let uploads = contents.uploads.iter();
        uploads
            .map(|(id, upload)| {
                let wire = dto::MultipartUpload {
                    key: Some(encoding.write(&upload.key)),
                    upload_id: Some(id.clone()),
                    initiated: Some(timestamp(upload.initiated)),
                    storage_class: Some(dto::StorageClass::from_static(
                        dto::StorageClass::STANDARD,
                    )),
                    owner: Some(api.owner()),
                    initiator: Some(dto::Initiator {
                        id: Some(api.owner.clone()),
                        display_name: None,
                    }),
                    checksum_algorithm: upload.algorithm.clone().map(dto::ChecksumAlgorithm::from),
                    checksum_type: None,
                };
                (name(&upload.key, id), wire)
            })
            .collect()
    });
    let query = Query {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref().unwrap_or_default(),
        after: &after,
        limit: count(limit),
    };
    let page = page(&all, query);
    let next = page
        .next
        .map(|next| next.rsplit_once('\0').unwrap_or((next, "")));
    Ok(S3Response::new(dto::ListMultipartUploadsOutput {
        bucket: Some(input.bucket.clone()),
        prefix: encoding.some(input.prefix.as_deref()),
        delimiter: encoding.some(input.delimiter.as_deref()),
        key_marker: Some(encoding.write(input.key_marker.as_deref().unwrap_or_default())),
        upload_id_marker: Some(input.upload_id_marker.clone().unwrap_or_default()),
        max_uploads: Some(limit),
        is_truncated: Some(next.is_some()),
        next_key_marker: encoding.some(next.map(|(key, _)| key)),
        next_upload_id_marker: next.map(|(_, id)| id.to_owned()),
        uploads: Some(
            page.entries
                .iter()
                .map(|(_, upload)| (*upload).clone())
                .collect(),
        ),
        common_prefixes: Some(common(&encoding, &page.prefixes)),
        encoding_type: encoding.0.clone(),
        request_charged: None,
    }))
}

pub(super) fn parts(
    api: &Api,
    request: &S3Request<dto::ListPartsInput>,
) -> Answer<dto::ListPartsOutput> {
    let input = &request.input;
    let bucket = api.bucket(request, &input.bucket)?;
    let limit = limit(input.max_parts)?;
    let after = input.part_number_marker.unwrap_or(0);
    let upload =
        bucket.read(|contents| multipart::find(contents, &input.upload_id, &input.key).cloned())?;
    let mut parts: Vec<dto::Part> = upload
        .parts
        .range(after.saturating_add(1)..)
        .take(count(limit) + 1)
        .map(|(number, part)| {
            let mut wire = dto::Part {
                part_number: Some(*number),
                e_tag: Some(dto::ETag::Strong(part.etag.clone())),
                last_modified: Some(timestamp(part.modified)),
                size: i64::try_from(part.size).ok(),
                ..Default::default()
            };
            super::checksums::fill!(wire, &part.checksums);
            wire
        })
        .collect();
    let more = parts.len() > count(limit);
    parts.truncate(count(limit));
    Ok(S3Response::new(dto::ListPartsOutput {
        bucket: Some(input.bucket.clone()),
        key: Some(input.key.clone()),
        upload_id: Some(input.upload_id.clone()),
        part_number_marker: Some(after),
        next_part_number_marker: parts.last().and_then(|part| part.part_number),
        max_parts: Some(limit),
        is_truncated: Some(more),
        parts: Some(parts),
        owner: Some(api.owner()),
        initiator: Some(dto::Initiator {
            id: Some(api.owner.clone()),
            display_name: None,
        }),
        storage_class: Some(dto::StorageClass::from_static(dto::StorageClass::STANDARD)),
        checksum_algorithm: upload.algorithm.map(dto::ChecksumAlgorithm::from),
        ..Default::default()
    }))
}
