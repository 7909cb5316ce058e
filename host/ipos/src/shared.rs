//! What a listener and its streams have in common.

use std::future::Future;
use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::channel::{Channel, ChannelError};
use crate::message::Request;
use crate::node::Node;
use crate::stream::Stream;

#[derive(Debug)]
pub(crate) struct Shared {
    pub node: Node,
    /// Carries moves on when nobody waits for them.
    pub runtime: Handle,
    /// Streams whose move failed with nobody waiting.
    pub returned: mpsc::UnboundedSender<Stream>,
    /// Where the streams are to go, once they are.
    pub leave: watch::Sender<Option<String>>,
    /// Nothing is to arrive any more.
    pub unlisten: watch::Sender<bool>,
    /// Streams that exist, those on their way out included.
    pub live: watch::Sender<usize>,
}

impl Shared {
    /// Waits until the streams are to leave; the target, empty if any will do.
    pub fn leaving(&self) -> impl Future<Output = String> + Send + use<> {
        let mut leave = self.leave.subscribe();
        async move {
            loop {
                if let Some(target) = leave.borrow_and_update().clone() {
                    return target;
                }
                if leave.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
        }
    }
}

/// How long to wait for a descriptor to become free.
const RESPITE: Duration = Duration::from_millis(50);

/// Whether the system has no more of something that may become free.
pub(crate) fn is_shortage(e: &io::Error) -> bool {
    let shortage = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    e.raw_os_error().is_some_and(|code| shortage.iter().any(|s| s.raw_os_error() == code))
}

/// Waits for a free descriptor.
pub(crate) async fn respite(what: &str) {
    static SAID: Mutex<Option<Instant>> = Mutex::new(None);
    if let Ok(mut said) = SAID.lock()
        && said.is_none_or(|said| said.elapsed() > Duration::from_secs(60))
    {
        *said = Some(Instant::now());
        tracing::warn!("{what} waits: this process may not have another descriptor; raise its limit (`ulimit -n`)");
    }
    tokio::time::sleep(RESPITE).await;
}

/// Asks the node, after a while, for a socket that found no room here.
pub(crate) async fn again(channel: &Channel, what: &str) -> Result<(), ChannelError> {
    respite(what).await;
    channel.send(&Request::Again, None).await
}

/// Waits until a value is as wanted; for ever, if who sets it is gone.
pub(crate) async fn until<T>(watched: &mut watch::Receiver<T>, wanted: impl FnMut(&T) -> bool) {
    if watched.wait_for(wanted).await.is_err() {
        std::future::pending().await
    }
}
