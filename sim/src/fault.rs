//! A wire that loses, repeats, reorders, damages and delays frames, by seed.
//!
//! It stacks on any other wire and treats both directions alike. What it did is counted, so that
//! a test can tell "survived" from "nothing happened".

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use ipos_device::Mtu;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::wire::Wire;

/// A reordered frame is overtaken by at most this many.
const MAX_OVERTAKEN: u64 = 3;
/// A reordered frame waits at most this long for frames to overtake it.
const REORDER_WAIT: Duration = Duration::from_millis(10);

/// What may happen to a frame: a probability each, 0.0 to 1.0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// It vanishes.
    pub loss: f64,
    /// It arrives twice.
    pub duplicate: f64,
    /// One to three later ones overtake it.
    pub reorder: f64,
    /// One bit, anywhere, is flipped.
    pub corrupt: f64,
    /// It is delayed, by something between the two bounds, evenly distributed.
    pub delay: f64,
    /// Lower bound of a delay.
    pub min_delay: Duration,
    /// Upper bound of a delay; with the lower one equal, delayed frames keep their order.
    pub max_delay: Duration,
}

/// What happened so far, in frames, both directions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Judged.
    pub seen: u64,
    /// Lost.
    pub lost: u64,
    /// Duplicated.
    pub duplicated: u64,
    /// Held back to be overtaken.
    pub reordered: u64,
    /// Damaged.
    pub corrupted: u64,
    /// Delayed.
    pub delayed: u64,
}

/// A faulty wire around another one.
///
/// A held frame comes out in a later call of either method; [`Wire::fd`] does not announce it, so
/// a caller that sleeps must wake up now and then.
pub struct Fault<W> {
    inner: W,
    faults: Faults,
    random: StdRng,
    counts: Counts,
    outward: Line,
    inward: Line,
    scratch: Vec<u8>,
}

/// One direction.
#[derive(Default)]
struct Line {
    /// Frames judged so far.
    count: u64,
    held: Vec<Held>,
    ready: VecDeque<Vec<u8>>,
}

struct Held {
    frame: Vec<u8>,
    /// Leaves when the line's count has reached this …
    after: u64,
    /// … or when this time has come.
    due: Instant,
}

impl Line {
    /// Moves held frames whose time has come behind those that are ready.
    fn release(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let now = Instant::now();
        let count = self.count;
        let mut due: Vec<Held> = self.held.extract_if(.., |h| h.after <= count || h.due <= now).collect();
        due.sort_by_key(|h| h.due);
        self.ready.extend(due.into_iter().map(|h| h.frame));
    }
}

impl<W: Wire> Fault<W> {
    /// Makes `inner` unreliable. The same seed and the same frames give the same faults; only
    /// how long a delay lasts is measured in real time.
    pub fn new(inner: W, faults: Faults, seed: u64) -> Self {
        let random = StdRng::seed_from_u64(seed);
        let (outward, inward) = Default::default();
        Fault { inner, faults, random, counts: Counts::default(), outward, inward, scratch: Vec::new() }
    }

    /// What happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Changes what may happen from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Decides one frame's fate and queues what is left of it.
    fn judge(&mut self, outward: bool, frame: &[u8]) {
        let Fault { faults, random, counts, .. } = self;
        let line = if outward { &mut self.outward } else { &mut self.inward };
        let mut happens = |p: f64| p > 0.0 && random.random_bool(p.min(1.0));
        let lost = happens(faults.loss);
        let copies = if happens(faults.duplicate) { 2 } else { 1 };
        let (corrupt, reorder, delay) = (happens(faults.corrupt), happens(faults.reorder), happens(faults.delay));
        line.count += 1;
        counts.seen += 1;
        if lost {
            counts.lost += 1;
            line.release();
            return;
        }
        let mut frame = frame.to_vec();
        if corrupt && !frame.is_empty() {
            counts.corrupted += 1;
            let bit = random.random_range(0..frame.len() * 8);
            frame[bit / 8] ^= 1 << (bit % 8);
        }
        let now = Instant::now();
        let (after, due) = if delay {
            counts.delayed += 1;
            let spread = faults.max_delay.saturating_sub(faults.min_delay);
            (u64::MAX, now + faults.min_delay + spread.mul_f64(random.random()))
        } else if reorder {
            counts.reordered += 1;
            (line.count + random.random_range(1..=MAX_OVERTAKEN), now + REORDER_WAIT)
        } else {
            (0, now)
        };
        if copies == 2 {
            counts.duplicated += 1;
            line.ready.push_back(frame.clone());
        }
        if after == 0 {
            line.ready.push_back(frame);
        } else {
            line.held.push(Held { frame, after, due });
        }
        line.release();
    }

    fn flush(&mut self) -> io::Result<()> {
        self.outward.release();
        while let Some(frame) = self.outward.ready.pop_front() {
            self.inner.send(&frame)?;
        }
        Ok(())
    }
}

impl<W: Wire> Wire for Fault<W> {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.judge(true, frame);
        self.flush()
    }

    fn receive(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        self.flush()?;
        frame.clear();
        loop {
            self.inward.release();
            if let Some(next) = self.inward.ready.pop_front() {
                frame.extend_from_slice(&next);
                return Ok(true);
            }
            let mut taken = std::mem::take(&mut self.scratch);
            let some = self.inner.receive(&mut taken)?;
            if some {
                self.judge(false, &taken);
            }
            self.scratch = taken;
            if !some {
                return Ok(false);
            }
        }
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.fd()
    }

    fn lost(&self) -> u64 {
        self.inner.lost()
    }

    fn mtu(&self) -> Option<Mtu> {
        self.inner.mtu()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::memory::{Memory, pair};

    const FRAMES: u32 = 2000;

    /// Sends numbered frames through `faults`; what arrives, and the counts.
    fn through(faults: Faults, seed: u64) -> (Vec<Vec<u8>>, Counts) {
        let (a, b) = pair().unwrap();
        let mut faulty = Fault::new(a, faults, seed);
        let mut far = b;
        let mut got = Vec::new();
        for n in 0..FRAMES {
            faulty.send(&frame(n)).unwrap();
        }
        take(&mut far, &mut got);
        // what was held leaves by time
        let end = Instant::now() + Duration::from_secs(2);
        while (!faulty.outward.held.is_empty()) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
            faulty.receive(&mut Vec::new()).unwrap();
        }
        take(&mut far, &mut got);
        (got, faulty.counts())
    }

    fn take(far: &mut Memory, got: &mut Vec<Vec<u8>>) {
        let mut f = Vec::new();
        while far.receive(&mut f).unwrap() {
            got.push(f.clone());
        }
    }

    fn frame(n: u32) -> Vec<u8> {
        [&n.to_be_bytes()[..], &[0x5a; 60]].concat()
    }

    fn numbers(frames: &[Vec<u8>]) -> Vec<u32> {
        frames.iter().map(|f| u32::from_be_bytes(f[..4].try_into().unwrap())).collect()
    }

    #[test]
    fn without_faults_nothing_changes() {
        let (got, counts) = through(Faults::default(), 1);
        assert_eq!(numbers(&got), (0..FRAMES).collect::<Vec<_>>());
        assert_eq!(counts, Counts { seen: u64::from(FRAMES), ..Counts::default() });
    }

    #[test]
    fn what_arrives_agrees_with_the_counts() {
        let (got, c) = through(Faults { loss: 0.1, duplicate: 0.05, ..Faults::default() }, 2);
        assert_eq!(got.len() as u64, c.seen - c.lost + c.duplicated);
        assert!((100..300).contains(&c.lost), "{c:?}");
        assert!((50..150).contains(&c.duplicated), "{c:?}");
        let n = numbers(&got);
        assert!(n.is_sorted(), "neither loss nor duplication reorders");
        assert_eq!(n.windows(2).filter(|w| w[0] == w[1]).count() as u64, c.duplicated);
    }

    #[test]
    fn reordering_loses_nothing_and_is_bounded() {
        let (got, c) = through(Faults { reorder: 0.1, ..Faults::default() }, 3);
        let n = numbers(&got);
        assert!((100..300).contains(&c.reordered), "{c:?}");
        assert!(!n.is_sorted());
        for (at, &number) in n.iter().enumerate() {
            assert!(
                (at as i64 - i64::from(number)).abs() <= 4 * MAX_OVERTAKEN as i64,
                "frame {number} arrived as {at}"
            );
        }
        let mut sorted = n;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..FRAMES).collect::<Vec<_>>());
    }

    #[test]
    fn corruption_flips_exactly_one_bit() {
        let (got, c) = through(Faults { corrupt: 0.2, ..Faults::default() }, 4);
        let mut damaged = 0;
        for (n, f) in got.iter().enumerate() {
            let bits: u32 = f.iter().zip(frame(n as u32)).map(|(a, b)| (a ^ b).count_ones()).sum();
            assert!(bits <= 1);
            damaged += u64::from(bits);
        }
        assert_eq!(damaged, c.corrupted);
        assert!((250..550).contains(&c.corrupted), "{c:?}");
    }

    #[test]
    fn delay_loses_nothing() {
        let (got, c) = through(Faults { delay: 0.3, max_delay: Duration::from_millis(20), ..Faults::default() }, 5);
        let mut n = numbers(&got);
        assert!(c.delayed > 0 && !n.is_sorted());
        n.sort_unstable();
        assert_eq!(n, (0..FRAMES).collect::<Vec<_>>());
    }

    #[test]
    fn an_even_delay_keeps_the_order() {
        let delay = Duration::from_millis(20);
        let (a, mut b) = pair().unwrap();
        let mut far = Fault::new(a, Faults { delay: 1.0, min_delay: delay, max_delay: delay, ..Faults::default() }, 9);
        let begun = Instant::now();
        for n in 0..FRAMES {
            b.send(&frame(n)).unwrap();
        }
        let (mut got, mut f) = (Vec::new(), Vec::new());
        while got.len() < FRAMES as usize {
            if far.receive(&mut f).unwrap() {
                got.push(f.clone());
            }
        }
        assert!(begun.elapsed() >= delay, "a frame came early");
        assert_eq!(numbers(&got), (0..FRAMES).collect::<Vec<_>>());
    }

    #[test]
    fn the_seed_decides_and_both_directions_are_judged() {
        let f = Faults { loss: 0.3, corrupt: 0.3, duplicate: 0.1, ..Faults::default() };
        assert_eq!(through(f, 6), through(f, 6));
        assert_ne!(through(f, 6).0, through(f, 7).0);

        let (a, mut b) = pair().unwrap();
        let mut faulty = Fault::new(a, Faults { loss: 1.0, ..Faults::default() }, 8);
        b.send(&[1; 60]).unwrap();
        assert!(!faulty.receive(&mut Vec::new()).unwrap());
        assert_eq!(faulty.counts(), Counts { seen: 1, lost: 1, ..Counts::default() });
    }
}
