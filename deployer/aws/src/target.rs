//! Where the AWS calls go. This is all that differs between a laptop and an account.

use std::time::Duration;

use aws_credential_types::Credentials;
use serde::{Deserialize, Serialize};

/// The two places that a deployment can be made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// localcloud, on this machine.
    Local,
    /// An AWS account.
    Aws,
}

impl TargetKind {
    /// The name that `--target` takes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            TargetKind::Local => "local",
            TargetKind::Aws => "aws",
        }
    }
}

/// Where calls go, with which credentials, and how patiently answers are waited for.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which of the two it is, for output.
    pub kind: TargetKind,
    /// The endpoint of all services; AWS's own when absent.
    pub endpoint: Option<String>,
    /// Credentials; those that the SDK finds by itself when absent.
    pub credentials: Option<Credentials>,
    /// The certificates that a database's own is checked against, PEM.
    pub database_ca: String,
    /// A URL that answers with the caller's address.
    pub address_lookup: String,
    /// How patiently to wait.
    pub pace: Pace,
}

impl Target {
    /// As seen from an instance: the SDK finds the endpoint and the keys of the instance's role by
    /// itself. Nothing is made from there, so what only making needs is left empty.
    #[must_use]
    pub fn of_an_instance() -> Target {
        Target {
            kind: TargetKind::Aws,
            endpoint: None,
            credentials: None,
            database_ca: String::new(),
            address_lookup: String::new(),
            pace: Pace::ACCOUNT,
        }
    }
}

/// How long to wait between two looks, and before a result counts as proven.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two looks at a resource that changes its state.
    pub poll: Duration,
    /// After the last creating call, before an empty listing counts: EC2 shows what it made only
    /// after a while (AWS, "Ensuring idempotency and eventual consistency in the EC2 API").
    pub quiet: Duration,
    /// Between the two listings that have to be empty.
    pub between_scans: Duration,
    /// Between two reads of a console that is followed.
    pub follow: Duration,
    /// For one call.
    pub call: CallPace,
    /// How many seconds of AWS pass in one second here: 1, but in a rehearsal, where every wait and
    /// every deadline is so much shorter.
    pub speed: f64,
}

/// How patiently one call is made. What AWS is asked for may be asked for again: it is named by us
/// or carries a token.
#[derive(Clone, Copy, Debug)]
pub struct CallPace {
    /// How often it is tried, when no answer comes or AWS says that it failed or is asked too much.
    pub attempts: u32,
    /// The longest wait before the second attempt; it doubles with each.
    pub first_wait: Duration,
    /// It does not grow beyond this.
    pub longest_wait: Duration,
    /// For a connection.
    pub connect: Duration,
    /// For one attempt.
    pub attempt: Duration,
    /// For one attempt at a call that carries a file: a program of 20 MB takes three minutes on a
    /// line of 1 Mbit/s.
    pub upload: Duration,
}

impl CallPace {
    /// As the SDK does it by itself, with limits, but more often: what throttles is shared with the
    /// console and with everybody else in the account.
    const USUAL: CallPace = CallPace {
        attempts: 8,
        first_wait: Duration::from_secs(1),
        longest_wait: Duration::from_secs(20),
        connect: Duration::from_secs(5),
        attempt: Duration::from_secs(60),
        upload: Duration::from_secs(15 * 60),
    };
}

impl Pace {
    /// For an account.
    pub const ACCOUNT: Pace = Pace {
        poll: Duration::from_secs(5),
        quiet: Duration::from_secs(120),
        between_scans: Duration::from_secs(30),
        follow: Duration::from_secs(5),
        call: CallPace::USUAL,
        speed: 1.0,
    };
    /// For localcloud, whose listings are never behind.
    pub const LAPTOP: Pace = Pace {
        poll: Duration::from_millis(50),
        quiet: Duration::ZERO,
        between_scans: Duration::from_millis(50),
        follow: Duration::from_millis(300),
        call: CallPace::USUAL,
        speed: 1.0,
    };

    /// The same on a faster clock.
    #[must_use]
    pub fn at_speed(self, speed: f64) -> Pace {
        Pace {
            poll: self.poll.div_f64(speed),
            quiet: self.quiet.div_f64(speed),
            between_scans: self.between_scans.div_f64(speed),
            follow: self.follow.div_f64(speed),
            speed: self.speed * speed,
            call: CallPace {
                first_wait: self.call.first_wait.div_f64(speed),
                longest_wait: self.call.longest_wait.div_f64(speed),
                ..self.call
            },
        }
    }

    /// How long something that takes so long on AWS takes here.
    #[must_use]
    pub fn here(&self, on_aws: Duration) -> Duration {
        on_aws.div_f64(self.speed)
    }

    /// How long something that took so long here takes on AWS.
    #[must_use]
    pub fn on_aws(&self, here: Duration) -> Duration {
        here.mul_f64(self.speed)
    }
}
