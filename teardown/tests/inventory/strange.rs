//! Strange things of every kind, ours and others'.

use aws_sdk_cloudwatch::types::{ComparisonOperator, Statistic};
use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::{RequestLaunchTemplateData, ResourceType};
use deployer_core::names::Scope;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use teardown::Verdict;

use crate::account::{Place, REGION, tagged};

/// A kind of thing that can be made by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thing {
    Address,
    Alarm,
    Bucket,
    Dashboard,
    Interface,
    KeyPair,
    LaunchTemplate,
    LogGroup,
    ParameterGroup,
    Profile,
    Role,
    SecurityGroup,
    Snapshot,
    SubnetGroup,
    Volume,
}

pub(crate) const THINGS: [Thing; 15] = [
    Thing::Address,
    Thing::Alarm,
    Thing::Bucket,
    Thing::Dashboard,
    Thing::Interface,
    Thing::KeyPair,
    Thing::LaunchTemplate,
    Thing::LogGroup,
    Thing::ParameterGroup,
    Thing::Profile,
    Thing::Role,
    Thing::SecurityGroup,
    Thing::Snapshot,
    Thing::SubnetGroup,
    Thing::Volume,
];

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// Makes one; `number` tells it from others of its kind.
pub(crate) async fn make(place: &Place, scope: &Scope, thing: Thing, number: usize) {
    let name = format!("{}-strange-{number}", scope.prefix());
    match thing {
        Thing::Bucket | Thing::Profile | Thing::Role => {
            make_named(place, scope, thing, &name).await;
        }
        Thing::Alarm | Thing::Dashboard | Thing::ParameterGroup | Thing::SubnetGroup => {
            make_by_name(place, thing, &name).await;
        }
        // As RDS makes them for a database whose logs it exports.
        Thing::LogGroup => place.make_log_group(&format!("/aws/rds/instance/{name}/postgresql")),
        _ => make_tagged(place, scope, thing, &name).await,
    }
}

async fn make_named(place: &Place, scope: &Scope, thing: Thing, name: &str) {
    match thing {
        Thing::Bucket => {
            place.s3.create_bucket().bucket(name).send().await.unwrap();
            let put = place.s3.put_object().bucket(name).key("a +&/ü");
            put.body(b"x".to_vec().into()).send().await.unwrap();
            let upload = place.s3.create_multipart_upload().bucket(name);
            upload.key("unfinished").send().await.unwrap();
        }
        Thing::Role => {
            let role = place.iam.create_role().role_name(name);
            let role = role.path(scope.iam_path());
            role.assume_role_policy_document(TRUST)
                .send()
                .await
                .unwrap();
            let policy = place.iam.put_role_policy().role_name(name);
            let policy = policy.policy_name("by-hand").policy_document(
                r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#,
            );
            policy.send().await.unwrap();
        }
        _ => {
            let profile = place.iam.create_instance_profile();
            let profile = profile.instance_profile_name(name);
            profile.path(scope.iam_path()).send().await.unwrap();
        }
    }
}

async fn make_by_name(place: &Place, thing: Thing, name: &str) {
    match thing {
        Thing::Alarm => {
            let alarm = place.cloudwatch.put_metric_alarm().alarm_name(name);
            let alarm = alarm.namespace("N").metric_name("M").period(60);
            let alarm = alarm.evaluation_periods(1).threshold(1.0);
            let alarm = alarm.statistic(Statistic::Sum);
            let alarm = alarm.comparison_operator(ComparisonOperator::GreaterThanThreshold);
            alarm.send().await.unwrap();
        }
        Thing::Dashboard => {
            let dashboard = place.cloudwatch.put_dashboard().dashboard_name(name);
            dashboard
                .dashboard_body(r#"{"widgets":[]}"#)
                .send()
                .await
                .unwrap();
        }
        Thing::ParameterGroup => {
            let group = place.rds.create_db_parameter_group();
            let group = group.db_parameter_group_name(name).description("by hand");
            group
                .db_parameter_group_family("postgres17")
                .send()
                .await
                .unwrap();
        }
        _ => {
            let group = place
                .rds
                .create_db_subnet_group()
                .db_subnet_group_name(name);
            let group = group.db_subnet_group_description("by hand");
            group.subnet_ids(subnet(place).await).send().await.unwrap();
        }
    }
}

async fn make_tagged(place: &Place, scope: &Scope, thing: Thing, name: &str) {
    let ec2 = &place.ec2;
    match thing {
        Thing::Address => {
            let tags = tagged(scope, ResourceType::ElasticIp);
            ec2.allocate_address()
                .tag_specifications(tags)
                .send()
                .await
                .unwrap();
        }
        Thing::Interface => {
            let tags = tagged(scope, ResourceType::NetworkInterface);
            let interface = ec2.create_network_interface().tag_specifications(tags);
            interface
                .subnet_id(subnet(place).await)
                .send()
                .await
                .unwrap();
        }
        Thing::KeyPair => {
            let key = base64_simd::STANDARD.encode_to_string([7; 51]);
            let pair = ec2.import_key_pair().key_name(name);
            let pair = pair.public_key_material(Blob::new(format!("ssh-ed25519 {key} me")));
            pair.send().await.unwrap();
        }
        Thing::LaunchTemplate => {
            let tags = tagged(scope, ResourceType::LaunchTemplate);
            let template = ec2.create_launch_template().tag_specifications(tags);
            let data = RequestLaunchTemplateData::builder().image_id("ami-12345678");
            let template = template.launch_template_name(format!("by-hand-{name}"));
            template
                .launch_template_data(data.build())
                .send()
                .await
                .unwrap();
        }
        Thing::SecurityGroup => {
            let tags = tagged(scope, ResourceType::SecurityGroup);
            let group = ec2.create_security_group().tag_specifications(tags);
            let group = group.group_name(name).description("by hand");
            group.send().await.unwrap();
        }
        Thing::Snapshot => {
            // Its volume goes before it: a snapshot outlives one.
            let volume = volume(place, scope).await;
            let tags = tagged(scope, ResourceType::Snapshot);
            let snapshot = ec2.create_snapshot().tag_specifications(tags);
            snapshot.volume_id(&volume).send().await.unwrap();
            ec2.delete_volume().volume_id(volume).send().await.unwrap();
        }
        _ => drop(volume(place, scope).await),
    }
}

pub(crate) async fn subnet(place: &Place) -> String {
    let subnets = place.ec2.describe_subnets().send().await.unwrap();
    subnets.subnets()[0].subnet_id().unwrap().to_owned()
}

async fn volume(place: &Place, scope: &Scope) -> String {
    let tags = tagged(scope, ResourceType::Volume);
    let volume = place.ec2.create_volume().tag_specifications(tags).size(1);
    let volume = volume.availability_zone(format!("{REGION}a"));
    let made = volume.send().await.unwrap();
    made.volume_id().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_goes_however_many_pages_its_listing_has() {
    let mut place = Place::new().await;
    // The fewest entries that EC2 takes for a page.
    place.account.page_size = Some(5);
    for (index, thing) in THINGS.into_iter().enumerate() {
        // There may be five addresses.
        let count = if thing == Thing::Address { 5 } else { 7 };
        for number in 0..count {
            make(&place, &place.ours(), thing, index * 10 + number).await;
        }
    }
    let ended = place.take_away().await;
    assert!(matches!(ended.verdict, Verdict::Zero), "{ended:#?}");
    assert!(place.remaining().is_empty(), "{:#?}", place.remaining());
    let first = &ended.looks[0];
    let pages = |call: &str| {
        let listings = first.listings.iter().filter(|l| l.call == call);
        listings
            .max_by_key(|l| l.ours)
            .map(|l| (l.pages, l.ours))
            .unwrap()
    };
    for call in [
        "DescribeVolumes",
        "DescribeSnapshots",
        "DescribeAlarms",
        "DescribeLogGroups",
        "ListBuckets",
    ] {
        assert_eq!(pages(call), (2, 7), "{call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_calls_itself_ours_by_its_path_is_not() {
    let place = Place::new().await;
    let role = place.iam.create_role().role_name("somebody-elses");
    let role = role.path(place.ours().iam_path());
    role.assume_role_policy_document(TRUST)
        .send()
        .await
        .unwrap();
    let before = place.remaining();
    let ended = place.take_away().await;
    assert!(matches!(ended.verdict, Verdict::Zero), "{ended:#?}");
    assert_eq!(place.remaining(), before);
}

/// Whatever set of strange things of ours and of others' there is: ours go, the others stay.
#[test]
fn ours_go_and_others_stay_whatever_there_is() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let thing = (prop::sample::select(&THINGS[..]), any::<bool>());
    let config = Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let property = runner.run(&prop::collection::vec(thing, 0..12), |things| {
        runtime.block_on(async {
            let place = Place::new().await;
            let mut addresses = 0;
            for (number, (thing, is_ours)) in things.iter().enumerate() {
                addresses += usize::from(*thing == Thing::Address);
                if *thing == Thing::Address && addresses > 5 {
                    continue;
                }
                let scope = if *is_ours {
                    place.ours()
                } else {
                    place.others()
                };
                make(&place, &scope, *thing, number).await;
            }
            let before = others(&place).await;
            let ended = place.take_away().await;
            prop_assert!(matches!(ended.verdict, Verdict::Zero), "{:#?}", ended);
            prop_assert_eq!(others(&place).await, before);
            let count = things.iter().filter(|(_, is_ours)| !is_ours).count();
            prop_assert!(place.remaining().len() <= count, "{:#?}", place.remaining());
            Ok(())
        })
    });
    property.unwrap();
}

/// All that can be read of the others', to the byte.
async fn others(place: &Place) -> Vec<String> {
    let scope = place.others();
    let found = deployer_aws::read::scan(&place.account, &scope, &Default::default()).await;
    assert!(found.unread.is_empty(), "{:?}", found.unread);
    let mut lines: Vec<String> = vec![format!("{:?}", found.inventory)];
    for bucket in &found.inventory.buckets {
        let object = place.s3.get_object().bucket(&bucket.name).key("a +&/ü");
        let object = object.send().await.unwrap();
        lines.push(format!("{:?} {:?}", object.e_tag(), object.last_modified()));
        lines.push(format!(
            "{:?}",
            object.body.collect().await.unwrap().to_vec()
        ));
    }
    lines
}
