//! The documents that instances read from the bucket: what a service needs to know, and no secret.
//! The services' half of this agreement is `kit::settings`.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::blueprint::{Blueprint, Pool, Service};
use crate::inventory::{Ground, Subnet};
use crate::known::Known;
use crate::names::{Kind, ResourceName, Scope, TAG_DEPLOYMENT, TAG_RESOURCE};

/// The user of the database, which owns it, and the name of the database.
pub const DATABASE_NAME: &str = "bivouac";
/// The largest photo that the front-end takes, in bytes.
pub const UPLOAD_LIMIT: u64 = 25 * 1024 * 1024;

/// A document and where it goes in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its key in the bucket.
    pub key: String,
    /// Its text, JSON.
    pub text: String,
}

impl Document {
    fn new(key: String, value: &Value) -> Document {
        Document {
            key,
            text: value.to_string(),
        }
    }

    /// SHA-256 of the text, hexadecimal.
    #[must_use]
    pub fn hash(&self) -> String {
        hex::encode(Sha256::digest(&self.text))
    }
}

/// Where the settings of a resource stand in the bucket.
#[must_use]
pub fn settings_key(kind: Kind, name: &ResourceName) -> String {
    format!("settings/{}/{name}.json", kind.as_str())
}

/// Where the secrets of a resource stand in the bucket.
#[must_use]
pub fn secrets_key(kind: Kind, name: &ResourceName) -> String {
    format!("secrets/{}/{name}.json", kind.as_str())
}

/// The resource that a settings document needs and that does not exist yet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} does not exist yet")]
pub struct NotYet(pub String);

/// What the documents are made from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The deployment's names.
    pub scope: &'a Scope,
    /// What is asked for.
    pub blueprint: &'a Blueprint,
    /// What it is built on.
    pub ground: &'a Ground,
    /// What exists.
    pub known: &'a Known,
    /// The certificates that the database's own is checked against, PEM.
    pub database_ca: &'a str,
}

impl Sources<'_> {
    /// The settings of a single instance.
    ///
    /// # Errors
    /// [`NotYet`] names what has to exist first.
    pub fn instance(&self, name: &ResourceName) -> Result<Document, NotYet> {
        let instance = self
            .blueprint
            .instances
            .get(name)
            .ok_or_else(|| NotYet(format!("instance/{name}")))?;
        let services: Vec<_> = instance.services.iter().map(|s| s.as_str()).collect();
        let mut document = self.common(&services)?;
        for service in &instance.services {
            document[service.as_str()] = match service {
                Service::FrontEnd => json!({
                    "port": service.port(), "upload-limit": UPLOAD_LIMIT, "images-only": false,
                }),
                Service::Manager | Service::CacheNode => json!({ "port": service.port() }),
            };
        }
        if let Some((name, _)) = self.blueprint.databases.first_key_value() {
            document["database"] = self.database(name)?;
        }
        if let Some((name, pool)) = self.blueprint.pools.first_key_value() {
            document["pool"] = self.pool_for_its_manager(name, pool)?;
        }
        Ok(Document::new(settings_key(Kind::Instance, name), &document))
    }

    /// The settings of a pool's nodes.
    ///
    /// # Errors
    /// [`NotYet`] names what has to exist first.
    pub fn pool(&self, name: &ResourceName) -> Result<Document, NotYet> {
        let pool = self
            .blueprint
            .pools
            .get(name)
            .ok_or_else(|| NotYet(format!("pool/{name}")))?;
        let mut document = self.common(&[pool.service.as_str()])?;
        document[pool.service.as_str()] = json!({
            "port": pool.service.port(), "capacity": pool.capacity, "policy": pool.policy.as_str(),
        });
        Ok(Document::new(settings_key(Kind::Pool, name), &document))
    }

    /// The hash of all the documents that an instance acts by: its own, and those of the pools it
    /// looks after.
    ///
    /// # Errors
    /// [`NotYet`] names what has to exist first.
    pub fn hash(&self, instance: &ResourceName, pools: &[ResourceName]) -> Result<String, NotYet> {
        if pools.is_empty() {
            return Ok(self.instance(instance)?.hash());
        }
        let mut hash = Sha256::new();
        hash.update(self.instance(instance)?.text);
        for pool in pools {
            hash.update(self.pool(pool)?.text);
        }
        Ok(hex::encode(hash.finalize()))
    }

    fn common(&self, services: &[&str]) -> Result<Value, NotYet> {
        Ok(json!({
            "services": services,
            "deployment": self.scope.deployment.as_str(),
            "region": self.scope.region,
            "namespace": self.scope.namespace(),
            "bucket": home_bucket(self.blueprint, self.known)?,
        }))
    }

    fn database(&self, name: &ResourceName) -> Result<Value, NotYet> {
        let endpoint = self
            .known
            .databases
            .get(name)
            .ok_or_else(|| NotYet(format!("database/{name}")))?;
        Ok(json!({
            "host": endpoint.host, "port": endpoint.port,
            "name": DATABASE_NAME, "user": DATABASE_NAME, "ca": self.database_ca,
        }))
    }

    fn pool_for_its_manager(&self, name: &ResourceName, pool: &Pool) -> Result<Value, NotYet> {
        let known = self.known;
        let image = known
            .images
            .get(&pool.image)
            .ok_or_else(|| NotYet(format!("image/{}", pool.image)))?;
        let group = known
            .security_groups
            .get(&pool.security_group)
            .ok_or_else(|| NotYet(format!("security-group/{}", pool.security_group)))?;
        let profile = known
            .profiles
            .get(&pool.role)
            .ok_or_else(|| NotYet(format!("role/{}", pool.role)))?;
        let subnet = |s: &Subnet| json!({ "id": s.id, "zone": s.zone });
        let scaling = &pool.scaling;
        Ok(json!({
            "name": name.as_str(), "service": pool.service.as_str(), "port": pool.service.port(),
            "image": image, "type": pool.machine, "instance-profile": profile,
            "security-groups": [group],
            "subnets": self.ground.subnets.iter().map(subnet).collect::<Vec<_>>(),
            "settings": settings_key(Kind::Pool, name), "secrets": secrets_key(Kind::Pool, name),
            "tags": {
                TAG_DEPLOYMENT: self.scope.deployment.as_str(),
                TAG_RESOURCE: format!("{}/{name}", Kind::Pool.as_str()),
            },
            "size": { "min": pool.size.min, "max": pool.size.max, "start": pool.size.start },
            "capacity": pool.capacity, "policy": pool.policy.as_str(),
            "mode": if scaling.automatic { "auto" } else { "manual" },
            "grow-above": scaling.grow_above, "shrink-below": scaling.shrink_below,
            "expand": scaling.expand, "shrink": scaling.shrink,
        }))
    }
}

/// The bucket that holds settings and programs: the blueprint's first.
///
/// # Errors
/// [`NotYet`] when it has not been made.
pub fn home_bucket<'a>(blueprint: &Blueprint, known: &'a Known) -> Result<&'a str, NotYet> {
    let name = blueprint
        .buckets
        .keys()
        .next()
        .ok_or_else(|| NotYet("a bucket".into()))?;
    let bucket = known
        .buckets
        .get(name)
        .ok_or_else(|| NotYet(format!("bucket/{name}")))?;
    Ok(bucket)
}
