//! What would fill the log, once a minute.

use std::time::{Duration, Instant};

/// Counts how often something happened since the log last said so.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    times: u64,
    said: Option<Instant>,
}

impl Seldom {
    const PERIOD: Duration = Duration::from_secs(60);

    /// It has happened again; how often, if the log is to say so now.
    pub fn now(&mut self) -> Option<u64> {
        self.times += 1;
        if self.said.is_some_and(|said| said.elapsed() < Self::PERIOD) {
            return None;
        }
        self.said = Some(Instant::now());
        Some(std::mem::take(&mut self.times))
    }
}
