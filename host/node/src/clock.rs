//! The two clocks of a node.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time as the migration core counts it: from the start of the node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub fn start() -> Self {
        Clock(Instant::now())
    }

    pub fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// The real-time clock in microseconds, from which epochs are made. `IPOS_CLOCK` sets it as many seconds ahead, or behind if
/// negative, to try what clocks that disagree do.
pub(crate) fn wall() -> u64 {
    static AHEAD: LazyLock<i64> = LazyLock::new(|| {
        let ahead = std::env::var("IPOS_CLOCK").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(0_i64);
        ahead.saturating_mul(1_000_000)
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64);
    now.saturating_add_signed(*AHEAD)
}
