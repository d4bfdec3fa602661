//! A receipt names what went and what proves it, and can be held against the account again.

use deployer_aws::read::Listing;
use deployer_core::money::Microdollars;
use jiff::Timestamp;
use teardown::audit::audit;
use teardown::everywhere;
use teardown::receipt::{About, Made, Receipt, Word, page};

use crate::account::Place;
use crate::strange::{THINGS, Thing, make};

async fn receipt(place: &Place) -> Receipt {
    let ended = place.take_away().await;
    let made = Made {
        resource: "instance/manager".to_owned(),
        id: "i-0123456789abcdef0".to_owned(),
        at: Timestamp::UNIX_EPOCH,
    };
    let about = About {
        scope: &place.ours(),
        target: "local",
        began: Timestamp::now(),
        made: &[made],
        rates: None,
        cost: Some(Microdollars(1_230_000)),
    };
    Receipt::of(&ended, &about).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_finds_what_a_receipt_says_gone_until_it_is_there_again() {
    let place = Place::new().await;
    for (number, thing) in THINGS.into_iter().enumerate() {
        make(&place, &place.ours(), thing, number).await;
    }
    let receipt = receipt(&place).await;
    assert_eq!(receipt.verdict, Word::Zero);
    let removed = receipt.removed.len();
    // A group's rules are a removal of their own.
    assert_eq!(removed, THINGS.len() + 1, "{:#?}", receipt.removed);
    let last = receipt.evidence.last().unwrap();
    let is_of_volumes = |l: &&Listing| l.call == "DescribeVolumes";
    let volumes = last.listings.iter().find(is_of_volumes).unwrap();
    assert_eq!((volumes.pages, volumes.ours), (1, 0));

    let written = receipt
        .write(&place.folder.path().join("receipts"))
        .unwrap();
    let again = Receipt::read(&written).unwrap();
    assert_eq!(again, receipt);
    let first = audit(&place.account, &place.ours(), &again).await;
    assert!(!first.remains() && first.unread.is_empty(), "{first:#?}");
    assert!(first.rows.iter().any(|r| r.id == "i-0123456789abcdef0"));

    let bucket = THINGS.iter().position(|thing| *thing == Thing::Bucket);
    make(&place, &place.ours(), Thing::Bucket, bucket.unwrap()).await;
    make(&place, &place.ours(), Thing::Volume, 2).await;
    let second = audit(&place.account, &place.ours(), &again).await;
    assert!(second.remains());
    let back = second.rows.iter().filter(|r| r.there.is_some());
    assert_eq!(
        back.map(|r| r.resource.as_str()).collect::<Vec<_>>(),
        ["bucket/strange"]
    );
    assert_eq!(second.others.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_fails_leaves_an_audit_without_proof() {
    let place = Place::new().await;
    let receipt = receipt(&place).await;
    let (account, scope) = (place.account.clone(), place.ours());
    place.cloud.shutdown().await;
    let audit = audit(&account, &scope, &receipt).await;
    assert!(!audit.remains() && !audit.unread.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_needs_nothing_from_elsewhere_and_tells_all() {
    let place = Place::new().await;
    make(&place, &place.ours(), Thing::Volume, 1).await;
    let receipt = receipt(&place).await;
    let page = page(&receipt);
    for part in [
        "<strong>ZERO</strong>",
        "DescribeVolumes",
        "i-0123456789abcdef0",
        "$1.23",
    ] {
        assert!(page.contains(part), "no {part} in {page}");
    }
    for outside in ["http://", "https://", "<script", "@import", "url("] {
        assert!(!page.contains(outside), "{outside} in {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_deployment_is_found_by_what_there_is_of_it() {
    for thing in [Thing::Bucket, Thing::Role, Thing::Volume, Thing::Address] {
        let place = Place::new().await;
        make(&place, &place.ours(), thing, 1).await;
        make(&place, &place.others(), Thing::Bucket, 1).await;
        let (found, unreadable) = everywhere::look(vec![place.account.clone()]).await;
        assert!(unreadable.is_empty(), "{unreadable:?}");
        let names: Vec<&str> = found.iter().map(|f| f.scope.deployment.as_str()).collect();
        assert_eq!(names, ["camp", "camp-two"], "{thing:?}");
        assert_eq!(found[0].listed().len(), 1);
    }
}
