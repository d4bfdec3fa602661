//! Throttling: each action of a region has a bucket of tokens that fills at a rate.

use std::collections::BTreeMap;

use http::StatusCode;

use crate::wire::ApiError;

/// The buckets of an account, by service, region and action.
#[derive(Debug, Default)]
pub(super) struct Throttles(BTreeMap<(String, String, String), Bucket>);

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    /// When it was filled last, in seconds of AWS.
    filled: f64,
}

/// How many calls at once, and how many a second after that.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Limit {
    size: f64,
    per_second: f64,
}

impl Throttles {
    /// Takes a token for a call at an instant.
    ///
    /// # Errors
    /// There is none: what the service answers then.
    pub(super) fn admit(
        &mut self,
        service: &str,
        region: &str,
        action: &str,
        seconds: f64,
    ) -> Result<(), ApiError> {
        let limit = limit(service, action);
        let key = (service.to_owned(), region.to_owned(), action.to_owned());
        let bucket = self.0.entry(key).or_insert(Bucket {
            tokens: limit.size,
            filled: seconds,
        });
        let gained = (seconds - bucket.filled).max(0.0) * limit.per_second;
        bucket.tokens = (bucket.tokens + gained).min(limit.size);
        bucket.filled = seconds;
        if bucket.tokens < 1.0 {
            return Err(throttled(service));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

/// EC2's limits are those of its page, by its kinds of actions; of IAM, STS and RDS none are
/// published, and theirs are estimates.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>,
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html>,
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>
fn limit(service: &str, action: &str) -> Limit {
    let (size, per_second) = match (service, action) {
        ("ec2", "RunInstances" | "StartInstances") => (5.0, 2.0),
        ("ec2", "TerminateInstances") => (100.0, 5.0),
        ("ec2", "CreateTags" | "DeleteTags") => (100.0, 10.0),
        ("ec2", action) if action.starts_with("Describe") || action.starts_with("Get") => {
            (100.0, 20.0)
        }
        ("ec2", _) => (50.0, 5.0),
        ("s3", action) if action.starts_with("Get") || action.starts_with("Head") => {
            (5500.0, 5500.0)
        }
        ("s3", "CreateBucket" | "DeleteBucket" | "ListBuckets") => (20.0, 5.0),
        ("s3", _) => (3500.0, 3500.0),
        ("monitoring", "PutMetricData") => (500.0, 500.0),
        ("monitoring", "ListMetrics") => (25.0, 25.0),
        ("monitoring", _) => (50.0, 50.0),
        ("iam", _) => (30.0, 10.0),
        ("sts", _) => (100.0, 50.0),
        _ => (40.0, 10.0),
    };
    Limit { size, per_second }
}

fn throttled(service: &str) -> ApiError {
    match service {
        "ec2" => ApiError::with_status(
            StatusCode::SERVICE_UNAVAILABLE,
            "RequestLimitExceeded",
            "Request limit exceeded.",
        ),
        "s3" => ApiError::with_status(
            StatusCode::SERVICE_UNAVAILABLE,
            "SlowDown",
            "Please reduce your request rate.",
        ),
        _ => ApiError::new("Throttling", "Rate exceeded"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_burst_passes_and_then_as_many_as_the_bucket_gains() {
        let mut throttles = Throttles::default();
        let mut launch = |at| throttles.admit("ec2", "us-east-1", "RunInstances", at);
        for _ in 0..5 {
            launch(0.0).unwrap();
        }
        assert_eq!(launch(0.1).unwrap_err().code, "RequestLimitExceeded");
        launch(1.0).unwrap();
        launch(1.0).unwrap();
        assert!(launch(1.0).is_err());
    }

    #[test]
    fn actions_and_regions_do_not_share_a_bucket() {
        let mut throttles = Throttles::default();
        for region in ["us-east-1", "us-west-2"] {
            for action in ["RunInstances", "StartInstances"] {
                for _ in 0..5 {
                    throttles.admit("ec2", region, action, 0.0).unwrap();
                }
            }
        }
    }
}
