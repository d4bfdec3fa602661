//! Public addresses of real machines: who gets in, and what becomes of it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use aws_sdk_ec2::types::{
    IamInstanceProfileSpecification, InstanceNetworkInterfaceSpecification, InstanceStateName,
    InstanceType, IpPermission, IpRange, UserIdGroupPair,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::roles::role_with_profile;
use crate::support::{Cloud, PATIENCE, code};

const LAPTOP: Ipv4Addr = Ipv4Addr::LOCALHOST;
const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
const PORT: u16 = 5000;
/// How long silence is listened to.
const MOMENT: Duration = Duration::from_secs(1);

/// An instance behind a group of its own. What listens on it is the test itself.
struct Machine {
    id: String,
    group: String,
    public: Ipv4Addr,
    private: Ipv4Addr,
}

impl Machine {
    async fn launch(cloud: &Cloud) -> Self {
        let ec2 = cloud.ec2();
        let group = cloud.group("door").await;
        let launched = ec2
            .run_instances()
            .image_id(cloud.base_image().await)
            .instance_type(InstanceType::T3Micro)
            .min_count(1)
            .max_count(1)
            .security_group_ids(&group)
            .send()
            .await
            .unwrap();
        let id = launched.instances()[0].instance_id().unwrap().to_owned();
        cloud.wait_for(&id, InstanceStateName::Running).await;
        let instance = cloud.instance(&id).await;
        let address = |text: Option<&str>| text.unwrap().parse().unwrap();
        Self {
            public: address(instance.public_ip_address()),
            private: address(instance.private_ip_address()),
            id,
            group,
        }
    }

    async fn open(&self, cloud: &Cloud, ports: (u16, u16), from: &str) {
        let authorize = cloud.ec2().authorize_security_group_ingress();
        let rule = authorize
            .group_id(&self.group)
            .ip_permissions(rule(ports, from));
        rule.send().await.unwrap();
    }

    async fn close(&self, cloud: &Cloud, ports: (u16, u16), from: &str) {
        let revoke = cloud.ec2().revoke_security_group_ingress();
        let rule = revoke
            .group_id(&self.group)
            .ip_permissions(rule(ports, from));
        rule.send().await.unwrap();
    }

    async fn listen(&self) -> TcpListener {
        TcpListener::bind((self.private, PORT)).await.unwrap()
    }

    async fn call(&self) -> io::Result<TcpStream> {
        connect(LAPTOP, (self.public, PORT).into()).await
    }
}

fn rule((first, last): (u16, u16), from: &str) -> IpPermission {
    let rule = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(first.into())
        .to_port(last.into());
    if from.starts_with("sg-") {
        let group = UserIdGroupPair::builder().group_id(from).build();
        return rule.user_id_group_pairs(group).build();
    }
    let range = IpRange::builder().cidr_ip(from).build();
    rule.ip_ranges(range).build()
}

/// A connection from an address of this machine; `TimedOut` where nothing answers.
async fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    tokio::time::timeout(MOMENT, socket.connect(to)).await?
}

/// Waits until nobody listens there: a process that another test is just starting may hold for a
/// moment what was closed.
async fn until_refused(from: Ipv4Addr, to: SocketAddr) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let outcome = connect(from, to).await;
        let why = outcome.as_ref().map_err(io::Error::kind).err();
        if why == Some(io::ErrorKind::ConnectionRefused) {
            return;
        }
        assert!(Instant::now() < deadline, "{outcome:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn kind<T>(outcome: io::Result<T>) -> io::ErrorKind {
    outcome.map(drop).unwrap_err().kind()
}

async fn says_and_hears(one: &mut TcpStream, other: &mut TcpStream, word: &[u8]) {
    one.write_all(word).await.unwrap();
    let mut heard = vec![0; word.len()];
    let reading = tokio::time::timeout(PATIENCE, other.read_exact(&mut heard));
    reading.await.expect("it arrives").unwrap();
    assert_eq!(heard, word);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_rules_name_gets_in_at_once_and_others_hear_nothing() {
    let mut cloud = Cloud::real().await;
    let machine = Machine::launch(&cloud).await;
    let public = (machine.public, PORT).into();
    let service = machine.listen().await;
    assert_eq!(kind(machine.call().await), io::ErrorKind::ConnectionRefused);
    machine.open(&cloud, (PORT, PORT), &machine.group).await;
    assert_eq!(
        kind(machine.call().await),
        io::ErrorKind::ConnectionRefused,
        "a rule from a group means private addresses"
    );

    machine.open(&cloud, (PORT, PORT), "127.0.0.1/32").await;
    let mut caller = machine.call().await.unwrap();
    let (mut served, _) = service.accept().await.unwrap();
    says_and_hears(&mut caller, &mut served, b"hello").await;
    says_and_hears(&mut served, &mut caller, b"yes?").await;
    let silence = connect(STRANGER, public).await;
    assert_eq!(kind(silence), io::ErrorKind::TimedOut);

    machine.open(&cloud, (PORT, PORT), "127.0.0.8/31").await;
    connect(STRANGER, public).await.unwrap();
    machine.close(&cloud, (PORT, PORT), "127.0.0.1/32").await;
    assert_eq!(kind(machine.call().await), io::ErrorKind::TimedOut);
    says_and_hears(&mut caller, &mut served, b"still there").await;
    machine.close(&cloud, (PORT, PORT), "127.0.0.8/31").await;
    until_refused(STRANGER, public).await;
    cloud.stop().await;
    until_refused(LAPTOP, public).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_and_a_break_are_passed_on() {
    let mut cloud = Cloud::real().await;
    let machine = Machine::launch(&cloud).await;
    machine.open(&cloud, (PORT, PORT), "127.0.0.1/32").await;
    // Its service is not up yet: what AWS would refuse is broken off.
    let early = async { machine.call().await?.read_u8().await };
    let broken = tokio::time::timeout(PATIENCE, early).await.unwrap();
    assert_eq!(kind(broken), io::ErrorKind::ConnectionReset);

    let service = machine.listen().await;
    let mut caller = machine.call().await.unwrap();
    let (mut served, _) = service.accept().await.unwrap();
    says_and_hears(&mut caller, &mut served, b"all I have to say").await;
    caller.shutdown().await.unwrap();
    let mut rest = Vec::new();
    served.read_to_end(&mut rest).await.unwrap();
    assert!(
        rest.is_empty(),
        "the caller's end arrives, and nothing else"
    );
    says_and_hears(&mut served, &mut caller, b"the answer").await;
    drop(served);
    caller.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_callers_hinder_nobody_and_a_slow_one_is_waited_for() {
    const IDLE: usize = 1000;
    const LONG: usize = 32 << 20;
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let mut cloud = Cloud::real().await;
    let machine = Machine::launch(&cloud).await;
    machine.open(&cloud, (PORT, PORT), "127.0.0.1/32").await;
    let service = machine.listen().await;
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        let caller = machine.call().await.unwrap();
        idle.push((caller, service.accept().await.unwrap()));
    }
    let mut caller = machine.call().await.unwrap();
    let (mut served, _) = service.accept().await.unwrap();
    let content: Vec<u8> = (0..LONG)
        .map(|place| (place >> 7).to_le_bytes()[0])
        .collect();
    let sent = content.clone();
    let sending = tokio::spawn(async move {
        served.write_all(&sent).await.unwrap();
        served.shutdown().await.unwrap();
    });
    let mut first = [0; 1];
    caller.read_exact(&mut first).await.unwrap();
    assert!(
        !sending.is_finished(),
        "what is not read is not taken either"
    );
    let mut got = first.to_vec();
    caller.read_to_end(&mut got).await.unwrap();
    assert!(got == content, "what arrives is what was sent");
    sending.await.unwrap();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_address_goes_with_a_stop_and_stays_with_a_restart_of_localcloud() {
    let cloud = Cloud::real().await;
    let machine = Machine::launch(&cloud).await;
    machine.open(&cloud, (PORT, PORT), "127.0.0.1/32").await;
    let service = machine.listen().await;
    machine.call().await.unwrap();
    // Whoever listens there while its machine is off is in the way of its start.
    let private = (machine.private, PORT).into();
    drop(service);
    until_refused(LAPTOP, private).await;

    let mut cloud = cloud.restart().await;
    cloud
        .wait_for(&machine.id, InstanceStateName::Running)
        .await;
    let public = async |cloud: &Cloud| {
        let instance = cloud.instance(&machine.id).await;
        instance
            .public_ip_address
            .map(|text| text.parse::<Ipv4Addr>().unwrap())
    };
    assert_eq!(public(&cloud).await, Some(machine.public));
    let service = machine.listen().await;
    machine.call().await.unwrap();
    drop(service);
    until_refused(LAPTOP, private).await;

    cloud.stop_instance(&machine.id).await;
    assert_eq!(public(&cloud).await, None);
    until_refused(LAPTOP, (machine.public, PORT).into()).await;
    cloud.start_instance(&machine.id).await;
    cloud
        .wait_for(&machine.id, InstanceStateName::Running)
        .await;
    let now = public(&cloud).await.unwrap();
    assert_ne!(now, machine.public);
    let _service = machine.listen().await;
    connect(LAPTOP, (now, PORT).into()).await.unwrap();
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_at_a_public_address_is_named_and_the_next_start_has_another() {
    let mut cloud = Cloud::real().await;
    let machine = Machine::launch(&cloud).await;
    machine.open(&cloud, (PORT, PORT), "127.0.0.1/32").await;
    cloud.stop_instance(&machine.id).await;
    // The address that is next.
    let next = Ipv4Addr::from(u32::from(machine.public) + 1);
    let foreign = TcpListener::bind((next, PORT)).await.unwrap();
    cloud.start_instance(&machine.id).await;
    cloud
        .wait_for(&machine.id, InstanceStateName::Stopped)
        .await;
    let reason = cloud.instance(&machine.id).await.state_reason.unwrap();
    let named = format!("(process {}) listens on {next}:{PORT}", std::process::id());
    assert!(reason.message().unwrap().contains(&named), "{reason:?}");
    cloud.start_instance(&machine.id).await;
    cloud
        .wait_for(&machine.id, InstanceStateName::Running)
        .await;
    let instance = cloud.instance(&machine.id).await;
    assert_ne!(
        instance.public_ip_address(),
        Some(next.to_string().as_str())
    );
    drop(foreign);
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wide_range_opens_what_listens_but_never_the_metadata() {
    let mut cloud = Cloud::real().await;
    let machine = Machine::launch(&cloud).await;
    machine.open(&cloud, (1, 65535), "127.0.0.1/32").await;
    let _service = machine.listen().await;
    let deadline = Instant::now() + PATIENCE;
    while machine.call().await.is_err() {
        assert!(Instant::now() < deadline, "it is never open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    connect(LAPTOP, (machine.private, 4767).into())
        .await
        .unwrap();
    let metadata = connect(LAPTOP, (machine.public, 4767).into()).await;
    assert_eq!(kind(metadata), io::ErrorKind::ConnectionRefused);
    cloud.stop().await;
}

#[tokio::test]
async fn without_a_public_address_an_instance_reaches_no_service_of_aws() {
    let mut cloud = Cloud::paper().await;
    role_with_profile(cloud.iam(), "node").await;
    let launch = async |public: bool| {
        let interface = InstanceNetworkInterfaceSpecification::builder()
            .device_index(0)
            .associate_public_ip_address(public)
            .build();
        let profile = IamInstanceProfileSpecification::builder()
            .name("node")
            .build();
        let launched = cloud
            .ec2()
            .run_instances()
            .image_id(cloud.base_image().await)
            .instance_type(InstanceType::T3Micro)
            .min_count(1)
            .max_count(1)
            .network_interfaces(interface)
            .iam_instance_profile(profile)
            .send()
            .await
            .unwrap();
        let id = launched.instances()[0].instance_id().unwrap().to_owned();
        cloud.wait_for(&id, InstanceStateName::Running).await;
        id
    };
    let (inside, outside) = (launch(false).await, launch(true).await);
    let found = cloud.instance(&inside).await;
    assert!(found.private_ip_address().is_some());
    assert_eq!(found.public_ip_address(), None);

    let cut_off = cloud.as_instance("node", &inside).await;
    let identity = cut_off.sts.get_caller_identity().send().await;
    let text = format!("{identity:?}");
    assert!(text.contains(&inside), "{text}");
    assert_eq!(code(identity), "NoPublicAddress");
    assert_eq!(
        code(cut_off.ec2.describe_instances().send().await),
        "NoPublicAddress"
    );
    assert_eq!(
        code(cut_off.s3.list_buckets().send().await),
        "NoPublicAddress"
    );
    let listed = cut_off.cloudwatch.list_metrics().send().await;
    assert_eq!(code(listed), "NoPublicAddress");

    let reaches = cloud.as_instance("node", &outside).await;
    reaches.sts.get_caller_identity().send().await.unwrap();
    cloud.stop().await;
}
