//! Waiting for a card under test.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ipos_device::DmaDevice;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long the card may do nothing that it was asked for.
const LIMIT: Duration = Duration::from_secs(60);
/// The longest sleep for an interrupt; the rings are looked at in between.
const TICK: u16 = 100;
/// The result of a step, in a line.
pub type Found = anyhow::Result<String>;

/// Repeats `step` until it has what it waits for; between the steps the card works, or this sleeps for an interrupt.
pub fn wait<T>(
    card: &mut dyn DmaDevice,
    what: &'static str,
    mut step: impl FnMut(&mut dyn DmaDevice) -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(found) = step(card).context(what)? {
            return Ok(found);
        }
        if Instant::now() > end {
            bail!("the card did not finish {what} within {} s", LIMIT.as_secs());
        }
        let busy = card.poll()?;
        if !busy {
            card.present()?;
        }
        let fds = card.wait_fds();
        if !busy && !fds.is_empty() {
            let fds = fds.into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            poll(&mut fds.collect::<Vec<_>>(), PollTimeout::from(TICK))?;
        }
    }
}
