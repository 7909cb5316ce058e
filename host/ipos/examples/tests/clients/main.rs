//! Clients that know nothing of moves, with servers on the library that move in mid-session: curl, redis-cli, and
//! tungstenite's WebSocket client. The oracle is what these say they got.

#[path = "../../../tests/rig/mod.rs"]
mod rig;

mod curl;
mod redis;
mod websocket;

use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ipos::{Listener, Origin, Stream};
use rig::Rig;

/// Runs a program on the client's machine to its end.
fn client(rig: &Rig, mut command: Command) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = rig.cluster.client.run(|| command.spawn());
    let child = child.unwrap_or_else(|e| panic!("{command:?}: {e}; `cargo xtask setup` installs it"));
    child.wait_with_output().unwrap()
}

/// Moves so far, away from either server.
async fn moves(rig: &Rig) -> u64 {
    let mut all = 0;
    for node in &rig.cluster.nodes {
        let stats = node.stats().await.unwrap();
        assert_eq!((stats.failed, stats.lost), (0, 0));
        all += stats.moved_out;
    }
    all
}

/// Serves both servers' connections, and counts those that clients opened.
fn serve<F: Future<Output = std::io::Result<()>> + 'static>(
    listeners: [Listener; 2],
    session: impl Fn(Stream) -> F + Copy + 'static,
) -> Arc<AtomicU32> {
    let opened = Arc::new(AtomicU32::new(0));
    for mut listener in listeners {
        let opened = opened.clone();
        tokio::task::spawn_local(async move {
            loop {
                let stream = listener.accept().await.unwrap();
                if stream.origin() == Origin::Accepted {
                    opened.fetch_add(1, Ordering::Relaxed);
                }
                tokio::task::spawn_local(async move { session(stream).await.unwrap() });
            }
        });
    }
    opened
}

/// Moves a stream to the other server, with what was read ahead.
async fn leave(mut stream: Stream, ahead: &[u8], state: &[u8]) -> std::io::Result<()> {
    stream.unread(ahead);
    stream.migrate("", state).await.map(drop).map_err(std::io::Error::other)
}
