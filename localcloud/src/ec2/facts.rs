//! What an instance may know about itself, through its metadata service.

use std::net::Ipv4Addr;

use super::Ec2;
use super::model::Tags;
use super::network::zone_id;
use crate::iam::ProfileRole;

/// What an instance may know about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceFacts {
    /// The instance's id.
    pub id: String,
    /// Region it runs in.
    pub region: String,
    /// Name of its zone.
    pub zone: String,
    /// Id of its zone.
    pub zone_id: String,
    /// Its private address.
    pub address: Ipv4Addr,
    /// Its public address, if it has one.
    pub public_address: Option<Ipv4Addr>,
    /// Hardware address of its interface.
    pub mac: String,
    /// Its type.
    pub instance_type: String,
    /// The image it was made from.
    pub image: String,
    /// The processor architecture of its image, as EC2 names it.
    pub architecture: String,
    /// Its place among those launched together.
    pub launch_index: usize,
    /// The reservation it belongs to.
    pub reservation: String,
    /// When it was launched, or last started.
    pub launched_at: jiff::Timestamp,
    /// Names of its security groups.
    pub groups: Vec<String>,
    /// Its user data, base64.
    pub user_data: Option<String>,
    /// ARN and id of its instance profile.
    pub profile: Option<(String, String)>,
    /// Its tags, if it may read them.
    pub tags: Option<Tags>,
    /// Whether requests need a session token (version 2 of the service).
    pub tokens_required: bool,
    /// Whether the service is there at all.
    pub metadata_enabled: bool,
}

impl Ec2 {
    /// What an instance may know about itself, as of now.
    pub fn facts(&self, region_name: &str, id: &str) -> Option<InstanceFacts> {
        let region = self.region(region_name);
        let instance = region.instances.get(id)?;
        Some(InstanceFacts {
            id: instance.id.clone(),
            region: region_name.to_owned(),
            zone: instance.zone.name(region_name),
            zone_id: zone_id(region_name, instance.zone),
            address: instance.address,
            public_address: instance.public_address(),
            mac: instance.interface.mac.clone(),
            instance_type: instance.instance_type.clone(),
            image: instance.image.clone(),
            architecture: instance.architecture.clone(),
            launch_index: instance.launch_index,
            reservation: instance.reservation.clone(),
            launched_at: instance.launched_at,
            groups: instance
                .groups
                .iter()
                .map(|group| super::network::group_name(&region, group).to_owned())
                .collect(),
            user_data: instance.user_data.clone(),
            profile: instance
                .profile
                .as_ref()
                .map(|profile| (profile.arn.clone(), profile.id.clone())),
            tags: instance.metadata.tags.then(|| instance.tags.clone()),
            tokens_required: instance.metadata.tokens_required,
            metadata_enabled: instance.metadata.enabled,
        })
    }
}

impl Ec2 {
    /// The account's twelve digits.
    pub fn account(&self) -> &str {
        self.context.account()
    }

    /// Whether an instance is so new that its metadata service has no credentials for it.
    pub fn has_no_credentials_yet(&self, id: &str) -> bool {
        let stage = &self.context.stage;
        stage.is_under_way(crate::rehearsal::Delay::CredentialsThere, id)
    }

    /// The role in the instance profile with that id.
    pub fn role_of(&self, profile_id: &str) -> Option<ProfileRole> {
        self.iam.role_in_profile(profile_id)
    }

    /// New keys for a session of a role.
    pub fn issue_credentials(
        &self,
        principal: crate::auth::Principal,
        validity: jiff::SignedDuration,
    ) -> crate::auth::Credential {
        self.context.credentials.issue(principal, validity)
    }
}
