//! One connection from outside, passed on to the instance it is for.

use std::io;
use std::net::SocketAddrV4;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// How much is taken at a time. What the other side has not taken yet is not read.
const PIECE: usize = 64 << 10;

/// Passes on what a caller and an instance say to each other, until both have ended. Where the one end
/// is broken off, or never was, the other is too.
pub(super) async fn relay(mut caller: TcpStream, to: SocketAddrV4) {
    let Ok(mut instance) = TcpStream::connect(to).await else {
        return reset(&caller);
    };
    if let Err(error) = converse(&mut caller, &mut instance).await {
        tracing::debug!(%error, %to, "a relayed connection ended badly");
        reset(&caller);
        reset(&instance);
    }
}

async fn converse(caller: &mut TcpStream, instance: &mut TcpStream) -> io::Result<()> {
    caller.set_nodelay(true)?;
    instance.set_nodelay(true)?;
    let (from_caller, to_caller) = caller.split();
    let (from_instance, to_instance) = instance.split();
    tokio::try_join!(
        pass(from_caller, to_instance),
        pass(from_instance, to_caller)
    )?;
    Ok(())
}

/// One direction. Its end is passed on, and the other goes on: either side may be the first to have
/// said all. While nothing comes it holds no memory, of however many connections are idle.
async fn pass(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<()> {
    loop {
        from.readable().await?;
        let mut piece = Vec::with_capacity(PIECE);
        if from.read_buf(&mut piece).await? == 0 {
            return to.shutdown().await;
        }
        to.write_all(&piece).await?;
    }
}

/// Makes a connection end with a reset once it is dropped, as one does that nothing listens to.
fn reset(stream: &TcpStream) {
    // One that has ended already needs none.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
