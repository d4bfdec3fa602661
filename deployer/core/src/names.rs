//! Names that cannot be swapped for one another, and the names that resources get in an account.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The name of a deployment, as the blueprint gives it: 2 to 24 lower-case letters, digits and
/// single hyphens, a letter first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeploymentName(String);

/// The name of one resource within its section of the blueprint: 1 to 16 characters of the same
/// alphabet as a [`DeploymentName`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourceName(String);

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    /// Too long for the names that AWS allows once our prefix stands before it.
    #[error("`{name}` has {length} characters; at most {most} fit into the names AWS allows")]
    TooLong {
        /// The text refused.
        name: String,
        /// Its length.
        length: usize,
        /// The most there may be.
        most: usize,
    },
    /// Too short to be told from others.
    #[error("`{name}` is too short for a name: use at least {least} characters")]
    TooShort {
        /// The text refused.
        name: String,
        /// The fewest there may be.
        least: usize,
    },
    /// A character that one of the AWS names made from it would refuse.
    #[error(
        "`{0}` is not a name: use lower-case letters, digits and single hyphens, a letter first"
    )]
    Alphabet(String),
}

fn check(name: String, least: usize, most: usize) -> Result<String, NameProblem> {
    let length = name.chars().count();
    if length > most {
        return Err(NameProblem::TooLong { name, length, most });
    }
    let alphabet = name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let starts = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    if (1..least).contains(&length) {
        return Err(NameProblem::TooShort { name, least });
    }
    if name.is_empty() || !alphabet || !starts || name.ends_with('-') || name.contains("--") {
        return Err(NameProblem::Alphabet(name));
    }
    Ok(name)
}

macro_rules! name {
    ($type:ident, $least:literal, $most:literal) => {
        impl TryFrom<String> for $type {
            type Error = NameProblem;

            fn try_from(name: String) -> Result<Self, NameProblem> {
                check(name, $least, $most).map(Self)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl std::str::FromStr for $type {
            type Err = NameProblem;

            fn from_str(name: &str) -> Result<Self, NameProblem> {
                Self::try_from(name.to_owned())
            }
        }

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(DeploymentName, 2, 24);
name!(ResourceName, 1, 16);

/// The kinds of resources that a deployment is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An EC2 security group.
    SecurityGroup,
    /// An IAM role with its instance profile of the same name.
    Role,
    /// An RDS database instance.
    Database,
    /// An S3 bucket.
    Bucket,
    /// A machine image with its snapshots.
    Image,
    /// The instance an image is made from; it lives for the bake only.
    Builder,
    /// A single instance.
    Instance,
    /// A node of a pool.
    Pool,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 8] = [
        Kind::SecurityGroup,
        Kind::Role,
        Kind::Database,
        Kind::Bucket,
        Kind::Image,
        Kind::Builder,
        Kind::Instance,
        Kind::Pool,
    ];

    /// The kind's name in tags and output, for example `security-group`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::SecurityGroup => "security-group",
            Kind::Role => "role",
            Kind::Database => "database",
            Kind::Bucket => "bucket",
            Kind::Image => "image",
            Kind::Builder => "builder",
            Kind::Instance => "instance",
            Kind::Pool => "pool",
        }
    }
}

/// What the tag `bivouac:resource` says: a kind and a name, written `instance/manager`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// The section of the blueprint.
    pub kind: Kind,
    /// The name in that section.
    pub name: ResourceName,
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.name)
    }
}

/// Why a text is not a [`ResourceId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind and a name, as in instance/manager")]
pub struct NotAResource(String);

impl std::str::FromStr for ResourceId {
    type Err = NotAResource;

    fn from_str(text: &str) -> Result<Self, NotAResource> {
        let parse = || {
            let (kind, name) = text.split_once('/')?;
            let kind = Kind::ALL.into_iter().find(|k| k.as_str() == kind)?;
            Some(ResourceId {
                kind,
                name: name.parse().ok()?,
            })
        };
        parse().ok_or_else(|| NotAResource(text.to_owned()))
    }
}

/// The tag that names the deployment.
pub const TAG_DEPLOYMENT: &str = "bivouac:deployment";
/// The tag that says who made it: the caller's user or session name, see [`owner`].
pub const TAG_OWNER: &str = "bivouac:owner";
/// The tag that names the resource, see [`ResourceId`].
pub const TAG_RESOURCE: &str = "bivouac:resource";
/// The tag on an instance that holds the hash of the settings it was given.
pub const TAG_SETTINGS: &str = "bivouac:settings";

/// The tag that holds the instant at which the deployment ends, see [`crate::expiry::Expiry`]; absent
/// where it has no end.
pub const TAG_EXPIRES_AT: &str = "bivouac:expires-at";
/// The tag on an instance that says what happens when its CPU credits are used up, where the
/// blueprint says it.
pub const TAG_CPU_CREDITS: &str = "bivouac:cpu-credits";
/// The tag on an instance that holds the hash of the programs it was launched with.
pub const TAG_PROGRAMS: &str = "bivouac:programs";
/// The tag on an image that holds the hash of the lines of its recipe.
pub const TAG_RECIPE: &str = "bivouac:recipe";
/// The tag on a bucket that says whether it holds the deployment's settings: `yes`, or absent.
pub const TAG_HOME: &str = "bivouac:home";
/// The tag that names, on an image, the base image it was made from, and on an instance the system
/// it was launched with.
pub const TAG_BASE: &str = "bivouac:base";

/// The last part of a caller's ARN: the user, or the session of a role. A tag may hold all that IAM
/// allows in either. <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>
#[must_use]
pub fn owner(caller: &str) -> &str {
    caller.rsplit(['/', ':']).next().unwrap_or(caller)
}

/// Where a deployment lives, and the names that its resources get there. IAM and bucket names are
/// global and image names are shared by an account, so each carries a hash of all three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The twelve digits of the account.
    pub account: String,
    /// The region, for example `us-east-1`.
    pub region: String,
    /// The deployment.
    pub deployment: DeploymentName,
}

impl Scope {
    /// Eight hexadecimal digits that tell this deployment from one of the same name in another
    /// account or region.
    #[must_use]
    pub fn hash8(&self) -> String {
        let text = format!("{}/{}/{}", self.account, self.region, self.deployment);
        hex::encode(&Sha256::digest(text)[..4])
    }

    /// What every name of this deployment begins with, without a hyphen at the end.
    #[must_use]
    pub fn prefix(&self) -> String {
        format!("bivouac-{}-{}", self.deployment, self.hash8())
    }

    /// The name of a security group or a database, of which a region has one by that name.
    #[must_use]
    pub fn regional_name(&self, name: &ResourceName) -> String {
        format!("{}-{name}", self.prefix())
    }

    /// The name of a role, profile or bucket. `dice` makes it new each time, since AWS keeps
    /// deleted names for a while: four lower-case letters or digits.
    #[must_use]
    pub fn global_name(&self, name: &ResourceName, dice: &str) -> String {
        format!("{}-{name}-{dice}", self.prefix())
    }

    /// The name of an image made from inputs with that hash (hexadecimal, the first 12 are used).
    #[must_use]
    pub fn image_name(&self, name: &ResourceName, inputs: &str) -> String {
        format!(
            "{}-{name}-{}",
            self.prefix(),
            inputs.get(..12).unwrap_or(inputs)
        )
    }

    /// The IAM path of the deployment's roles and profiles.
    #[must_use]
    pub fn iam_path(&self) -> String {
        format!("/bivouac/{}/{}/", self.deployment, self.region)
    }

    /// The CloudWatch namespace of the deployment's metrics.
    #[must_use]
    pub fn namespace(&self) -> String {
        format!("Bivouac/{}-{}", self.deployment, self.hash8())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_longest_names_fit_into_what_aws_allows() {
        let scope = Scope {
            account: "123456789012".into(),
            region: "ap-southeast-1".into(),
            deployment: "a23456789012345678901234".parse().unwrap(),
        };
        let resource = "r234567890123456".parse().unwrap();
        assert!(scope.regional_name(&resource).len() <= 63);
        assert!(scope.global_name(&resource, "ab12").len() <= 63);
    }

    #[test]
    fn the_owner_is_the_user_or_the_session_of_the_caller() {
        let arn = |rest| format!("arn:aws:{rest}");
        assert_eq!(owner(&arn("iam::111122223333:user/team/anna")), "anna");
        assert_eq!(
            owner(&arn("sts::111122223333:assumed-role/admin/anna@example")),
            "anna@example"
        );
        assert_eq!(owner(&arn("iam::111122223333:root")), "root");
    }

    #[test]
    fn names_that_some_aws_name_would_refuse_are_refused() {
        for bad in [
            "",
            "a",
            "A-b",
            "1ab",
            "a--b",
            "ab-",
            "a_b",
            "a b",
            "ä-b",
            "a234567890123456789012345",
        ] {
            assert!(bad.parse::<DeploymentName>().is_err(), "{bad}");
        }
        assert!("elastic-cache".parse::<DeploymentName>().is_ok());
        let short = "a".parse::<DeploymentName>().unwrap_err().to_string();
        assert_eq!(
            short,
            "`a` is too short for a name: use at least 2 characters"
        );
    }

    #[test]
    fn the_hash_tells_accounts_and_regions_apart() {
        let scope = |account: &str, region: &str| Scope {
            account: account.into(),
            region: region.into(),
            deployment: "elastic-cache".parse().unwrap(),
        };
        assert_ne!(
            scope("1", "us-east-1").hash8(),
            scope("1", "us-west-2").hash8()
        );
        assert_ne!(
            scope("1", "us-east-1").hash8(),
            scope("2", "us-east-1").hash8()
        );
    }
}
