//! Tables that change while packets look them up.
//!
//! An entry becomes visible in one cycle: a packet meets the old entry or the new one, never a
//! mix, never neither, and after the first that met the new one none meets the old one. This is
//! tried with a stream of packets of one flow on each port, while its entries get another value, or
//! move to another bank as a displacement moves them: copied first, then cleared.

use ipos_abi::Port;
use ipos_abi::rx::Reason;
use ipos_device::Queue;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::flow;
use crate::card::Card;
use crate::model::{ModelCard, ModelConfig};

/// Packets on each port around one change.
const STREAM: u32 = 24;
/// Cycles that the card gets at most between two register writes.
const GAP: u32 = 12;
/// Cycles after which a card counts as stuck.
const LIMIT: u32 = 100_000;

/// What a run without a violation came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Changes of the tables.
    pub changes: u32,
    /// Packets, of both ports.
    pub packets: u64,
    /// Streams in which some packets met the old value and some the new: proof that the change
    /// happened under traffic.
    pub split: u32,
}

/// A packet met what no entry said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed}, change {change}, {port:?} port, packet {packet} of {count}: {what}")]
pub struct Violation {
    /// Seed of the run.
    pub seed: u64,
    /// Number of the change.
    pub change: u32,
    /// The port whose stream it was.
    pub port: Port,
    /// Position in the stream.
    pub packet: usize,
    /// Packets of the stream.
    pub count: u32,
    /// What was wrong.
    pub what: String,
}

/// Changes the tables of a card that was just reset `changes` times under traffic.
pub fn run(tested: &mut dyn Card, seed: u64, changes: u32) -> Result<Report, Violation> {
    let mut rng = StdRng::seed_from_u64(seed);
    let (forwarded, attached) = (flow::key(1), flow::key(2));
    // one reference for each value of the forward entry
    let mut references = [0, 1].map(|value| {
        let mut card = ModelCard::new(ModelConfig::default());
        flow::set_up(&mut card);
        flow::write(&mut card, flow::entry(&forwarded, 0, true, value));
        card
    });
    flow::set_up(tested);
    let (mut value, mut banks) = (0u32, [0usize; 2]);
    for (forward, key) in [(true, &forwarded), (false, &attached)] {
        flow::write(tested, flow::entry(key, 0, forward, value));
    }

    let mut report = Report::default();
    for change in 0..changes {
        let old = value;
        let mut writes = Vec::new();
        let moves: bool = rng.random();
        if !moves {
            value ^= 1;
        }
        for (table, forward, key) in [(0, true, &forwarded), (1, false, &attached)] {
            let bank = &mut banks[table];
            let from = *bank;
            if moves {
                *bank = (from + rng.random_range(1..4)) % 4;
            }
            writes.extend(flow::entry(key, *bank, forward, value));
            if moves {
                writes.push(flow::clear(key, from, forward));
            }
        }

        let data = rng.random_range(0..40);
        let mut expected = Vec::new();
        for n in 0..STREAM {
            let serial = change * STREAM + n;
            let frame = flow::plain(&forwarded, serial, data);
            expected.push(references.each_mut().map(|card| through(card, &frame)));
            feed(tested, Port::Front, &frame);
            feed(tested, Port::Back, &flow::encapsulated(&attached, serial, data));
        }
        for (offset, value) in writes {
            tested.run(rng.random_range(0..GAP));
            tested.write32(offset, value);
        }
        settle(tested);

        let violation = |port, packet, what| Violation { seed, change, port, packet, count: STREAM, what };
        let mut out = Vec::new();
        let mut met = Vec::new();
        while tested.wire_out(Port::Back, &mut out) {
            let n = met.len();
            let is = |value: u32| expected.get(n).is_some_and(|e| e[value as usize] == out);
            match (is(old), is(value)) {
                (true, _) => met.push(old),
                (_, true) => met.push(value),
                _ => return Err(violation(Port::Front, n, format!("left as {out:02x?}"))),
            }
        }
        report.split += judge(&met, old, value).map_err(|(n, what)| violation(Port::Front, n, what))?;

        met.clear();
        while let Some(meta) = tested.host_out(Queue::Receive, &mut out) {
            let n = met.len();
            match meta.info() {
                Ok(info)
                    if info.reason == Reason::Endpoint && flow::serial(&out) == Some(change * STREAM + n as u32) =>
                {
                    met.push(info.endpoint);
                }
                other => return Err(violation(Port::Back, n, format!("came to the host as {other:?}"))),
            }
        }
        report.split += judge(&met, old, value).map_err(|(n, what)| violation(Port::Back, n, what))?;
        report.changes += 1;
        report.packets += 2 * u64::from(STREAM);
    }
    Ok(report)
}

/// Whether a stream met the old value, then the new one: 1 if it met both, else where it went wrong.
fn judge(met: &[u32], old: u32, new: u32) -> Result<u32, (usize, String)> {
    if met.len() != STREAM as usize {
        return Err((met.len(), format!("only {} of {STREAM} hit", met.len())));
    }
    let turn = met.iter().position(|&value| value != old).unwrap_or(met.len());
    match met[turn..].iter().position(|&value| value != new) {
        Some(n) => Err((turn + n, format!("met {:#x} after {new:#x}, which replaced {old:#x}", met[turn + n]))),
        None => Ok(u32::from(turn > 0 && turn < met.len())),
    }
}

/// What a frame from the front leaves as.
fn through(card: &mut ModelCard, frame: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    feed(card, Port::Front, frame);
    settle(card);
    card.wire_out(Port::Back, &mut out);
    out
}

fn feed(card: &mut dyn Card, port: Port, frame: &[u8]) {
    let mut left = LIMIT;
    while !card.wire_in(port, frame, false) && left > 0 {
        card.run(GAP);
        left = left.saturating_sub(GAP);
    }
}

fn settle(card: &mut dyn Card) {
    let mut left = LIMIT;
    while card.run(GAP) && left > 0 {
        left = left.saturating_sub(GAP);
    }
}
