//! What a listener and its streams have in common.

use std::future::Future;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

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

/// Waits until a value is as wanted; for ever, if who sets it is gone.
pub(crate) async fn until<T>(watched: &mut watch::Receiver<T>, wanted: impl FnMut(&T) -> bool) {
    if watched.wait_for(wanted).await.is_err() {
        std::future::pending().await
    }
}
