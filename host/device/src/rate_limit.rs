//! A bound on how often one thing is said.

use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_secs(60);

/// Lets one message a minute through.
#[derive(Debug, Default)]
pub struct RateLimit(Option<Instant>);

impl RateLimit {
    /// Whether this message may go.
    pub fn allows(&mut self) -> bool {
        let now = Instant::now();
        let allows = self.0.is_none_or(|last| now - last >= PERIOD);
        if allows {
            self.0 = Some(now);
        }
        allows
    }
}
