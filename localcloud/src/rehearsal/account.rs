//! Kinds of accounts: what each may have, and the words in which AWS refuses more.

use http::StatusCode;

use crate::auth::Caller;
use crate::wire::ApiError;

/// A kind of account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum AccountKind {
    /// One that is paid for.
    Paid,
    /// The plan of every account that was opened since July 2025, until it is left for a paid one.
    FreePlan,
    /// An AWS Academy Learner Lab.
    LearnerLab,
}

/// What a launch asks for.
#[derive(Clone, Copy, Debug)]
pub struct LaunchRequested<'a> {
    /// The name of the type.
    pub instance_type: &'a str,
    /// Its virtual CPUs.
    pub vcpus: u32,
    /// How many instances.
    pub count: usize,
    /// The letter of the zone.
    pub zone: char,
}

/// What of an account is taken, in one region.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InUse {
    /// Instances that are pending or running.
    pub instances: usize,
    /// Virtual CPUs of those, and of what is shutting down.
    pub vcpus: u32,
}

/// "t3.micro, t3.small, t4g.micro, t4g.small, c7i-flex.large, m7i-flex.large".
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-free-tier-usage.html>
const FREE_PLAN_TYPES: [&str; 6] = [
    "t3.micro",
    "t3.small",
    "t4g.micro",
    "t4g.small",
    "c7i-flex.large",
    "m7i-flex.large",
];
const LAB_REGIONS: [&str; 2] = ["us-east-1", "us-west-2"];
const LAB_SIZES: [&str; 5] = ["nano", "micro", "small", "medium", "large"];
const LAB_DATABASE_SIZES: [&str; 4] = ["nano", "micro", "small", "medium"];
/// So many instances may run at once in a region of a Learner Lab.
pub(super) const LAB_INSTANCES: usize = 9;
/// At so many the lab is taken away.
pub(super) const LAB_END: usize = 20;
/// Days for which the free plan keeps backups.
const FREE_PLAN_RETENTION: i64 = 1;

impl AccountKind {
    /// The name that `--account` takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::FreePlan => "free-plan",
            Self::LearnerLab => "learner-lab",
        }
    }

    /// The quota "Running On-Demand Standard instances", in virtual CPUs. New accounts are seen with
    /// 1, 5, 16 and 32.
    #[must_use]
    pub const fn vcpu_quota(self) -> u32 {
        match self {
            Self::Paid | Self::LearnerLab => 32,
            Self::FreePlan => 5,
        }
    }

    /// How many instances may run at once, where something beside the vCPU quota says it.
    #[must_use]
    pub const fn most_instances(self) -> Option<usize> {
        match self {
            Self::LearnerLab => Some(LAB_INSTANCES),
            Self::Paid | Self::FreePlan => None,
        }
    }

    /// Refuses an action as a whole.
    pub(super) fn admit(self, caller: &Caller, action: &str) -> Result<(), ApiError> {
        if self != Self::LearnerLab {
            return Ok(());
        }
        let service = caller.service.as_str();
        let is_global = matches!(service, "iam" | "sts" | "s3");
        let is_elsewhere = !is_global && !LAB_REGIONS.contains(&caller.region.as_str());
        let changes_rights = service == "iam"
            && caller.principal == crate::auth::Principal::Root
            && !action.starts_with("Get");
        if is_elsewhere || changes_rights {
            return Err(denied(caller, action));
        }
        Ok(())
    }

    /// Whether a zone has machines of a type. In every region that has been looked at, one zone lacks
    /// the small ones; here it is the second.
    #[must_use]
    pub fn offers(self, instance_type: &str, zone: char) -> bool {
        !(self == Self::Paid && zone == 'b' && instance_type.starts_with("t3."))
    }

    /// Refuses a launch.
    pub(super) fn launch(
        self,
        asked: LaunchRequested<'_>,
        in_use: InUse,
        region: &str,
    ) -> Result<(), ApiError> {
        let LaunchRequested {
            instance_type,
            zone,
            ..
        } = asked;
        let size = instance_type.rsplit('.').next().unwrap_or_default();
        if self == Self::FreePlan && !FREE_PLAN_TYPES.contains(&instance_type) {
            return Err(ApiError::new(
                "InvalidParameterCombination",
                "The specified instance type is not eligible for Free Tier. For a list of Free Tier instance types, run 'describe-instance-types' with the filter 'free-tier-eligible=true'.",
            ));
        }
        if self == Self::LearnerLab && !LAB_SIZES.contains(&size) {
            return Err(ApiError::with_status(
                StatusCode::FORBIDDEN,
                "UnauthorizedOperation",
                format!(
                    "You are not authorized to perform this operation: a Learner Lab has types from nano to large, not {instance_type}, with an explicit deny in an identity-based policy."
                ),
            ));
        }
        if !self.offers(instance_type, zone) {
            return Err(ApiError::new(
                "Unsupported",
                format!(
                    "Your requested instance type ({instance_type}) is not supported in your requested Availability Zone ({region}{zone})."
                ),
            ));
        }
        let count = u32::try_from(asked.count).unwrap_or(u32::MAX);
        let wanted = in_use
            .vcpus
            .saturating_add(asked.vcpus.saturating_mul(count));
        let quota = self.vcpu_quota();
        if wanted > quota {
            return Err(ApiError::new(
                "VcpuLimitExceeded",
                format!(
                    "You have requested more vCPU capacity than your current vCPU limit of {quota} allows for the instance bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit."
                ),
            ));
        }
        Ok(())
    }

    /// Refuses a database.
    pub(super) fn database(
        self,
        class: &str,
        storage_type: &str,
        retention: i64,
    ) -> Result<(), ApiError> {
        let size = class.rsplit('.').next().unwrap_or_default();
        match self {
            Self::FreePlan if size != "micro" => Err(ApiError::new(
                "FreeTierRestrictionError",
                format!("The DB instance class {class} is not available in the free plan."),
            )),
            Self::FreePlan if retention > FREE_PLAN_RETENTION => Err(ApiError::new(
                "FreeTierRestrictionError",
                "The specified backup retention period exceeds the maximum available to free tier customers.",
            )),
            Self::LearnerLab if !LAB_DATABASE_SIZES.contains(&size) || storage_type != "gp2" => {
                Err(ApiError::with_status(
                    StatusCode::FORBIDDEN,
                    "AccessDenied",
                    format!(
                        "not authorized to perform: rds:CreateDBInstance with an explicit deny: a Learner Lab has classes up to medium on gp2, not {class} on {storage_type}."
                    ),
                ))
            }
            _ => Ok(()),
        }
    }
}

fn denied(caller: &Caller, action: &str) -> ApiError {
    let code = if caller.service == "ec2" {
        "UnauthorizedOperation"
    } else {
        "AccessDenied"
    };
    ApiError::with_status(
        StatusCode::FORBIDDEN,
        code,
        format!(
            "User: {} is not authorized to perform: {}:{action} in {} with an explicit deny in an identity-based policy",
            caller.arn, caller.service, caller.region
        ),
    )
}

/// The credentials are over: the session of the lab has ended, or the account was closed.
pub(super) fn expired(service: &str) -> ApiError {
    let message = "The security token included in the request is expired";
    match service {
        "ec2" => ApiError::new("RequestExpired", message),
        "s3" => ApiError::new("ExpiredToken", "The provided token has expired."),
        _ => ApiError::with_status(StatusCode::FORBIDDEN, "ExpiredToken", message),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn launch(kind: AccountKind, instance_type: &str, vcpus: u32) -> Result<(), ApiError> {
        let asked = LaunchRequested {
            instance_type,
            vcpus: 2,
            count: 1,
            zone: 'a',
        };
        let in_use = InUse {
            instances: 0,
            vcpus,
        };
        kind.launch(asked, in_use, "us-east-1")
    }

    #[test]
    fn each_kind_has_its_types_and_its_quota() {
        let refused = |kind, instance_type, vcpus| {
            launch(kind, instance_type, vcpus)
                .err()
                .map(|error| error.code.into_owned())
        };
        let quota = Some("VcpuLimitExceeded".to_owned());
        assert_eq!(refused(AccountKind::Paid, "m5.2xlarge", 30), None);
        assert_eq!(refused(AccountKind::Paid, "m5.large", 31), quota);
        assert_eq!(refused(AccountKind::FreePlan, "t3.micro", 2), None);
        assert_eq!(refused(AccountKind::FreePlan, "t3.micro", 4), quota);
        assert_eq!(
            refused(AccountKind::FreePlan, "t3.nano", 0).unwrap(),
            "InvalidParameterCombination"
        );
        assert_eq!(refused(AccountKind::LearnerLab, "t3.large", 0), None);
        assert_eq!(
            refused(AccountKind::LearnerLab, "t3.xlarge", 0).unwrap(),
            "UnauthorizedOperation"
        );
    }

    #[test]
    fn databases_are_held_to_the_plan() {
        let code = |kind: AccountKind, class, storage, retention| {
            kind.database(class, storage, retention)
                .err()
                .map(|error| error.code.into_owned())
        };
        assert_eq!(code(AccountKind::Paid, "db.m5.large", "gp3", 30), None);
        assert_eq!(code(AccountKind::FreePlan, "db.t4g.micro", "gp2", 0), None);
        for (class, retention) in [("db.t3.small", 0), ("db.t3.micro", 7)] {
            assert_eq!(
                code(AccountKind::FreePlan, class, "gp2", retention).unwrap(),
                "FreeTierRestrictionError"
            );
        }
        assert_eq!(
            code(AccountKind::LearnerLab, "db.t3.medium", "gp2", 0),
            None
        );
        for (class, storage) in [("db.t3.large", "gp2"), ("db.t3.micro", "gp3")] {
            assert_eq!(
                code(AccountKind::LearnerLab, class, storage, 0).unwrap(),
                "AccessDenied"
            );
        }
    }
}
