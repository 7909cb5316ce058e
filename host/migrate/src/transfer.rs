//! Three byte streams over a network that loses, repeats and reorders: go-back-N with one fast
//! repeat on the sending side, reassembly by offset on the receiving side.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::digest::Running;
use crate::protocol::{CREDIT, DATA, GRANT, Message, Stream, Streams};

/// Reports without progress after which the missing frame is repeated at once.
const REPEATED: u32 = 3;
/// The receiver reports at least every so many frames: half of the first credit.
const REPORT: u32 = 32;
/// How far beyond its contiguous end a stream takes data, and in how many pieces: nothing that keeps the credit is further or more.
const PIECES: usize = 2 * GRANT as usize;
const AHEAD: usize = PIECES * DATA;
/// Of the room for a stream that is made before it comes so much is written to at once: fresh memory costs a page fault every
/// 4 KiB, which the client would wait for later. To do so for more would keep the node from its other connections.
const READY: usize = 4 << 20;

/// An empty buffer with room for `length` bytes, which can be written to without page faults (the first 4 MiB).
pub(crate) fn ready_room(length: usize) -> Vec<u8> {
    let mut room = Vec::with_capacity(length);
    room.resize(length.min(READY), 0);
    room.clear();
    room
}

/// The sending side. Frames are numbered in the order in which they are sent at first; a frame never spans two streams.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Sender {
    streams: Streams<Bytes>,
    /// Parts of streams in the order of the frames: the stream, and where the part begins and ends in it.
    parts: Vec<(Stream, usize, usize)>,
    /// First frame that is not known to have arrived.
    base: usize,
    /// First frame that was not sent since the last time-out.
    next: usize,
    /// First frame that was never sent.
    fresh: usize,
    credit: usize,
    repeated: u32,
    running: Running,
    digest: Option<[u8; 16]>,
}

impl Sender {
    /// With what there is of the streams.
    pub fn new(streams: Streams<Bytes>) -> Self {
        let mut sender = Sender {
            streams: Default::default(),
            parts: Vec::new(),
            base: 0,
            next: 0,
            fresh: 0,
            credit: CREDIT.into(),
            repeated: 0,
            running: Running::default(),
            digest: None,
        };
        sender.extend(streams);
        sender
    }

    /// Adds to the streams. What comes behind something is copied together with it.
    pub fn extend(&mut self, more: Streams<Bytes>) {
        for (stream, more) in more.into_iter().filter(|(_, more)| !more.is_empty()) {
            let bytes = &mut self.streams[stream];
            let begin = bytes.len();
            *bytes = if begin == 0 { more } else { [&bytes[..], &more].concat().into() };
            self.parts.push((stream, begin, bytes.len()));
        }
    }

    fn frames(&self) -> usize {
        self.parts.iter().map(|(_, begin, end)| (end - begin).div_ceil(DATA)).sum()
    }

    /// Where a frame lies: its stream, where it begins and ends there.
    fn place(&self, mut index: usize) -> Option<(Stream, usize, usize)> {
        for &(stream, begin, end) in &self.parts {
            let frames = (end - begin).div_ceil(DATA);
            if index < frames {
                let offset = begin + index * DATA;
                return Some((stream, offset, end.min(offset + DATA)));
            }
            index -= frames;
        }
        None
    }

    fn frame(&self, index: usize) -> Option<Message> {
        let (stream, offset, end) = self.place(index)?;
        let bytes = self.streams[stream].slice(offset..end);
        Some(Message::Data { stream, offset: offset as u32, bytes })
    }

    /// The next frame that may go out now.
    pub fn next(&mut self) -> Option<Message> {
        if self.next >= self.base + self.credit {
            return None;
        }
        let frame = self.frame(self.next)?;
        self.next += 1;
        self.fresh = self.fresh.max(self.next);
        Some(frame)
    }

    /// Adds to the digest what has been sent.
    pub fn follow(&mut self) {
        let Some((last, _, end)) = self.fresh.checked_sub(1).and_then(|f| self.place(f)) else { return };
        let mut sent = self.streams.as_ref().map(|bytes| &bytes[..]);
        sent[last] = &sent[last][..end];
        self.running.follow(sent, last);
    }

    /// All that there is has been sent, and so little of it is under way that no report may come of it.
    pub fn is_done(&self) -> bool {
        self.next == self.frames() && self.next < self.base + REPORT as usize
    }

    /// The digest of the streams, which are whole, once all has been sent.
    pub fn digest(&mut self) -> Option<[u8; 16]> {
        if self.digest.is_none() && self.fresh == self.frames() {
            let running = std::mem::take(&mut self.running);
            self.digest = Some(running.finish(self.streams.as_ref().map(|bytes| &bytes[..])));
        }
        self.digest
    }

    /// The streams, when they have arrived: whoever keeps them need not wait until their memory is given back.
    pub fn into_streams(self) -> Streams<Bytes> {
        self.streams
    }

    /// Takes a report. A frame to repeat at once is returned. `true` with it: something new arrived.
    pub fn progress(&mut self, contiguous: Streams<u32>, credit: u16) -> (bool, Option<Message>) {
        self.credit = credit.into();
        let mut base = 0;
        for (stream, begin, end) in &self.parts {
            let arrived = contiguous[*stream] as usize;
            if arrived < *end {
                base += arrived.saturating_sub(*begin) / DATA;
                break;
            }
            base += (end - begin).div_ceil(DATA);
        }
        if base > self.base {
            self.base = base;
            self.next = self.next.max(base);
            self.repeated = 0;
            return (true, None);
        }
        if base == self.base && base < self.frames() {
            self.repeated += 1;
            if self.repeated == REPEATED {
                return (false, self.frame(base));
            }
        }
        (false, None)
    }

    /// Nothing came back for too long: begin again at the first frame in doubt.
    pub fn rewind(&mut self) {
        self.next = self.base;
        self.repeated = 0;
    }
}

/// One stream on the receiving side.
#[derive(Clone, Debug, Default, Hash)]
struct Assembly {
    bytes: Vec<u8>,
    ahead: BTreeMap<usize, Bytes>,
}

impl Assembly {
    /// `true`: the contiguous part grew.
    fn insert(&mut self, offset: usize, piece: Bytes) -> bool {
        let end = self.bytes.len();
        if offset > end {
            if offset < end + AHEAD && self.ahead.len() < PIECES {
                self.ahead.entry(offset).or_insert(piece);
            }
            return false;
        }
        if offset + piece.len() <= end {
            return false;
        }
        self.bytes.extend_from_slice(&piece[end - offset..]);
        while let Some(entry) = self.ahead.first_entry() {
            let offset = *entry.key();
            if offset > self.bytes.len() {
                break;
            }
            let piece = entry.remove();
            if let Some(new) = piece.get(self.bytes.len() - offset..) {
                self.bytes.extend_from_slice(new);
            }
        }
        true
    }
}

/// The receiving side.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Receiver {
    streams: Streams<Assembly>,
    /// Bytes that all streams together may have.
    limit: usize,
    unreported: u32,
    digest: Running,
}

/// A sender went over the limit of what one move may carry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Receiver {
    /// `lengths`, within the limit, are what is expected: there is room for it at once.
    pub fn new(limit: usize, lengths: Streams<u32>) -> Self {
        let stream = |length: u32| Assembly { bytes: ready_room(limit.min(length as usize)), ..Assembly::default() };
        Receiver { streams: lengths.map(stream), limit, unreported: 0, digest: Running::default() }
    }

    /// Takes a piece. `true`: a report is due.
    pub fn data(&mut self, stream: Stream, offset: u32, bytes: Bytes) -> Result<bool, TooLong> {
        let others = self.streams.as_ref().into_iter().filter(|(other, _)| *other != stream);
        let others: usize = others.map(|(_, assembly)| assembly.bytes.len()).sum();
        let offset = offset as usize;
        if bytes.len() > DATA || offset.saturating_add(bytes.len()).saturating_add(others) > self.limit {
            return Err(TooLong);
        }
        let grew = self.streams[stream].insert(offset, bytes);
        self.unreported += 1;
        // what does not fit shows a loss or a repetition: the sender should hear of it at once
        Ok(!grew || self.unreported >= REPORT)
    }

    /// Adds to the digest what has come of the streams up to `last`, which the last piece was of.
    pub fn follow(&mut self, last: Stream) {
        self.digest.follow(self.streams.as_ref().map(|assembly| &assembly.bytes[..]), last);
    }

    pub fn contiguous(&self) -> Streams<u32> {
        self.streams.as_ref().map(|assembly| assembly.bytes.len() as u32)
    }

    pub fn report(&mut self) -> Message {
        self.unreported = 0;
        Message::Progress { contiguous: self.contiguous(), credit: GRANT }
    }

    /// The streams, once they are complete, and their digest; the receiver is empty then.
    pub fn take(&mut self) -> (Streams<Vec<u8>>, [u8; 16]) {
        let streams = std::mem::take(&mut self.streams).map(|s| s.bytes);
        let digest = std::mem::take(&mut self.digest).finish(streams.as_ref().map(Vec::as_slice));
        (streams, digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipos_abi::wire::tcb;
    use rand::rngs::StdRng;
    use rand::seq::SliceRandom;
    use rand::{Rng, RngCore, SeedableRng};

    #[test]
    fn any_order_with_repetitions_gives_the_same_bytes() {
        for seed in 0..200 {
            let mut rng = StdRng::seed_from_u64(seed);
            let streams = Streams::<()>::default().map(|()| {
                let mut bytes = vec![0; [0, 1, DATA, DATA + 1, rng.random_range(0..30_000)][rng.random_range(0..5)]];
                rng.fill_bytes(&mut bytes);
                bytes
            });
            let mut sender = Sender::new(streams.clone().map(Bytes::from));
            let mut frames: Vec<_> = std::iter::from_fn(|| sender.next()).collect();
            frames.extend(frames.clone());
            frames.shuffle(&mut rng);
            let mut receiver = Receiver::new(1 << 20, Streams { receive: 0, send: 5_000, application: 1 << 20 });
            for frame in frames {
                let Message::Data { stream, offset, bytes } = frame else { panic!("{frame:?}") };
                receiver.data(stream, offset, bytes).unwrap();
                receiver.follow(stream);
            }
            let digest = tcb::digest(streams.as_ref().into_iter().map(|(_, bytes)| bytes.as_slice()));
            assert_eq!(receiver.take(), (streams, digest), "seed {seed}");
            assert_eq!(sender.digest(), Some(digest), "seed {seed}");
        }
    }

    #[test]
    fn credit_bounds_what_is_under_way_and_reports_open_it() {
        let streams = Streams { receive: vec![1; DATA * 200], send: vec![], application: vec![2; 10] };
        let arrived = |frames: usize| Streams { receive: (DATA * frames) as u32, ..Streams::default() };
        let mut sender = Sender::new(streams.map(Bytes::from));
        assert_eq!(std::iter::from_fn(|| sender.next()).count(), 64);
        assert_eq!(sender.progress(arrived(10), 64), (true, None));
        assert_eq!(std::iter::from_fn(|| sender.next()).count(), 10);
        for _ in 0..REPEATED - 1 {
            assert_eq!(sender.progress(arrived(10), 64), (false, None));
        }
        let (_, again) = sender.progress(arrived(10), 64);
        assert!(matches!(again, Some(Message::Data { offset: 14_000, .. })), "{again:?}");
        sender.rewind();
        assert!(matches!(sender.next(), Some(Message::Data { offset: 14_000, .. })));
        sender.progress(arrived(200), 64);
        assert!(matches!(sender.next(), Some(Message::Data { stream: Stream::Application, offset: 0, .. })));
        assert_eq!(sender.next(), None);
    }

    #[test]
    fn a_receiver_has_bounds() {
        let mut receiver = Receiver::new(10_000, Streams::default());
        assert_eq!(receiver.data(Stream::Send, 9_999, vec![0; 2].into()), Err(TooLong));
        assert_eq!(receiver.data(Stream::Send, u32::MAX, vec![0; 2].into()), Err(TooLong));
        assert_eq!(receiver.data(Stream::Send, 0, vec![0; DATA + 1].into()), Err(TooLong));
        assert_eq!(receiver.data(Stream::Send, 0, vec![0; DATA].into()), Ok(false));
        assert_eq!(receiver.data(Stream::Application, 8_000, vec![0; 700].into()), Err(TooLong));
    }
}
