//! Differential runs: a card under test against a reference, on the same tables and frames.
//!
//! The reference takes one frame at a time, so that what each frame came to is known. The card
//! under test takes a round of them at once, all sources together, as fast as it can. Then, per round:
//!
//! * each host queue must hold, for each port, the same frames in the same order with the same
//!   [`RxMeta`](ipos_abi::rx::RxMeta), byte for byte;
//! * the front wire must carry the host's frames in order;
//! * the back wire has three sources (forwarded from the front, re-forwarded from the back, the
//!   host's) which the card may mix as it likes: what it sent must be *some* interleaving of the
//!   three sequences, each complete and in order.
//!
//! Counters and all readable registers are compared every few rounds, and that each port's
//! received frames are the sum of its outcomes and as many as were sent to it.
//!
//! Two things that this can't try, because it changes tables only while the card is idle and never
//! fills a buffer, have runs of their own: [`race`] and [`overload`].

mod flow;
mod observe;
pub mod overload;
pub mod race;

use std::collections::VecDeque;

use ipos_abi::Port;
use ipos_abi::queue::Event;
use ipos_abi::regs::{BLOCKS, ENABLE, card, counters, entries, outcome, tables};
use ipos_abi::rx::Outcome;

use crate::card::Card;
use crate::traffic::{Source, Traffic};
use observe::{Expected, Observed, check};

pub use observe::Place;

/// Sizes of a run.
#[derive(Clone, Copy, Debug)]
pub struct CompareConfig {
    /// Frames of a round, at most.
    pub frames_per_round: usize,
    /// Bytes of a round's frames, at most: less than any buffer of the card under test, with 30
    /// more for each frame on the forward path.
    pub bytes_per_round: usize,
    /// Rounds between two comparisons of the registers.
    pub rounds_per_check: u64,
    /// Cycles that a round may take before the card under test counts as stuck.
    pub cycle_limit: u32,
}

impl Default for CompareConfig {
    fn default() -> Self {
        CompareConfig { frames_per_round: 16, bytes_per_round: 3 << 10, rounds_per_check: 16, cycle_limit: 100_000 }
    }
}

/// What a run without a difference came to.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Frames of both ports and the host.
    pub frames: u64,
    /// Rounds.
    pub rounds: u64,
    /// Frames per port and [`Outcome`] code.
    pub outcomes: [[u64; Outcome::ALL.len()]; 2],
}

/// The first difference between the two cards.
#[derive(Debug, thiserror::Error)]
pub enum Mismatch {
    /// A frame came out differently, in another place, or not at all.
    #[error(
        "seed {seed}, {place}: frame {index} ({source_:?})\n  input    {input}\n  expected {expected}\n  found    {found}"
    )]
    Frame {
        /// Seed of the traffic.
        seed: u64,
        /// Where it was expected.
        place: Place,
        /// Number of the frame from the start of the run. Where nothing more was expected, that of the round's last.
        index: u64,
        /// Where the frame entered.
        source_: Source,
        /// The frame as it entered, in hex.
        input: String,
        /// What the reference made of it: verdict and frame in hex, or nothing.
        expected: String,
        /// What the card under test gave, likewise.
        found: String,
    },
    /// Other packets raised events.
    #[error("seed {seed}, after frame {index}: events {found:?} instead of {expected:?}")]
    Events {
        /// Seed of the traffic.
        seed: u64,
        /// Frames of the run so far.
        index: u64,
        /// Those of the reference, sorted.
        expected: Vec<Event>,
        /// Those of the card under test, sorted.
        found: Vec<Event>,
    },
    /// A register reads differently.
    #[error(
        "seed {seed}, after frame {index}, at most {rounds} rounds late: {register} reads {found:#x} instead of {expected:#x}"
    )]
    Register {
        /// Seed of the traffic.
        seed: u64,
        /// Frames of the run so far.
        index: u64,
        /// Rounds between two comparisons.
        rounds: u64,
        /// Name of the register.
        register: String,
        /// The reference's value.
        expected: u64,
        /// The value of the card under test.
        found: u64,
    },
    /// The card under test lost count.
    #[error(
        "seed {seed}, after frame {index}: the {port:?} port was given {given} frames, counts {received} and accounts for {accounted}"
    )]
    Conservation {
        /// Seed of the traffic.
        seed: u64,
        /// Frames of the run so far.
        index: u64,
        /// The port.
        port: Port,
        /// Frames given to it.
        given: u64,
        /// Its received frames.
        received: u64,
        /// Sum of its outcomes.
        accounted: u64,
    },
    /// A card did not become idle.
    #[error("seed {seed}, round after frame {index}: still busy after {cycles} cycles")]
    Stuck {
        /// Seed of the traffic.
        seed: u64,
        /// Frames of the run before the round.
        index: u64,
        /// Cycles that it was given.
        cycles: u32,
    },
}

/// Forward slots whose counters are compared: those that were written last.
const PLACES: usize = 16;

/// Runs until at least `frames` frames were compared. Memory does not grow with their number.
pub fn run(
    reference: &mut dyn Card,
    tested: &mut dyn Card,
    traffic: &mut Traffic,
    frames: u64,
    config: &CompareConfig,
) -> Result<Report, Mismatch> {
    let seed = traffic.seed();
    let (mut index, mut rounds) = (0, 0);
    let mut given = [0u64; 2];
    let mut places = VecDeque::new();
    loop {
        let round = traffic.round(config.frames_per_round, config.bytes_per_round);
        for &(offset, value) in &round.writes {
            reference.write32(offset, value);
            tested.write32(offset, value);
            if offset == tables::COMMIT_FORWARD {
                places.push_back(value);
                if places.len() > PLACES {
                    places.pop_front();
                }
            }
        }
        let stuck = |cycles| Mismatch::Stuck { seed, index, cycles };
        let mut expected = Vec::with_capacity(round.inputs.len());
        for (index, input) in (index..).zip(&round.inputs) {
            let mut observed = Observed::default();
            observed.feed(reference, input, config.cycle_limit).map_err(stuck)?;
            observed.settle(reference, config.cycle_limit).map_err(stuck)?;
            expected.push(Expected { index, input, observed });
            if let Source::Wire { port, .. } = input.source {
                given[port as usize] += 1;
            }
        }
        let mut found = Observed::default();
        for input in &round.inputs {
            found.feed(tested, input, config.cycle_limit).map_err(stuck)?;
        }
        found.settle(tested, config.cycle_limit).map_err(stuck)?;
        check(seed, &expected, &found)?;
        let (expected, found) = (events(reference), events(tested));
        if expected != found {
            return Err(Mismatch::Events { seed, index, expected, found });
        }

        index += round.inputs.len() as u64;
        rounds += 1;
        let done = index >= frames;
        if done || rounds % config.rounds_per_check == 0 {
            compare_registers(seed, index, config.rounds_per_check, &places, reference, tested)?;
            let outcomes = conserved(seed, index, given, tested)?;
            if done {
                return Ok(Report { frames: index, rounds, outcomes });
            }
        }
    }
}

fn counter(card: &mut dyn Card, offset: u32) -> u64 {
    let low = u64::from(card.read32(offset));
    u64::from(card.read32(counters::HIGH)) << 32 | low
}

/// All counters, then all registers but those that say which card it is.
fn compare_registers(
    seed: u64,
    index: u64,
    rounds: u64,
    places: &VecDeque<u32>,
    reference: &mut dyn Card,
    tested: &mut dyn Card,
) -> Result<(), Mismatch> {
    let differ = |register: String, expected: u64, found: u64| {
        if expected == found {
            Ok(())
        } else {
            Err(Mismatch::Register { seed, index, rounds, register, expected, found })
        }
    };
    for port in Port::ALL {
        for &o in Outcome::ALL {
            let offset = outcome(port, o);
            differ(format!("counter {port:?} {o:?}"), counter(reference, offset), counter(tested, offset))?;
        }
    }
    for (name, offset) in [
        ("counter FRONT_RX", counters::FRONT_RX),
        ("counter FRONT_TX", counters::FRONT_TX),
        ("counter BACK_RX", counters::BACK_RX),
        ("counter BACK_TX", counters::BACK_TX),
    ] {
        differ(name.to_owned(), counter(reference, offset), counter(tested, offset))?;
    }
    // what the entries carried that were written last
    for &place in places {
        let forget = u32::from(place % 3 == 0) << 31;
        reference.write32(entries::SELECT, place & !ENABLE | forget);
        tested.write32(entries::SELECT, place & !ENABLE | forget);
        for offset in [entries::PACKETS, entries::BYTES_LO, entries::BYTES_HI, entries::SEEN] {
            let name = format!("entry {place:#x}, register {offset:#x}");
            differ(name, reference.read32(offset).into(), tested.read32(offset).into())?;
        }
    }
    for block in BLOCKS {
        let words = [("HEADER", block.offset), ("NEXT", block.offset + 4)];
        for (name, offset) in words.into_iter().chain(block.regs.iter().map(|r| (r.name, r.offset))) {
            if ![card::BUILD, card::WIDTH, card::CLOCK_KHZ].contains(&offset) {
                let (expected, found) = (reference.read32(offset), tested.read32(offset));
                differ(format!("{}.{name}", block.name), expected.into(), found.into())?;
            }
        }
    }
    Ok(())
}

/// All events that a card has for its host: those of one port are in order, the ports are not.
fn events(card: &mut dyn Card) -> Vec<Event> {
    let mut events: Vec<_> = std::iter::from_fn(|| card.event()).collect();
    events.sort_unstable_by_key(|e| (e.bank, e.slot, e.tcp_flags));
    events
}

fn conserved(
    seed: u64,
    index: u64,
    given: [u64; 2],
    tested: &mut dyn Card,
) -> Result<[[u64; Outcome::ALL.len()]; 2], Mismatch> {
    let mut outcomes = [[0; Outcome::ALL.len()]; 2];
    for (port, rx) in [(Port::Front, counters::FRONT_RX), (Port::Back, counters::BACK_RX)] {
        let counts = &mut outcomes[port as usize];
        for &o in Outcome::ALL {
            counts[o as usize] = counter(tested, outcome(port, o));
        }
        let (given, received, accounted) = (given[port as usize], counter(tested, rx), counts.iter().sum());
        if received != accounted || received != given {
            return Err(Mismatch::Conservation { seed, index, port, given, received, accounted });
        }
    }
    Ok(outcomes)
}
