//! What to do about an error of AWS's, by its code or by what the code means.

use std::error::Error;

use deployer_aws::{AwsError, Meaning};

/// Ways to have credentials. AWS's own tool turns every kind of login into variables.
const NO_CREDENTIALS: &str = "\
type one of these, then the same command again:
    aws configure                  and the two keys of an IAM user
    eval \"$(aws configure export-credentials --profile NAME --format env)\"
                                   after `aws sso login` or `aws login`
    export AWS_PROFILE=NAME        for a profile of ~/.aws/credentials
  in a Learner Lab: AWS Details, AWS CLI, Show; paste the block into ~/.aws/credentials";

const EXPIRED: &str = "\
the session is over: log in again (in a Learner Lab: AWS Details, AWS CLI, Show; paste the block into \
~/.aws/credentials), then the same command again; it goes on from where it was";

/// What to do next, where something general can be said.
pub fn hint_for(error: &AwsError) -> Option<String> {
    let by_code = error.code().and_then(of_code);
    by_code.or_else(|| of_meaning(error)).map(str::to_owned)
}

fn of_code(code: &str) -> Option<&'static str> {
    Some(match code {
        // What localcloud answers when its disk is full; AWS has no such code.
        "InsufficientStorage" => super::ROOM,
        "VcpuLimitExceeded" => {
            "lower `size.max`, or ask AWS for more: Service Quotas, Amazon EC2, quota L-1216C47A"
        }
        "PendingVerification" => {
            "AWS is looking at the account, which it does once in each region and which takes up to four \
             hours: take down what was made, and come back then"
        }
        "InsufficientInstanceCapacity" => {
            "AWS has no machine of this type free in any zone: wait some minutes, or choose another type"
        }
        "InsufficientDBInstanceCapacity" => {
            "AWS has no database of this class free: wait some minutes, or choose another class"
        }
        "FreeTierRestrictionError" => {
            "the free plan allows db.t3.micro and db.t4g.micro only; other classes need the paid plan"
        }
        "InvalidParameterCombination" => {
            "on the free plan EC2 takes few types: `deploy doctor --target aws` lists them"
        }
        "OptInRequired" => {
            "the account has to be complete (payment, telephone), and a region that is not on by default \
             enabled in its settings"
        }
        "OperationAborted" => {
            "S3 is at work on a bucket of that name: wait a minute, then try again"
        }
        _ => return None,
    })
}

fn of_meaning(error: &AwsError) -> Option<&'static str> {
    if let AwsError::NoCredentials { .. } = error {
        return Some(NO_CREDENTIALS);
    }
    if let AwsError::Unanswered { .. } = error {
        return Some("AWS cannot be reached: look at the network, a proxy, and the region's name");
    }
    Some(match error.meaning() {
        Meaning::Credentials => {
            "AWS does not accept these credentials: get new ones (in a Learner Lab: AWS Details, AWS CLI, \
             Show), and see that this machine's clock is right"
        }
        Meaning::Expired => EXPIRED,
        Meaning::NotAllowed => {
            "these credentials may not do this: docs/security.md has the two policies that `deploy` needs; \
             in a Learner Lab use `existing:` roles, us-east-1 or us-west-2"
        }
        Meaning::NoRoom | Meaning::NotInZone => {
            "the account has no room for this now: a smaller pool or another region may fit"
        }
        Meaning::Throttled => {
            "too many calls are made on this account at the moment: wait a minute, then the same command \
             again"
        }
        _ => return None,
    })
}

/// An error with its causes, in one line; what a cause repeats is left out.
pub fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hint(code: &str) -> Option<String> {
        hint_for(&AwsError::Answered {
            operation: "RunInstances",
            code: code.to_owned(),
            message: String::new(),
            request_id: None,
        })
    }

    #[test]
    fn the_likeliest_errors_of_an_account_have_a_way_out() {
        for code in [
            "ExpiredToken",
            "RequestExpired",
            "InvalidClientTokenId",
            "UnauthorizedOperation",
            "VcpuLimitExceeded",
            "PendingVerification",
            "InsufficientInstanceCapacity",
            "FreeTierRestrictionError",
            "RequestLimitExceeded",
            "OptInRequired",
        ] {
            assert!(hint(code).is_some(), "{code}");
        }
        assert_eq!(hint("InvalidGroup.NotFound"), None);
    }

    #[test]
    fn nobody_is_told_a_login_that_the_sdk_does_not_know() {
        let none = AwsError::NoCredentials { source: None };
        let hint = hint_for(&none).unwrap();
        assert!(hint.contains("export-credentials") && hint.contains("aws configure"));
    }
}
