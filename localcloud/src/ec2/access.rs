//! What conditions of policies can ask about resources of EC2.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html#amazonec2-policy-keys>

use super::model::{Instance, Region};
use super::{Ec2, tags};
use crate::access::Keys;

impl Ec2 {
    /// Tags and attributes of a resource, as condition keys; none if there is none with that id.
    pub fn keys_of(&self, region_name: &str, id: &str) -> Keys {
        let account = self.context.account();
        let region = self.region(region_name);
        let keys = match id.split('-').next() {
            Some("i") => region
                .instances
                .get(id)
                .map(|instance| of_instance(instance, region_name)),
            Some("ami") => Some(self.of_image(&region, region_name, id)),
            Some("vol") => region.volumes.get(id).map(|volume| {
                Keys::default()
                    .with("ec2:VolumeID", id)
                    .with("ec2:VolumeSize", volume.size_gib.to_string())
                    .with("ec2:VolumeType", &volume.volume_type)
                    .with("ec2:Encrypted", volume.encrypted.to_string())
                    .with("ec2:AvailabilityZone", volume.zone.name(region_name))
            }),
            Some("sg") => Some(Keys::default().with("ec2:SecurityGroupID", id)),
            Some("subnet") => Some(Keys::default().with("ec2:SubnetID", id)),
            Some("vpc") => Some(Keys::default().with("ec2:VpcID", id)),
            _ => None,
        };
        let keys = keys.unwrap_or_default();
        let vpc = super::ids::default_vpc(account, region_name);
        let keys = match id.split('-').next() {
            Some("sg" | "subnet" | "eni") => keys.with(
                "ec2:Vpc",
                format!("arn:aws:ec2:{region_name}:{account}:vpc/{vpc}"),
            ),
            _ => keys,
        };
        match tags::of(&region, id) {
            Some(tags) => keys
                .with_tags("aws:ResourceTag", tags)
                .with_tags("ec2:ResourceTag", tags),
            None => keys,
        }
    }

    fn of_image(&self, region: &Region, region_name: &str, id: &str) -> Keys {
        let images = self.images_of(region_name, region);
        let Some(image) = images.get(id) else {
            return Keys::default();
        };
        let owner = image.owner_alias.as_ref().unwrap_or(&image.owner);
        Keys::default()
            .with("ec2:ImageID", id)
            .with("ec2:ImageType", "machine")
            .with("ec2:Owner", owner)
            .with("ec2:Public", (owner == "amazon").to_string())
            .with("ec2:RootDeviceType", "ebs")
    }

    /// The id of the security group with that name.
    pub fn security_group_named(&self, region: &str, name: &str) -> Option<String> {
        let region = self.region(region);
        let group = region.groups.into_values().find(|group| group.name == name);
        group.map(|group| group.id)
    }

    /// The name of the key pair with that id.
    pub fn key_pair_name(&self, region: &str, id: &str) -> Option<String> {
        let mut region = self.region(region);
        region.key_pairs.remove(id).map(|pair| pair.name)
    }

    /// The snapshots of an image of the account.
    pub fn snapshots_of(&self, region: &str, image: &str) -> Vec<String> {
        let region = self.region(region);
        let image = region.images.get(image);
        image
            .map(|image| image.snapshot.clone())
            .into_iter()
            .collect()
    }
}

fn of_instance(instance: &Instance, region: &str) -> Keys {
    Keys::default()
        .with("ec2:InstanceID", &instance.id)
        .with("ec2:InstanceType", &instance.instance_type)
        .with("ec2:AvailabilityZone", instance.zone.name(region))
        .with_some(
            "ec2:InstanceProfile",
            instance.profile.as_ref().map(|profile| &profile.arn),
        )
        .with("ec2:RootDeviceType", "ebs")
        .with("ec2:Tenancy", "default")
}
