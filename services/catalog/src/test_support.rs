//! A throwaway PostgreSQL for tests: its own directory, port and certificates, gone when the test
//! process is, however that ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::unistd::{Gid, Uid, User};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::{Catalog, DatabaseSettings, Mode, Policy, PoolRow};

/// The password of the server's only role.
pub const PASSWORD: &str = "a-test-password";
const USER: &str = "bivouac";
const START_DEADLINE: Duration = Duration::from_secs(60);
const INSTALL: &str = "these tests need PostgreSQL's server programs: apt-get install postgresql";

/// A pool called `cache` before its first node, as a blueprint makes it: one node of 1 to 8, 64 MiB, LRU,
/// by hand.
#[must_use]
pub fn pool() -> PoolRow {
    PoolRow {
        name: "cache".to_owned(),
        revision: 0,
        epoch: 1,
        size: 0,
        wanted: 1,
        min: 1,
        max: 8,
        capacity: 64 << 20,
        policy: Policy::Lru,
        mode: Mode::Manual,
        exp_ratio: 2.0,
        shrink_ratio: 0.5,
        max_miss: 0.6,
        min_miss: 0.2,
        told: None,
        hand_over: 0,
        taken: 0,
        coming: None,
        hands_over: true,
    }
}

/// Ends and removes everything when the pipe on its standard input closes, which it does when the test
/// process drops the server, ends, or is killed.
const GUARD: &str = r#"
"$@" </dev/null >"$HOME/log" 2>&1 &
server=$!
read -r _
kill -INT "$server" 2>/dev/null
wait "$server"
[ -e "$HOME/keep" ] || rm -rf "$HOME"
"#;

/// A running PostgreSQL server with TLS, on a network of its own.
#[derive(Debug)]
pub struct PostgresServer {
    home: PathBuf,
    host: Ipv4Addr,
    port: u16,
    authority: String,
    guard: Option<Child>,
}

/// A network of the loopback that nobody else in a test uses: the first three numbers of
/// 127.b.c.0/24. A port that is given up there is free until the test takes it again; on 127.0.0.1
/// it is anybody's.
#[must_use]
pub fn own_network() -> [u8; 3] {
    /// Networks of one process.
    const EACH: u16 = 512;
    static COUNT: AtomicU16 = AtomicU16::new(0);
    let [process, ..] = std::process::id().to_le_bytes();
    let first = u16::from(process).wrapping_mul(EACH);
    let number = first.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed) % EACH);
    let [b, c] = number.to_be_bytes();
    [127, 128 | b, c]
}

/// A new, migrated database on a server that all tests of this process share.
///
/// # Panics
/// When no server can be started; the message says what to install.
pub async fn database() -> (DatabaseSettings, Catalog) {
    static SHARED: OnceLock<PostgresServer> = OnceLock::new();
    let server = SHARED.get_or_init(PostgresServer::start);
    let settings = server.create_database().await;
    let catalog = Catalog::connect(&settings, PASSWORD).unwrap();
    catalog.migrate().await.unwrap();
    (settings, catalog)
}

/// Stores so many photos at once, as SVG images of `size` bytes: `photo-00001.svg` is the object
/// `photos/seeded-1`, and so on; the last is the newest.
///
/// # Panics
/// When the database cannot be asked.
pub async fn seed_photos(catalog: &Catalog, count: i64, size: i64) {
    let seeded = catalog.with("seed photos", async |client| {
        let statement = "INSERT INTO photo (key, object, size, content_type)
            SELECT 'photo-' || lpad(n::text, 5, '0') || '.svg', 'photos/seeded-' || n, $2,
                   'image/svg+xml'
            FROM generate_series(1, $1::bigint) n ORDER BY n";
        Ok(client.execute(statement, &[&count, &size]).await?)
    });
    seeded.await.unwrap();
}

/// From now on pools are written up to this revision and no further: whoever tries is refused.
///
/// # Panics
/// When the database cannot be asked, or a pool is beyond it already.
pub async fn limit_revision(catalog: &Catalog, revision: i64) {
    let limited = catalog.with("limit revisions", async |client| {
        let statement = format!(
            "ALTER TABLE pool DROP CONSTRAINT IF EXISTS revision_limit,
                              ADD CONSTRAINT revision_limit CHECK (revision <= {revision})"
        );
        Ok(client.batch_execute(&statement).await?)
    });
    limited.await.unwrap();
}

/// Ends the connections by which managers lead, as when the network between cuts them.
///
/// # Panics
/// When the database cannot be asked.
pub async fn cut_leaders_off(catalog: &Catalog) {
    let cut = catalog.with("cut leaders off", async |client| {
        let statement = "SELECT pg_terminate_backend(pid) FROM pg_locks
             WHERE locktype = 'advisory' AND granted
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        Ok(client.batch_execute(statement).await?)
    });
    cut.await.unwrap();
}

impl PostgresServer {
    /// Starts a server of the test's own, for tests that stop it.
    ///
    /// # Panics
    /// When no server can be started; the message says what to install.
    #[must_use]
    pub fn start() -> Self {
        let [a, b, c] = own_network();
        let host = Ipv4Addr::new(a, b, c, 1);
        let home = create_home();
        let authority = write_certificates(&home, host);
        initialise(&home);
        let mut server = Self {
            port: free_port(host),
            home,
            host,
            authority,
            guard: None,
        };
        server.resume();
        server
    }

    /// Settings of the database that every server has; its host is verified by the certificate.
    #[must_use]
    pub fn settings(&self) -> DatabaseSettings {
        DatabaseSettings {
            host: self.host.to_string(),
            port: self.port,
            name: "postgres".to_owned(),
            user: USER.to_owned(),
            ca: self.authority.clone(),
        }
    }

    /// Creates an empty database of its own.
    ///
    /// # Panics
    /// When the server is stopped.
    pub async fn create_database(&self) -> DatabaseSettings {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let client = Catalog::connect(&self.settings(), PASSWORD)
            .unwrap()
            .dedicated()
            .await
            .unwrap();
        client
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .await
            .unwrap();
        DatabaseSettings {
            name,
            ..self.settings()
        }
    }

    /// Stops the server; its data stays for [`PostgresServer::resume`].
    ///
    /// # Panics
    /// When the server's directory is gone.
    pub fn stop(&mut self) {
        std::fs::write(self.home.join("keep"), "").unwrap();
        self.end();
        std::fs::remove_file(self.home.join("keep")).unwrap();
    }

    /// Starts a stopped server again, on the same port with the same data, and waits until it accepts
    /// connections.
    ///
    /// # Panics
    /// When it does not start.
    pub fn resume(&mut self) {
        self.launch();
        let deadline = Instant::now() + START_DEADLINE;
        while !self.accepts_connections() {
            assert!(
                Instant::now() < deadline,
                "PostgreSQL did not start: {}",
                log(&self.home)
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn accepts_connections(&self) -> bool {
        log(&self.home).contains("database system is ready to accept connections")
            && TcpStream::connect((self.host, self.port)).is_ok()
    }

    fn launch(&mut self) {
        let _none = std::fs::remove_file(self.home.join("log"));
        let child = as_owner("sh")
            .args(["-c", GUARD, "guard"])
            .arg(program("postgres"))
            .arg("-D")
            .arg(self.home.join("data"))
            .args(["-h", &self.host.to_string()])
            .args(["-p", &self.port.to_string()])
            .args(["-c", "ssl=on", "-c", "unix_socket_directories="])
            .args(["-c", "fsync=off", "-c", "full_page_writes=off"])
            .args(["-c", "shared_buffers=16MB", "-c", "max_connections=200"])
            .env("HOME", &self.home)
            .current_dir(&self.home)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        self.guard = Some(child);
    }

    fn end(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            let _ = guard.wait();
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.end();
        // A server that was stopped has no guard any more that would remove its directory.
        if !self.home.join("keep").exists() {
            let _gone = std::fs::remove_dir_all(&self.home);
        }
    }
}

fn create_home() -> PathBuf {
    let home = tempfile::Builder::new()
        .prefix("bivouac-postgres-")
        .tempdir()
        .unwrap()
        .keep();
    if let Some((user, group)) = owner() {
        chown(&home, Some(user.as_raw()), Some(group.as_raw())).unwrap();
    }
    home
}

/// PostgreSQL refuses to run as root; distributions bring a user for it.
fn owner() -> Option<(Uid, Gid)> {
    if !Uid::effective().is_root() {
        return None;
    }
    let user = User::from_name("postgres").unwrap().expect(INSTALL);
    Some((user.uid, user.gid))
}

fn as_owner(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    if let Some((user, group)) = owner() {
        command.uid(user.as_raw()).gid(group.as_raw());
    }
    command.process_group(0);
    command
}

fn program(name: &str) -> PathBuf {
    let directory = programs_by_pg_config()
        .or_else(newest_programs)
        .expect(INSTALL);
    let program = directory.join(name);
    assert!(
        program.exists(),
        "{} is missing. {INSTALL}",
        program.display()
    );
    program
}

fn programs_by_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let directory = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    directory.join("initdb").exists().then_some(directory)
}

fn newest_programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .max()
        .map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")))
}

fn initialise(home: &Path) {
    std::fs::write(home.join("password"), PASSWORD).unwrap();
    let output = as_owner(program("initdb"))
        .arg("-D")
        .arg(home.join("data"))
        .args(["-U", USER, "-A", "scram-sha-256", "-E", "UTF8"])
        .args(["--locale=C", "--no-sync", "--pwfile=password"])
        .current_dir(home)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "initdb failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    for name in ["server.crt", "server.key"] {
        std::fs::rename(home.join(name), home.join("data").join(name)).unwrap();
    }
}

/// An authority and a server certificate for `host`; answers the authority's PEM.
fn write_certificates(home: &Path, host: Ipv4Addr) -> String {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![host.to_string()])
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    write_private(&home.join("server.crt"), &certificate.pem());
    write_private(&home.join("server.key"), &key.serialize_pem());
    authority_certificate.pem()
}

fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    if let Some((user, group)) = owner() {
        chown(path, Some(user.as_raw()), Some(group.as_raw())).unwrap();
    }
}

fn free_port(host: Ipv4Addr) -> u16 {
    let listener = TcpListener::bind((host, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn log(home: &Path) -> String {
    match std::fs::read_to_string(home.join("log")) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => panic!("PostgreSQL's log: {error}"),
    }
}
