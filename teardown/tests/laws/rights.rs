//! What the policies that ship let their holders do: all that they have to, and nothing else.

mod person;
mod reaping;
mod strays;

use std::time::Duration;

use aws_credential_types::Credentials;
use deployer_aws::progress::Progress;
use deployer_aws::{Account, Target, read, remove, stored};
use deployer_core::names::ResourceName;
use localcloud::auth::{Caller, Principal};
use localcloud::wire::Params;
use serde_json::Value;

use crate::place::Place;

/// The account itself, as a caller of a service.
fn owner(place: &Place, service: &str) -> Caller {
    let account = place.paper.cloud.cloud().context.account();
    let region = place.account.region.clone();
    Caller::new(account, Principal::Root, region, service.to_owned())
}

/// Calls a service in the account's own name.
async fn as_owner(place: &Place, service: &str, form: &[(&str, &str)]) -> String {
    let cloud = place.paper.cloud.cloud();
    let caller = owner(place, service);
    let mut text = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form {
        text.append_pair(name, value);
    }
    let params = Params::parse(text.finish().as_bytes()).unwrap();
    let answer = match service {
        "ec2" => cloud.ec2.call(&caller, &params).await,
        "iam" => cloud.iam.call(&caller, &params),
        "rds" => cloud.rds.call(&caller, &params).await,
        "monitoring" => cloud.cloudwatch.query(&caller, &params),
        _ => panic!("nobody calls {service} like this"),
    };
    answer.unwrap_or_else(|error| panic!("{form:?}: {error:?}"))
}

/// The text of the first element of that name.
fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).expect(xml);
    rest.split_once("</").expect(xml).0.to_owned()
}

/// The account in the hands of a role's session.
async fn in_session(place: &Place, role: &str, session: &str) -> Account {
    let get = [("Action", "GetRole"), ("RoleName", role)];
    let found = as_owner(place, "iam", &get).await;
    let principal = Principal::Role {
        name: role.to_owned(),
        id: element(&found, "RoleId"),
        session: session.to_owned(),
    };
    let store = &place.paper.cloud.cloud().context.credentials;
    let key = store.issue(principal, jiff::SignedDuration::from_hours(1));
    let credentials = Credentials::new(
        key.access_key_id,
        key.secret_access_key,
        key.session_token,
        None,
        "test",
    );
    let target = Target {
        credentials: Some(credentials),
        ..place.account.target.clone()
    };
    Account::connect(target, &place.account.region)
        .await
        .unwrap()
}

/// A statement's action in a policy.
#[derive(Clone, Debug)]
struct Granted {
    statement: String,
    action: String,
}

/// All actions of those statements whose name passes.
fn granted(policy: &str, of: impl Fn(&str) -> bool) -> Vec<Granted> {
    let policy: Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array().unwrap().iter();
    let statements = statements.filter(|statement| of(statement["Sid"].as_str().unwrap()));
    let granted = statements.flat_map(|statement| {
        let actions = match &statement["Action"] {
            Value::Array(list) => list.clone(),
            one => vec![one.clone()],
        };
        actions.into_iter().map(|action| Granted {
            statement: statement["Sid"].as_str().unwrap().to_owned(),
            action: action.as_str().unwrap().to_owned(),
        })
    });
    granted.collect()
}

/// The policy without one action of one statement.
fn without(policy: &str, granted: &Granted) -> String {
    let mut policy: Value = serde_json::from_str(policy).unwrap();
    let statements = policy["Statement"].as_array_mut().unwrap();
    for statement in statements.iter_mut() {
        if statement["Sid"] == granted.statement.as_str() {
            match &mut statement["Action"] {
                Value::Array(list) => list.retain(|action| action != granted.action.as_str()),
                one => *one = Value::Array(Vec::new()),
            }
        }
    }
    statements.retain(|statement| statement["Action"] != Value::Array(Vec::new()));
    policy.to_string()
}

fn name(text: &str) -> ResourceName {
    text.parse().unwrap()
}

fn tags(kind: &str, resource: &str, place: usize) -> Vec<(String, String)> {
    let at = |rest: &str| format!("TagSpecification.{place}.{rest}");
    vec![
        (at("ResourceType"), kind.to_owned()),
        (at("Tag.1.Key"), "bivouac:deployment".to_owned()),
        (at("Tag.1.Value"), "elastic-cache".to_owned()),
        (at("Tag.2.Key"), "bivouac:resource".to_owned()),
        (at("Tag.2.Value"), resource.to_owned()),
    ]
}

/// Launches as the manager does; its volume stays behind unless it is deleted on termination.
async fn launch(place: &Place, resource: &str, delete_volume: &str) -> String {
    let (plan, site) = place.plan("cd34").await;
    let image = &plan.known.images[&name("node")];
    let profile = &plan.known.profiles[&name("node")];
    let group = &plan.known.security_groups[&name("nodes")];
    let subnet = &site.ground.subnets[0].id;
    let mut form = vec![
        ("Action", "RunInstances"),
        ("ImageId", image),
        ("InstanceType", "t3.micro"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("IamInstanceProfile.Name", profile),
        ("NetworkInterface.1.DeviceIndex", "0"),
        ("NetworkInterface.1.SubnetId", subnet),
        ("NetworkInterface.1.SecurityGroupId.1", group),
        ("BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
        (
            "BlockDeviceMapping.1.Ebs.DeleteOnTermination",
            delete_volume,
        ),
    ];
    let tagged = ["instance", "volume", "network-interface"].into_iter();
    let tagged = tagged
        .zip(1..)
        .flat_map(|(kind, place)| tags(kind, resource, place));
    let tagged: Vec<_> = tagged.collect();
    form.extend(
        tagged
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    element(&as_owner(place, "ec2", &form).await, "instanceId")
}

/// What a cut-off `up`, a person or an unlucky service may have left.
async fn litter(place: &Place, manager: &str) {
    launch(place, "builder/node", "true").await;
    let lost = launch(place, "pool/cache", "false").await;
    terminate(place, &lost).await;
    let tagged = tags("snapshot", "image/node", 1);
    let mut form = vec![
        ("Action", "CreateImage"),
        ("InstanceId", manager),
        ("Name", "given-up"),
    ];
    form.extend(
        tagged
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let image = element(&as_owner(place, "ec2", &form).await, "imageId");
    let look = [("Action", "DescribeImages"), ("ImageId.1", image.as_str())];
    until("the image", async || {
        element(&as_owner(place, "ec2", &look).await, "imageState") == "available"
    })
    .await;
    let form = [("Action", "DeregisterImage"), ("ImageId", image.as_str())];
    as_owner(place, "ec2", &form).await;
    let inventory = read::outside_iam(&place.account, &place.scope()).await;
    for bucket in inventory.unwrap().buckets {
        let body = b"kept".to_vec().into();
        let put = stored::put(&place.account, &bucket.name, "photos/1", body, "text/plain");
        put.await.unwrap();
        begin_upload(place, &bucket.name, "photos/2").await;
    }
    until("a volume and a snapshot of nobody's", async || {
        let found = read::outside_iam(&place.account, &place.scope()).await;
        let found = found.unwrap();
        !found.volumes.is_empty() && !found.snapshots.is_empty()
    })
    .await;
}

/// An upload in parts that nobody ends.
async fn begin_upload(place: &Place, bucket: &str, key: &str) {
    let Target {
        endpoint,
        credentials,
        ..
    } = &place.account.target;
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .region(aws_sdk_s3::config::Region::new(
            place.account.region.clone(),
        ))
        .endpoint_url(endpoint.clone().unwrap())
        .credentials_provider(credentials.clone().unwrap())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let s3 = aws_sdk_s3::Client::from_conf(config);
    let begin = s3.create_multipart_upload().bucket(bucket).key(key);
    begin.send().await.unwrap();
}

async fn terminate(place: &Place, instance: &str) {
    let ids = [instance.to_owned()];
    let gone = remove::instances(&place.account, &ids, &Progress::silent()).await;
    gone.unwrap();
}

async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !is_so().await {
        assert!(std::time::Instant::now() < deadline, "waiting for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
