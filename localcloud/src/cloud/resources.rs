//! What the table of checks looks up, from the services that have it.

use super::Cloud;
use crate::access::Keys;
use crate::access::table::{Entity, Resources};

impl Resources for Cloud {
    fn ec2(&self, region: &str, id: &str) -> Keys {
        self.ec2.keys_of(region, id)
    }

    fn group_named(&self, region: &str, name: &str) -> Option<String> {
        self.ec2.security_group_named(region, name)
    }

    fn key_pair_name(&self, region: &str, id: &str) -> Option<String> {
        self.ec2.key_pair_name(region, id)
    }

    fn default_group(&self, region: &str) -> String {
        self.ec2.default_security_group(region)
    }

    fn default_subnet(&self, region: &str, zone: Option<&str>) -> String {
        let subnets = self.ec2.subnets(region);
        let (first, _) = subnets.first().cloned().unwrap_or_default();
        let placed = zone.and_then(|zone| subnets.into_iter().find(|(_, name)| name == zone));
        placed.map_or(first, |(id, _)| id)
    }

    fn default_vpc(&self, region: &str) -> String {
        self.ec2.default_vpc(region)
    }

    fn snapshots_of(&self, region: &str, image: &str) -> Vec<String> {
        self.ec2.snapshots_of(region, image)
    }

    fn role(&self, name: &str) -> Option<Entity> {
        self.iam.role_entity(name)
    }

    fn profile(&self, name: &str) -> Option<Entity> {
        self.iam.profile_entity(name)
    }

    fn role_in_profile(&self, name_or_arn: &str) -> Option<Entity> {
        self.iam.passed_role(name_or_arn)
    }

    fn database(&self, region: &str, identifier: &str) -> Keys {
        self.rds.keys_of(region, identifier)
    }
}
