//! What the deployer writes into the bucket for instances to read: programs and settings.

use aws_sdk_ec2::types::Tag;
use aws_sdk_s3::primitives::ByteStream;
use deployer_core::names::{ResourceName, TAG_SETTINGS};
use deployer_core::plan::artifact_key;
use deployer_core::settings::NotYet;

use super::Site;
use crate::error::{AwsError, During};
use crate::stored;

impl Site {
    pub(super) async fn upload_program(&self, name: &str, sha256: &str) -> Result<(), AwsError> {
        let path = self.folder.join(name);
        let what = format!("reading {}", path.display());
        let body = ByteStream::from_path(&path).await;
        let body = body.map_err(|e| AwsError::Here {
            what,
            source: Box::new(e),
        })?;
        let bucket = self.home_bucket()?;
        stored::put(
            &self.account,
            &bucket,
            &artifact_key(name, sha256),
            body,
            "application/octet-stream",
        )
        .await
    }

    /// The hash goes onto the instance last: what was cut off before it is published again.
    pub(super) async fn publish_settings(
        &self,
        instance: &ResourceName,
        pools: &[ResourceName],
    ) -> Result<(), AwsError> {
        let bucket = self.home_bucket()?;
        let (documents, hash) = self.with_sources(|sources| {
            let documents = sources.documents(instance, pools)?;
            Ok((documents, sources.hash(instance, pools)?))
        })?;
        for document in documents {
            let body = ByteStream::from(document.text.into_bytes());
            stored::put(
                &self.account,
                &bucket,
                &document.key,
                body,
                "application/json",
            )
            .await?;
        }
        let id = self.lock().instances.get(instance).cloned();
        let id = id.ok_or_else(|| NotYet(format!("instance/{instance}")))?;
        let tag = Tag::builder().key(TAG_SETTINGS).value(hash).build();
        self.account
            .ec2
            .create_tags()
            .resources(id)
            .tags(tag)
            .send()
            .await
            .during("CreateTags")
            .map(drop)
    }
}
