//! The digest of three streams while they travel: neither end reads them once more when the connection already stands still.

use ipos_abi::wire::tcb::{self, digest};

/// Bytes that are added at once. Small pieces are several times slower, and so are those that don't begin at a multiple of
/// their own length.
const BLOCK: usize = 64 << 10;

/// A digest on its way. It says nothing that the streams don't: equal streams make equal states.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running {
    // most moves have no more than a few bytes
    digest: Option<Box<tcb::Digest>>,
    /// Bytes of each stream that are in it.
    done: [usize; 3],
    /// A stream went on after the next one had begun: this is not their digest.
    astray: bool,
}

impl std::hash::Hash for Running {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.done.hash(state);
    }
}

impl Running {
    /// Adds what is there of the streams, the last block of stream `last` excepted. Those before it are whole, as far as can
    /// be told.
    pub fn follow(&mut self, streams: [&[u8]; 3], last: usize) {
        self.add(streams, last, BLOCK);
    }

    /// The digest of the streams, now that they are whole.
    pub fn finish(mut self, streams: [&[u8]; 3]) -> [u8; 16] {
        if self.digest.is_some() {
            self.add(streams, 2, 1);
        }
        match self.digest {
            Some(running) if !self.astray => running.finish(),
            _ => digest(streams),
        }
    }

    /// Adds all but what is less than `least` bytes of the last stream.
    fn add(&mut self, streams: [&[u8]; 3], last: usize, least: usize) {
        for (i, stream) in streams.iter().enumerate().take(last + 1) {
            while !self.astray {
                let block = BLOCK - self.done.iter().sum::<usize>() % BLOCK;
                // what goes out again is in it already
                let rest = stream.get(self.done[i]..).unwrap_or_default();
                if rest.is_empty() || (i == last && rest.len() < block.min(least)) {
                    break;
                }
                self.astray |= self.done[i + 1..].iter().any(|later| *later > 0);
                let next = &rest[..rest.len().min(block)];
                self.digest.get_or_insert_default().update(next);
                self.done[i] += next.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, RngCore, SeedableRng};

    #[test]
    fn it_is_the_digest_however_the_streams_came() {
        for seed in 0..300 {
            let mut rng = StdRng::seed_from_u64(seed);
            let streams: [Vec<u8>; 3] = [0, 1, 2].map(|_| {
                let mut bytes = vec![0; [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 7][rng.random_range(0..5)]];
                rng.fill_bytes(&mut bytes);
                bytes
            });
            let mut running = Running::default();
            let mut there = [0; 3];
            let mut last = 0;
            for _ in 0..rng.random_range(0..20) {
                // one in eight thinks of a stream as whole that is not
                last = if rng.random_bool(0.125) { rng.random_range(0..3) } else { last };
                there[last] = rng.random_range(there[last]..=streams[last].len());
                if there[last] == streams[last].len() && last < 2 {
                    last += 1;
                }
                running.follow([0, 1, 2].map(|i| &streams[i][..there[i]]), last);
            }
            let whole = [0, 1, 2].map(|i| streams[i].as_slice());
            assert_eq!(running.finish(whole), digest(whole), "seed {seed}");
        }
    }
}
