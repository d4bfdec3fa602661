//! An account on moto's server for one test, and a home in which `deploy` takes it for its cloud.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use localcloud::{Options, Running};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::python;

/// The folder of the scripts.
pub(crate) fn scripts() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/moto")
}

/// A command that runs Python with moto and boto3, and no account of the user's.
pub(crate) fn script(arguments: &[&str]) -> Command {
    let mut command = Command::new(python::installed("moto").join("bin/python"));
    command
        .args(arguments)
        .current_dir(scripts())
        .stdin(Stdio::null());
    without_account(&mut command);
    // No compiled files in the source tree.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn without_account(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(&name);
        }
    }
    command
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
}

/// A process that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) struct Stand {
    folder: TempDir,
    cloudwatch: Running,
    server: Server,
    endpoint: String,
}

impl Stand {
    /// Starts the server, and a localcloud for its CloudWatch.
    pub(crate) async fn new() -> Stand {
        // `deploy` wants a home that PostgreSQL's user could enter.
        let mut folder = tempfile::Builder::new();
        let folder = folder
            .prefix("bivouac-moto-")
            .tempdir_in("/var/tmp")
            .unwrap();
        let open = std::fs::Permissions::from_mode(0o711);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let cloudwatch = Options::paper(folder.path().join("cloudwatch"));
        let cloudwatch = localcloud::start(cloudwatch).await.unwrap();
        let mut server = script(&["stand.py", &cloudwatch.endpoint()]);
        let mut server = Server(server.stdout(Stdio::piped()).spawn().unwrap());
        let mut endpoint = String::new();
        let said = server.0.stdout.take().unwrap();
        BufReader::new(said).read_line(&mut endpoint).unwrap();
        let endpoint = endpoint.trim().to_owned();
        assert!(endpoint.starts_with("http://127."), "moto did not come up");
        let stand = Stand {
            folder,
            cloudwatch,
            server,
            endpoint,
        };
        stand.write_endpoint();
        stand.write_programs();
        stand
    }

    /// What localcloud would say of itself: this is how `deploy` finds it.
    fn write_endpoint(&self) {
        let home = self.folder.path().join("home/localcloud");
        std::fs::create_dir_all(&home).unwrap();
        let key = self.cloudwatch.credentials();
        let endpoint = json!({
            "endpoint": self.endpoint,
            "access-key-id": key.access_key_id,
            "secret-access-key": key.secret_access_key,
            "ca": self.cloudwatch.ca(),
            "pid": self.server.0.id(),
        });
        std::fs::write(home.join("endpoint.json"), endpoint.to_string()).unwrap();
    }

    /// `deploy` itself, and beside it small files for the programs that it uploads: nothing runs them.
    fn write_programs(&self) {
        let deploy = Path::new(env!("CARGO_BIN_EXE_deploy"));
        let folder = self.folder.path().join("programs");
        std::fs::create_dir(&folder).unwrap();
        std::fs::copy(deploy, folder.join("deploy")).unwrap();
        let built = std::fs::read_dir(deploy.parent().unwrap()).unwrap();
        let built = built.map(|entry| entry.unwrap());
        let files = built.filter(|entry| entry.file_type().unwrap().is_file());
        for file in files.filter(|file| file.path() != deploy) {
            let name = file.file_name();
            std::fs::write(folder.join(&name), format!("the program {name:?}")).unwrap();
        }
    }

    /// Runs `deploy` to its end, which has to be this exit code; all that it said.
    pub(crate) fn deploy(&self, arguments: &[&str], code: i32) -> String {
        let mut command = Command::new(self.folder.path().join("programs/deploy"));
        command.args(arguments).stdin(Stdio::null());
        without_account(&mut command);
        command
            .env_remove("CARGO")
            .env("BIVOUAC_HOME", self.folder.path().join("home"));
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert_eq!(
            output.status.code(),
            Some(code),
            "deploy {arguments:?}:\n{said}"
        );
        said
    }

    /// What boto3 finds in the account.
    pub(crate) fn account(&self) -> Account {
        let key = self.cloudwatch.credentials();
        let mut look = script(&["account.py"]);
        look.env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", &key.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &key.secret_access_key);
        let output = look.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        Account(serde_json::from_slice(&output.stdout).unwrap())
    }

    pub(crate) async fn end(self) {
        drop(self.server);
        self.cloudwatch.shutdown().await;
    }
}

/// What boto3 finds in an account.
#[derive(Debug)]
pub(crate) struct Account(Value);

impl Account {
    /// The kinds of which somebody made something.
    pub(crate) fn made(&self) -> Vec<&str> {
        kinds(&self.0["made"])
    }

    /// The kinds of which every account has something.
    pub(crate) fn given(&self) -> Vec<&str> {
        kinds(&self.0["given"])
    }

    /// The kinds of which not one thing carries our tag.
    pub(crate) fn without_tags(&self) -> Vec<&str> {
        let kinds = self.0["without tags"].as_array().unwrap();
        kinds.iter().map(|kind| kind.as_str().unwrap()).collect()
    }
}

fn kinds(listed: &Value) -> Vec<&str> {
    let kinds = listed.as_object().unwrap().iter();
    let some = kinds.filter(|(_, names)| !names.as_array().unwrap().is_empty());
    some.map(|(kind, _)| kind.as_str()).collect()
}
