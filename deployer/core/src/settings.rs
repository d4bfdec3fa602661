//! The documents that instances read from the bucket: what a service needs to know, and no secret.
//! The services' half of this agreement is `kit::settings`.

use std::collections::BTreeMap;

use serde::Deserialize;
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
    fn of(key: String, value: &Value) -> Document {
        Document {
            key,
            text: value.to_string(),
        }
    }

    /// A document as it was read.
    #[must_use]
    pub fn new(key: String, bytes: &[u8]) -> Document {
        Document {
            key,
            text: String::from_utf8_lossy(bytes).into_owned(),
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

/// Where a manager finds what the blueprint says of its pool. It stands below the manager's own
/// settings, so that who may read these may read it too.
#[must_use]
pub fn pool_blueprint_key(instance: &ResourceName, pool: &ResourceName) -> String {
    format!(
        "settings/{}/{instance}/{pool}.json",
        Kind::Instance.as_str()
    )
}

/// Where a manager says how its pool is.
#[must_use]
pub fn status_key(instance: &ResourceName) -> String {
    format!("status/{instance}.json")
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
    pub fn instance(&self, instance_name: &ResourceName) -> Result<Document, NotYet> {
        let instance = self
            .blueprint
            .instances
            .get(instance_name)
            .ok_or_else(|| NotYet(format!("instance/{instance_name}")))?;
        let services: Vec<_> = instance.services.iter().map(|s| s.as_str()).collect();
        let mut document = self.common(&services)?;
        document["api"] = instance.api.as_str().into();
        for service in &instance.services {
            document[service.as_str()] = match service {
                Service::FrontEnd => json!({
                    "port": service.port(), "upload-limit": UPLOAD_LIMIT, "images-only": false,
                }),
                Service::Manager | Service::CacheNode => json!({ "port": service.port() }),
                Service::Scaler => json!({}),
            };
        }
        if let Some((name, _)) = self.blueprint.databases.first_key_value() {
            document["database"] = self.database(name)?;
        }
        if let Some((name, pool)) = self.blueprint.pools.first_key_value() {
            document["pool"] = self.pool_for_its_manager(instance_name, name, pool);
        }
        Ok(Document::of(
            settings_key(Kind::Instance, instance_name),
            &document,
        ))
    }

    /// What the blueprint says of a pool, for the instance that manages it. The manager reads it
    /// while it runs, so what stands here is edited without a restart.
    ///
    /// # Errors
    /// [`NotYet`] names what has to exist first.
    pub fn pool_blueprint(
        &self,
        instance: &ResourceName,
        name: &ResourceName,
    ) -> Result<Document, NotYet> {
        let document = self.pool_as_wanted(name)?;
        Ok(Document::of(pool_blueprint_key(instance, name), &document))
    }

    /// The settings of a pool's nodes: nothing that an edit changes, since a node starts its service
    /// anew, and empty, when they change. The rest its manager tells it.
    ///
    /// # Errors
    /// [`NotYet`] names what has to exist first.
    pub fn pool(&self, name: &ResourceName) -> Result<Document, NotYet> {
        let service = self.found_pool(name)?.service;
        let mut document = self.common(&[service.as_str()])?;
        document[service.as_str()] = json!({ "port": service.port() });
        Ok(Document::of(settings_key(Kind::Pool, name), &document))
    }

    /// All the documents that an instance acts by: those of the pools it looks after, and its own.
    ///
    /// # Errors
    /// [`NotYet`] names what has to exist first.
    pub fn documents(
        &self,
        instance: &ResourceName,
        pools: &[ResourceName],
    ) -> Result<Vec<Document>, NotYet> {
        let mut documents = Vec::new();
        for pool in pools {
            documents.push(self.pool(pool)?);
            documents.push(self.pool_blueprint(instance, pool)?);
        }
        documents.push(self.instance(instance)?);
        Ok(documents)
    }

    /// The hash of all the documents that an instance acts by. A pool's size at its first start is
    /// left out: later it says nothing.
    ///
    /// # Errors
    /// [`NotYet`] names what has to exist first.
    pub fn hash(&self, instance: &ResourceName, pools: &[ResourceName]) -> Result<String, NotYet> {
        let mut hash = Sha256::new();
        hash.update(self.instance(instance)?.text);
        for pool in pools {
            let mut wanted = self.pool_as_wanted(pool)?;
            wanted["size"]["start"].take();
            hash.update(wanted.to_string());
            hash.update(self.pool(pool)?.text);
        }
        Ok(hex::encode(hash.finalize()))
    }

    fn found_pool(&self, name: &ResourceName) -> Result<&Pool, NotYet> {
        let missing = || NotYet(format!("pool/{name}"));
        self.blueprint.pools.get(name).ok_or_else(missing)
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

    fn pool_for_its_manager(
        &self,
        instance: &ResourceName,
        name: &ResourceName,
        pool: &Pool,
    ) -> Value {
        json!({
            "name": name.as_str(), "service": pool.service.as_str(), "port": pool.service.port(),
            "blueprint": pool_blueprint_key(instance, name),
            "settings": settings_key(Kind::Pool, name), "secrets": secrets_key(Kind::Pool, name),
            "tags": {
                TAG_DEPLOYMENT: self.scope.deployment.as_str(),
                TAG_RESOURCE: format!("{}/{name}", Kind::Pool.as_str()),
            },
        })
    }

    fn pool_as_wanted(&self, name: &ResourceName) -> Result<Value, NotYet> {
        let pool = self.found_pool(name)?;
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
        let mut wanted = json!({
            "image": image, "type": pool.machine, "instance-profile": profile,
            "security-groups": [group],
            "subnets": self.ground.subnets.iter().map(subnet).collect::<Vec<_>>(),
            "size": { "min": pool.size.min, "max": pool.size.max, "start": pool.size.start },
            "capacity": pool.capacity, "policy": pool.policy.as_str(),
            "hand-over": pool.hand_over, "mode": scaling.mode(),
            "grow-above": scaling.grow_above, "shrink-below": scaling.shrink_below,
            "expand": scaling.expand, "shrink": scaling.shrink,
        });
        // Left out where AWS decides, so that nodes of before are as the blueprint says.
        if let Some(credits) = pool.cpu_credits {
            wanted["cpu-credits"] = credits.as_str().into();
        }
        if let Some(most) = self.ground.most_instances(self.blueprint) {
            wanted["max-instances"] = most.into();
        }
        Ok(wanted)
    }
}

/// The bucket that holds settings and programs: the one that was made as such, else the
/// blueprint's first.
///
/// # Errors
/// [`NotYet`] when it has not been made.
pub fn home_bucket<'a>(blueprint: &Blueprint, known: &'a Known) -> Result<&'a str, NotYet> {
    let first = || blueprint.buckets.keys().next();
    let name = known
        .home
        .as_ref()
        .or_else(first)
        .ok_or_else(|| NotYet("a bucket".into()))?;
    let bucket = known
        .buckets
        .get(name)
        .ok_or_else(|| NotYet(format!("bucket/{name}")))?;
    Ok(bucket)
}

/// What a manager says of its pool, in the bucket. The manager's half is its `status`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PoolStatus {
    /// Whether every node that is wished for serves.
    pub ready: bool,
    /// Nodes wished for.
    pub wanted: u32,
    /// Nodes that serve.
    pub nodes: u32,
    /// The hash of the settings that the manager was started with.
    pub settings: String,
    /// The hash of the pool's blueprint, when all of it is in effect.
    #[serde(default)]
    pub blueprint: Option<String>,
    /// Which node is being replaced, and why: `2 of 3: new image`.
    #[serde(default)]
    pub replacing: Option<String>,
    /// Why no node can be launched at the moment.
    #[serde(default)]
    pub hold: Option<String>,
    /// What is in effect of all that people can set on the manager's page too, by the names that
    /// the catalog has for it.
    #[serde(default)]
    pub choices: BTreeMap<String, Value>,
    /// The manager's instance.
    pub instance: String,
}
