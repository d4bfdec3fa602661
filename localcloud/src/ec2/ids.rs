//! Ids: made, derived and checked.

use rand::Rng as _;
use sha2::{Digest as _, Sha256};

use crate::network::Zone;
use crate::wire::ApiError;

/// A new id: prefix and 17 hexadecimal digits.
pub(super) fn new(prefix: &str) -> String {
    format!("{prefix}-0{:016x}", rand::rng().random::<u64>())
}

/// The id of what every region has; always the same.
pub(super) fn derived(prefix: &str, account: &str, region: &str, what: &str) -> String {
    let hash = Sha256::digest(format!("{account}/{region}/{prefix}/{what}"));
    format!("{prefix}-{}", &hex::encode(hash)[..17])
}

pub(super) fn default_vpc(account: &str, region: &str) -> String {
    derived("vpc", account, region, "default")
}

pub(super) fn default_group(account: &str, region: &str) -> String {
    derived("sg", account, region, "default")
}

pub(super) fn subnet(account: &str, region: &str, zone: Zone) -> String {
    derived("subnet", account, region, &zone.letter().to_string())
}

/// Kinds of ids, with the codes for one that cannot be an id and one that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) prefix: &'static str,
    what: &'static str,
    malformed: &'static str,
    not_found: &'static str,
}

pub(super) const INSTANCE: Kind = Kind {
    prefix: "i",
    what: "instance ID",
    malformed: "InvalidInstanceID.Malformed",
    not_found: "InvalidInstanceID.NotFound",
};
pub(super) const IMAGE: Kind = Kind {
    prefix: "ami",
    what: "image id",
    malformed: "InvalidAMIID.Malformed",
    not_found: "InvalidAMIID.NotFound",
};
pub(super) const SNAPSHOT: Kind = Kind {
    prefix: "snap",
    what: "snapshot",
    malformed: "InvalidSnapshotID.Malformed",
    not_found: "InvalidSnapshot.NotFound",
};
pub(super) const VOLUME: Kind = Kind {
    prefix: "vol",
    what: "volume",
    malformed: "InvalidVolumeID.Malformed",
    not_found: "InvalidVolume.NotFound",
};
pub(super) const GROUP: Kind = Kind {
    prefix: "sg",
    what: "security group",
    malformed: "InvalidGroupId.Malformed",
    not_found: "InvalidGroup.NotFound",
};
pub(super) const RULE: Kind = Kind {
    prefix: "sgr",
    what: "security group rule ID",
    malformed: "InvalidSecurityGroupRuleId.Malformed",
    not_found: "InvalidSecurityGroupRuleId.NotFound",
};
pub(super) const SUBNET: Kind = Kind {
    prefix: "subnet",
    what: "subnet ID",
    malformed: "InvalidSubnetID.Malformed",
    not_found: "InvalidSubnetID.NotFound",
};
pub(super) const VPC: Kind = Kind {
    prefix: "vpc",
    what: "vpc ID",
    malformed: "InvalidVpcID.Malformed",
    not_found: "InvalidVpcID.NotFound",
};
pub(super) const INTERFACE: Kind = Kind {
    prefix: "eni",
    what: "networkInterface ID",
    malformed: "InvalidNetworkInterfaceID.Malformed",
    not_found: "InvalidNetworkInterfaceID.NotFound",
};

pub(super) const ADDRESS: Kind = Kind {
    prefix: "eipalloc",
    what: "allocation ID",
    malformed: "InvalidAllocationID.Malformed",
    not_found: "InvalidAllocationID.NotFound",
};
pub(super) const KEY_PAIR: Kind = Kind {
    prefix: "key",
    what: "key pair",
    malformed: "InvalidKeyPair.Format",
    not_found: "InvalidKeyPair.NotFound",
};
pub(super) const LAUNCH_TEMPLATE: Kind = Kind {
    prefix: "lt",
    what: "launch template ID",
    malformed: "InvalidLaunchTemplateId.Malformed",
    not_found: "InvalidLaunchTemplateId.NotFound",
};

impl Kind {
    /// Whether a text has the form of such an id, and so is also safe as a file name.
    pub(super) fn is_well_formed(self, id: &str) -> bool {
        id.strip_prefix(self.prefix)
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|digits| {
                (8..=17).contains(&digits.len())
                    && digits
                        .bytes()
                        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
            })
    }

    pub(super) fn check(self, id: &str) -> Result<(), ApiError> {
        if self.is_well_formed(id) {
            return Ok(());
        }
        let shown: String = id.chars().take(100).collect();
        Err(ApiError::new(
            self.malformed,
            format!(
                "Invalid id: \"{shown}\" (expecting \"{}-...\")",
                self.prefix
            ),
        ))
    }

    pub(super) fn not_found(self, id: &str) -> ApiError {
        ApiError::new(
            self.not_found,
            format!("The {} '{id}' does not exist", self.what),
        )
    }

    /// The resource of that id, or the right error.
    pub(super) fn find<'a, T>(
        self,
        all: &'a std::collections::BTreeMap<String, T>,
        id: &str,
    ) -> Result<&'a T, ApiError> {
        self.check(id)?;
        all.get(id).ok_or_else(|| self.not_found(id))
    }

    pub(super) fn find_mut<'a, T>(
        self,
        all: &'a mut std::collections::BTreeMap<String, T>,
        id: &str,
    ) -> Result<&'a mut T, ApiError> {
        self.check(id)?;
        all.get_mut(id).ok_or_else(|| self.not_found(id))
    }

    /// Every id of a list is well-formed and there.
    pub(super) fn check_all(
        self,
        ids: &[String],
        exists: impl Fn(&str) -> bool,
    ) -> Result<(), ApiError> {
        for id in ids {
            self.check(id)?;
            if !exists(id) {
                return Err(self.not_found(id));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn new_ids_are_well_formed_and_path_tricks_are_not() {
        assert!(INSTANCE.is_well_formed(&new("i")));
        assert!(SUBNET.is_well_formed(&subnet("1", "us-east-1", Zone::A)));
        for trick in [
            "",
            "i-",
            "i-../../etc",
            "i-12345678/..",
            "ami-12345678",
            "i-1234567G",
            "i-123456789012345678",
        ] {
            assert_eq!(
                INSTANCE.check(trick).unwrap_err().code,
                "InvalidInstanceID.Malformed",
                "{trick}"
            );
        }
    }
}
