//! A server that has run out of file descriptors. In a process of its own: the limit is the process's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use http::StatusCode;
use kit::health::Health;
use kit::metrics::Registry;
use kit::server::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn out_of_file_descriptors_an_idle_connection_makes_room() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(Health::new(), Registry::new());
    let handler = |_| async { kit::reply::empty(StatusCode::NO_CONTENT) };
    tokio::spawn(server.serve(listener, handler, CancellationToken::new()));

    let spare = TcpSocket::new_v4().unwrap();
    let (_, most) = rlimit::Resource::NOFILE.get().unwrap();
    rlimit::Resource::NOFILE.set(60, most).unwrap();
    let mut idle = Vec::new();
    while let Ok(stream) = TcpStream::connect(address).await {
        idle.push(stream);
    }
    assert!(idle.len() > 10, "only {} connections", idle.len());

    let mut stream = spare.connect(address).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    tokio::time::timeout(Duration::from_secs(20), stream.read_exact(&mut answer))
        .await
        .expect("it is served")
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 204");
}
