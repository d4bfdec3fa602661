//! The operations, one line each: which function answers which call.
//! Those not named here answer `NotImplemented` with their name.

mod buckets;
mod checksums;
mod conditions;
mod copies;
mod listings;
mod multipart;
mod objects;
mod parts;
mod settings;
mod tags;

pub(crate) use buckets::CreationTags;

use std::sync::Arc;

use s3s::dto;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};

use super::access::denied;
use super::bucket::Bucket;
use super::error::internal;
use super::store::Store;
use crate::access::table;
use crate::access::{Access, Check};
use crate::auth::Caller;
use crate::context::Context;

/// The S3 API over the store.
pub(crate) struct Api {
    pub(crate) store: Arc<Store>,
    pub(crate) owner: String,
    pub(crate) access: Arc<Access>,
    pub(crate) context: Arc<Context>,
}

impl Api {
    /// The bucket, if the request was signed for the region it is in.
    fn bucket<T>(&self, request: &S3Request<T>, name: &str) -> S3Result<Arc<Bucket>> {
        let bucket = self.store.bucket(name)?;
        let region = bucket.region();
        match &request.region {
            Some(signed) if signed.as_str() != region => {
                Err(wrong_region(signed.as_str(), &region))
            }
            _ => Ok(bucket),
        }
    }

    /// Refuses a caller one thing more than what its request as a whole was checked for.
    fn permit<T>(&self, request: &S3Request<T>, check: Check) -> S3Result<()> {
        let caller = request.extensions.get::<Caller>();
        let caller = caller.ok_or_else(|| s3_error!(AccessDenied, "Access Denied"))?;
        self.access
            .permit(caller, &[check])
            .map_err(|refusal| denied(&refusal))
    }

    /// That an object is missing is told only to who may list its bucket.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>
    fn missing<T>(&self, request: &S3Request<T>, bucket: &str, error: S3Error) -> S3Error {
        if *error.code() != S3ErrorCode::NoSuchKey {
            return error;
        }
        match self.permit(request, table::list(bucket)) {
            Ok(()) => error,
            Err(denied) => denied,
        }
    }

    fn owner(&self) -> dto::Owner {
        dto::Owner {
            display_name: None,
            id: Some(self.owner.clone()),
        }
    }
}

fn wrong_region(signed: &str, region: &str) -> s3s::S3Error {
    let mut error = s3_error!(
        AuthorizationHeaderMalformed,
        "The authorization header is malformed; the region '{signed}' is wrong; expecting '{region}'"
    );
    if let Ok(value) = region.parse() {
        error.set_headers(
            [(http::HeaderName::from_static("x-amz-bucket-region"), value)]
                .into_iter()
                .collect(),
        );
    }
    error
}

/// Runs what blocks on the disk where that may take its time.
async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> S3Result<R> + Send + 'static,
) -> S3Result<R> {
    tokio::task::spawn_blocking(work).await.map_err(internal)?
}

/// Versioning is off: the only version there is is called `null`.
fn only_version(version: Option<&str>) -> S3Result<()> {
    match version {
        None | Some("null") => Ok(()),
        Some(_) => Err(s3_error!(
            NoSuchVersion,
            "The specified version does not exist."
        )),
    }
}

type Answer<T> = S3Result<S3Response<T>>;

#[async_trait::async_trait]
impl S3 for Api {
    async fn create_bucket(
        &self,
        request: S3Request<dto::CreateBucketInput>,
    ) -> Answer<dto::CreateBucketOutput> {
        buckets::create(self, request).await
    }
    async fn head_bucket(
        &self,
        request: S3Request<dto::HeadBucketInput>,
    ) -> Answer<dto::HeadBucketOutput> {
        buckets::head(self, &request)
    }
    async fn delete_bucket(
        &self,
        request: S3Request<dto::DeleteBucketInput>,
    ) -> Answer<dto::DeleteBucketOutput> {
        buckets::delete(self, request).await
    }
    async fn list_buckets(
        &self,
        request: S3Request<dto::ListBucketsInput>,
    ) -> Answer<dto::ListBucketsOutput> {
        buckets::list(self, request.input).await
    }
    async fn get_bucket_location(
        &self,
        request: S3Request<dto::GetBucketLocationInput>,
    ) -> Answer<dto::GetBucketLocationOutput> {
        buckets::location(self, &request)
    }
    async fn get_bucket_versioning(
        &self,
        request: S3Request<dto::GetBucketVersioningInput>,
    ) -> Answer<dto::GetBucketVersioningOutput> {
        settings::get_versioning(self, &request)
    }
    async fn put_bucket_versioning(
        &self,
        request: S3Request<dto::PutBucketVersioningInput>,
    ) -> Answer<dto::PutBucketVersioningOutput> {
        settings::put_versioning(self, request).await
    }

    async fn get_bucket_tagging(
        &self,
        request: S3Request<dto::GetBucketTaggingInput>,
    ) -> Answer<dto::GetBucketTaggingOutput> {
        settings::get_tags(self, &request)
    }
    async fn put_bucket_tagging(
        &self,
        request: S3Request<dto::PutBucketTaggingInput>,
    ) -> Answer<dto::PutBucketTaggingOutput> {
        settings::put_tags(self, request).await
    }
    async fn delete_bucket_tagging(
        &self,
        request: S3Request<dto::DeleteBucketTaggingInput>,
    ) -> Answer<dto::DeleteBucketTaggingOutput> {
        settings::delete_tags(self, request).await
    }
    async fn get_public_access_block(
        &self,
        request: S3Request<dto::GetPublicAccessBlockInput>,
    ) -> Answer<dto::GetPublicAccessBlockOutput> {
        settings::get_public_access_block(self, &request)
    }
    async fn put_public_access_block(
        &self,
        request: S3Request<dto::PutPublicAccessBlockInput>,
    ) -> Answer<dto::PutPublicAccessBlockOutput> {
        settings::put_public_access_block(self, request).await
    }
    async fn delete_public_access_block(
        &self,
        request: S3Request<dto::DeletePublicAccessBlockInput>,
    ) -> Answer<dto::DeletePublicAccessBlockOutput> {
        settings::delete_public_access_block(self, request).await
    }
    async fn get_bucket_lifecycle_configuration(
        &self,
        request: S3Request<dto::GetBucketLifecycleConfigurationInput>,
    ) -> Answer<dto::GetBucketLifecycleConfigurationOutput> {
        settings::get_lifecycle(self, &request)
    }
    async fn put_bucket_lifecycle_configuration(
        &self,
        request: S3Request<dto::PutBucketLifecycleConfigurationInput>,
    ) -> Answer<dto::PutBucketLifecycleConfigurationOutput> {
        settings::put_lifecycle(self, request).await
    }
    async fn delete_bucket_lifecycle(
        &self,
        request: S3Request<dto::DeleteBucketLifecycleInput>,
    ) -> Answer<dto::DeleteBucketLifecycleOutput> {
        settings::delete_lifecycle(self, request).await
    }

    async fn list_objects(
        &self,
        request: S3Request<dto::ListObjectsInput>,
    ) -> Answer<dto::ListObjectsOutput> {
        listings::objects(self, &request)
    }
    async fn list_objects_v2(
        &self,
        request: S3Request<dto::ListObjectsV2Input>,
    ) -> Answer<dto::ListObjectsV2Output> {
        listings::objects_v2(self, &request)
    }
    async fn list_object_versions(
        &self,
        request: S3Request<dto::ListObjectVersionsInput>,
    ) -> Answer<dto::ListObjectVersionsOutput> {
        listings::versions(self, &request)
    }

    async fn put_object(
        &self,
        request: S3Request<dto::PutObjectInput>,
    ) -> Answer<dto::PutObjectOutput> {
        objects::put(self, request).await
    }
    async fn get_object(
        &self,
        request: S3Request<dto::GetObjectInput>,
    ) -> Answer<dto::GetObjectOutput> {
        objects::get(self, request)
    }
    async fn head_object(
        &self,
        request: S3Request<dto::HeadObjectInput>,
    ) -> Answer<dto::HeadObjectOutput> {
        objects::head(self, &request)
    }
    async fn get_object_attributes(
        &self,
        request: S3Request<dto::GetObjectAttributesInput>,
    ) -> Answer<dto::GetObjectAttributesOutput> {
        objects::get_attributes(self, &request)
    }
    async fn copy_object(
        &self,
        request: S3Request<dto::CopyObjectInput>,
    ) -> Answer<dto::CopyObjectOutput> {
        copies::copy(self, request).await
    }
    async fn delete_object(
        &self,
        request: S3Request<dto::DeleteObjectInput>,
    ) -> Answer<dto::DeleteObjectOutput> {
        objects::delete(self, request).await
    }
    async fn delete_objects(
        &self,
        request: S3Request<dto::DeleteObjectsInput>,
    ) -> Answer<dto::DeleteObjectsOutput> {
        objects::delete_many(self, request).await
    }
    async fn get_object_tagging(
        &self,
        request: S3Request<dto::GetObjectTaggingInput>,
    ) -> Answer<dto::GetObjectTaggingOutput> {
        tags::get(self, &request)
    }
    async fn put_object_tagging(
        &self,
        request: S3Request<dto::PutObjectTaggingInput>,
    ) -> Answer<dto::PutObjectTaggingOutput> {
        tags::put(self, request).await
    }
    async fn delete_object_tagging(
        &self,
        request: S3Request<dto::DeleteObjectTaggingInput>,
    ) -> Answer<dto::DeleteObjectTaggingOutput> {
        tags::delete(self, request).await
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<dto::CreateMultipartUploadInput>,
    ) -> Answer<dto::CreateMultipartUploadOutput> {
        multipart::create(self, request).await
    }
    async fn upload_part(
        &self,
        request: S3Request<dto::UploadPartInput>,
    ) -> Answer<dto::UploadPartOutput> {
        parts::upload(self, request).await
    }
    async fn upload_part_copy(
        &self,
        request: S3Request<dto::UploadPartCopyInput>,
    ) -> Answer<dto::UploadPartCopyOutput> {
        parts::copy(self, request).await
    }
    async fn complete_multipart_upload(
        &self,
        request: S3Request<dto::CompleteMultipartUploadInput>,
    ) -> Answer<dto::CompleteMultipartUploadOutput> {
        multipart::complete(self, request).await
    }
    async fn abort_multipart_upload(
        &self,
        request: S3Request<dto::AbortMultipartUploadInput>,
    ) -> Answer<dto::AbortMultipartUploadOutput> {
        multipart::abort(self, request).await
    }
    async fn list_parts(
        &self,
        request: S3Request<dto::ListPartsInput>,
    ) -> Answer<dto::ListPartsOutput> {
        listings::parts(self, &request)
    }
    async fn list_multipart_uploads(
        &self,
        request: S3Request<dto::ListMultipartUploadsInput>,
    ) -> Answer<dto::ListMultipartUploadsOutput> {
        listings::uploads(self, &request)
    }
}
