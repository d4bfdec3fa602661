//! Accounts as they are found, and what is said of them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::cost::Billed;
use crate::cost::rates::Rates;
use crate::inventory::Listed;
use crate::prices::Prices;

fn set(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn unread(denied: bool) -> Unread {
    Unread {
        why: "DescribeVpcs: UnauthorizedOperation".to_owned(),
        denied,
    }
}

/// A manager and up to eight nodes, as the blueprint that ships asks for.
fn needs() -> Needs {
    Needs {
        region: "us-east-1".to_owned(),
        machines: [("t3.micro".to_owned(), 9)].into(),
        builders: vec!["t3.micro".to_owned()],
        classes: [("db.t4g.micro".to_owned(), 1)].into(),
        roles: 2,
        seconds: 8 * 3600,
        profiles: BTreeSet::new(),
    }
}

/// An account in which all is well.
fn good() -> AccountFacts {
    let allowed = |call, basis| Probe {
        call,
        basis,
        outcome: Outcome::Allowed,
    };
    AccountFacts {
        account: "111122223333".to_owned(),
        caller: "arn:aws:iam::111122223333:user/anna".to_owned(),
        credentials: Ok(Credentials::ForEver),
        clock_ahead: Some(1),
        vpc: Ok(Some("vpc-1".to_owned())),
        subnet_zones: Ok(set(&["us-east-1a", "us-east-1e"])),
        offered: Ok([("t3.micro".to_owned(), set(&["us-east-1a"]))].into()),
        vcpus: Ok([("t3.micro".to_owned(), 2)].into()),
        free_types: Ok(set(&["t3.micro", "t3.small"])),
        classes: Ok(set(&["db.t4g.micro"])),
        databases: Ok(Databases { used: 0, most: 40 }),
        running: Ok(Running::default()),
        vcpu_quota: Ok(32),
        profiles: Ok(BTreeSet::new()),
        probes: vec![
            allowed("RunInstances", Basis::Proof),
            allowed("CreateDBInstance", Basis::Hint),
        ],
        deployments: Ok(BTreeMap::new()),
    }
}

/// The finding of one check, of which there is one.
fn of(check: &str, facts: &AccountFacts, needs: &Needs) -> Finding {
    let rates = Rates::new(Prices::built_in("us-east-1").unwrap(), "us-east-1");
    let findings = account(facts, needs, Some(&rates));
    let found: Vec<&Finding> = findings.iter().filter(|f| f.check == check).collect();
    match found.as_slice() {
        [one] => (*one).clone(),
        other => panic!("{check}: {other:?} in {findings:?}"),
    }
}

/// Changes the good account, and checks level, fact and remedy of one finding.
fn assert_finds(
    change: impl FnOnce(&mut AccountFacts, &mut Needs),
    check: &str,
    level: Level,
    words: &[&str],
) {
    let (mut facts, mut needs) = (good(), needs());
    change(&mut facts, &mut needs);
    let finding = of(check, &facts, &needs);
    assert_eq!(finding.level, level, "{finding:?}");
    let said = format!("{} {}", finding.fact, finding.remedy.unwrap_or_default());
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said:?}");
    }
}

#[test]
fn a_good_account_has_nothing_to_know() {
    let findings = account(&good(), &needs(), None);
    assert_eq!(worst(&findings), Level::Ok, "{findings:?}");
    assert!(findings.iter().all(|finding| finding.remedy.is_none()));
}

#[test]
fn what_would_fail_is_told_with_the_way_out() {
    use Level::Failed;
    assert_finds(
        |facts, _| facts.vpc = Ok(None),
        "default VPC",
        Failed,
        &[
            "none in us-east-1",
            "aws ec2 create-default-vpc --region us-east-1",
        ],
    );
    assert_finds(
        |facts, _| facts.offered = Ok([("t3.micro".to_owned(), set(&["us-east-1b"]))].into()),
        "instance types",
        Failed,
        &["t3.micro", "another type"],
    );
    assert_finds(
        |facts, _| facts.classes = Ok(BTreeSet::new()),
        "database class",
        Failed,
        &["db.t4g.micro", "gp2"],
    );
    assert_finds(
        |facts, _| facts.clock_ahead = Some(-400),
        "clock",
        Failed,
        &["400 s behind", "timedatectl"],
    );
    assert_finds(
        |facts, _| facts.credentials = Ok(Credentials::Seconds(600)),
        "credentials",
        Failed,
        &["10 min", "log in again"],
    );
    assert_finds(
        |facts, _| facts.databases = Ok(Databases { used: 40, most: 40 }),
        "databases at once",
        Failed,
        &["40 of 40", "Service Quotas"],
    );
    assert_finds(
        |facts, needs| {
            needs.roles = 0;
            needs.profiles = set(&["LabInstanceProfile"]);
            facts.profiles = Ok(BTreeSet::new());
        },
        "roles",
        Failed,
        &["LabInstanceProfile", "list-instance-profiles"],
    );
    assert_finds(
        |facts, _| facts.probes[0].outcome = Outcome::Denied("UnauthorizedOperation".to_owned()),
        "may RunInstances",
        Failed,
        &["UnauthorizedOperation", "docs/security.md"],
    );
}

#[test]
fn what_may_fail_later_is_to_know() {
    use Level::Warning;
    assert_finds(
        |facts, _| facts.vcpu_quota = Ok(16),
        "vCPUs",
        Warning,
        &["20 at the largest", "16 are allowed", "L-1216C47A"],
    );
    assert_finds(
        |facts, _| facts.vcpu_quota = Err(unread(true)),
        "vCPUs",
        Warning,
        &["cannot be read", "docs/security.md"],
    );
    assert_finds(
        |facts, _| facts.caller = "arn:aws:iam::111122223333:root".to_owned(),
        "account",
        Warning,
        &["root user", "IAM user"],
    );
    assert_finds(
        |facts, _| facts.free_types = Ok(set(&["t3.small", "t4g.micro"])),
        "free plan",
        Warning,
        &["refuses t3.micro", "t3.small, t4g.micro"],
    );
    assert_finds(
        |facts, _| facts.probes[1].outcome = Outcome::Unclear("Throttling".to_owned()),
        "may CreateDBInstance",
        Warning,
        &["Throttling"],
    );
    let line = |resource: &str, billed| Listed {
        resource: resource.to_owned(),
        id: "it".to_owned(),
        state: String::new(),
        billed,
    };
    let left = vec![
        line("elastic address", Some(vec![Billed::PublicAddress])),
        line("role/manager", Some(Vec::new())),
        line("role/node", Some(Vec::new())),
        line("bucket/photos", None),
    ];
    assert_finds(
        |facts, _| facts.deployments = Ok([("photos".to_owned(), left)].into()),
        "deployments",
        Warning,
        &[
            "photos (1 bucket, 1 elastic address, 2 roles: $0.120 a day and 1 without a price)",
            "deploy down",
        ],
    );
    assert_finds(
        |facts, _| facts.credentials = Ok(Credentials::Seconds(3600)),
        "credentials",
        Warning,
        &[
            "they end in 1 h",
            "of 8 h",
            "ends itself",
            "log in again",
            "`ttl`",
        ],
    );
}

#[test]
fn credentials_that_outlast_the_deployment_are_well() {
    assert_finds(
        |facts, needs| {
            facts.credentials = Ok(Credentials::Seconds(2 * 3600));
            needs.seconds = 3600;
        },
        "credentials",
        Level::Ok,
        &["they end in 2 h 0 min"],
    );
}

#[test]
fn a_pool_that_has_no_room_at_all_fails() {
    assert_finds(
        |facts, _| {
            facts.running = Ok(Running {
                instances: 7,
                vcpus: 14,
            });
            facts.vcpu_quota = Ok(16);
        },
        "vCPUs",
        Level::Failed,
        &["14 in use now"],
    );
}

#[test]
fn what_up_must_read_fails_when_it_cannot_be_read() {
    assert_finds(
        |facts, _| facts.vpc = Err(unread(true)),
        "default VPC",
        Level::Failed,
        &["DescribeVpcs", "docs/security.md"],
    );
}

fn lab(facts: &mut AccountFacts, needs: &mut Needs) {
    facts.caller = "arn:aws:sts::111122223333:assumed-role/voclabs/user123".to_owned();
    facts.credentials = Ok(Credentials::ASession);
    facts.profiles = Ok(set(&["LabInstanceProfile"]));
    needs.roles = 0;
    needs.profiles = set(&["LabInstanceProfile"]);
}

#[test]
fn a_learner_lab_is_known_by_its_role_and_has_limits_of_its_own() {
    use Level::{Failed, Ok, Warning};
    assert_finds(lab, "account", Warning, &["Learner Lab", "database bills"]);
    assert_finds(lab, "credentials", Warning, &["four hours", "half an hour"]);
    assert_finds(lab, "roles", Ok, &["LabInstanceProfile is there"]);
    assert_finds(lab, "instances at once", Warning, &["9 instances", "tenth"]);
    assert_finds(
        |facts, needs| {
            lab(facts, needs);
            facts.running = Result::Ok(Running {
                instances: 3,
                vcpus: 6,
            });
        },
        "instances at once",
        Failed,
        &["3 running", "lower `size.max` by 3"],
    );
    assert_finds(
        |facts, needs| {
            lab(facts, needs);
            needs.region = "eu-west-1".to_owned();
        },
        "region",
        Failed,
        &["eu-west-1", "us-east-1", "us-west-2"],
    );
    assert_finds(
        |facts, needs| {
            lab(facts, needs);
            needs.roles = 2;
        },
        "roles",
        Failed,
        &["{ existing: LabInstanceProfile }"],
    );
}

#[test]
fn a_laptop_without_what_localcloud_needs_is_told_what_to_install() {
    let facts = LaptopFacts {
        system: "linux".to_owned(),
        programs: "/opt/bivouac".to_owned(),
        missing: vec!["manager".to_owned()],
        cargo: None,
        unfit: Vec::new(),
        static_build: None,
        home: "/home/anna".to_owned(),
        home_problem: None,
        free_bytes: Some(1 << 20),
        localcloud: Some(LocalcloudFacts {
            postgresql: None,
            npm: false,
            networks: vec![("127.77.0.0/16".to_owned(), None)],
            in_the_way: vec!["`python3 -m http.server 5000` (process 7) listens".to_owned()],
        }),
    };
    let findings = laptop(&facts);
    let failed: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.level == Level::Failed)
        .map(|finding| finding.check.as_str())
        .collect();
    assert_eq!(failed, ["programs", "disk", "PostgreSQL", "ports"]);
    assert!(
        findings
            .iter()
            .all(|f| f.level == Level::Ok || f.remedy.is_some())
    );
}

#[test]
fn static_programs_are_told_with_what_is_missing_to_build_them() {
    let told = |lacking: Option<(String, String)>| {
        let facts = LaptopFacts {
            system: "linux".to_owned(),
            programs: "/opt/bivouac".to_owned(),
            missing: Vec::new(),
            cargo: None,
            unfit: Vec::new(),
            static_build: Some(StaticFacts {
                target: "x86_64-unknown-linux-musl".to_owned(),
                lacking,
            }),
            home: "/home/anna".to_owned(),
            home_problem: None,
            free_bytes: None,
            localcloud: None,
        };
        let mut findings = laptop(&facts);
        let at = findings
            .iter()
            .position(|finding| finding.check == "programs on AWS");
        findings.swap_remove(at.unwrap())
    };
    assert_eq!(told(None).level, Level::Ok);
    let lacking = told(Some(("no library".to_owned(), "add it".to_owned())));
    assert_eq!(lacking.level, Level::Failed);
    assert_eq!(lacking.fact, "no library");
    assert_eq!(lacking.remedy.as_deref(), Some("add it"));
}
