//! Random traffic by seed: table contents and frames that reach every step of `docs/datapath.md`.
//!
//! Most frames are short and valid, so that they reach the tables; the rest is broken in one way
//! or in several. Tables, ports and neighbours change between rounds. Checksums come from
//! etherparse, so that neither the model nor the fabric judges its own arithmetic.

mod frames;
mod world;

use ipos_abi::Port;
use ipos_abi::queue::Checksum;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use world::World;

/// The longest generated frame: a full Ethernet frame with one 802.1Q tag.
pub const LONGEST: usize = 1518;

/// Where a frame enters the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It arrives at a port. `bad_fcs`: the MAC flags an error.
    Wire {
        /// The port.
        port: Port,
        /// The MAC flags an error at the frame's end.
        bad_fcs: bool,
    },
    /// The host sends it out of a port.
    Host {
        /// The port.
        port: Port,
        /// What is to be inserted.
        checksum: Option<Checksum>,
    },
}

/// A frame and where it enters.
#[derive(Clone, Debug)]
pub struct Input {
    /// Where it enters.
    pub source: Source,
    /// Its bytes, without FCS.
    pub frame: Vec<u8>,
}

/// Register writes, to be done while the card is idle, and the frames that follow them.
#[derive(Clone, Debug)]
pub struct Round {
    /// Offsets and values, in order.
    pub writes: Vec<(u32, u32)>,
    /// At least one frame.
    pub inputs: Vec<Input>,
}

/// The generator.
pub struct Traffic {
    seed: u64,
    rng: StdRng,
    world: World,
    /// Writes of the next round, the first ones set the card up.
    writes: Vec<(u32, u32)>,
}

impl Traffic {
    /// A generator whose rounds depend on nothing but `seed` and the sizes asked for. The first
    /// round's writes set up a card that was just reset.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let (world, writes) = World::new(&mut rng);
        Traffic { seed, rng, world, writes }
    }

    /// What the generator was made from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The next round: at most `frames` frames, and at most `bytes` bytes of them (one frame at least).
    pub fn round(&mut self, frames: usize, bytes: usize) -> Round {
        let mut writes = std::mem::take(&mut self.writes);
        while self.rng.random_ratio(1, 3) {
            self.world.change(&mut self.rng, &mut writes);
        }
        let (mut inputs, mut room) = (Vec::new(), bytes);
        while inputs.len() < frames {
            let input = self.input();
            if input.frame.len() > room && !inputs.is_empty() {
                break;
            }
            room = room.saturating_sub(input.frame.len());
            inputs.push(input);
        }
        Round { writes, inputs }
    }

    fn input(&mut self) -> Input {
        let rng = &mut self.rng;
        let port = *[Port::Front, Port::Front, Port::Back].choose(rng).unwrap_or(&Port::Front);
        if rng.random_ratio(1, 16) {
            let port = if rng.random() { Port::Front } else { Port::Back };
            let mut frame = vec![0; frames::length(rng, 14, 1514)];
            rng.fill(&mut frame[..]);
            // a checksum anywhere that it fits
            let words = frame.len() as u16 / 2;
            let start = rng.random_range(0..words);
            let checksum = rng
                .random_bool(0.5)
                .then(|| Checksum { start: 2 * start, offset: 2 * rng.random_range(0..words - start) });
            return Input { source: Source::Host { port, checksum }, frame };
        }
        let frame = frames::frame(rng, &self.world, port);
        Input { source: Source::Wire { port, bad_fcs: rng.random_ratio(1, 24) }, frame }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_rounds_and_another_gives_others() {
        let take = |seed| {
            let mut traffic = Traffic::new(seed);
            (0..50).map(|_| format!("{:?}", traffic.round(8, 4096))).collect::<Vec<_>>()
        };
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
    }

    #[test]
    fn rounds_keep_to_their_sizes() {
        let mut traffic = Traffic::new(3);
        for _ in 0..2000 {
            let round = traffic.round(8, 2000);
            let bytes: usize = round.inputs.iter().map(|i| i.frame.len()).sum();
            assert!((1..=8).contains(&round.inputs.len()));
            assert!(bytes <= 2000 || round.inputs.len() == 1);
            assert!(round.inputs.iter().all(|i| (1..=LONGEST).contains(&i.frame.len())));
        }
    }
}
