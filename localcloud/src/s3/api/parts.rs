//! The parts of a multipart upload: sent, or copied from an object that is there.

use std::sync::Arc;

use s3s::dto;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::super::bucket::Bucket;
use super::super::content::Content;
use super::super::index::Change;
use super::super::object::{Part, now, timestamp};
use super::super::receive::{Expected, Received, receive};
use super::multipart::find;
use super::objects::take;
use super::{Answer, Api, blocking, checksums, conditions, copies};

const LAST_PART_NUMBER: i32 = 10_000;

pub(super) async fn upload(
    api: &Api,
    mut request: S3Request<dto::UploadPartInput>,
) -> Answer<dto::UploadPartOutput> {
    let bucket = api.bucket(&request, &request.input.bucket)?;
    let number = request.input.part_number;
    let (id, key) = (request.input.upload_id.clone(), request.input.key.clone());
    let place = Place::of(&bucket, id, key, number)?;
    let body = request.input.body.take();
    let algorithm = place.algorithm.as_deref().unwrap_or_default();
    let received = take(&bucket, &request, body, algorithm).await?;
    let part = keep(bucket, place, received).await?;
    let mut output = dto::UploadPartOutput {
        e_tag: Some(dto::ETag::Strong(part.etag.clone())),
        ..Default::default()
    };
    checksums::fill!(output, &part.checksums);
    Ok(S3Response::new(output))
}

/// A part whose bytes are those of an object that is there.
pub(super) async fn copy(
    api: &Api,
    request: S3Request<dto::UploadPartCopyInput>,
) -> Answer<dto::UploadPartCopyOutput> {
    let bucket = api.bucket(&request, &request.input.bucket)?;
    let source = copies::open(
        api,
        &request,
        &request.input.copy_source,
        &copies::demanded!(request.input),
    )?;
    let input = request.input;
    let stretch = stretch(input.copy_source_range.as_deref(), source.object.size)?;
    let place = Place::of(&bucket, input.upload_id, input.key, input.part_number)?;
    let expected = Expected {
        length: Some(stretch.end - stretch.start),
        signed: false,
    };
    let received = receive(
        &bucket.files(),
        Some(Content::of(source.data, stretch)),
        expected,
        checksums::hasher(place.algorithm.as_deref()),
    )
    .await?;
    let part = keep(bucket, place, received).await?;
    let mut result = dto::CopyPartResult {
        e_tag: Some(dto::ETag::Strong(part.etag.clone())),
        last_modified: Some(timestamp(part.modified)),
        ..Default::default()
    };
    checksums::fill!(result, &part.checksums);
    Ok(S3Response::new(dto::UploadPartCopyOutput {
        copy_part_result: Some(result),
        ..Default::default()
    }))
}

/// Where a part goes.
struct Place {
    id: String,
    key: String,
    number: i32,
    /// The checksum that the upload has of each part.
    algorithm: Option<String>,
}

impl Place {
    fn of(bucket: &Bucket, id: String, key: String, number: i32) -> S3Result<Self> {
        if !(1..=LAST_PART_NUMBER).contains(&number) {
            return Err(s3_error!(
                InvalidArgument,
                "Part number must be an integer between 1 and {LAST_PART_NUMBER}, inclusive"
            ));
        }
        let algorithm = bucket
            .read(|contents| find(contents, &id, &key).map(|upload| upload.algorithm.clone()))?;
        Ok(Self {
            id,
            key,
            number,
            algorithm,
        })
    }
}

/// Makes what was received a part of its upload.
async fn keep(bucket: Arc<Bucket>, place: Place, mut received: Received) -> S3Result<Arc<Part>> {
    let part = Arc::new(Part {
        file: received.file.name.clone(),
        size: received.size,
        etag: hex::encode(received.md5),
        modified: now(),
        checksums: received.checksums.clone(),
    });
    let kept = Arc::clone(&part);
    blocking(move || {
        let Place {
            id, key, number, ..
        } = place;
        bucket.commit(Some((&mut received.file, &received.data)), |contents| {
            find(contents, &id, &key)?;
            Ok(vec![Change::Part { id, number, part }])
        })
    })
    .await?;
    Ok(kept)
}

/// The bytes that `x-amz-copy-source-range` names, all if it is not there.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>
fn stretch(range: Option<&str>, size: u64) -> S3Result<std::ops::Range<u64>> {
    let Some(range) = range else {
        return Ok(0..size);
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (first, last) = range
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
        .filter(|(first, last)| digits(first) && digits(last))
        .and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)))
        .ok_or_else(|| {
            s3_error!(
                InvalidArgument,
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy"
            )
        })?;
    if first > last || last >= size {
        return Err(s3_error!(
            InvalidArgument,
            "Range specified is not valid for source object of size: {size}"
        ));
    }
    Ok(first..last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_to_copy_names_both_its_ends_within_the_object() {
        let of_ten = |range| stretch(Some(range), 10).ok();
        assert_eq!(stretch(None, 10).ok(), Some(0..10));
        assert_eq!(of_ten("bytes=0-9"), Some(0..10));
        assert_eq!(of_ten("bytes=9-9"), Some(9..10));
        for wrong in [
            "bytes=0-10",
            "bytes=5-4",
            "bytes=5-",
            "bytes=-5",
            "bytes=+1-2",
            "bytes=0-1,3-4",
            "0-9",
            "",
            "bytes=0-18446744073709551615",
            "bytes=0-99999999999999999999",
        ] {
            assert_eq!(of_ten(wrong), None, "{wrong}");
        }
    }
}
