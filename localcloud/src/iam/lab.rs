//! What a Learner Lab has from the start: one role with one instance profile, for whatever the student
//! makes. Nobody can make another.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Iam;
use super::model::{InstanceProfile, Role, Tags, new_id};
use crate::StartError;
use crate::access::{Document, Malformed, Written};
use crate::state::StateError;

/// The role of a Learner Lab.
pub(super) const ROLE: &str = "LabRole";
/// Its instance profile.
pub(super) const PROFILE: &str = "LabInstanceProfile";
/// EC2 may take it; so may some twenty other services, which localcloud does not have.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
/// Broad enough that nothing of ours is refused; what it is exactly, AWS does not publish.
const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

impl Iam {
    /// Makes the role and its profile, unless they are there.
    pub(super) fn provide_lab_role(&self) -> Result<(), StartError> {
        let failed = |source: Malformed| StartError::Service {
            service: "IAM",
            source: source.into(),
        };
        let arn = |kind: &str, name: &str| format!("arn:aws:iam::{}:{kind}/{name}", self.account());
        let role = Role {
            name: ROLE.to_owned(),
            id: new_id("AROA"),
            arn: arn("role", ROLE),
            path: "/".to_owned(),
            created_at: Timestamp::now(),
            description: None,
            trust_policy: written(TRUST).map_err(failed)?,
            longest_session_seconds: 3600,
            policies: BTreeMap::from([(ROLE.to_owned(), written(POLICY).map_err(failed)?)]),
            attached: Default::default(),
            tags: Tags::new(),
        };
        let profile = InstanceProfile {
            name: PROFILE.to_owned(),
            id: new_id("AIPA"),
            arn: arn("instance-profile", PROFILE),
            path: "/".to_owned(),
            created_at: Timestamp::now(),
            role: Some(ROLE.to_owned()),
            tags: Tags::new(),
        };
        self.state.change(|account| {
            account.roles.entry(ROLE.to_owned()).or_insert(role);
            account
                .profiles
                .entry(PROFILE.to_owned())
                .or_insert(profile);
            Ok::<_, StateError>(())
        })?;
        Ok(())
    }
}

fn written<P>(text: &str) -> Result<Written<P>, Malformed>
where
    P: TryFrom<Document, Error = Malformed>,
{
    Written::try_from(text.to_owned())
}
