//! What is done while this process may not have another descriptor.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use ipos_control::message::Request;
use ipos_control::{Channel, ChannelError};

/// Pause for a descriptor to become free.
const RESPITE: Duration = Duration::from_millis(50);

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
