//! One database's folder: made from a template, with its settings, its certificate and its master user.
//!
//! `DIR/databases/<name>/` holds `data` (PostgreSQL's) and `server.log`. The template is made once
//! per PostgreSQL version by `initdb`; each database is a copy of it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::account::Account;
use super::binaries::Binaries;
use crate::rds::authority::{AuthorityError, ServerIdentity};

/// The superuser. As on RDS nobody logs in as it.
const SUPERUSER: &str = "rdsadmin";

/// A database's folder cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    /// The file system refused.
    #[error("cannot {operation} {}", path.display())]
    File {
        /// What was being done.
        operation: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A program of PostgreSQL failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Its name.
        program: &'static str,
        /// The end of what it said.
        output: String,
    },
    /// No certificate.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// Who owns the databases of an instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Master<'a> {
    pub(crate) user: &'a str,
    pub(crate) password: &'a str,
    /// A database to make, owned by the user.
    pub(crate) database: Option<&'a str>,
}

/// The folder of one database. Its functions block.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    folder: PathBuf,
    account: Account,
}

impl Cluster {
    /// The cluster in a folder, which need not be there yet.
    pub(crate) fn at(folder: PathBuf, account: Account) -> Self {
        Self { folder, account }
    }

    /// PostgreSQL's data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// What the server writes.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    pub(crate) fn account(&self) -> Account {
        self.account
    }

    /// Makes the folder as a copy of the template, and in it the master user. What a failed attempt
    /// left is removed first.
    pub(crate) fn create(
        &self,
        binaries: &Binaries,
        template: &Path,
        master: Master<'_>,
    ) -> Result<(), ClusterError> {
        self.remove()?;
        self.make_folder(&self.folder)?;
        self.copy(template, &self.data())?;
        self.run_single(binaries, &statements(master))
    }

    /// Gives the master user another password. The server must not be running.
    pub(crate) fn set_password(
        &self,
        binaries: &Binaries,
        user: &str,
        password: &str,
    ) -> Result<(), ClusterError> {
        let statement = format!(
            "ALTER ROLE {} PASSWORD {}\n",
            identifier(user),
            literal(password)
        );
        self.run_single(binaries, &statement)
    }

    /// Writes all that the server is told: where it listens, TLS only, little memory.
    pub(crate) fn configure(
        &self,
        address: Ipv4Addr,
        port: u16,
        identity: &ServerIdentity,
    ) -> Result<(), ClusterError> {
        let data = self.data();
        self.write(&data.join("server.crt"), &identity.certificate)?;
        self.write(&data.join("server.key"), &identity.key)?;
        self.write(&data.join("postgresql.conf"), &settings(address, port))?;
        self.write(
            &data.join("pg_hba.conf"),
            "hostssl all all 0.0.0.0/0 scram-sha-256\n",
        )
    }

    /// Removes the folder and all in it.
    pub(crate) fn remove(&self) -> Result<(), ClusterError> {
        crate::home::remove_tree(&self.folder).map_err(failed("remove", &self.folder))
    }

    /// Flushes what was copied to disk, so that a new database survives a power failure too.
    pub(crate) fn flush(&self) -> io::Result<()> {
        nix::unistd::syncfs(&File::open(&self.folder)?).map_err(io::Error::from)
    }

    fn make_folder(&self, path: &Path) -> Result<(), ClusterError> {
        make_folder(path, self.account)
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<(), ClusterError> {
        self.make_folder(to)?;
        for entry in fs::read_dir(from).map_err(failed("read", from))? {
            let entry = entry.map_err(failed("read", from))?;
            let (source, target) = (entry.path(), to.join(entry.file_name()));
            if entry.file_type().map_err(failed("read", &source))?.is_dir() {
                self.copy(&source, &target)?;
            } else {
                fs::copy(&source, &target).map_err(failed("write", &target))?;
                self.account
                    .own(&target)
                    .map_err(failed("give away", &target))?;
            }
        }
        Ok(())
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), ClusterError> {
        let write = || {
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(path)?;
            file.write_all(text.as_bytes())?;
            self.account.own(path)
        };
        write().map_err(failed("write", path))
    }

    /// Runs statements, one a line, in PostgreSQL's single-user mode: no server, no network.
    fn run_single(&self, binaries: &Binaries, statements: &str) -> Result<(), ClusterError> {
        let mut command = self.command(binaries, "postgres");
        command.arg("--single").arg("-D").arg(self.data());
        // The password is among the statements: none of them may come to stand in a log.
        for setting in [
            "exit_on_error=on",
            "fsync=off",
            "log_statement=none",
            "log_min_error_statement=panic",
        ] {
            command.args(["-c", setting]);
        }
        command.arg("postgres");
        run("postgres", command, statements)
    }

    fn command(&self, binaries: &Binaries, program: &str) -> Command {
        command(binaries, program, self.account)
    }
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ClusterError + use<> {
    let path = path.to_owned();
    move |source| ClusterError::File {
        operation,
        path,
        source,
    }
}

fn make_folder(path: &Path, account: Account) -> Result<(), ClusterError> {
    fs::create_dir_all(path).map_err(failed("make", path))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed("make", path))?;
    account.own(path).map_err(failed("give away", path))
}

/// The data directory in `templates` that databases of this PostgreSQL are copies of, made if it is
/// not there yet. One caller at a time.
pub(crate) fn template(
    binaries: &Binaries,
    templates: &Path,
    account: Account,
) -> Result<PathBuf, ClusterError> {
    let done = templates.join(format!("template-{}", binaries.version));
    if done.is_dir() {
        return Ok(done);
    }
    fs::create_dir_all(templates).map_err(failed("make", templates))?;
    fs::set_permissions(templates, fs::Permissions::from_mode(0o711))
        .map_err(failed("make", templates))?;
    let making = templates.join(format!("template-{}.making", binaries.version));
    crate::home::remove_tree(&making).map_err(failed("remove", &making))?;
    make_folder(&making, account)?;
    let mut initdb = command(binaries, "initdb", account);
    initdb.arg("-D").arg(&making).args([
        "-U",
        SUPERUSER,
        "-E",
        "UTF8",
        "--locale=C",
        "--wal-segsize=1",
    ]);
    initdb.args(["--no-sync", "--auth=reject"]);
    run("initdb", initdb, "")?;
    fs::rename(&making, &done).map_err(failed("write", &done))?;
    Ok(done)
}

fn command(binaries: &Binaries, program: &str, account: Account) -> Command {
    let mut command = Command::new(binaries.program(program));
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .current_dir("/");
    if let Some(user) = account.user() {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

fn run(program: &'static str, mut command: Command, input: &str) -> Result<(), ClusterError> {
    let spawned = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let failed = |source: io::Error| ClusterError::Program {
        program,
        output: source.to_string(),
    };
    let mut child = spawned.map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(failed)?;
    }
    let done = child.wait_with_output().map_err(failed)?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let output = said.lines().rev().take(3).collect::<Vec<_>>().join("; ");
    Err(ClusterError::Program { program, output })
}

/// One statement a line. The names and the password have been checked: none holds a line break.
fn statements(master: Master<'_>) -> String {
    let user = identifier(master.user);
    let password = literal(master.password);
    let mut statements =
        format!("CREATE ROLE {user} LOGIN CREATEROLE CREATEDB PASSWORD {password}\n");
    if let Some(database) = master.database {
        // Writing to a String cannot fail.
        let _ = writeln!(
            statements,
            "CREATE DATABASE {} OWNER {user}",
            identifier(database)
        );
    }
    statements
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn settings(address: Ipv4Addr, port: u16) -> String {
    format!(
        "\
# Written by localcloud at each start.
listen_addresses = '{address}'
port = {port}
# Nothing outside of this folder: no socket, no shared memory file.
unix_socket_directories = ''
dynamic_shared_memory_type = mmap
ssl = on
ssl_cert_file = 'server.crt'
ssl_key_file = 'server.key'
ssl_min_protocol_version = 'TLSv1.2'
password_encryption = 'scram-sha-256'
# About what a class with 1 GiB has.
max_connections = 80
shared_buffers = 16MB
work_mem = 2MB
maintenance_work_mem = 32MB
autovacuum_work_mem = 16MB
max_wal_size = 64MB
min_wal_size = 2MB
wal_level = minimal
max_wal_senders = 0
max_worker_processes = 2
max_parallel_workers = 0
autovacuum_max_workers = 1
jit = off
logging_collector = off
log_min_messages = warning
log_connections = off
timezone = 'UTC'
log_timezone = 'UTC'
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_are_quoted() {
        let master = Master {
            user: "a\"b",
            password: "it's\\",
            database: Some("d"),
        };
        assert_eq!(
            statements(master),
            "CREATE ROLE \"a\"\"b\" LOGIN CREATEROLE CREATEDB PASSWORD 'it''s\\'\nCREATE DATABASE \"d\" OWNER \"a\"\"b\"\n"
        );
    }
}
