//! What is sent to EC2, and how its errors are understood.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Builder;
use http::StatusCode;
use kit::expiry::Expiry;
use kit::health::Health;
use kit::metrics::Registry;
use kit::server::Server;
use manager::blueprint::Make;
use manager::cloud::{Cloud, CloudError, Ec2, Made, Order};
use manager::deadline::Deadline;
use manager::settings::Settings;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

type Parameters = BTreeMap<String, String>;

/// A server that notes each request's parameters and gives the same answer to all.
async fn ec2_that_answers(status: u16, answer: &'static str) -> (Ec2, Arc<Mutex<Vec<Parameters>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let seen: Arc<Mutex<Vec<Parameters>>> = Arc::default();
    let noted = seen.clone();
    tokio::spawn(async move {
        let handler = move |request: http::Request<kit::body::Incoming>| {
            let noted = noted.clone();
            async move {
                let body = kit::body::read_limited(request.into_body(), 1 << 20).await;
                let parameters = form_urlencoded::parse(&body.unwrap())
                    .into_owned()
                    .collect();
                noted.lock().unwrap().push(parameters);
                let status = StatusCode::from_u16(status).unwrap();
                kit::reply::with_type(status, "text/xml", kit::body::full(answer))
            }
        };
        Server::new(Health::new(), Registry::new())
            .serve(listener, handler, CancellationToken::new())
            .await;
    });
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(Builder::new().build_http())
        .build();
    let expiry = Expiry {
        at: "2026-11-26T13:00:00Z".parse().unwrap(),
        started: None,
    };
    let deadline = Deadline::fixed(Some(expiry));
    (Ec2::new(&sdk, &settings(), deadline), seen)
}

fn settings() -> Settings {
    serde_json::from_value(json!({
        "deployment": "elastic-cache", "region": "us-east-1",
        "namespace": "Bivouac/elastic-cache-1a2b3c4d", "bucket": "a-bucket",
        "database": {"host": "127.0.0.1", "port": 5432, "name": "bivouac", "user": "bivouac", "ca": ""},
        "front-end": {"port": 5000}, "manager": {"port": 5001},
        "pool": {
            "name": "cache", "port": 5003, "blueprint": "settings/instance/manager/cache.json",
            "settings": "settings/pool/cache.json", "secrets": "secrets/pool/cache.json",
            "tags": {"bivouac:deployment": "elastic-cache", "bivouac:resource": "pool/cache"},
        },
        "secrets": {"database-password": "p", "manager-password": "p",
                    "internal-token": "a-token-for-internal-use", "session-key": "ab".repeat(32)},
        "instance": {"id": "i-1", "address": "127.0.0.1", "zone": "us-east-1a",
                     "type": "t3.micro", "region": "us-east-1"},
        "settings-hash": "0123"
    }))
    .unwrap()
}

fn order() -> Order {
    Order {
        token: Uuid::from_u128(7),
        subnet: "subnet-a".to_owned(),
        make: Make {
            cpu_credits: None,
            image: "ami-1".to_owned(),
            kind: "t3.micro".to_owned(),
            instance_profile: "a-profile".to_owned(),
            security_groups: vec!["sg-1".to_owned(), "sg-2".to_owned()],
        },
        most_instances: None,
    }
}

const LAUNCHED: &str = r"<RunInstancesResponse><instancesSet><item><instanceId>i-1</instanceId>
<privateIpAddress>10.0.0.9</privateIpAddress></item></instancesSet></RunInstancesResponse>";

#[tokio::test]
async fn no_node_is_launched_in_an_account_that_is_full() {
    let two = r"<DescribeInstancesResponse><reservationSet><item><instancesSet>
<item><instanceId>i-1</instanceId></item><item><instanceId>i-2</instanceId></item>
</instancesSet></item></reservationSet></DescribeInstancesResponse>";
    let (ec2, seen) = ec2_that_answers(200, two).await;
    let order = |most| Order {
        most_instances: Some(most),
        ..order()
    };
    let refused = ec2.launch(&order(2)).await.unwrap_err();
    assert!(refused.is_account_limit(), "{refused}");
    let asked = seen.lock().unwrap();
    let asked: Vec<_> = asked.iter().map(|call| call["Action"].clone()).collect();
    assert_eq!(asked, ["DescribeInstances"]);
}

#[tokio::test]
async fn a_node_is_launched_with_all_it_needs_in_one_call() {
    let (ec2, seen) = ec2_that_answers(200, LAUNCHED).await;
    let launched = ec2.launch(&order()).await.unwrap();
    assert_eq!(launched.instance, "i-1");
    assert_eq!(launched.address, Some("10.0.0.9".parse().unwrap()));
    let seen = seen.lock().unwrap()[0].clone();
    for (name, value) in [
        ("Action", "RunInstances"),
        ("ClientToken", "00000000-0000-0000-0000-000000000007"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("ImageId", "ami-1"),
        ("InstanceType", "t3.micro"),
        ("IamInstanceProfile.Name", "a-profile"),
        ("InstanceInitiatedShutdownBehavior", "terminate"),
        ("MetadataOptions.HttpTokens", "required"),
        ("MetadataOptions.HttpPutResponseHopLimit", "1"),
        ("MetadataOptions.InstanceMetadataTags", "enabled"),
        ("NetworkInterface.1.DeviceIndex", "0"),
        ("NetworkInterface.1.SubnetId", "subnet-a"),
        ("NetworkInterface.1.SecurityGroupId.1", "sg-1"),
        ("NetworkInterface.1.SecurityGroupId.2", "sg-2"),
        ("NetworkInterface.1.AssociatePublicIpAddress", "true"),
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.1.Tag.1.Key", "bivouac:deployment"),
        ("TagSpecification.1.Tag.1.Value", "elastic-cache"),
        ("TagSpecification.1.Tag.2.Value", "pool/cache"),
        ("TagSpecification.1.Tag.3.Key", "bivouac:make"),
        ("TagSpecification.1.Tag.4.Key", "bivouac:expires-at"),
        ("TagSpecification.1.Tag.4.Value", "2026-11-26T13:00:00Z"),
        ("TagSpecification.2.ResourceType", "volume"),
        ("TagSpecification.2.Tag.4.Key", "bivouac:expires-at"),
        ("TagSpecification.3.ResourceType", "network-interface"),
    ] {
        assert_eq!(seen.get(name).map(String::as_str), Some(value), "{name}");
    }
    // EC2 refuses both forms in one call.
    assert!(!seen.contains_key("SubnetId") && !seen.contains_key("SecurityGroupId.1"));
}

#[tokio::test]
async fn user_data_is_a_script_with_one_line_for_boot_and_no_secret() {
    let (ec2, seen) = ec2_that_answers(200, LAUNCHED).await;
    ec2.launch(&order()).await.unwrap();
    let encoded = seen.lock().unwrap()[0]["UserData"].clone();
    let decoded = base64_simd::STANDARD.decode_to_vec(encoded).unwrap();
    let script = String::from_utf8(decoded).unwrap();
    let lines: Vec<_> = script.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((lines[0], lines[2]), ("#!/bin/bash", "exit 0"));
    let line = lines[1].strip_prefix("# bivouac: ").unwrap();
    let told: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(
        told,
        json!({
            "deployment": "elastic-cache", "region": "us-east-1", "bucket": "a-bucket",
            "resource": "pool/cache", "settings": "settings/pool/cache.json",
            "secrets": "secrets/pool/cache.json"
        })
    );
}

#[tokio::test]
async fn instances_are_listed_by_the_tags_of_the_pool() {
    let (ec2, seen) = ec2_that_answers(
        200,
        "<DescribeInstancesResponse><reservationSet><item><instancesSet>\
         <item><instanceId>i-1</instanceId><instanceState><code>48</code><name>terminated</name></instanceState></item>\
         <item><instanceId>i-2</instanceId><instanceState><code>16</code><name>running</name></instanceState>\
         <imageId>ami-1</imageId><instanceType>t3.micro</instanceType>\
         <tagSet><item><key>bivouac:make</key><value>abc</value></item></tagSet>\
         <privateIpAddress>10.0.0.9</privateIpAddress>\
         <clientToken>00000000-0000-0000-0000-000000000007</clientToken></item>\
         </instancesSet></item></reservationSet></DescribeInstancesResponse>",
    )
    .await;
    let listed = ec2.list().await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed["i-2"].token, Some(Uuid::from_u128(7)));
    let made = Made {
        image: "ami-1".to_owned(),
        kind: "t3.micro".to_owned(),
        make: Some("abc".to_owned()),
    };
    assert_eq!(listed["i-2"].made, made);
    assert_eq!(listed["i-1"].made, Made::default());
    assert_eq!(listed["i-2"].address, Some("10.0.0.9".parse().unwrap()));
    let seen = seen.lock().unwrap()[0].clone();
    assert_eq!(seen["Filter.1.Name"], "tag:bivouac:deployment");
    assert_eq!(seen["Filter.2.Name"], "tag:bivouac:resource");
    assert_eq!(seen["Filter.2.Value.1"], "pool/cache");
}

#[tokio::test]
async fn refusals_are_understood_by_their_codes() {
    let (ec2, _) = ec2_that_answers(
        400,
        "<Response><Errors><Error><Code>VcpuLimitExceeded</Code><Message>m</Message></Error></Errors></Response>",
    )
    .await;
    let error = ec2.launch(&order()).await.unwrap_err();
    assert!(matches!(error, CloudError::NoRoom { .. }), "{error:?}");
    assert!(error.is_account_limit());
    let (ec2, _) = ec2_that_answers(
        400,
        "<Response><Errors><Error><Code>InvalidParameterValue</Code><Message>Value (x) for parameter \
         iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name</Message></Error></Errors></Response>",
    )
    .await;
    let error = ec2.launch(&order()).await.unwrap_err();
    assert!(matches!(error, CloudError::ProfileNotYet), "{error:?}");
    let (ec2, _) = ec2_that_answers(
        400,
        "<Response><Errors><Error><Code>InvalidInstanceID.NotFound</Code><Message>m</Message></Error></Errors></Response>",
    )
    .await;
    let error = ec2.terminate("i-1").await.unwrap_err();
    assert!(matches!(error, CloudError::NotFound), "{error:?}");
    let (ec2, _) = ec2_that_answers(
        403,
        "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>m</Message></Error></Errors></Response>",
    )
    .await;
    let error = ec2.launch(&order()).await.unwrap_err();
    assert!(matches!(error, CloudError::Refused { .. }), "{error:?}");
}
