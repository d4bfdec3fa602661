//! The zone in which a deployment is made.

use deployer_aws::read;

use crate::paper::blueprints;
use crate::place::Place;

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_without_the_types_of_a_blueprint_is_not_used() {
    let blueprint = blueprints().remove(0);
    let place = Place::new(&blueprint).await;
    let ground = read::ground(&place.account, &blueprint).await.unwrap();
    let zones: Vec<&str> = ground.subnets.iter().map(|s| s.zone.as_str()).collect();
    let region = &place.account.region;
    assert_eq!(zones, [format!("{region}a"), format!("{region}b")]);
    place.carry_out(usize::MAX, "ab12").await;
    let inventory = read::inventory(&place.account, &place.scope())
        .await
        .unwrap();
    assert!(!inventory.instances.is_empty());
    assert!(
        inventory
            .instances
            .iter()
            .all(|instance| instance.zone == zones[0])
    );
    place.clean().await;
}
