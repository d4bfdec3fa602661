//! `CopyObject`: a second name for the same bytes, which never change once written.

use std::fs::File;
use std::sync::Arc;

use s3s::dto;
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::super::bucket::Bucket;
use super::super::error::internal;
use super::super::index::Change;
use super::super::object::{Attributes, Object, now, timestamp};
use super::super::receive::NewFile;
use super::objects::attributes;
use super::{Answer, Api, blocking, checksums, conditions, only_version};

/// The object that a copy is made of.
pub(super) struct Source {
    pub(super) bucket: Arc<Bucket>,
    pub(super) key: String,
    pub(super) object: Arc<Object>,
    pub(super) data: File,
}

/// Opens the object that a copy is made of, if it is as the caller demands.
pub(super) fn open<T>(
    api: &Api,
    request: &S3Request<T>,
    named: &dto::CopySource,
    demanded: &conditions::Read<'_>,
) -> S3Result<Source> {
    let dto::CopySource::Bucket {
        bucket,
        key,
        version_id,
    } = named
    else {
        return Err(s3_error!(
            NotImplemented,
            "localcloud copies from buckets, not from access points."
        ));
    };
    only_version(version_id.as_deref())?;
    let bucket = api.store.bucket(bucket)?;
    let (object, data) = bucket
        .open_object(key)
        .map_err(|error| api.missing(request, &bucket.name, error))?;
    demanded.check(&object).map_err(|_| {
        s3_error!(
            PreconditionFailed,
            "At least one of the pre-conditions you specified did not hold"
        )
    })?;
    Ok(Source {
        bucket,
        key: key.to_string(),
        object,
        data,
    })
}

/// What an input of the wire library demands of the object it copies from.
macro_rules! demanded {
    ($input:expr) => {
        conditions::Read {
            matches: $input.copy_source_if_match.as_ref(),
            matches_not: $input.copy_source_if_none_match.as_ref(),
            modified_since: $input.copy_source_if_modified_since.as_ref(),
            unmodified_since: $input.copy_source_if_unmodified_since.as_ref(),
        }
    };
}
pub(super) use demanded;

pub(super) async fn copy(
    api: &Api,
    mut request: S3Request<dto::CopyObjectInput>,
) -> Answer<dto::CopyObjectOutput> {
    let target = api.bucket(&request, &request.input.bucket)?;
    let source = open(
        api,
        &request,
        &request.input.copy_source,
        &demanded!(request.input),
    )?;
    let replaces = |directive: Option<&str>| directive == Some("REPLACE");
    let new_metadata = replaces(
        request
            .input
            .metadata_directive
            .as_ref()
            .map(dto::MetadataDirective::as_str),
    );
    let new_tags = replaces(
        request
            .input
            .tagging_directive
            .as_ref()
            .map(dto::TaggingDirective::as_str),
    );
    let itself = source.bucket.name == target.name && source.key == request.input.key;
    if itself && !new_metadata && !new_tags {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes."
        ));
    }
    let given: Attributes = attributes!(request.input)?;
    let input = request.input;
    let object = blocking(move || {
        let mut copy = Object::clone(&source.object);
        copy.modified = now();
        if new_metadata {
            let tags = std::mem::take(&mut copy.attributes.tags);
            copy.attributes = Attributes {
                tags,
                ..given.clone()
            };
        }
        if new_tags {
            copy.attributes.tags = given.tags;
        }
        let mut file = NewFile::reserve(&target.files());
        let original = source.bucket.files().join(&source.object.file);
        // The file may be gone, replaced since it was opened: then its bytes are read instead.
        if std::fs::hard_link(original, file.path()).is_err() {
            let mut to = File::create_new(file.path()).map_err(internal)?;
            std::io::copy(&mut &source.data, &mut to).map_err(internal)?;
            to.sync_all().map_err(internal)?;
        }
        copy.file.clone_from(&file.name);
        let copy = Arc::new(copy);
        let change = Change::Put {
            key: input.key,
            object: Arc::clone(&copy),
        };
        target.commit(Some((&mut file, &source.data)), |_| Ok(vec![change]))?;
        Ok(copy)
    })
    .await?;
    let mut result = dto::CopyObjectResult {
        e_tag: Some(conditions::etag(&object)),
        last_modified: Some(timestamp(object.modified)),
        checksum_type: object.checksums.kind(),
        ..Default::default()
    };
    checksums::fill!(result, &object.checksums);
    Ok(S3Response::new(dto::CopyObjectOutput {
        copy_object_result: Some(result),
        ..Default::default()
    }))
}
