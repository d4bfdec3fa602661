//! The doctor on a paper account: it reads all there is to know, makes nothing, and is told what it may
//! not do.

#![allow(clippy::unwrap_used, clippy::panic)]

use aws_credential_types::Credentials;
use deployer_aws::{Account, AwsError, Clock, Pace, Target, TargetKind, doctor};
use deployer_core::doctor::{AccountFacts, Level, Needs, Outcome, account, worst};
use localcloud::auth::Principal;
use localcloud::{Options, Running};

const REGION: &str = "us-east-1";

fn needs() -> Needs {
    Needs {
        region: REGION.to_owned(),
        machines: [("t3.micro".to_owned(), 9)].into(),
        builders: vec!["t3.micro".to_owned()],
        classes: [("db.t4g.micro".to_owned(), 1)].into(),
        roles: 2,
        ..Needs::default()
    }
}

fn target(cloud: &Running, credentials: Credentials) -> Target {
    Target {
        kind: TargetKind::Aws,
        endpoint: Some(cloud.endpoint()),
        credentials: Some(credentials),
        database_ca: String::new(),
        address_lookup: format!("{}/checkip", cloud.endpoint()),
        pace: Pace::LAPTOP,
    }
}

fn own_key(cloud: &Running) -> Credentials {
    let key = cloud.credentials();
    let (id, secret) = (&key.access_key_id, &key.secret_access_key);
    Credentials::new(id, secret, None, None, "test")
}

async fn look(cloud: &Running, credentials: Credentials) -> AccountFacts {
    let clock = Clock::default();
    let account = Account::connect_by(target(cloud, credentials), REGION, &clock)
        .await
        .unwrap();
    let scope = account.scope("elastic-cache".parse().unwrap());
    doctor::look(&account, &scope, &needs(), &clock).await
}

async fn start() -> (Running, tempfile::TempDir) {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let options = Options::paper(folder.path().join("cloud"));
    (localcloud::start(options).await.unwrap(), folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_in_which_all_is_well_is_read_and_nothing_is_made() {
    let (cloud, _folder) = start().await;
    let facts = look(&cloud, own_key(&cloud)).await;
    let findings = account(&facts, &needs(), None);
    assert_eq!(facts.vcpu_quota.clone().ok(), Some(478));
    assert!(facts.clock_ahead.is_some_and(|ahead| ahead.abs() < 60));
    assert!(
        facts
            .probes
            .iter()
            .all(|probe| probe.outcome == Outcome::Allowed)
    );
    assert_eq!(facts.probes.len(), 5, "{:?}", facts.probes);
    // The account's own key is the root user's, which is to know.
    assert_eq!(worst(&findings), Level::Warning, "{findings:#?}");
    let known: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.level != Level::Ok)
        .map(|finding| finding.check.as_str())
        .collect();
    assert_eq!(known, ["account"], "{findings:#?}");
    let left = cloud.cloud();
    let left = [
        left.ec2.remaining(),
        left.iam.remaining(),
        left.rds.remaining(),
    ]
    .concat();
    assert!(left.is_empty(), "{left:?}");
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_may_do_nothing_is_told_so_of_each_call() {
    let (cloud, _folder) = start().await;
    let principal = Principal::Role {
        name: "nobody".to_owned(),
        id: "AROANOBODY".to_owned(),
        session: "anna".to_owned(),
    };
    let hour = jiff::SignedDuration::from_hours(1);
    let session = cloud.cloud().context.credentials.issue(principal, hour);
    let credentials = Credentials::new(
        &session.access_key_id,
        &session.secret_access_key,
        session.session_token.clone(),
        None,
        "test",
    );
    let facts = look(&cloud, credentials).await;
    let unread = facts.vpc.clone().unwrap_err();
    assert!(
        unread.denied && unread.why.contains("DescribeVpcs"),
        "{unread:?}"
    );
    assert!(facts.vcpu_quota.clone().unwrap_err().denied);
    let findings = account(&facts, &needs(), None);
    assert_eq!(worst(&findings), Level::Failed);
    cloud.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_carries_the_id_of_its_request() {
    let (cloud, _folder) = start().await;
    let wrong = Credentials::new("AKIAWRONG", "secret", None, None, "test");
    let error = Account::connect(target(&cloud, wrong), REGION)
        .await
        .unwrap_err();
    let AwsError::Answered { request_id, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(
        request_id.as_ref().is_some_and(|id| id.len() == 36),
        "{error}"
    );
    cloud.shutdown().await;
}
