//! The work that takes time: making, starting, stopping and removing databases.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::Inner;
use super::database::{Database, Key, Status};
use super::postgres::{Binaries, ClusterError, Master, Server};
use crate::rehearsal::{Delay, Due};
use crate::state::{is_out_of_room, room_in};

/// What is to be done with a database. Its status says it too, so that a restart goes on with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Create,
    Modify,
    Start,
    Stop,
    Delete,
}

/// How often it is tried to start a database that could not be when localcloud came up.
const START_AGAIN: Duration = Duration::from_secs(2);

/// How often it is looked whether there is room again.
const LOOK_FOR_ROOM: Duration = Duration::from_millis(100);
/// What an empty database takes, with its log of changes, and some to spare.
const DATABASE_SIZE: u64 = 64 << 20;

type Done = Result<(), Box<dyn std::error::Error + Send + Sync>>;

impl Inner {
    /// Does the work in the background. Its end shows in the database's status.
    pub(super) fn begin(self: &Arc<Self>, key: Key, work: Work) {
        let inner = Arc::clone(self);
        self.context.tasks.spawn(async move {
            let stopping = inner.context.stopping.clone();
            // What localcloud's end interrupts is gone on with at its next start.
            stopping
                .run_until_cancelled(inner.work_or_fail(&key, work))
                .await;
        });
    }

    /// Does the work. What failed for want of room is done again once there is some: nobody has put
    /// anything yet into a database that could not be made, and none is made in its place.
    async fn work_or_fail(&self, key: &Key, work: Work) {
        while let Some(database) = self.database(key) {
            let Err(error) = self.work(key, &database, work).await else {
                return;
            };
            tracing::error!(
                database = key.identifier,
                ?work,
                error = &*error as &dyn std::error::Error,
                "failed"
            );
            let out_of_room = is_out_of_room(&*error) || !self.has_room();
            self.turn(key, |database| database.status = Status::Failed)
                .await;
            if work != Work::Create || !out_of_room {
                return;
            }
            while !self.has_room() {
                tokio::time::sleep(LOOK_FOR_ROOM).await;
            }
            self.turn(key, |database| {
                if database.status == Status::Failed {
                    database.status = Status::Creating;
                }
            })
            .await;
            let is_wanted = |database: Database| database.status == Status::Creating;
            if !self.database(key).is_some_and(is_wanted) {
                return;
            }
        }
    }

    /// Whether a database fits on the disk.
    fn has_room(&self) -> bool {
        room_in(self.context.home.path()).is_none_or(|room| room > DATABASE_SIZE)
    }

    /// Goes on with everything that was being done, and starts what was running.
    pub(super) async fn resume(self: &Arc<Self>) {
        let databases: Vec<(Key, Database)> = self.databases.read(|databases| {
            databases
                .all()
                .map(|(key, found)| (key, found.clone()))
                .collect()
        });
        let resumed = databases.into_iter().filter_map(|(key, database)| {
            let work = match database.status {
                Status::Creating => Work::Create,
                Status::Modifying => Work::Modify,
                Status::Stopping => Work::Stop,
                Status::Deleting => Work::Delete,
                Status::Starting | Status::Available | Status::BackingUp => Work::Start,
                // Its password is kept until it is made.
                Status::Failed if database.password.is_some() => Work::Create,
                Status::Stopped | Status::Failed => return None,
            };
            Some(self.resume_one(key, database, work))
        });
        futures::future::join_all(resumed).await;
    }

    async fn resume_one(self: &Arc<Self>, key: Key, database: Database, work: Work) {
        if work != Work::Start {
            return self.begin(key, work);
        }
        if let Err(error) = self.start(&key, &database).await {
            tell_of_start(&key, &*error);
            self.turn(&key, |database| database.status = Status::Starting)
                .await;
            let inner = Arc::clone(self);
            self.context.tasks.spawn(async move {
                let stopping = inner.context.stopping.clone();
                stopping.run_until_cancelled(inner.insist(&key)).await;
            });
        }
    }

    /// Starts a database that has its data, but not what else it takes: its address, or room on the
    /// disk. What is in the way may go; to call it failed would be to give its data up.
    async fn insist(&self, key: &Key) {
        loop {
            tokio::time::sleep(START_AGAIN).await;
            let Some(database) = self
                .database(key)
                .filter(|database| database.status == Status::Starting)
            else {
                return;
            };
            match self.start(key, &database).await {
                Ok(()) => return,
                Err(error) => tell_of_start(key, &*error),
            }
        }
    }

    async fn work(&self, key: &Key, database: &Database, work: Work) -> Done {
        match work {
            Work::Create => self.create(key, database).await,
            Work::Modify => self.modify(key, database).await,
            Work::Start => {
                let due = self.delay(Delay::DatabaseStarted, key, database);
                due.over().await;
                self.start(key, database).await
            }
            Work::Stop => {
                let due = self.delay(Delay::DatabaseStopped, key, database);
                due.over().await;
                self.stop(key).await
            }
            Work::Delete => self.delete(key, database).await,
        }
    }

    async fn create(&self, key: &Key, database: &Database) -> Done {
        let due = self.delay(Delay::DatabaseCreated, key, database);
        if !self.context.paper {
            let binaries = self.binaries().await?.clone();
            self.make_cluster(&binaries, database).await?;
            let server = self.launch(&binaries, database).await?;
            self.keep(key, server).await;
        }
        due.over().await;
        if database.size.retention > 0 {
            let due = self.delay(Delay::DatabaseBackedUp, key, database);
            self.turn(key, |database| {
                database.status = Status::BackingUp;
                database.password = None;
            })
            .await;
            self.back_up(database).await?;
            due.over().await;
        }
        self.turn(key, |database| {
            database.status = Status::Available;
            database.password = None;
        })
        .await;
        Ok(())
    }

    /// The first backup, which here is no more than having everything on disk.
    async fn back_up(&self, database: &Database) -> Done {
        if !self.context.paper {
            let cluster = self.cluster(database);
            blocking(move || cluster.flush()).await??;
        }
        Ok(())
    }

    /// A new class is another machine, and a password is set with nobody else there: both restart
    /// the server. Storage grows while it runs, unless localcloud was restarted in the middle.
    async fn modify(&self, key: &Key, database: &Database) -> Done {
        let due = self.delay(Delay::DatabaseModified, key, database);
        let has_new_class = database.at_once && database.pending.class.is_some();
        let stands = !self.servers().contains_key(key);
        if !self.context.paper && (has_new_class || database.password.is_some() || stands) {
            self.restart(key, database).await?;
        }
        due.over().await;
        self.turn(key, |database| {
            database.status = Status::Available;
            database.password = None;
            if database.at_once {
                database.apply();
            }
        })
        .await;
        Ok(())
    }

    async fn restart(&self, key: &Key, database: &Database) -> Done {
        let binaries = self.binaries().await?.clone();
        self.halt(key).await;
        let cluster = self.cluster(database);
        let (user, password) = (database.master.clone(), database.password.clone());
        let with = binaries.clone();
        blocking(move || match password {
            Some(password) => cluster.set_password(&with, &user, &password.0),
            None => Ok(()),
        })
        .await??;
        let server = self.launch(&binaries, database).await?;
        self.keep(key, server).await;
        Ok(())
    }

    async fn start(&self, key: &Key, database: &Database) -> Done {
        if !self.context.paper {
            let binaries = self.binaries().await?.clone();
            let server = self.launch(&binaries, database).await?;
            self.keep(key, server).await;
        }
        self.turn(key, |database| database.status = Status::Available)
            .await;
        Ok(())
    }

    async fn stop(&self, key: &Key) -> Done {
        self.halt(key).await;
        self.turn(key, |database| database.status = Status::Stopped)
            .await;
        Ok(())
    }

    async fn delete(&self, key: &Key, database: &Database) -> Done {
        let due = self.delay(Delay::DatabaseDeleted, key, database);
        self.halt(key).await;
        due.over().await;
        self.remove_files(database).await?;
        let stopping = &self.context.stopping;
        let noted = self
            .databases
            .note(stopping, |databases| databases.remove(key));
        noted.await;
        self.context.network.release(database.address);
        let interface = format!("the network interface of database {}", key.identifier);
        self.context
            .stage
            .leave_interface(&key.region, &interface, &database.groups);
        Ok(())
    }

    /// Removes a database's files, unless a snapshot or a backup holds them.
    async fn remove_files(&self, database: &Database) -> Done {
        let id = &database.resource_id;
        if !self.context.paper && !self.leftovers.read(|left| left.holds(id)) {
            let cluster = self.cluster(database);
            blocking(move || cluster.remove()).await??;
        }
        Ok(())
    }

    /// The same for a database that is gone, when what held them is gone too. What cannot be removed
    /// is told.
    pub(super) async fn forget(&self, database: &Database) {
        let id = &database.resource_id;
        let is_there = self.databases.read(|databases| {
            let mut all = databases.all();
            all.any(|(_, other)| other.resource_id == *id)
        });
        if !is_there && let Err(error) = self.remove_files(database).await {
            let error = &*error as &dyn std::error::Error;
            tracing::error!(error, "cannot remove what a database has left");
        }
    }

    fn delay(&self, delay: Delay, key: &Key, database: &Database) -> Due {
        let stage = &self.context.stage;
        stage.begin_with_tags(delay, &key.identifier, &database.tags)
    }

    async fn make_cluster(&self, binaries: &Binaries, database: &Database) -> Done {
        let cluster = self.cluster(database);
        let templates = self.folder();
        let password = database
            .password
            .clone()
            .ok_or("the password is not known any more")?;
        let (user, name) = (database.master.clone(), database.name.clone());
        let binaries = binaries.clone();
        let account = self.account;
        let lock = Arc::clone(&self.template);
        blocking(move || {
            let template = {
                let _one_at_a_time = lock.lock().unwrap_or_else(PoisonError::into_inner);
                super::postgres::template(&binaries, &templates, account)?
            };
            let master = Master {
                user: &user,
                password: &password.0,
                database: name.as_deref(),
            };
            cluster.create(&binaries, &template, master)
        })
        .await??;
        Ok(())
    }

    async fn launch(
        &self,
        binaries: &Binaries,
        database: &Database,
    ) -> Result<Server, Box<dyn std::error::Error + Send + Sync>> {
        let cluster = self.cluster(database);
        let identity = self.authority.issue(database.address)?;
        let (address, port) = (database.address, database.port);
        let configured = cluster.clone();
        blocking(move || -> Result<(), ClusterError> {
            configured.configure(address, port, &identity)
        })
        .await??;
        Ok(Server::start(cluster, binaries, &self.context.init_program, address, port).await?)
    }

    /// Keeps a server that has been started, unless localcloud is already stopping.
    async fn keep(&self, key: &Key, server: Server) {
        let refused = {
            let mut servers = self.servers();
            if self.context.stopping.is_cancelled() {
                Some(server)
            } else {
                servers.insert(key.clone(), server)
            }
        };
        if let Some(server) = refused {
            server.stop().await;
        }
    }

    async fn halt(&self, key: &Key) {
        let server = self.servers().remove(key);
        if let Some(server) = server {
            server.stop().await;
        }
    }

    fn database(&self, key: &Key) -> Option<Database> {
        self.databases.read(|databases| databases.get(key).cloned())
    }

    /// Writes down what has become of a database, if it is still there.
    async fn turn(&self, key: &Key, mut change: impl FnMut(&mut Database)) {
        let noted = self.databases.note(&self.context.stopping, |databases| {
            if let Some(database) = databases.get_mut(key) {
                change(database);
            }
        });
        noted.await;
    }
}

fn tell_of_start(key: &Key, error: &(dyn std::error::Error + Send + Sync + 'static)) {
    let error = error as &dyn std::error::Error;
    tracing::error!(
        database = key.identifier,
        error,
        "does not start; trying again"
    );
}

async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, tokio::task::JoinError> {
    tokio::task::spawn_blocking(work).await
}
