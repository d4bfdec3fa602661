//! Signatures.

use crate::support::{Clients, Cloud, code, keys};

#[tokio::test]
async fn the_accounts_own_key_is_its_root() {
    let mut cloud = Cloud::paper().await;
    let caller = cloud
        .clients
        .sts
        .get_caller_identity()
        .send()
        .await
        .unwrap();
    let account = cloud.running().account().to_owned();
    assert_eq!(caller.account(), Some(account.as_str()));
    assert_eq!(
        caller.arn(),
        Some(format!("arn:aws:iam::{account}:root").as_str())
    );
    cloud.stop().await;
}

#[tokio::test]
async fn a_wrong_secret_is_refused_in_each_services_own_words() {
    let mut cloud = Cloud::paper().await;
    let endpoint = cloud.running().endpoint();
    let id = cloud.running().credentials().access_key_id.clone();
    let wrong = Clients::new(&endpoint, &keys(&id, "guessed", None));
    let unknown = Clients::new(&endpoint, &keys("AKIAUNKNOWN", "guessed", None));
    let secret = cloud.running().credentials().secret_access_key.clone();
    let stray = Clients::new(
        &endpoint,
        &keys(&id, &secret, Some("a token that nobody gave")),
    );

    for (clients, ec2, sts) in [
        (wrong, "AuthFailure", "SignatureDoesNotMatch"),
        (unknown, "AuthFailure", "InvalidClientTokenId"),
        (stray, "AuthFailure", "InvalidClientTokenId"),
    ] {
        assert_eq!(code(clients.ec2.describe_vpcs().send().await), ec2);
        assert_eq!(code(clients.sts.get_caller_identity().send().await), sts);
        assert_eq!(code(clients.iam.list_roles().send().await), sts);
    }
    cloud.stop().await;
}
