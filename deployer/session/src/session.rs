//! A connection to where a deployment is or will be.

use std::path::Path;

use deployer_aws::{Account, Pace, Target, TargetKind};
use deployer_core::names::{DeploymentName, Scope};

use crate::binding::Binding;
use crate::failure::Failure;
use crate::home::Home;
use crate::invocation::invocation;
use crate::journal::Record;
use crate::local::Localcloud;
use crate::lock::AtWork;
use crate::whereabouts::Whereabouts;

/// AWS's certificates of RDS, in no system's store. From
/// <https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem>.
const RDS_AUTHORITIES: &str = include_str!("../data/rds-global-bundle.pem");
const AWS_ADDRESS_LOOKUP: &str = "http://checkip.amazonaws.com/";
/// Where a blueprint without a region goes, and where to ask for the list of regions.
pub const FIRST_REGION: &str = "us-east-1";

/// A connection to one region.
pub struct Session {
    /// Its clients.
    pub account: Account,
    /// The localcloud it goes to, if it does.
    pub local: Option<Localcloud>,
}

impl Session {
    /// Connects, and starts localcloud for it where that is the target. A deployment that was made
    /// elsewhere is refused, before anything but who we are was asked.
    pub async fn open(
        home: &Home,
        bound: &Binding,
        kind: TargetKind,
        region: &str,
        programs: &Path,
    ) -> Result<Session, Failure> {
        bound.must_be_in(home, kind, region)?;
        let local = match kind {
            TargetKind::Local => Some(Localcloud::start(home, programs).await?),
            TargetKind::Aws => None,
        };
        let session = Session::connect(local, region).await?;
        bound.must_be_of(&session.account)?;
        Ok(session)
    }

    /// Connects to localcloud, or to AWS when there is none.
    async fn connect(local: Option<Localcloud>, region: &str) -> Result<Session, Failure> {
        let target = match &local {
            Some(localcloud) => localcloud.target()?,
            None => aws()?,
        };
        let place = match target.kind {
            TargetKind::Local => "connecting to localcloud",
            TargetKind::Aws => "connecting to AWS",
        };
        let account = Account::connect(target, region)
            .await
            .map_err(Failure::aws(place))?;
        Ok(Session { account, local })
    }

    /// Connects to a localcloud at which everything takes its time.
    pub async fn rehearse(local: Localcloud, region: &str, pace: Pace) -> Result<Session, Failure> {
        let target = Target {
            pace,
            ..local.target()?
        };
        let account = Account::connect(target, region)
            .await
            .map_err(Failure::aws("connecting to localcloud"))?;
        Ok(Session {
            account,
            local: Some(local),
        })
    }

    /// Takes localcloud away again if nothing is left in it and nobody else is at work in it.
    pub async fn close(self, home: &Home, at_work: &AtWork) -> Result<(), Failure> {
        let Session { account, local } = self;
        // Its open connections would be waited for.
        drop(account);
        match local {
            Some(local) => local.end_if_empty(home, at_work).await.map(drop),
            None => Ok(()),
        }
    }
}

/// The user's own account. An endpoint of localcloud's in the environment is a mistake here.
///
/// # Errors
/// The endpoint is one of this machine.
pub fn aws() -> Result<Target, Failure> {
    let foreign = std::env::vars()
        .find(|(name, value)| name.starts_with("AWS_ENDPOINT_URL") && value.contains("//127."));
    if let Some((name, value)) = foreign {
        return Err(Failure::Refused {
            what: format!(
                "{name} is {value}, an address of this machine, and the target is an account"
            ),
            hint: format!("unset {name}, or leave out --target aws"),
        });
    }
    Ok(Target {
        kind: TargetKind::Aws,
        endpoint: None,
        credentials: None,
        database_ca: RDS_AUTHORITIES.to_owned(),
        address_lookup: AWS_ADDRESS_LOOKUP.to_owned(),
        pace: Pace::ACCOUNT,
    })
}

/// The sessions in which a deployment of that name is looked for: one where it is known where it
/// was made, and one for each region otherwise. None at all when localcloud keeps nothing.
pub async fn whereabouts(
    home: &Home,
    name: &DeploymentName,
    given: &Whereabouts,
) -> Result<Vec<Session>, Failure> {
    let record = Record::read(home, name);
    let remembered = record.as_ref().map(|r| r.target);
    let kind = given
        .target
        .map(TargetKind::from)
        .or(remembered)
        .unwrap_or(TargetKind::Local);
    let record_here = record.filter(|r| r.target == kind);
    let bound = Binding::from(record_here.clone());
    if let Some(region) = &given.region {
        bound.must_be_sought_in(home, kind, region)?;
    }
    let region = given.region.clone().or(record_here.map(|r| r.region));
    let sessions = everywhere(home, kind, region).await?;
    if let Some(session) = sessions.first() {
        bound.must_be_of(&session.account)?;
    }
    Ok(sessions)
}

/// The sessions of one region, or of every region that the account can use. None at all when
/// localcloud is the target and keeps nothing.
///
/// # Errors
/// No connection, or the regions cannot be listed.
pub async fn everywhere(
    home: &Home,
    kind: TargetKind,
    region: Option<String>,
) -> Result<Vec<Session>, Failure> {
    let local = match kind {
        TargetKind::Aws => None,
        TargetKind::Local if !Localcloud::has_state(home) => return Ok(Vec::new()),
        TargetKind::Local => Some(Localcloud::start(home, &crate::invocation::folder()?).await?),
    };
    each_region(local, region).await
}

async fn each_region(
    local: Option<Localcloud>,
    region: Option<String>,
) -> Result<Vec<Session>, Failure> {
    if let Some(region) = region {
        return Ok(vec![Session::connect(local, &region).await?]);
    }
    let first = Session::connect(local.clone(), FIRST_REGION).await?;
    let regions = first.account.regions().await;
    let mut sessions = Vec::new();
    for region in regions.map_err(Failure::aws("listing the regions"))? {
        sessions.push(Session::connect(local.clone(), &region).await?);
    }
    Ok(sessions)
}

/// A deployment that was found, and what there is of it.
pub struct Found {
    /// The place.
    pub session: Session,
    /// The names there.
    pub scope: Scope,
    /// What there is.
    pub inventory: deployer_core::inventory::Inventory,
}

/// The first place that holds something of a deployment.
pub async fn find(
    home: &Home,
    name: &DeploymentName,
    given: &Whereabouts,
) -> Result<Option<Found>, Failure> {
    for session in whereabouts(home, name, given).await? {
        let scope = session.account.scope(name.clone());
        let inventory = deployer_aws::read::inventory(&session.account, &scope).await;
        let inventory = inventory.map_err(Failure::aws(format!(
            "looking for {name} in {}",
            scope.region
        )))?;
        if !inventory.is_empty() {
            return Ok(Some(Found {
                session,
                scope,
                inventory,
            }));
        }
    }
    Ok(None)
}

/// The same, where nothing is an error.
pub async fn find_one(
    home: &Home,
    name: &DeploymentName,
    given: &Whereabouts,
) -> Result<Found, Failure> {
    find(home, name, given)
        .await?
        .ok_or_else(|| Failure::Unfinished {
            what: format!("there is no deployment named {name} here"),
            hint: if Record::read(home, name).is_some() {
                let up_again = Record::up_again(home, name);
                format!("it was begun, and nothing of it is there: {up_again} makes it")
            } else if let Some(near) = Record::nearest(home, name) {
                format!("there is {near}: did you mean it?")
            } else {
                format!("{} status lists what there is", invocation())
            },
        })
}
