//! The two ends of a stream: a source that waits at random but never takes back what it showed, a sink that is
//! ready at random, and the rules that a block's output must keep.

use std::collections::VecDeque;
use std::fmt::Debug;

use rand::Rng;
use rand::rngs::SmallRng;

use crate::Beat;

/// Random waiting in phases: never, rarely, half of the time, mostly. A steady rate would meet neither a stream
/// at full speed nor one that is blocked until all before it is full.
#[derive(Default)]
pub struct Stalls {
    rate: u8,
    left: u32,
    never: bool,
}

impl Stalls {
    /// Never waits.
    #[must_use]
    pub fn never() -> Self {
        Stalls { never: true, ..Default::default() }
    }

    /// Whether to wait in this cycle.
    pub fn wait(&mut self, rng: &mut SmallRng) -> bool {
        if self.never {
            return false;
        }
        if self.left == 0 {
            self.rate = [0, 0, 30, 128, 240][rng.random_range(0..5)];
            self.left = rng.random_range(1..300);
        }
        self.left -= 1;
        rng.random::<u8>() < self.rate
    }
}

/// What waits to go into a block.
pub struct Source<T> {
    /// Not shown, or shown and not taken.
    pub queue: VecDeque<T>,
    shown: bool,
    stalls: Stalls,
}

impl<T> Source<T> {
    /// Waits as `stalls` say.
    #[must_use]
    pub fn new(stalls: Stalls) -> Self {
        Source { queue: VecDeque::new(), shown: false, stalls }
    }

    /// What stands at the input in this cycle. Once shown it stays until [`Source::taken`].
    pub fn show(&mut self, rng: &mut SmallRng) -> Option<&T> {
        let wait = self.stalls.wait(rng);
        if !self.shown {
            self.shown = !wait && !self.queue.is_empty();
        }
        if self.shown { self.queue.front() } else { None }
    }

    /// The block took what was shown.
    pub fn taken(&mut self) -> T {
        assert!(self.shown, "taken, but not shown");
        self.shown = false;
        self.queue.pop_front().expect("shown")
    }
}

/// An output under the rules of AXI4-Stream: what was valid and not taken is still there, unchanged.
pub struct Sink<T> {
    name: &'static str,
    offered: Option<T>,
    stalls: Stalls,
    ready: bool,
}

impl<T: PartialEq + Debug> Sink<T> {
    /// `name` is told when a rule is broken.
    #[must_use]
    pub fn new(name: &'static str, stalls: Stalls) -> Self {
        Sink { name, offered: None, stalls, ready: false }
    }

    /// Whether it is ready in this cycle.
    pub fn ready(&mut self, rng: &mut SmallRng) -> bool {
        self.ready = !self.stalls.wait(rng);
        self.ready
    }

    /// What the output shows in this cycle; `Some` is transferred by the edge.
    ///
    /// # Panics
    /// If it took back or changed what it offered in the cycle before.
    pub fn look(&mut self, shown: Option<T>) -> Option<T> {
        if let Some(offered) = self.offered.take() {
            assert_eq!(Some(&offered), shown.as_ref(), "{}: offered, not taken, and then changed", self.name);
        }
        if self.ready {
            shown
        } else {
            self.offered = shown;
            None
        }
    }

    /// As [`Sink::look`], for a sink whose test has the last word on `ready`.
    ///
    /// # Panics
    /// As [`Sink::look`].
    pub fn look_at(&mut self, shown: Option<T>, ready: bool) -> Option<T> {
        self.ready = ready;
        self.look(shown)
    }
}

/// Beats back into frames.
#[derive(Default)]
pub struct Frames {
    bytes: Vec<u8>,
}

impl Frames {
    /// Adds a beat; the last one gives the frame and its error mark.
    ///
    /// # Panics
    /// If a beat before the last is not full, or bears the mark.
    pub fn add(&mut self, beat: &Beat) -> Option<(Vec<u8>, bool)> {
        assert!(beat.last == 1 || (beat.cnt, beat.user) == (7, 0), "a gap or a mark within a frame");
        self.bytes.extend(beat.bytes());
        (beat.last == 1).then(|| (std::mem::take(&mut self.bytes), beat.user == 1))
    }
}
