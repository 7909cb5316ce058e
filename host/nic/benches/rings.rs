//! Packets per second from ring to ring on one core, against a device that is nothing but memory. The baseline is what people
//! write first: frames handed over as `Vec<u8>` in a `VecDeque`. Rounds in turn, medians, ratio from one run.
//!
//! `cargo bench -p ipos-nic`.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::time::Instant;

use ipos_abi::Port;
use ipos_abi::queue::{PHASE, QueueId};
use ipos_abi::regs::queues;
use ipos_device::{DeviceError, DmaDevice, DmaMemory, Queue, Registers};
use ipos_nic::{RingConfig, Rings};

const PACKETS: usize = 400_000;
const BATCH: usize = 32;
const ROUNDS: usize = 9;
const PAGE: usize = 4096;

struct Owner(usize, Layout);

impl Drop for Owner {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and freed once.
        unsafe { dealloc(self.0 as *mut u8, self.1) };
    }
}

/// A queue's registers, and how far the device is.
#[derive(Clone, Copy, Default)]
struct Ring {
    registers: [u32; 16],
    next: u16,
}

impl Ring {
    fn address(&self, low: u32) -> u64 {
        let word = |offset: u32| u64::from(self.registers[(offset & 0x3f) as usize / 4]);
        word(low + 4) << 32 | word(low)
    }

    fn bits(&self) -> u32 {
        self.registers[(queues::CONTROL & 0x3f) as usize / 4] >> 8 & 15
    }

    fn slot(&self) -> u64 {
        u64::from(self.next) % (1 << self.bits()) * 16
    }
}

/// Bus addresses are pointers. A doorbell of the front transmit queue copies its frames into receive buffers, as a card with a
/// loop does: the copy is the DMA, which the baseline's hand-off has not.
#[derive(Default)]
struct Loop {
    rings: [Ring; 5],
}

impl Loop {
    fn carry(&mut self) {
        let [receive, _, _, transmit, _] = &mut self.rings;
        let tail = transmit.registers[(queues::TAIL & 0x3f) as usize / 4] as u16;
        while transmit.next != tail {
            let from = (transmit.address(queues::DESCRIPTORS_LO) + transmit.slot()) as *const u64;
            let to = (receive.address(queues::DESCRIPTORS_LO) + receive.slot()) as *const u64;
            // SAFETY: rings and buffers are the driver's live memory, of the sizes that it wrote; one thread.
            unsafe {
                let (frame, length) = (from.read() as *const u8, from.add(1).read() as u16);
                std::ptr::copy_nonoverlapping(frame, to.read() as *mut u8, length.into());
                for (ring, first) in [(&mut *receive, u32::from(length)), (&mut *transmit, length.into())] {
                    let phase = if ring.next >> ring.bits() & 1 == 0 { PHASE } else { 0 };
                    let entry = (ring.address(queues::COMPLETIONS_LO) + ring.slot()) as *mut [u32; 4];
                    entry.write([first, 0, 0, phase]);
                    ring.next = ring.next.wrapping_add(1);
                }
            }
        }
    }
}

impl Registers for Loop {
    fn read32(&mut self, _: u32) -> Result<u32, DeviceError> {
        Ok(0)
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), DeviceError> {
        let queue = (offset - queues::BASE) as usize / 0x40;
        self.rings[queue].registers[(offset & 0x3f) as usize / 4] = value;
        if queue == QueueId::TransmitFront as usize && offset & 0x3f == queues::TAIL & 0x3f {
            self.carry();
        }
        Ok(())
    }
}

impl DmaDevice for Loop {
    fn allocate(&mut self, bytes: usize) -> Result<DmaMemory, DeviceError> {
        let layout = Layout::from_size_align(bytes.next_multiple_of(PAGE), PAGE).expect("a layout");
        // SAFETY: not of size zero.
        let pointer = NonNull::new(unsafe { alloc_zeroed(layout) }).expect("memory");
        let owner = Owner(pointer.as_ptr() as usize, layout);
        // SAFETY: fresh, page aligned, freed with its owner.
        Ok(unsafe { DmaMemory::new(pointer, layout.size(), pointer.as_ptr() as u64, Box::new(owner)) })
    }

    fn reset(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn set_bus_master(&mut self, _: bool) -> Result<(), DeviceError> {
        Ok(())
    }

    fn poll(&mut self) -> Result<bool, DeviceError> {
        Ok(false)
    }

    fn interrupts(&mut self) -> Result<u32, DeviceError> {
        Ok(0)
    }

    fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }
}

fn rings(card: &mut Rings<Loop>, length: usize) -> f64 {
    let (mut received, mut check) = (0, 0u64);
    let start = Instant::now();
    while received < PACKETS {
        for n in 0..BATCH {
            let sent = card.transmit_with(Port::Front, length, None, |frame| frame.fill(n as u8));
            assert!(sent.expect("it works"), "the ring has room for a batch");
        }
        card.flush().expect("it works");
        while let Some(byte) = card.receive_with(Queue::Receive, |_, frame| frame[frame.len() - 1]).expect("it works") {
            check += u64::from(byte);
            received += 1;
        }
    }
    assert_eq!(check, (0..BATCH as u64).sum::<u64>() * (PACKETS / BATCH) as u64);
    PACKETS as f64 / start.elapsed().as_secs_f64()
}

fn baseline(length: usize) -> f64 {
    let mut queue: VecDeque<Vec<u8>> = VecDeque::new();
    let (mut received, mut check) = (0, 0u64);
    let start = Instant::now();
    while received < PACKETS {
        for n in 0..BATCH {
            queue.push_back(vec![n as u8; length]);
        }
        while let Some(frame) = queue.pop_front() {
            check += u64::from(std::hint::black_box(&frame)[length - 1]);
            received += 1;
        }
    }
    assert!(check > 0);
    PACKETS as f64 / start.elapsed().as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let mut card = Rings::open(Loop::default(), &RingConfig::default()).expect("queues start");
    println!("ring to ring on one core; baseline: VecDeque<Vec<u8>>, the same run\n");
    println!("| frame | rings | baseline | ratio |\n|---|---|---|---|");
    for length in [64, 512, 1514] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(rings(&mut card, length));
            theirs.push(baseline(length));
        }
        let (ours, theirs) = (median(&mut ours), median(&mut theirs));
        println!("| {length} bytes | {:.2} M/s | {:.2} M/s | {:.2} |", ours / 1e6, theirs / 1e6, ours / theirs);
    }
}
