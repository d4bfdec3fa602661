//! A localcloud of its own for each test, and clients of it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use aws_sdk_ec2::types::{Filter, Image, ImageState, Instance, InstanceStateName, InstanceType};
use aws_smithy_http_client::tls;
use localcloud::{Options, Running};

pub(crate) use crate::lonely::lonely_network;
pub(crate) use crate::refusal::code;

pub(crate) const REGION: &str = "us-east-1";
pub(crate) const INIT_PROGRAM: &str = env!("CARGO_BIN_EXE_localcloud");
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Cloud {
    running: Option<Running>,
    pub(crate) home: tempfile::TempDir,
    pub(crate) clients: Clients,
}

pub(crate) struct Clients {
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) rds: aws_sdk_rds::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) cloudwatch: aws_sdk_cloudwatch::Client,
}

impl Clients {
    pub(crate) fn new(endpoint: &str, credentials: &Credentials) -> Self {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(
                tls::rustls_provider::CryptoMode::Ring,
            ))
            .build_https();
        macro_rules! client {
            ($service:ident) => {
                $service::Client::from_conf(
                    $service::Config::builder()
                        .behavior_version($service::config::BehaviorVersion::latest())
                        .endpoint_url(endpoint)
                        .region($service::config::Region::new(REGION))
                        .credentials_provider(credentials.clone())
                        .http_client(http.clone())
                        .retry_config($service::config::retry::RetryConfig::disabled())
                        .build(),
                )
            };
        }
        Self {
            ec2: client!(aws_sdk_ec2),
            iam: client!(aws_sdk_iam),
            sts: client!(aws_sdk_sts),
            rds: client!(aws_sdk_rds),
            s3: client!(aws_sdk_s3),
            cloudwatch: client!(aws_sdk_cloudwatch),
        }
    }
}

pub(crate) fn keys(id: &str, secret: &str, token: Option<&str>) -> Credentials {
    Credentials::new(id, secret, token.map(str::to_owned), None, "test")
}

impl Cloud {
    pub(crate) async fn paper() -> Self {
        Self::start(tempfile::tempdir().unwrap(), Options::paper).await
    }

    pub(crate) async fn real() -> Self {
        Self::start(tempfile::tempdir().unwrap(), real_options).await
    }

    pub(crate) async fn rehearsing(rehearsal: localcloud::Rehearsal) -> Self {
        let options = |home| Options {
            rehearsal: Some(rehearsal.clone()),
            ..Options::paper(home)
        };
        Self::start(tempfile::tempdir().unwrap(), options).await
    }

    /// What is rehearsed.
    pub(crate) fn stage(&self) -> &localcloud::rehearsal::Stage {
        &self.running().cloud().context.stage
    }

    async fn start(home: tempfile::TempDir, options: impl Fn(PathBuf) -> Options) -> Self {
        let running = localcloud::start(options(home.path().join("home")))
            .await
            .unwrap();
        let root = running.credentials();
        let credentials = keys(&root.access_key_id, &root.secret_access_key, None);
        Self {
            clients: Clients::new(&running.endpoint(), &credentials),
            running: Some(running),
            home,
        }
    }

    /// Clients with the credentials of a session of a role, as an instance's metadata service has
    /// them.
    pub(crate) async fn as_role(&self, role: &str) -> Clients {
        let found = self.iam().get_role().role_name(role).send().await.unwrap();
        self.in_session(role, found.role().unwrap().role_id())
    }

    /// Clients with the credentials that one instance has of its role.
    pub(crate) async fn as_instance(&self, role: &str, instance: &str) -> Clients {
        let found = self.iam().get_role().role_name(role).send().await.unwrap();
        self.in_session_of(role, found.role().unwrap().role_id(), instance)
    }

    pub(crate) fn in_session(&self, role: &str, id: &str) -> Clients {
        self.in_session_of(role, id, "i-0123456789abcdef0")
    }

    fn in_session_of(&self, role: &str, id: &str, session: &str) -> Clients {
        let principal = localcloud::auth::Principal::Role {
            name: role.to_owned(),
            id: id.to_owned(),
            session: session.to_owned(),
        };
        let store = &self.running().cloud().context.credentials;
        let session = store.issue(principal, jiff::SignedDuration::from_hours(1));
        let token = session.session_token.as_deref();
        let credentials = keys(&session.access_key_id, &session.secret_access_key, token);
        Clients::new(&self.running().endpoint(), &credentials)
    }

    pub(crate) fn ec2(&self) -> &aws_sdk_ec2::Client {
        &self.clients.ec2
    }

    pub(crate) fn iam(&self) -> &aws_sdk_iam::Client {
        &self.clients.iam
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub(crate) fn home_folder(&self) -> PathBuf {
        self.home.path().join("home")
    }

    pub(crate) async fn stop(&mut self) {
        self.running.take().unwrap().shutdown().await;
    }

    /// Stops it and starts it again on the same state.
    pub(crate) async fn restart(mut self) -> Self {
        self.stop().await;
        Self::start(self.home, real_options).await
    }

    pub(crate) fn root_of(&self, instance: &str) -> PathBuf {
        self.home_folder()
            .canonicalize()
            .unwrap()
            .join("instances")
            .join(instance)
            .join("root")
    }

    pub(crate) async fn base_image(&self) -> String {
        newest(self.ec2(), "al2023-ami-2023.*-kernel-6.1-x86_64")
            .await
            .image_id
            .unwrap()
    }

    /// A t3.micro of the base image with that script.
    pub(crate) async fn launch(&self, script: &str) -> String {
        self.launch_from(&self.base_image().await, script).await
    }

    pub(crate) async fn launch_from(&self, image: &str, script: &str) -> String {
        let mut launch = self
            .ec2()
            .run_instances()
            .image_id(image)
            .instance_type(InstanceType::T3Micro)
            .min_count(1)
            .max_count(1);
        if !script.is_empty() {
            launch = launch.user_data(base64_simd::STANDARD.encode_to_string(script));
        }
        let answer = launch.send().await.unwrap();
        answer.instances()[0].instance_id().unwrap().to_owned()
    }

    pub(crate) async fn instance(&self, id: &str) -> Instance {
        let answer = self
            .ec2()
            .describe_instances()
            .instance_ids(id)
            .send()
            .await
            .unwrap();
        answer.reservations()[0].instances()[0].clone()
    }

    pub(crate) async fn wait_for(&self, id: &str, wanted: InstanceStateName) {
        let begin = Instant::now();
        loop {
            let now = self.instance(id).await.state.unwrap().name.unwrap();
            if now == wanted {
                return;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "{id} is {now}, not {wanted}; console:\n{}",
                self.console(id).await
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops an instance and waits until it is stopped.
    pub(crate) async fn stop_instance(&self, id: &str) {
        let stop = self.ec2().stop_instances().instance_ids(id);
        stop.send().await.unwrap();
        self.wait_for(id, InstanceStateName::Stopped).await;
    }

    /// Tells an instance to start.
    pub(crate) async fn start_instance(&self, id: &str) {
        let start = self.ec2().start_instances().instance_ids(id);
        start.send().await.unwrap();
    }

    /// A security group without rules that let anybody in; tells its id.
    pub(crate) async fn group(&self, name: &str) -> String {
        let made = self.ec2().create_security_group().group_name(name);
        let made = made.description(name).send().await;
        made.unwrap().group_id.unwrap()
    }

    pub(crate) async fn console(&self, id: &str) -> String {
        let answer = self
            .ec2()
            .get_console_output()
            .instance_id(id)
            .latest(true)
            .send()
            .await;
        let output = answer.unwrap().output.unwrap_or_default();
        String::from_utf8(base64_simd::STANDARD.decode_to_vec(output).unwrap()).unwrap()
    }

    pub(crate) async fn image_of(&self, instance: &str, name: &str) -> String {
        let made = self
            .ec2()
            .create_image()
            .instance_id(instance)
            .name(name)
            .send()
            .await;
        let id = made.unwrap().image_id.unwrap();
        let begin = Instant::now();
        loop {
            let answer = self
                .ec2()
                .describe_images()
                .image_ids(&id)
                .send()
                .await
                .unwrap();
            match answer.images()[0].state().unwrap() {
                ImageState::Available => return id,
                ImageState::Pending => {}
                other => panic!("the image is {other}"),
            }
            assert!(begin.elapsed() < PATIENCE, "the image is pending for ever");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn real_options(home: PathBuf) -> Options {
    Options {
        init_program: Some(INIT_PROGRAM.into()),
        first_network: lonely_network(),
        ..Options::new(home)
    }
}

pub(crate) fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

pub(crate) async fn newest(ec2: &aws_sdk_ec2::Client, name: &str) -> Image {
    let answer = ec2
        .describe_images()
        .filters(filter("name", name))
        .send()
        .await
        .unwrap();
    let mut images = answer.images.unwrap();
    images.sort_by_key(|image| image.creation_date.clone());
    images.pop().unwrap()
}

/// Content of a file that will be there.
pub(crate) async fn content(path: &Path) -> String {
    let mut found = String::new();
    eventually(&format!("{} to be written", path.display()), || {
        found = std::fs::read_to_string(path).unwrap_or_default();
        found.ends_with('\n')
    })
    .await;
    found
}

pub(crate) async fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !happened() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether a process runs; one that nobody has waited for yet does not.
pub(crate) fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.starts_with(" Z"))
}
