//! More than a card can carry: what does not fit is dropped whole and counted, the rest is untouched.
//!
//! Short packets arrive on both ports without a gap, all to be forwarded, or all for a host that
//! does not fetch them. Encapsulation makes the forwarded ones longer, and two ports feed one, so the
//! forward buffer fills; so do the host's queues. The frames that come out must be frames that
//! went in, unharmed and in order, as many as the card counts, and every other one must be counted as dropped.

use ipos_abi::Port;
use ipos_abi::regs::{counters, outcome};
use ipos_abi::rx::Outcome;
use ipos_device::Queue;

use super::flow;
use crate::card::Card;
use crate::model::{ModelCard, ModelConfig};

/// Cycles between two looks at a card.
const STEP: u32 = 64;
/// Cycles without an end after which a card counts as stuck.
const LIMIT: u32 = 10_000_000;

/// What became of the packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Packets that came out, per port that they arrived on.
    pub passed: [u64; 2],
    /// Packets that were dropped because a buffer was full, likewise.
    pub dropped: [u64; 2],
}

/// What a card under load must not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverloadError {
    /// A frame came out that did not go in, or not in this order.
    #[error("after {after} frames of the {port:?} port came {found}")]
    Frame {
        /// The port that the frame seems to have arrived on.
        port: Port,
        /// Frames of that port so far.
        after: u64,
        /// The frame in hex.
        found: String,
    },
    /// The counters don't explain what came out.
    #[error(
        "{port:?} port: {received} received, {passed} passed and {dropped} dropped are counted; {seen} of {given} came out"
    )]
    Count {
        /// The port.
        port: Port,
        /// Frames given to the port.
        given: u64,
        /// Frames that came out.
        seen: u64,
        /// Counted as received.
        received: u64,
        /// Counted as forwarded or given to the host.
        passed: u64,
        /// Counted as dropped for want of room.
        dropped: u64,
    },
    /// The card did not become idle.
    #[error("still busy after {LIMIT} cycles")]
    Stuck,
}

/// Which buffer is to overflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// The forward path's.
    Forward,
    /// The host's receive queue.
    Host,
}

/// Sends `frames` packets to each port of a card that was just reset.
pub fn run(tested: &mut dyn Card, load: Load, frames: u32) -> Result<Report, OverloadError> {
    let keys = [flow::key(1), flow::key(2)];
    let mut reference = ModelCard::new(ModelConfig::default());
    for card in [tested as &mut dyn Card, &mut reference] {
        flow::set_up(card);
        for key in keys.iter().filter(|_| load == Load::Forward) {
            flow::write(card, flow::entry(key, 0, true, 0));
        }
    }
    let frame = |port: Port, serial| match port {
        Port::Front => flow::plain(&keys[0], serial, 0),
        Port::Back => flow::encapsulated(&keys[1], serial, 0),
    };

    let mut left = LIMIT;
    let mut run = |card: &mut dyn Card| {
        left = left.saturating_sub(STEP);
        let busy = card.run(STEP);
        if left == 0 { Err(OverloadError::Stuck) } else { Ok(busy) }
    };
    let mut check = Check { next: [0; 2], seen: [0; 2] };
    for serial in 0..frames {
        for port in Port::ALL {
            while !tested.wire_in(port, &frame(port, serial), false) {
                run(tested)?;
                check.wire(tested, &mut reference, &frame, frames)?;
            }
        }
    }
    while run(tested)? {
        check.wire(tested, &mut reference, &frame, frames)?;
    }
    check.wire(tested, &mut reference, &frame, frames)?;
    // the host wakes up; what the card held back comes now
    loop {
        let before = check.seen;
        check.host(tested, &mut reference, &frame, frames)?;
        while run(tested)? {}
        if check.seen == before {
            break;
        }
    }

    let mut report = Report::default();
    for (port, rx) in [(Port::Front, counters::FRONT_RX), (Port::Back, counters::BACK_RX)] {
        let mut count = |o| u64::from(tested.read32(outcome(port, o)));
        let passed = count(Outcome::Forwarded) + count(Outcome::ToHost);
        let dropped = count(Outcome::DropForwardFull) + count(Outcome::DropHostFull);
        let received = u64::from(tested.read32(rx));
        let (given, seen) = (u64::from(frames), check.seen[port as usize]);
        if received != given || passed != seen || passed + dropped != given {
            return Err(OverloadError::Count { port, given, seen, received, passed, dropped });
        }
        report.passed[port as usize] = passed;
        report.dropped[port as usize] = dropped;
    }
    Ok(report)
}

/// What has come out so far, per port that it arrived on.
struct Check {
    /// Serial numbers below this can't come any more.
    next: [u32; 2],
    seen: [u64; 2],
}

impl Check {
    fn wire(
        &mut self,
        tested: &mut dyn Card,
        reference: &mut ModelCard,
        frame: &impl Fn(Port, u32) -> Vec<u8>,
        frames: u32,
    ) -> Result<(), OverloadError> {
        let mut out = Vec::new();
        while tested.wire_out(Port::Back, &mut out) {
            // both flows differ in the source port alone, which the ipOS header repeats
            let port = if out.get(19) == Some(&1) { Port::Front } else { Port::Back };
            self.one(port, &out, frames, |serial| {
                let mut expected = Vec::new();
                reference.wire_in(port, &frame(port, serial), false);
                while reference.run(STEP) {}
                reference.wire_out(Port::Back, &mut expected);
                expected
            })?;
        }
        Ok(())
    }

    fn host(
        &mut self,
        tested: &mut dyn Card,
        reference: &mut ModelCard,
        frame: &impl Fn(Port, u32) -> Vec<u8>,
        frames: u32,
    ) -> Result<(), OverloadError> {
        let mut out = Vec::new();
        while let Some(meta) = tested.host_out(Queue::Receive, &mut out) {
            let info = meta.info();
            let port = info.map_or(Port::Front, |info| info.port);
            let numbered = info.is_ok_and(|info| u64::from(info.sequence) == self.seen[port as usize]);
            self.one(port, &out, frames, |serial| {
                let mut expected = Vec::new();
                reference.wire_in(port, &frame(port, serial), false);
                while reference.run(STEP) {}
                reference.host_out(Queue::Receive, &mut expected);
                // a wrong sequence number is as wrong as a wrong byte
                if numbered { expected } else { Vec::new() }
            })?;
        }
        Ok(())
    }

    fn one(
        &mut self,
        port: Port,
        out: &[u8],
        frames: u32,
        expected: impl FnOnce(u32) -> Vec<u8>,
    ) -> Result<(), OverloadError> {
        let next = &mut self.next[port as usize];
        let serial = flow::serial(out).filter(|serial| (*next..frames).contains(serial));
        if serial.is_none_or(|serial| expected(serial) != out) {
            let after = self.seen[port as usize];
            return Err(OverloadError::Frame { port, after, found: format!("{out:02x?}") });
        }
        *next = serial.map_or(*next, |serial| serial + 1);
        self.seen[port as usize] += 1;
        Ok(())
    }
}
