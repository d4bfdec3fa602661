//! localcloud, on paper: requests that are signed as AWS's own clients sign, by the account's own key,
//! so that what is behind the signature is reached; and bytes on a bare connection.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use localcloud::imds::Metadata;
use localcloud::server::Server;
use localcloud::{Options, Running};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;

use crate::request;

const REGION: &str = "us-east-1";
/// After so many inputs a new account is begun: what one input left behind may hinder others, and
/// all of it takes memory.
const INPUTS_PER_ACCOUNT: usize = 200;
/// Requests of one input.
const MOST_REQUESTS: usize = 8;
/// Between the requests of one input.
const SEPARATOR: &[u8] = b"\n====\n";

/// A localcloud and what serves it.
struct Account {
    running: Running,
    server: Server,
    metadata: Metadata,
    runtime: Runtime,
    _home: TempDir,
    inputs: usize,
}

impl Account {
    fn begin() -> Self {
        let home = TempDir::new().expect("a temporary folder");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let running = runtime
            .block_on(localcloud::start(Options::paper(home.path())))
            .expect("a localcloud on paper");
        let server = Server::new(running.cloud().clone());
        let mut account = Self {
            metadata: Metadata::of(&running.cloud().ec2, REGION, ""),
            running,
            server,
            runtime,
            _home: home,
            inputs: 0,
        };
        account.launch();
        account
    }

    /// An instance with a role, tags and user data, whose metadata can be asked for.
    fn launch(&mut self) {
        let policy = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22ec2.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D";
        let images = self.ask(
            "ec2",
            "Action=DescribeImages&Version=2016-11-15&Owner.1=amazon&Filter.1.Name=architecture&Filter.1.Value.1=x86_64",
        );
        let image = between(&images, "<imageId>", "</imageId>").to_owned();
        for (service, body) in [
            ("iam", format!("Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument={policy}")),
            ("iam", "Action=CreateInstanceProfile&Version=2010-05-08&InstanceProfileName=p".to_owned()),
            ("iam", "Action=AddRoleToInstanceProfile&Version=2010-05-08&InstanceProfileName=p&RoleName=r".to_owned()),
        ] {
            self.ask(service, &body);
        }
        let launched = self.ask("ec2", &format!("Action=RunInstances&Version=2016-11-15&ImageId={image}&InstanceType=t3.micro&MinCount=1&MaxCount=1&UserData=IyEvYmluL3NoCg%3D%3D&IamInstanceProfile.Name=p&MetadataOptions.HttpTokens=required&MetadataOptions.InstanceMetadataTags=enabled&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v"));
        let id = between(&launched, "<instanceId>", "</instanceId>");
        assert!(!id.is_empty(), "{launched}");
        self.metadata = Metadata::of(&self.running.cloud().ec2, REGION, id);
    }

    fn ask(&self, service: &str, body: &str) -> String {
        let request = Request::post("/")
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .expect("a request");
        let signed = self.signed(service, request).expect("it can be signed");
        let (_, body) = self.answer(signed).into_parts();
        String::from_utf8_lossy(&body).into_owned()
    }

    /// The request with the signature of the account's key, as AWS's Rust SDK signs.
    fn signed(&self, service: &str, mut request: Request<Bytes>) -> Option<Request<Bytes>> {
        let key = self.running.credentials();
        let identity = Credentials::new(
            key.access_key_id.clone(),
            key.secret_access_key.clone(),
            None,
            None,
            "fuzz",
        )
        .into();
        let mut settings = SigningSettings::default();
        if service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(REGION)
            .name(service)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .ok()?
            .into();
        let headers = request.headers_mut();
        headers.insert(header::HOST, header::HeaderValue::from_static("localhost"));
        for name in [
            "authorization",
            "x-amz-date",
            "x-amz-security-token",
            "x-amz-content-sha256",
        ] {
            headers.remove(name);
        }
        let texts: Option<Vec<(&str, &str)>> = request
            .headers()
            .iter()
            .map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
            .collect();
        let address = format!("http://localhost{}", request.uri().path_and_query()?);
        let signable = SignableRequest::new(
            request.method().as_str(),
            &address,
            texts?.into_iter(),
            SignableBody::Bytes(request.body()),
        )
        .ok()?;
        let (instructions, _) = sign(signable, &parameters).ok()?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Some(request)
    }

    fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let request = request.map(|body| {
            Full::new(body)
                .map_err(|never| match never {})
                .boxed_unsync()
        });
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        self.runtime.block_on(async {
            let answer = self.server.clone().answer(peer, request).await;
            let (head, body) = answer.into_parts();
            let body = body.collect().await.expect("an answer ends").to_bytes();
            Response::from_parts(head, body)
        })
    }
}

/// Does something with an account that is not too old.
fn with_account<T>(work: impl FnOnce(&Account) -> T) -> T {
    thread_local! {
        static ACCOUNT: RefCell<Option<Account>> = const { RefCell::new(None) };
    }
    ACCOUNT.with_borrow_mut(|held| {
        if held
            .as_ref()
            .is_some_and(|account| account.inputs >= INPUTS_PER_ACCOUNT)
        {
            *held = None;
        }
        let account = held.get_or_insert_with(Account::begin);
        account.inputs += 1;
        work(account)
    })
}

/// Requests to a service, one after the other. Each is answered, never by "an error of ours", and in
/// a form that clients can read.
pub fn call(service: &str, bytes: &[u8]) {
    with_account(|account| {
        for bytes in split(bytes).into_iter().take(MOST_REQUESTS) {
            let Some(request) = request::parse(bytes) else {
                return;
            };
            let head_only = request.method() == http::Method::HEAD;
            let Some(signed) = account.signed(service, request) else {
                return;
            };
            let answer = account.answer(signed);
            assert_ne!(
                answer.status(),
                StatusCode::INTERNAL_SERVER_ERROR,
                "{answer:?}"
            );
            if !head_only {
                readable(&answer);
            }
        }
    });
}

fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest
        .windows(SEPARATOR.len())
        .position(|part| part == SEPARATOR)
    {
        parts.push(&rest[..at]);
        rest = &rest[at + SEPARATOR.len()..];
    }
    parts.push(rest);
    parts
}

/// An answer is what its content type says.
fn readable(answer: &Response<Bytes>) {
    let kind = answer
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let body = answer.body();
    // What somebody put into a bucket comes back as it was, whatever they called it.
    if body.is_empty() || answer.headers().contains_key(header::ETAG) {
        return;
    }
    if kind.contains("xml") {
        // A key may have characters that XML 1.0 has not; AWS lists it as it is all the same, unless
        // it is asked for URL encoding:
        // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
        let text = std::str::from_utf8(body)
            .expect("XML is UTF-8")
            .replace(is_not_xml, "?");
        if let Err(error) = roxmltree::Document::parse(&text) {
            panic!("{error} in {text:?}");
        }
    } else if kind.contains("json") {
        serde_json::from_slice::<serde_json::Value>(body).expect("JSON");
    } else if kind.contains("cbor") {
        ciborium::from_reader::<ciborium::Value, _>(&body[..]).expect("CBOR");
    }
}

/// <https://www.w3.org/TR/xml/#charsets>
fn is_not_xml(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => false,
        '\0'..' ' | '\u{fffe}' | '\u{ffff}' => true,
        _ => false,
    }
}

/// A request to an instance's metadata service: without a token that it gave out it tells nothing.
pub fn ask_metadata(request: &Request<Bytes>) {
    with_account(|account| {
        let path = request.uri().path();
        let answer = |headers| account.metadata.answer(request.method(), path, headers);
        let told = answer(request.headers());
        let gives_token = request.method() == http::Method::PUT && path == "/latest/api/token";
        assert!(gives_token || !told.status().is_success());
        let asked = Request::put("/latest/api/token")
            .header("x-aws-ec2-metadata-token-ttl-seconds", "60")
            .body(())
            .expect("a request");
        let given = account
            .metadata
            .answer(asked.method(), asked.uri().path(), asked.headers());
        let token = account
            .runtime
            .block_on(given.into_body().collect())
            .expect("a token")
            .to_bytes();
        let mut headers = request.headers().clone();
        let token = header::HeaderValue::from_bytes(&token).expect("a token");
        headers.insert("x-aws-ec2-metadata-token", token);
        assert!(!answer(&headers).status().is_server_error());
    });
}

/// A request whose signature nobody made: it is never taken for signed.
pub fn signature(bytes: &[u8]) {
    let Some(request) = request::parse(bytes) else {
        return;
    };
    with_account(|account| {
        let (head, body) = request.into_parts();
        let key = account.running.credentials();
        let _ = localcloud::auth::scope_of(&head.headers);
        // With the right key in it, so that all but the signature can be right.
        let mut claimed = head.clone();
        for value in claimed.headers.values_mut() {
            if let Ok(text) = value.to_str()
                && let Ok(filled) = text.replace("AKIDEXAMPLE", &key.access_key_id).parse()
            {
                *value = filled;
            }
        }
        let answer = account.answer(Request::from_parts(claimed, body));
        assert_ne!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let open = ["/_localcloud/", "/checkip"];
        assert!(
            !answer.status().is_success()
                || open.iter().any(|path| head.uri.path().starts_with(path)),
            "{answer:?}"
        );
    });
}

/// Bytes on a connection, which then says that it has no more: the server ends it, soon.
pub fn connection(bytes: &[u8]) {
    with_account(|account| {
        account.runtime.block_on(async {
            let (mut client, served) = tokio::io::duplex(1024);
            let peer = SocketAddr::from(([127, 0, 0, 1], 1));
            let conversation = async {
                let (mut reader, mut writer) = tokio::io::split(&mut client);
                let sent = async {
                    // The server may have heard enough before the end.
                    let _ = writer.write_all(bytes).await;
                    let _ = writer.shutdown().await;
                };
                let mut heard = Vec::new();
                let (_, read) = tokio::join!(sent, reader.read_to_end(&mut heard));
                read.map(|_| heard)
            };
            let both = async { tokio::join!(account.server.converse(served, peer), conversation) };
            let (_, heard) = tokio::time::timeout(Duration::from_secs(60), both)
                .await
                .expect("the connection ends");
            let heard = heard.expect("a duplex does not fail");
            assert!(heard.is_empty() || heard.starts_with(b"HTTP/1."));
        });
    });
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    text.split_once(before)
        .and_then(|(_, rest)| rest.split_once(after))
        .map_or("", |(found, _)| found)
}
