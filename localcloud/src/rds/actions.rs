//! The actions on databases: what is asked for, checked against what is there.

use http::StatusCode;

use crate::auth::{Caller, upper_base32};
use crate::network::Zone;
use crate::wire::{ApiError, Params, Xml};

use super::Rds;
use super::answers::{self, Surroundings};
use super::catalogue::MOST_DATABASES;
use super::database::{Database, Databases, Key, Pending, Status};
use super::leftovers::Leaving;
use super::lifecycle;
use super::request::{self, Creation, Modification};

const LARGEST_PAGE: i64 = 100;
const SMALLEST_PAGE: i64 = 20;

impl Rds {
    pub(super) async fn create(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<String, ApiError> {
        let creation = Creation::parse(params)?;
        let stage = &self.inner.context.stage;
        let size = &creation.size;
        stage.database(&size.class, &creation.storage_type, size.retention)?;
        if stage.makes_database_role() {
            return Err(ApiError::new(
                "InvalidParameterValue",
                "Unable to create the resource. Verify that you have permission to create service linked role. Otherwise wait and try again later",
            ));
        }
        let key = Key::new(&caller.region, &creation.identifier);
        if self.inner.databases_in(&caller.region) >= MOST_DATABASES {
            return Err(ApiError::new(
                "InstanceQuotaExceeded",
                format!("There are {MOST_DATABASES} databases, which is as many as there may be."),
            ));
        }
        let zone = self.zone_of(&caller.region, creation.zone.as_deref())?;
        let groups = self.groups_of(&caller.region, &creation.groups)?;
        let engine_version = self.inner.version().await?;
        let network = &self.inner.context.network;
        let address = network.lease(zone).map_err(|error| {
            ApiError::new(
                "InsufficientDBInstanceCapacity",
                format!("{}: {error}.", zone.name(&caller.region)),
            )
        })?;
        let database = Database {
            status: Status::Creating,
            resource_id: format!("db-{}", upper_base32(26)),
            created: jiff::Timestamp::now(),
            address,
            port: creation.port,
            zone: zone.name(&caller.region),
            master: creation.master,
            password: Some(creation.password),
            name: creation.name,
            engine_version,
            storage_type: creation.storage_type,
            groups,
            public: creation.public,
            multi_az: creation.multi_az,
            encrypted: creation.encrypted,
            minor_upgrades: creation.minor_upgrades,
            copy_tags: creation.copy_tags,
            deletion_protection: creation.deletion_protection,
            size: creation.size,
            pending: Pending::default(),
            at_once: false,
            tags: creation.tags,
        };
        let answer = self.described(caller, &key.identifier, &database);
        let made = self.inner.databases.change(|databases| {
            if databases.get(&key).is_some() {
                return Err(ApiError::new(
                    "DBInstanceAlreadyExists",
                    "DB instance already exists",
                ));
            }
            databases.insert(key.clone(), database);
            Ok(())
        });
        if let Err(error) = made {
            network.release(address);
            return Err(error);
        }
        self.inner.begin(key, lifecycle::Work::Create);
        Ok(answer)
    }

    pub(super) fn describe(&self, caller: &Caller, params: &Params) -> Result<String, ApiError> {
        let wanted = wanted(params)?;
        let limit = page_limit(params)?;
        let after = params.get("Marker").unwrap_or_default();
        let around = self.around(caller);
        self.inner.databases.read(|databases| {
            if let Some(identifier) = params.get("DBInstanceIdentifier")
                && databases
                    .get(&Key::new(&caller.region, identifier))
                    .is_none()
            {
                return Err(not_found(identifier));
            }
            let found: Vec<_> = databases
                .0
                .get(&caller.region)
                .into_iter()
                .flatten()
                .filter(|(identifier, _)| identifier.as_str() > after)
                .filter(|(identifier, _)| {
                    wanted
                        .as_ref()
                        .is_none_or(|wanted| wanted.contains(identifier))
                })
                .take(limit + 1)
                .collect();
            let page = &found[..found.len().min(limit)];
            let mut xml = Xml::fragment();
            xml.element("DBInstances", |xml| {
                for (identifier, database) in page {
                    answers::instance(xml, &around, identifier, database);
                }
            });
            let more = found.len() > limit;
            xml.optional(
                "Marker",
                page.last()
                    .filter(|_| more)
                    .map(|(identifier, _)| identifier),
            );
            Ok(xml.finish())
        })
    }

    pub(super) fn modify(&self, caller: &Caller, params: &Params) -> Result<String, ApiError> {
        let key = self.key_of(caller, params)?;
        let modification = Modification::parse(params)?;
        let groups = match &modification.groups[..] {
            [] => None,
            asked => Some(self.groups_of(&caller.region, asked)?),
        };
        let (modified, begins) = self.inner.databases.change(|databases| {
            let database = in_state(databases, &key, &[Status::Available, Status::BackingUp])?;
            if let Some(groups) = groups {
                database.groups = groups;
            }
            let begins = modify(database, modification)?;
            Ok::<_, ApiError>((database.clone(), begins))
        })?;
        if begins {
            self.inner.begin(key.clone(), lifecycle::Work::Modify);
        }
        Ok(self.described(caller, &key.identifier, &modified))
    }

    pub(super) fn delete(&self, caller: &Caller, params: &Params) -> Result<String, ApiError> {
        let key = self.key_of(caller, params)?;
        let leaving = Leaving::parse(params)?;
        let combination = |message: &str| ApiError::new("InvalidParameterCombination", message);
        let deleted = self.inner.databases.change(|databases| {
            let states = [Status::Available, Status::BackingUp, Status::Stopped, Status::Failed];
            let database = in_state(databases, &key, &states)?;
            if database.deletion_protection {
                return Err(combination(
                    "Cannot delete protected DB Instance, please disable deletion protection and try again.",
                ));
            }
            self.leave(&key, database, &leaving)?;
            database.status = Status::Deleting;
            Ok(database.clone())
        })?;
        self.inner.begin(key.clone(), lifecycle::Work::Delete);
        Ok(self.described(caller, &key.identifier, &deleted))
    }

    pub(super) fn stop(&self, caller: &Caller, params: &Params) -> Result<String, ApiError> {
        self.turn(
            caller,
            params,
            Status::Available,
            Status::Stopping,
            lifecycle::Work::Stop,
        )
    }

    pub(super) fn start(&self, caller: &Caller, params: &Params) -> Result<String, ApiError> {
        self.turn(
            caller,
            params,
            Status::Stopped,
            Status::Starting,
            lifecycle::Work::Start,
        )
    }

    fn turn(
        &self,
        caller: &Caller,
        params: &Params,
        from: Status,
        to: Status,
        work: lifecycle::Work,
    ) -> Result<String, ApiError> {
        let key = self.key_of(caller, params)?;
        let turned = self.inner.databases.change(|databases| {
            let database = in_state(databases, &key, &[from])?;
            database.status = to;
            Ok::<_, ApiError>(database.clone())
        })?;
        self.inner.begin(key.clone(), work);
        Ok(self.described(caller, &key.identifier, &turned))
    }

    pub(super) fn tag(&self, caller: &Caller, params: &Params) -> Result<String, ApiError> {
        let tags = request::tags(params)?;
        self.change_named(caller, params, |database| database.tags.extend(tags))
    }

    pub(super) fn untag(&self, caller: &Caller, params: &Params) -> Result<String, ApiError> {
        let keys = params.list("TagKeys");
        self.change_named(caller, params, |database| {
            database.tags.retain(|key, _| !keys.contains(key));
        })
    }

    pub(super) fn list_tags(&self, caller: &Caller, params: &Params) -> Result<String, ApiError> {
        let key = named(caller, params)?;
        self.inner.databases.read(|databases| {
            let database = databases
                .get(&key)
                .ok_or_else(|| not_found(&key.identifier))?;
            let mut xml = Xml::fragment();
            answers::tags(&mut xml, database);
            Ok(xml.finish())
        })
    }

    fn change_named(
        &self,
        caller: &Caller,
        params: &Params,
        change: impl FnOnce(&mut Database),
    ) -> Result<String, ApiError> {
        let key = named(caller, params)?;
        self.inner.databases.change(|databases| {
            change(
                databases
                    .get_mut(&key)
                    .ok_or_else(|| not_found(&key.identifier))?,
            );
            Ok(String::new())
        })
    }

    fn key_of(&self, caller: &Caller, params: &Params) -> Result<Key, ApiError> {
        let identifier = params.required("DBInstanceIdentifier")?;
        let key = Key::new(&caller.region, identifier);
        let there = self
            .inner
            .databases
            .read(|databases| databases.get(&key).is_some());
        if there {
            Ok(key)
        } else {
            Err(not_found(identifier))
        }
    }

    fn zone_of(&self, region: &str, asked: Option<&str>) -> Result<Zone, ApiError> {
        let Some(name) = asked else {
            return Ok(Zone::A);
        };
        Zone::named(region, name).ok_or_else(|| {
            ApiError::new(
                "InvalidParameterValue",
                format!("Invalid availability zone: {name}"),
            )
        })
    }

    fn groups_of(&self, region: &str, asked: &[String]) -> Result<Vec<String>, ApiError> {
        let ec2 = &self.inner.ec2;
        if asked.is_empty() {
            return Ok(vec![ec2.default_security_group(region)]);
        }
        match asked
            .iter()
            .find(|group| !ec2.has_security_group(region, group))
        {
            None => Ok(asked.to_vec()),
            Some(group) => Err(ApiError::new(
                "InvalidParameterValue",
                format!("Invalid security group , groupId= {group}, groupName=."),
            )),
        }
    }

    fn around<'a>(&'a self, caller: &'a Caller) -> Surroundings<'a> {
        Surroundings {
            account: &caller.account,
            region: &caller.region,
            vpc: self.inner.ec2.default_vpc(&caller.region),
            subnets: self.inner.ec2.subnets(&caller.region),
        }
    }

    fn described(&self, caller: &Caller, identifier: &str, database: &Database) -> String {
        let mut xml = Xml::fragment();
        answers::instance(&mut xml, &self.around(caller), identifier, database);
        xml.finish()
    }
}

/// How many entries a page of a listing may have.
pub(super) fn page_limit(params: &Params) -> Result<usize, ApiError> {
    let limit = params.integer("MaxRecords")?.unwrap_or(LARGEST_PAGE);
    if !(SMALLEST_PAGE..=LARGEST_PAGE).contains(&limit) {
        return Err(ApiError::new(
            "InvalidParameterValue",
            format!(
                "Invalid value {limit} for MaxRecords. Must be between {SMALLEST_PAGE} and {LARGEST_PAGE}"
            ),
        ));
    }
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}

/// The identifiers that a description is narrowed to.
fn wanted(params: &Params) -> Result<Option<Vec<String>>, ApiError> {
    let mut wanted = params
        .get("DBInstanceIdentifier")
        .map(|identifier| vec![identifier.to_ascii_lowercase()]);
    for filter in params.structures("Filters") {
        match filter.required("Name")? {
            "db-instance-id" => wanted = Some(filter.list("Values")),
            name => {
                return Err(ApiError::new(
                    "InvalidParameterValue",
                    format!("Unrecognized filter name: {name}"),
                ));
            }
        }
    }
    Ok(wanted)
}

/// The database that a `ResourceName` (an ARN) names.
fn named(caller: &Caller, params: &Params) -> Result<Key, ApiError> {
    let name = params.required("ResourceName")?;
    let prefix = answers::arn(&caller.account, &caller.region, "");
    match name.strip_prefix(&prefix) {
        Some(identifier) => Ok(Key::new(&caller.region, identifier)),
        None => Err(ApiError::new(
            "InvalidParameterValue",
            format!("Invalid resource name: {name}"),
        )),
    }
}

fn not_found(identifier: &str) -> ApiError {
    ApiError::with_status(
        StatusCode::NOT_FOUND,
        "DBInstanceNotFound",
        format!("DBInstance {identifier} not found."),
    )
}

/// The database, if it is in one of the states.
fn in_state<'a>(
    databases: &'a mut Databases,
    key: &Key,
    states: &[Status],
) -> Result<&'a mut Database, ApiError> {
    let identifier = &key.identifier;
    let database = databases
        .get_mut(key)
        .ok_or_else(|| not_found(identifier))?;
    match database.status {
        status if states.contains(&status) => Ok(database),
        Status::Deleting => Err(ApiError::new(
            "InvalidDBInstanceState",
            format!("Instance {identifier} is already being deleted."),
        )),
        status => Err(ApiError::new(
            "InvalidDBInstanceState",
            format!(
                "Instance {identifier} is in the state {}; wait until it has changed.",
                status.name()
            ),
        )),
    }
}

/// Makes the changes that take no time, and says whether there are others to begin with.
fn modify(database: &mut Database, wanted: Modification) -> Result<bool, ApiError> {
    let storage = wanted
        .storage
        .map(|to| request::check_growth(database.size.storage, to, &database.storage_type))
        .transpose()?;
    let Modification {
        at_once,
        password,
        class,
        retention,
        public,
        deletion_protection,
        copy_tags,
        minor_upgrades,
        ..
    } = wanted;
    database.public = public.unwrap_or(database.public);
    database.deletion_protection = deletion_protection.unwrap_or(database.deletion_protection);
    database.copy_tags = copy_tags.unwrap_or(database.copy_tags);
    database.minor_upgrades = minor_upgrades.unwrap_or(database.minor_upgrades);
    let size = &database.size;
    let pending = &mut database.pending;
    pending.class = class
        .or(pending.class.take())
        .filter(|class| *class != size.class);
    pending.storage = storage
        .or(pending.storage)
        .filter(|storage| *storage != size.storage);
    pending.retention = retention
        .or(pending.retention)
        .filter(|retention| *retention != size.retention);
    // "If you specify ApplyImmediately, any changes in the pending modifications queue are also
    // applied."
    database.at_once = at_once && database.pending != Pending::default();
    // A new password never waits for a window.
    let begins = database.at_once || password.is_some();
    if begins {
        database.password = password;
        database.status = Status::Modifying;
    }
    Ok(begins)
}
