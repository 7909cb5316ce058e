//! The event queue's entries against a count of what the host has taken: no event disappears without being counted,
//! with the queue full, off, or restarted at any moment; a doorbell that takes too much is an error.

use ipos_verilated_blocks::layout::Settings;
use ipos_verilated_blocks::{Clocked, dma_events, seeded};
use rand::Rng;

const DOORBELL: u8 = 1;

/// The block, the completions that it fills (as counts), and the host's side of the ring.
struct Rig {
    block: dma_events::Model,
    settings: Settings,
    run: bool,
    head: u16,
    level: u8,
    offered: u64,
    written: u64,
    lost: u64,
    errors: u32,
}

impl Rig {
    fn new(size: u64, seed: u32) -> Self {
        let mut block = dma_events::Model::new(Some(seed));
        block.restart();
        let settings = Settings { enable: 1, size, ..Settings::default() };
        Rig { block, settings, run: false, head: 0, level: 0, offered: 0, written: 0, lost: 0, errors: 0 }
    }

    /// A cycle; `event` waits at the input, `drain` moves an entry on to host memory. Whether the event was taken.
    fn cycle(&mut self, event: Option<u32>, drain: bool, start: bool) -> bool {
        let b = &mut self.block;
        b.set_settings(&self.settings.pack());
        b.set_run((self.run && !start).into());
        b.set_start(start.into());
        b.set_head(self.head);
        b.set_level(self.level);
        b.set_data(event.unwrap_or(0xdead_beef));
        b.set_valid(event.is_some().into());
        b.low();
        let taken = event.is_some() && b.ready() != 0;
        self.offered += u64::from(taken);
        self.lost += u64::from(b.lost());
        self.errors += u32::from(b.error() == DOORBELL);
        assert!(b.error() == 0 || b.error() == DOORBELL);
        let write = b.write() != 0;
        assert!(!(write && b.lost() != 0), "either");
        if write {
            self.written += 1;
            self.level += 1;
            let unread = self.head.wrapping_add(self.level.into()).wrapping_sub(self.settings.tail as u16);
            assert!(self.level <= 16 && u32::from(unread) <= 1 << self.settings.size, "{unread} of a ring's entries");
        }
        if drain && self.level > u8::from(write) {
            self.level -= 1;
            self.head = self.head.wrapping_add(1);
        }
        if start {
            (self.head, self.level) = (0, 0);
        }
        b.rise();
        taken
    }

    fn start(&mut self) {
        self.run = false;
        self.settings.tail = 0;
        self.cycle(None, false, true);
        self.run = true;
    }

    fn settle(&mut self) {
        for _ in 0..20 {
            self.cycle(None, true, false);
        }
    }
}

#[test]
fn every_event_is_written_or_counted() {
    let mut rng = seeded();
    let (mut written, mut lost) = (0, 0);
    for _ in 0..60 {
        let mut rig = Rig::new(rng.random_range(3..6), rng.random());
        let slow = rng.random_range(1..200);
        for _ in 0..3_000 {
            let event = (rng.random_range(0..4) == 0).then(|| rng.random());
            match rng.random_range(0..400) {
                0 => rig.run = false,
                1 => rig.start(),
                _ => {}
            }
            let drain = rng.random_range(0..3) == 0;
            rig.cycle(event, drain, false);
            if rng.random_range(0..slow) == 0 {
                let unread = rig.head.wrapping_sub(rig.settings.tail as u16);
                rig.settings.tail = u64::from((rig.settings.tail as u16).wrapping_add(rng.random_range(0..=unread)));
            }
        }
        rig.settle();
        assert_eq!(rig.offered, rig.written + rig.lost, "none disappears");
        assert_eq!(rig.errors, 0, "the doorbell was good");
        (written, lost) = (written + rig.written, lost + rig.lost);
    }
    println!("{written} written, {lost} lost");
    assert!(written > 1_000 && lost > 1_000);
}

#[test]
fn an_event_to_a_queue_that_is_off_is_counted() {
    let mut rig = Rig::new(3, 1);
    for _ in 0..5 {
        while !rig.cycle(Some(7), true, false) {}
    }
    rig.settle();
    assert_eq!((rig.offered, rig.written, rig.lost), (5, 0, 5));
}

/// An event that is under way when a full ring starts anew finds it empty.
#[test]
fn a_restart_forgets_a_full_ring() {
    for wait in 0..6 {
        let mut rig = Rig::new(3, 1);
        rig.start();
        for _ in 0..12 {
            while !rig.cycle(Some(7), true, false) {}
        }
        rig.settle();
        assert_eq!((rig.written, rig.lost), (8, 4));
        while !rig.cycle(Some(9), true, false) {}
        rig.run = false;
        // at its first cycles it is still the old ring's
        for _ in 0..wait {
            rig.cycle(None, true, false);
        }
        rig.start();
        rig.settle();
        assert_eq!(rig.written + rig.lost, 13);
        assert!(wait > 1 || rig.written == 9, "{wait}: {}", rig.written);
    }
}

#[test]
fn a_doorbell_that_takes_more_than_there_is_stops_the_queue() {
    for (written, tail) in [(0u64, 1u64), (3, 4), (8, 9), (3, 0x8000)] {
        let mut rig = Rig::new(3, 1);
        rig.start();
        for _ in 0..written {
            while !rig.cycle(Some(7), true, false) {}
        }
        rig.settle();
        rig.settings.tail = written;
        rig.settle();
        assert_eq!(rig.errors, 0, "all that there are");
        rig.settings.tail = tail;
        rig.settle();
        assert!(rig.errors > 0, "{tail} of {written}");
    }
}
