//! A deployment stays where it was made: on this laptop, or in one region of one account. Credentials
//! of another account, which a forgotten profile gives, would find nothing and make it all anew.

use deployer_aws::{Account, TargetKind};
use deployer_core::names::DeploymentName;

use crate::failure::Failure;
use crate::home::Home;
use crate::invocation::invocation;
use crate::journal::Record;
use crate::local::Localcloud;

/// Where a deployment was made, if this machine remembers it.
#[derive(Debug)]
pub struct Binding(Option<Record>);

impl From<Option<Record>> for Binding {
    fn from(record: Option<Record>) -> Binding {
        Binding(record)
    }
}

impl Binding {
    /// As the journal has it.
    #[must_use]
    pub fn of(home: &Home, name: &DeploymentName) -> Binding {
        Binding(Record::read(home, name))
    }

    /// Whether this machine made it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// Refuses to make it in another target or region than its own. Nothing was called.
    ///
    /// # Errors
    /// It is another one.
    pub fn must_be_in(&self, home: &Home, kind: TargetKind, region: &str) -> Result<(), Failure> {
        let Some(record) = self.elsewhere(home, kind, region) else {
            return Ok(());
        };
        let (name, made) = (&record.name, place(record.target, &record.region));
        Err(Failure::Refused {
            what: format!(
                "{name} was made {made}, and this would be {}",
                place(kind, region)
            ),
            hint: format!(
                "take it down first ({} down {name}), or give the other deployment another name",
                invocation()
            ),
        })
    }

    /// Refuses to look for it in another target or region than its own. Nothing was called.
    ///
    /// # Errors
    /// It is another one.
    pub fn must_be_sought_in(
        &self,
        home: &Home,
        kind: TargetKind,
        region: &str,
    ) -> Result<(), Failure> {
        let Some(record) = self.elsewhere(home, kind, region) else {
            return Ok(());
        };
        let (name, made) = (&record.name, place(record.target, &record.region));
        Err(Failure::Refused {
            what: format!("{name} was made {made}, not {}", place(kind, region)),
            hint: "leave --region out: it is looked for where it was made".to_owned(),
        })
    }

    /// What is remembered of it, if that is not this place.
    fn elsewhere(&self, home: &Home, kind: TargetKind, region: &str) -> Option<&Record> {
        let record = self.0.as_ref()?;
        // Where localcloud keeps nothing, nothing of it is left.
        let is_gone = record.target == TargetKind::Local && !Localcloud::has_state(home);
        let is_here = record.target == kind && record.region == region;
        (!is_gone && !is_here).then_some(record)
    }

    /// Refuses another account than its own.
    ///
    /// # Errors
    /// It is another one.
    pub fn must_be_of(&self, account: &Account) -> Result<(), Failure> {
        let Some(record) = &self.0 else { return Ok(()) };
        let expected = match &record.account {
            Some(expected) if record.target == TargetKind::Aws => expected,
            _ => return Ok(()),
        };
        if *expected == account.id {
            return Ok(());
        }
        Err(Failure::Refused {
            what: format!(
                "{} was made in account {expected}, and these credentials are of account {} ({})",
                record.name, account.id, account.caller
            ),
            hint: format!(
                "use credentials of {expected}: export AWS_PROFILE=NAME, or leave out what gives others (env | \
                 grep AWS_)"
            ),
        })
    }
}

fn place(kind: TargetKind, region: &str) -> String {
    match kind {
        TargetKind::Local => format!("on this laptop, in {region}"),
        TargetKind::Aws => format!("on AWS, in {region}"),
    }
}
