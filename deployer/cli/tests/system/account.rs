//! An account as far as one call: it says who one is, or that the session is over, and keeps count.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What every call is answered.
#[derive(Clone, Copy)]
pub(crate) enum Says {
    /// Who one is, in the account of these digits.
    Identity(&'static str),
    /// That the session is over.
    Expired,
}

/// It serves until the test ends.
pub(crate) struct Account {
    port: u16,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Account {
    pub(crate) fn start(says: Says) -> Account {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let calls: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&calls);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || answer(stream, says, &seen));
            }
        });
        Account { port, calls }
    }

    /// By name: `deploy` takes no address of localcloud's kind for an account.
    pub(crate) fn address(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    /// The actions that were called.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

/// Answers one request and closes.
fn answer(mut stream: TcpStream, says: Says, calls: &Mutex<Vec<String>>) {
    let request = read(&mut stream);
    let action = request.split("Action=").nth(1).unwrap_or("none");
    let action = action.split('&').next().unwrap_or("none");
    calls.lock().unwrap().push(action.to_owned());
    let (status, body) = match says {
        Says::Identity(account) => (
            "200 OK",
            format!(
                "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/anna</Arn>\
                 <UserId>AIDA</UserId><Account>{account}</Account></GetCallerIdentityResult>\
                 </GetCallerIdentityResponse>"
            ),
        ),
        Says::Expired => (
            "403 Forbidden",
            "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code>\
             <Message>The security token included in the request is expired</Message></Error>\
             <RequestId>6a11-test</RequestId></ErrorResponse>"
                .to_owned(),
        ),
    };
    // A client that has gone needs no answer.
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: text/xml\r\nx-amzn-requestid: 6a11-test\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
}

/// A request to its end, as its length says.
fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let count = stream.read(&mut chunk).unwrap_or(0);
        bytes.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.to_lowercase();
            let length = length.split("content-length: ").nth(1);
            let length = length.and_then(|rest| rest.lines().next()?.trim().parse().ok());
            body.len() >= length.unwrap_or(0)
        });
        if whole || count == 0 {
            return text;
        }
    }
}
