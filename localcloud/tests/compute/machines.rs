//! Real machines.

use std::net::{Ipv4Addr, TcpListener};

use aws_sdk_ec2::types::{
    HttpTokensState, IamInstanceProfileSpecification, InstanceMetadataOptionsRequest,
    InstanceMetadataTagsState, InstanceStateName, InstanceType, IpPermission, IpRange,
    ResourceType, ShutdownBehavior, Tag, TagSpecification,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::roles::role_with_profile;
use crate::support::{Clients, Cloud, code, content, eventually, is_alive, keys};

const UNIT: &str = "
mkdir -p $BIVOUAC_ROOT/opt/test
cat > $BIVOUAC_ROOT/opt/test/service <<'END'
#!/bin/bash
cd $BIVOUAC_ROOT/var
echo started >> starts
setsid sleep 1001 & echo $! > in-a-session
env -i setsid sleep 1002 & echo $! > without-environment
echo $$ > service
exec sleep 1003
END
chmod +x $BIVOUAC_ROOT/opt/test/service
printf '[Service]\\nExecStart=/opt/test/service\\nRestart=always\\n' > $BIVOUAC_ROOT/etc/systemd/system/test.service
ln -s /etc/systemd/system/test.service $BIVOUAC_ROOT/etc/systemd/system/multi-user.target.wants/test.service
";

/// A script that leaves behind a service with escaped processes.
pub(crate) fn with_service() -> String {
    // It tells of its run first: run again, it would fail at a link that is there.
    format!("#!/bin/bash\nset -e\necho ran >> $BIVOUAC_ROOT/var/runs\n{UNIT}\n")
}

/// The processes of the service above, once they are there.
pub(crate) async fn service_processes(cloud: &Cloud, id: &str) -> Vec<String> {
    let mut pids = Vec::new();
    for name in ["in-a-session", "without-environment", "service"] {
        pids.push(content(&cloud.root_of(id).join("var").join(name)).await);
    }
    assert!(pids.iter().all(|pid| is_alive(pid)), "{pids:?}");
    pids
}

#[tokio::test(flavor = "multi_thread")]
async fn user_data_runs_once_and_poweroff_stops_only_the_instance() {
    let mut cloud = Cloud::real().await;
    let id = cloud
        .launch(&(with_service() + "echo \"in $PWD\"\nsystemctl poweroff\nsleep 60\n"))
        .await;
    cloud.wait_for(&id, InstanceStateName::Stopped).await;
    assert!(
        cloud
            .console(&id)
            .await
            .contains(&format!("in {}", cloud.root_of(&id).display()))
    );

    cloud.start_instance(&id).await;
    cloud.wait_for(&id, InstanceStateName::Running).await;
    let var = cloud.root_of(&id).join("var");
    // Services start after the user data.
    content(&var.join("starts")).await;
    assert_eq!(content(&var.join("runs")).await, "ran\n");

    cloud.stop_instance(&id).await;
    cloud
        .ec2()
        .terminate_instances()
        .instance_ids(&id)
        .send()
        .await
        .unwrap();
    cloud.wait_for(&id, InstanceStateName::Terminated).await;
    assert!(!cloud.root_of(&id).exists());
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_power_off_means_the_instance() {
    let mut cloud = Cloud::real().await;
    for command in [
        "poweroff",
        "halt",
        "shutdown -h now",
        "shutdown -P +0",
        "systemctl --no-block poweroff",
    ] {
        let id = cloud
            .launch(&format!("#!/bin/bash\n{command}\nsleep 60\n"))
            .await;
        cloud.wait_for(&id, InstanceStateName::Stopped).await;
    }
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_shuts_down_to_terminate_is_gone() {
    let mut cloud = Cloud::real().await;
    let answer = cloud
        .ec2()
        .run_instances()
        .image_id(cloud.base_image().await)
        .instance_type(InstanceType::T3Micro)
        .min_count(1)
        .max_count(1)
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
        .user_data(base64_simd::STANDARD.encode_to_string("#!/bin/sh\nshutdown now\n"))
        .send()
        .await
        .unwrap();
    let id = answer.instances()[0].instance_id().unwrap();
    cloud.wait_for(id, InstanceStateName::Terminated).await;
    let instance = cloud.instance(id).await;
    assert_eq!(
        instance.state_reason().unwrap().code(),
        Some("Client.InstanceInitiatedShutdown")
    );
    assert!(instance.private_ip_address().is_none());
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_even_processes_that_ran_away() {
    let mut cloud = Cloud::real().await;
    let id = cloud.launch(&with_service()).await;
    let pids = service_processes(&cloud, &id).await;
    cloud.stop_instance(&id).await;
    assert!(!pids.iter().any(|pid| is_alive(pid)), "{pids:?}");

    cloud.start_instance(&id).await;
    let starts = cloud.root_of(&id).join("var/starts");
    eventually("the unit to start again", || {
        std::fs::read_to_string(&starts).is_ok_and(|text| text.lines().count() == 2)
    })
    .await;
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_killed_starts_again() {
    let mut cloud = Cloud::real().await;
    let id = cloud.launch(&with_service()).await;
    let pids = service_processes(&cloud, &id).await;
    kill(&pids[2]);
    let starts = cloud.root_of(&id).join("var/starts");
    eventually("a second start", || {
        std::fs::read_to_string(&starts).is_ok_and(|text| text.lines().count() >= 2)
    })
    .await;
    // It may still be ending; without the kill it would stay.
    eventually("the end of what the first had started", || {
        !is_alive(&pids[0])
    })
    .await;
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_whose_init_is_killed_leaves_nothing() {
    let mut cloud = Cloud::real().await;
    let id = cloud.launch(&with_service()).await;
    let pids = service_processes(&cloud, &id).await;
    let service = std::fs::read_to_string(format!("/proc/{}/stat", pids[2].trim())).unwrap();
    let init = service
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .nth(1)
        .unwrap()
        .to_owned();
    kill(&init);
    cloud.wait_for(&id, InstanceStateName::Stopped).await;
    // The one that dropped its environment cannot be told from the laptop's own processes any more.
    eventually("the end of the instance's processes", || {
        !is_alive(&pids[0]) && !is_alive(&pids[2])
    })
    .await;
    kill(&pids[1]);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_program_on_our_port_is_named() {
    let mut cloud = Cloud::real().await;
    let foreign = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = foreign.local_addr().unwrap().port();
    let ec2 = cloud.ec2();
    let group = cloud.group("door").await;
    let permission = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(port.into())
        .to_port(port.into())
        .ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build())
        .build();
    let opened = ec2.authorize_security_group_ingress().group_id(&group);
    opened.ip_permissions(permission).send().await.unwrap();
    let refused = ec2
        .run_instances()
        .image_id(cloud.base_image().await)
        .instance_type(InstanceType::T3Micro)
        .min_count(1)
        .max_count(1)
        .security_group_ids(&group)
        .send()
        .await;
    let text = format!("{refused:?}");
    assert_eq!(code(refused), "PortTaken");
    assert!(
        text.contains(&format!("process {}", std::process::id())),
        "{text}"
    );
    assert!(text.contains(&port.to_string()), "{text}");
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_needs_a_token_and_gives_keys_of_the_role() {
    let mut cloud = Cloud::real().await;
    role_with_profile(cloud.iam(), "node").await;
    let answer = cloud
        .ec2()
        .run_instances()
        .image_id(cloud.base_image().await)
        .instance_type(InstanceType::T3Micro)
        .min_count(1)
        .max_count(1)
        .iam_instance_profile(
            IamInstanceProfileSpecification::builder()
                .name("node")
                .build(),
        )
        .metadata_options(
            InstanceMetadataOptionsRequest::builder()
                .http_tokens(HttpTokensState::Required)
                .instance_metadata_tags(InstanceMetadataTagsState::Enabled)
                .build(),
        )
        .tag_specifications(
            TagSpecification::builder()
                .resource_type(ResourceType::Instance)
                .tags(
                    Tag::builder()
                        .key("bivouac:deployment")
                        .value("x y")
                        .build(),
                )
                .build(),
        )
        .user_data(base64_simd::STANDARD.encode_to_string("no script"))
        .send()
        .await
        .unwrap();
    let instance = &answer.instances()[0];
    let (id, address) = (
        instance.instance_id().unwrap(),
        instance.private_ip_address().unwrap(),
    );
    cloud.wait_for(id, InstanceStateName::Running).await;

    let (status, _) = http(address, "GET", "/latest/meta-data/instance-id", "").await;
    assert_eq!(status, 401);
    let (status, _) = http(address, "PUT", "/latest/api/token", "").await;
    assert_eq!(status, 400);
    let ttl = "x-aws-ec2-metadata-token-ttl-seconds: 60\r\n";
    let (status, token) = http(address, "PUT", "/latest/api/token", ttl).await;
    assert_eq!(status, 200);
    let with_token = format!("x-aws-ec2-metadata-token: {token}\r\n");
    let get =
        async |path: &str| http(address, "GET", &format!("/latest/{path}"), &with_token).await;
    assert_eq!(get("meta-data/instance-id").await, (200, id.to_owned()));
    assert_eq!(get("meta-data/local-ipv4").await, (200, address.to_owned()));
    assert_eq!(get("user-data").await, (200, "no script".to_owned()));
    assert_eq!(
        get("meta-data/tags/instance/bivouac:deployment").await,
        (200, "x y".to_owned())
    );
    assert_eq!(get("meta-data/nothing").await.0, 404);
    let (_, role) = get("meta-data/iam/security-credentials/").await;
    assert_eq!(role, "node");

    let path = "meta-data/iam/security-credentials/node";
    let (_, text) = get(path).await;
    assert_eq!(
        get(path).await.1,
        text,
        "the same keys until they are to be renewed"
    );
    let given: serde_json::Value = serde_json::from_str(&text).unwrap();
    let (key, secret) = (
        given["AccessKeyId"].as_str().unwrap(),
        given["SecretAccessKey"].as_str().unwrap(),
    );
    let endpoint = cloud.running().endpoint();
    let with_keys = |token| Clients::new(&endpoint, &keys(key, secret, token)).sts;
    let token = given["Token"].as_str();
    let caller = with_keys(token).get_caller_identity().send().await.unwrap();
    let arn = format!(
        "arn:aws:sts::{}:assumed-role/node/{id}",
        cloud.running().account()
    );
    assert_eq!(caller.arn(), Some(arn.as_str()));
    let without = with_keys(None).get_caller_identity().send().await;
    assert_eq!(code(without), "InvalidClientTokenId");
    cloud.stop().await;
}

async fn http(address: &str, method: &str, path: &str, headers: &str) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect((address, 4767))
        .await
        .unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

pub(crate) fn kill(pid: &str) {
    let pid = nix::unistd::Pid::from_raw(pid.trim().parse().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}
