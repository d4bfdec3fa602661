//! The base images, named as AWS and Debian name theirs; two versions of each, so that the newest
//! has to be looked for.

use jiff::Timestamp;

use crate::ec2::ids;
use crate::ec2::model::{Image, ImageState, Tags};
use crate::machines::Distribution;

/// Account of Amazon's own images.
const AMAZON: &str = "137112412989";
/// Account of Debian's images.
const DEBIAN: &str = "136693071363";

struct Base {
    name: &'static str,
    architecture: &'static str,
    distribution: Distribution,
    created_at: &'static str,
    description: &'static str,
    size_gib: i64,
}

const AL2023: &str = "Amazon Linux 2023 AMI (localcloud)";
const DEBIAN12: &str = "Debian 12 (localcloud)";

const ALL: [Base; 8] = [
    Base {
        name: "al2023-ami-2023.8.20250721.0-kernel-6.1-x86_64",
        architecture: "x86_64",
        distribution: Distribution::AmazonLinux2023,
        created_at: "2025-07-21T20:11:09Z",
        description: AL2023,
        size_gib: 8,
    },
    Base {
        name: "al2023-ami-2023.8.20250804.0-kernel-6.1-x86_64",
        architecture: "x86_64",
        distribution: Distribution::AmazonLinux2023,
        created_at: "2025-08-04T20:04:31Z",
        description: AL2023,
        size_gib: 8,
    },
    Base {
        name: "al2023-ami-2023.8.20250721.0-kernel-6.1-arm64",
        architecture: "arm64",
        distribution: Distribution::AmazonLinux2023,
        created_at: "2025-07-21T20:12:17Z",
        description: AL2023,
        size_gib: 8,
    },
    Base {
        name: "al2023-ami-2023.8.20250804.0-kernel-6.1-arm64",
        architecture: "arm64",
        distribution: Distribution::AmazonLinux2023,
        created_at: "2025-08-04T20:05:02Z",
        description: AL2023,
        size_gib: 8,
    },
    Base {
        name: "debian-12-amd64-20250703-2162",
        architecture: "x86_64",
        distribution: Distribution::Debian12,
        created_at: "2025-07-03T06:45:44Z",
        description: DEBIAN12,
        size_gib: 8,
    },
    Base {
        name: "debian-12-amd64-20250814-2204",
        architecture: "x86_64",
        distribution: Distribution::Debian12,
        created_at: "2025-08-14T06:44:16Z",
        description: DEBIAN12,
        size_gib: 8,
    },
    Base {
        name: "debian-12-arm64-20250703-2162",
        architecture: "arm64",
        distribution: Distribution::Debian12,
        created_at: "2025-07-03T06:44:02Z",
        description: DEBIAN12,
        size_gib: 8,
    },
    Base {
        name: "debian-12-arm64-20250814-2204",
        architecture: "arm64",
        distribution: Distribution::Debian12,
        created_at: "2025-08-14T06:43:39Z",
        description: DEBIAN12,
        size_gib: 8,
    },
];

impl Base {
    fn owner(&self) -> (&'static str, Option<String>) {
        match self.distribution {
            Distribution::AmazonLinux2023 => (AMAZON, Some("amazon".to_owned())),
            Distribution::Debian12 => (DEBIAN, None),
        }
    }

    fn snapshot(&self, region: &str) -> String {
        ids::derived("snap", "base", region, self.name)
    }
}

/// The base images of a region; their ids differ from region to region, as on AWS.
pub(super) fn images(region: &str) -> Vec<Image> {
    ALL.iter()
        .map(|base| {
            let (owner, owner_alias) = base.owner();
            Image {
                id: ids::derived("ami", "base", region, base.name),
                name: base.name.to_owned(),
                description: base.description.to_owned(),
                owner: owner.to_owned(),
                owner_alias,
                architecture: base.architecture.to_owned(),
                created_at: base.created_at.parse().unwrap_or(Timestamp::UNIX_EPOCH),
                state: ImageState::Available,
                failure: None,
                root_device: "/dev/xvda".to_owned(),
                snapshot: base.snapshot(region),
                size_gib: base.size_gib,
                source_instance: None,
                tags: Tags::new(),
            }
        })
        .collect()
}

/// The distribution whose base a snapshot is.
pub(super) fn distribution_of(region: &str, snapshot: &str) -> Option<Distribution> {
    ALL.iter()
        .find(|base| base.snapshot(region) == snapshot)
        .map(|base| base.distribution)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_base_image_has_two_versions_and_a_true_date() {
        let images = images("us-east-1");
        assert!(
            images
                .iter()
                .all(|image| image.created_at > Timestamp::UNIX_EPOCH)
        );
        let mut ids: Vec<_> = images.iter().map(|image| image.id.clone()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 8);
    }
}
