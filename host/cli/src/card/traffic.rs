//! Frames between a card's two ports, which are cabled to each other: each is compared where it arrives.

use std::collections::VecDeque;

use anyhow::{Context, bail, ensure};
use blake3::OutputReader;
use ipos_abi::Port;
use ipos_abi::queue::{QueueId, Status};
use ipos_abi::regs::{ENABLE, dma, port, queue, queues};
use ipos_abi::rx::Outcome;
use ipos_device::DmaDevice;
use ipos_nic::Counters;

use super::ring::{ENTRIES, Ring};
use super::wait::{Found, wait};

/// Frames of 1,514 bytes that a port's buffer of 8,192 bytes takes.
const FLYING: usize = 5;
/// IEEE 802 local experimental EtherType 2: neither IPv4 nor ipOS, so it goes to the host as it came.
const ETHERTYPE: [u8; 2] = [0x88, 0xb6];

/// Frames of random length and content, both ways at once.
pub fn traffic(card: &mut dyn DmaDevice, frames: u32, seed: u64) -> Found {
    let mut flows = Flows::start(card, frames, seed)?;
    let mut fired = 0;
    // the limit of time is each frame's: a simulated card on a busy machine needs long for all
    let (mut arrived, mut done) = (0, false);
    while !done {
        (arrived, done) = wait(card, "carrying the next frame", |card| {
            fired |= card.interrupts()?;
            let done = flows.step(card)?.is_some();
            let now: u64 = flows.sides.iter().map(|s| u64::from(s.received)).sum();
            Ok((done || now != arrived).then_some((now, done)))
        })?;
    }
    let digests = flows.digests()?;
    let expected = [QueueId::Receive, QueueId::TransmitFront, QueueId::TransmitBack];
    wait(card, "raising the queues' vectors", |card| {
        fired |= card.interrupts()?;
        Ok(expected.iter().all(|&q| fired >> q as u8 & 1 == 1).then_some(()))
    })?;
    let counters = Counters::read(card)?;
    counters.conserved().context("when all frames had arrived")?;
    for port in Port::ALL {
        let (arrived, sent) = (counters.get(port, Outcome::ToHost), counters.ports[port as usize].sent);
        ensure!(
            (arrived, sent) == (frames.into(), frames.into()),
            "{port:?} counted {sent} sent, {arrived} to the host"
        );
    }
    Ok(format!(
        "{frames} each way, {} bytes, every byte compared; BLAKE3 front to back {}, back to front {}; vectors {fired:#08b}",
        flows.bytes, digests[0], digests[1]
    ))
}

/// A function reset while frames are on their way; traffic afterwards is whole.
pub fn reset_in_traffic(card: &mut dyn DmaDevice, frames: u32, seed: u64) -> Found {
    let mut flows = Flows::start(card, u32::MAX, seed)?;
    wait(card, "carrying frames before the reset", |card| {
        flows.step(card)?;
        Ok((flows.sides.iter().all(|s| s.received >= 50)).then_some(()))
    })?;
    flows.send(card)?;
    let under_way: usize = flows.sides.iter().map(|s| s.flying.len()).sum();
    card.reset()?;
    for q in QueueId::ALL {
        let (control, status) =
            (card.read32(queue(*q as usize, queues::CONTROL))?, card.read32(queue(*q as usize, queues::STATUS))?);
        ensure!(
            (control, status) == (0, 0),
            "after the reset queue {q:?} has control {control:#x}, status {status:#x}"
        );
    }
    ensure!(Counters::read(card)? == Counters::default(), "counters are not zero after the reset");
    drop(flows); // its memory is unmapped: a card that still used it would be caught
    let after = traffic(card, frames, seed)?;
    ensure!(card.read32(dma::ERRORS)? == 0, "the card used memory from before the reset");
    Ok(format!("with {under_way} frames on their way; then {after}"))
}

/// One port as a sender, and the frames of it that have arrived at the other.
struct Side {
    transmit: Ring,
    /// Lengths and contents of the frames.
    random: OutputReader,
    sent: u32,
    received: u32,
    /// Sent and not arrived, oldest first.
    flying: VecDeque<Vec<u8>>,
    /// Over what was sent, and over what arrived.
    digests: [blake3::Hasher; 2],
}

/// Traffic between the card's two ports.
struct Flows {
    receive: Ring,
    sides: [Side; 2],
    frames: u32,
    bytes: u64,
    buffer: Vec<u8>,
}

impl Flows {
    /// Sets the ports up to take anything, and starts the queues.
    fn start(card: &mut dyn DmaDevice, frames: u32, seed: u64) -> anyhow::Result<Self> {
        for high in [port::FRONT_MAC_HI, port::BACK_MAC_HI] {
            card.write32(high, ENABLE)?;
        }
        let mut receive = Ring::start(card, QueueId::Receive)?;
        receive.offer();
        receive.doorbell(card)?;
        let mut side = |port| -> anyhow::Result<Side> {
            let transmit = Ring::start(card, QueueId::transmit(port))?;
            let random = blake3::Hasher::new().update(&(seed << 1 | port as u64).to_be_bytes()).finalize_xof();
            Ok(Side { transmit, random, sent: 0, received: 0, flying: Default::default(), digests: Default::default() })
        };
        Ok(Flows { sides: [side(Port::Front)?, side(Port::Back)?], receive, frames, bytes: 0, buffer: Vec::new() })
    }

    /// Sends what there is room for and takes what has arrived. `Some`: everything has; frames that are on their way
    /// are never more than the card's buffer behind a port holds, so that it has no reason to drop one.
    fn step(&mut self, card: &mut dyn DmaDevice) -> anyhow::Result<Option<()>> {
        self.send(card)?;
        self.take(card)?;
        let done = self.sides.iter().all(|s| s.received == self.frames && s.transmit.waiting() == 0);
        Ok(done.then_some(()))
    }

    /// Sends what there is room for.
    fn send(&mut self, card: &mut dyn DmaDevice) -> anyhow::Result<()> {
        for side in &mut self.sides {
            let before = side.sent;
            while side.sent < self.frames && side.flying.len() < FLYING && side.transmit.waiting() < ENTRIES {
                let mut length = [0; 2];
                side.random.fill(&mut length);
                let mut frame = vec![0; 60 + usize::from(u16::from_be_bytes(length)) % (1515 - 60)];
                side.random.fill(&mut frame);
                frame[0] &= 0xfe; // to one station
                frame[12..14].copy_from_slice(&ETHERTYPE);
                side.transmit.send(&frame);
                side.digests[0].update(&frame);
                self.bytes += frame.len() as u64;
                side.flying.push_back(frame);
                side.sent += 1;
            }
            if side.sent != before {
                side.transmit.doorbell(card)?;
            }
        }
        Ok(())
    }

    /// Takes what the card has done, and compares.
    fn take(&mut self, card: &mut dyn DmaDevice) -> anyhow::Result<()> {
        for side in &mut self.sides {
            while let Some(done) = side.transmit.take(&mut self.buffer) {
                ensure!(done.status() == Some(Status::Ok), "a frame was not sent: {:?}", done.status());
            }
        }
        let mut taken = false;
        while let Some(done) = self.receive.take(&mut self.buffer) {
            taken = true;
            ensure!(done.status() == Some(Status::Ok), "a frame was not received: {:?}", done.status());
            // bit 18 of the last word: it arrived at the back port, so the front port sent it
            let from = if done.flags.get() >> 18 & 1 == 1 { Port::Front } else { Port::Back };
            let side = &mut self.sides[from as usize];
            match side.flying.pop_front() {
                Some(frame) if frame == self.buffer => {}
                Some(frame) => bail!(
                    "frame {} of the {from:?} port arrived changed: {} bytes instead of {}, the first difference at byte {:?}",
                    side.received,
                    self.buffer.len(),
                    frame.len(),
                    frame.iter().zip(&self.buffer).position(|(a, b)| a != b)
                ),
                None => bail!("a frame arrived that the {from:?} port has not sent"),
            }
            side.digests[1].update(&self.buffer);
            side.received += 1;
        }
        if taken {
            self.receive.offer();
            self.receive.doorbell(card)?;
        }
        Ok(())
    }

    /// The digests of both directions, which are the same over what was sent and what arrived.
    fn digests(&self) -> anyhow::Result<[String; 2]> {
        for side in &self.sides {
            ensure!(side.digests[0].finalize() == side.digests[1].finalize(), "the digests differ");
        }
        Ok([0, 1].map(|i| self.sides[i].digests[1].finalize().to_hex()[..16].to_owned()))
    }
}
