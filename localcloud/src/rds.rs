//! RDS: databases, each a PostgreSQL server of its own.

mod actions;
mod answers;
mod authority;
mod catalogue;
mod database;
mod leftovers;
mod lifecycle;
mod postgres;
mod request;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::StartError;
use crate::access::Keys;
use crate::auth::Caller;
use crate::cloud::Thing;
use crate::context::Context;
use crate::ec2::{Ec2, GroupUser};
use crate::network::Zone;
use crate::state::Document;
use crate::wire::{ApiError, Params};

use authority::Authority;
use database::{Database, Databases, Key};
use leftovers::{Leftovers, PARAMETER_GROUP, SUBNET_GROUP};
use postgres::{Account, Binaries, Cluster, Server};

/// The version that databases on paper have.
const PAPER_VERSION: &str = "17.6";

/// The databases of an account.
#[derive(Debug)]
pub struct Rds {
    inner: Arc<Inner>,
}

/// What the tasks that work on databases share.
#[derive(Debug)]
struct Inner {
    context: Arc<Context>,
    ec2: Arc<Ec2>,
    databases: Document<Databases>,
    leftovers: Document<Leftovers>,
    authority: Authority,
    account: Account,
    binaries: OnceCell<Binaries>,
    servers: Mutex<HashMap<Key, Server>>,
    /// Held while the template is made: databases that are made at once share it.
    template: Arc<Mutex<()>>,
}

impl Rds {
    /// Opens the service on the state that is on disk.
    ///
    /// # Errors
    /// The state cannot be read, or PostgreSQL's user cannot enter the home.
    #[expect(clippy::unused_async, reason = "the frame awaits it")]
    pub async fn open(context: Arc<Context>, ec2: Arc<Ec2>) -> Result<Self, StartError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| StartError::Service {
            service: "RDS",
            source,
        };
        let account = if context.paper {
            Account::Own
        } else {
            Account::find().map_err(|error| failed(error.into()))?
        };
        account
            .must_enter(context.home.path())
            .map_err(|error| failed(error.into()))?;
        let authority = Authority::open(&context.home).map_err(|error| failed(error.into()))?;
        let databases: Document<Databases> = context.state.document("rds")?;
        let leftovers: Document<Leftovers> = context.state.document("rds-leftovers")?;
        databases.read(|databases| {
            for (_, database) in databases.all() {
                context.network.reserve(database.address);
            }
        });
        let inner = Inner {
            context,
            ec2,
            databases,
            leftovers,
            authority,
            account,
            binaries: OnceCell::new(),
            servers: Mutex::default(),
            template: Arc::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Answers a call with what belongs inside `<ActionResult>`.
    ///
    /// # Errors
    /// What RDS answers in that case.
    pub async fn call(&self, caller: &Caller, params: &Params) -> Result<String, ApiError> {
        match params.action()? {
            "CreateDBInstance" => self.create(caller, params).await,
            "DescribeDBInstances" => self.describe(caller, params),
            "ModifyDBInstance" => self.modify(caller, params),
            "DeleteDBInstance" => self.delete(caller, params),
            "StopDBInstance" => self.stop(caller, params),
            "StartDBInstance" => self.start(caller, params),
            "AddTagsToResource" => self.tag(caller, params),
            "RemoveTagsFromResource" => self.untag(caller, params),
            "ListTagsForResource" => self.list_tags(caller, params),
            "DescribeAccountAttributes" => {
                let used = self.inner.databases_in(&caller.region);
                Ok(catalogue::account_attributes(used))
            }
            "DescribeDBEngineVersions" => Ok(catalogue::engine_versions(
                params,
                &self.inner.version().await?,
            )),
            "DescribeOrderableDBInstanceOptions" => {
                let zones = Zone::ALL.map(|zone| zone.name(&caller.region));
                catalogue::orderable(params, &self.inner.version().await?, &zones)
            }
            "DescribeDBSnapshots" => self.describe_snapshots(caller, params),
            "DeleteDBSnapshot" => self.delete_snapshot(caller, params).await,
            "DescribeDBInstanceAutomatedBackups" => self.describe_backups(caller, params),
            "DeleteDBInstanceAutomatedBackup" => self.delete_backup(caller, params).await,
            "CreateDBSubnetGroup" => self.create_group(caller, params, &SUBNET_GROUP),
            "DescribeDBSubnetGroups" => self.describe_groups(caller, params, &SUBNET_GROUP),
            "DeleteDBSubnetGroup" => self.delete_group(caller, params, &SUBNET_GROUP),
            "CreateDBParameterGroup" => self.create_group(caller, params, &PARAMETER_GROUP),
            "DescribeDBParameterGroups" => self.describe_groups(caller, params, &PARAMETER_GROUP),
            "DeleteDBParameterGroup" => self.delete_group(caller, params, &PARAMETER_GROUP),
            action => Err(ApiError::invalid_action(action)),
        }
    }

    /// Tags and attributes of a database, as condition keys; none if there is none of that name.
    pub fn keys_of(&self, region: &str, identifier: &str) -> Keys {
        self.inner.databases.read(|databases| {
            let Some(database) = databases.get(&Key::new(region, identifier)) else {
                return Keys::default();
            };
            Keys::default()
                .with_tags("aws:ResourceTag", &database.tags)
                .with_tags("rds:db-tag", &database.tags)
                .with("rds:DatabaseClass", &database.size.class)
                .with("rds:DatabaseEngine", "postgres")
                .with("rds:StorageSize", database.size.storage.to_string())
        })
    }

    /// Starts again what ran when localcloud stopped, and goes on with what was being done.
    pub async fn resume(&self) {
        self.inner.resume().await;
    }

    /// The PostgreSQL that databases run on, where one is installed or was fetched: version and folder.
    pub async fn postgresql(home: &Path) -> Option<String> {
        let found = Binaries::find(&fetched(home)).await?;
        let folder = found.program("");
        Some(format!("{} in {}", found.version, folder.display()))
    }

    /// What is left, one line each.
    pub fn remaining(&self) -> Vec<String> {
        let databases: Vec<String> = self.inner.databases.read(|databases| {
            databases
                .all()
                .map(|(key, _)| format!("database {} in {}", key.identifier, key.region))
                .collect()
        });
        [databases, self.inner.leftovers.read(Leftovers::remaining)].concat()
    }

    /// What is there, as kinds and tags.
    pub fn things(&self) -> Vec<Thing> {
        self.inner.databases.read(|databases| {
            let all = databases.all();
            all.map(|(_, database)| Thing::new("database", &database.tags))
                .collect()
        })
    }

    /// Stops every server; the state stays.
    pub async fn shutdown(&self) {
        let servers: Vec<Server> = self
            .inner
            .servers()
            .drain()
            .map(|(_, server)| server)
            .collect();
        futures::future::join_all(servers.into_iter().map(Server::stop)).await;
    }
}

impl Inner {
    fn servers(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Server>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version that new databases have.
    async fn version(&self) -> Result<String, ApiError> {
        if self.context.paper {
            return Ok(PAPER_VERSION.to_owned());
        }
        Ok(self.binaries().await?.version.clone())
    }

    /// The programs, looked for (and if need be fetched) when the first database wants them. An
    /// error is not remembered: installing PostgreSQL helps without a restart.
    async fn binaries(&self) -> Result<&Binaries, ApiError> {
        let home = self.context.home.path();
        self.binaries
            .get_or_try_init(async || Binaries::find_or_fetch(&fetched(home)).await)
            .await
            .map_err(|error| {
                tracing::error!(%error, "no PostgreSQL");
                ApiError::new("InsufficientDBInstanceCapacity", error.to_string())
            })
    }

    fn databases_in(&self, region: &str) -> usize {
        self.databases.read(|databases| {
            databases
                .all()
                .filter(|(key, _)| key.region == region)
                .count()
        })
    }

    fn folder(&self) -> PathBuf {
        self.context.home.join("databases")
    }

    fn cluster(&self, database: &Database) -> Cluster {
        Cluster::at(self.folder().join(&database.resource_id), self.account)
    }
}

/// Where a PostgreSQL is put that was fetched: beside localcloud's home.
fn fetched(home: &Path) -> PathBuf {
    home.parent().unwrap_or(home).join("postgresql")
}

impl GroupUser for Rds {
    fn users_of_group(&self, region: &str, group_id: &str) -> Vec<String> {
        self.inner.databases.read(|databases| {
            databases
                .all()
                .filter(|(key, database)| {
                    key.region == region && database.groups.iter().any(|group| group == group_id)
                })
                .map(|(key, _)| format!("database {}", key.identifier))
                .collect()
        })
    }
}
