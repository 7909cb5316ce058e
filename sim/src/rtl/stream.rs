//! Frames as beats of a stream, and beats as frames: 64 or 512 bits of data with their `tkeep`.

use std::collections::VecDeque;

/// Frames that wait at a port's receiving MAC or at the host's transmit side, at most.
const INPUT_QUEUE: usize = 256;

/// The data of a beat as a model's port takes it.
pub trait Data: Copy + Send {
    /// `tkeep`.
    type Keep: Copy + Into<u64>;
    /// Bytes of a full beat.
    const BYTES: usize;
    /// A beat of one byte to [`BYTES`](Data::BYTES).
    fn pack(bytes: &[u8]) -> (Self, Self::Keep);
    /// Appends the bytes that are kept.
    fn unpack(self, keep: Self::Keep, frame: &mut Vec<u8>);
}

impl Data for u64 {
    type Keep = u8;
    const BYTES: usize = 8;

    fn pack(bytes: &[u8]) -> (Self, u8) {
        let mut data = [0; 8];
        data[..bytes.len()].copy_from_slice(bytes);
        (u64::from_le_bytes(data), 0xff >> (8 - bytes.len()))
    }

    fn unpack(self, keep: u8, frame: &mut Vec<u8>) {
        frame.extend_from_slice(&self.to_le_bytes()[..keep.count_ones() as usize]);
    }
}

impl Data for [u32; 16] {
    type Keep = u64;
    const BYTES: usize = 64;

    fn pack(bytes: &[u8]) -> (Self, u64) {
        let mut data = [0; 16];
        for (word, bytes) in data.iter_mut().zip(bytes.chunks(4)) {
            *word = bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        }
        (data, u64::MAX >> (64 - bytes.len()))
    }

    fn unpack(self, keep: u64, frame: &mut Vec<u8>) {
        frame.extend(self.iter().flat_map(|word| word.to_le_bytes()).take(keep.count_ones() as usize));
    }
}

/// A beat on its way in: data, keep, last, and its frame's flag.
pub type Shown<D> = (D, <D as Data>::Keep, bool, bool);

/// Frames on their way into a stream.
pub(crate) struct Feed<D = u64> {
    pub frames: VecDeque<(Vec<u8>, bool)>,
    offset: usize,
    /// Frames that have gone.
    pub gone: u64,
    /// The beat that is shown; once shown it stays until taken.
    shown: bool,
    width: std::marker::PhantomData<D>,
}

impl<D> Default for Feed<D> {
    fn default() -> Self {
        Feed { frames: VecDeque::new(), offset: 0, gone: 0, shown: false, width: std::marker::PhantomData }
    }
}

impl<D: Data> Feed<D> {
    pub fn push(&mut self, frame: &[u8], flag: bool) -> bool {
        if self.frames.len() >= INPUT_QUEUE {
            return false;
        }
        self.frames.push_back((frame.to_vec(), flag));
        true
    }

    fn beat(&self) -> Option<Shown<D>> {
        let (frame, flag) = self.frames.front()?;
        let rest = &frame[self.offset..];
        let (data, keep) = D::pack(&rest[..rest.len().min(D::BYTES)]);
        Some((data, keep, rest.len() <= D::BYTES, *flag))
    }

    /// Only what has begun is still to come.
    pub fn cut(&mut self) {
        self.frames.truncate(usize::from(self.offset > 0 || self.shown));
    }

    /// The next beat, unless it waits; once shown it stays.
    pub fn show(&mut self, stall: bool) -> Option<Shown<D>> {
        if !self.shown && stall {
            return None;
        }
        let beat = self.beat();
        self.shown = beat.is_some();
        beat
    }

    pub fn taken(&mut self) {
        self.offset += D::BYTES;
        self.shown = false;
        if self.frames.front().is_some_and(|(f, _)| self.offset >= f.len()) {
            self.frames.pop_front();
            self.gone += 1;
            self.offset = 0;
        }
    }
}

/// Frames coming out of a stream, with what stood beside their last beat.
pub(crate) struct Sink<M> {
    pub frames: VecDeque<(Vec<u8>, M)>,
    current: Vec<u8>,
}

impl<M> Default for Sink<M> {
    fn default() -> Self {
        Sink { frames: VecDeque::new(), current: Vec::new() }
    }
}

impl<M> Sink<M> {
    /// Takes a beat; `Some` at the frame's end keeps it, `None` there discards it.
    pub fn beat<D: Data>(&mut self, data: D, keep: D::Keep, last: bool, meta: impl FnOnce() -> Option<M>) {
        data.unpack(keep, &mut self.current);
        if last {
            let frame = std::mem::take(&mut self.current);
            if let Some(meta) = meta() {
                self.frames.push_back((frame, meta));
            }
        }
    }

    pub fn pop(&mut self, frame: &mut Vec<u8>) -> Option<M> {
        frame.clear();
        let (taken, meta) = self.frames.pop_front()?;
        *frame = taken;
        Some(meta)
    }
}
