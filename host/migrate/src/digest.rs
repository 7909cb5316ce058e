//! The digest of three streams while they travel: neither end reads them once more when the connection already stands still.

use ipos_abi::wire::ext::Stream;
use ipos_abi::wire::tcb::{self, digest};

use crate::streams::Streams;

/// Bytes that are added at once. Small pieces are several times slower, and so are those that don't begin at a multiple of
/// their own length.
const BLOCK: usize = 64 << 10;

/// A digest on its way. It says nothing that the streams don't: equal streams make equal states.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running {
    // most moves have no more than a few bytes
    digest: Option<Box<tcb::Digest>>,
    /// Bytes of each stream that are in it.
    done: Streams<usize>,
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
    pub fn follow(&mut self, streams: Streams<&[u8]>, last: Stream) {
        self.add(streams, last, BLOCK);
    }

    /// The digest of the streams, now that they are whole.
    pub fn finish(mut self, streams: Streams<&[u8]>) -> [u8; 16] {
        if self.digest.is_some() {
            self.add(streams, Stream::Application, 1);
        }
        match self.digest {
            Some(running) if !self.astray => running.finish(),
            _ => digest(streams.into_iter().map(|(_, bytes)| bytes)),
        }
    }

    /// Adds all but what is less than `least` bytes of the last stream.
    fn add(&mut self, streams: Streams<&[u8]>, last: Stream, least: usize) {
        for (stream, bytes) in streams.into_iter().take_while(|(stream, _)| *stream <= last) {
            while !self.astray {
                let block = BLOCK - (self.done.receive + self.done.send + self.done.application) % BLOCK;
                // what goes out again is in it already
                let rest = bytes.get(self.done[stream]..).unwrap_or_default();
                if rest.is_empty() || (stream == last && rest.len() < block.min(least)) {
                    break;
                }
                self.astray |= self.done.into_iter().any(|(later, done)| later > stream && done > 0);
                let next = &rest[..rest.len().min(block)];
                self.digest.get_or_insert_default().update(next);
                self.done[stream] += next.len();
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
            let streams = Streams::<()>::default().map(|()| {
                let mut bytes = vec![0; [0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 7][rng.random_range(0..5)]];
                rng.fill_bytes(&mut bytes);
                bytes
            });
            let mut running = Running::default();
            let mut there = Streams::default();
            let mut last = Stream::Receive;
            for _ in 0..rng.random_range(0..20) {
                // one in eight thinks of a stream as whole that is not
                last = if rng.random_bool(0.125) { Stream::ALL[rng.random_range(0..3)] } else { last };
                there[last] = rng.random_range(there[last]..=streams[last].len());
                if there[last] == streams[last].len() && last != Stream::Application {
                    last = Stream::ALL[last as usize + 1];
                }
                running.follow(streams.as_ref().zip(there).map(|(bytes, there)| &bytes[..there]), last);
            }
            let whole = streams.as_ref().map(Vec::as_slice);
            assert_eq!(running.finish(whole), digest(whole.into_iter().map(|(_, bytes)| bytes)), "seed {seed}");
        }
    }
}
