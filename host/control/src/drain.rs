//! Waiting for values that another task sets.

use std::future::pending;

use tokio::sync::watch;

/// Waits until a value is as wanted; for ever, if its sender is gone.
pub async fn until<T: Clone>(watched: &mut watch::Receiver<T>, wanted: impl FnMut(&T) -> bool) -> T {
    let value = watched.wait_for(wanted).await.map(|value| value.clone());
    match value {
        Ok(value) => value,
        Err(_) => pending().await,
    }
}

/// Waits until a drain starts: the name of the peer that takes the streams, empty if any may.
pub async fn drain_target(target: &mut watch::Receiver<Option<String>>) -> String {
    until(target, Option::is_some).await.unwrap_or_default()
}
