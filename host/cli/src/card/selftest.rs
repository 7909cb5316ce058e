//! `ipos card selftest`: is this card what it says, from registers to frames?
//!
//! Each step says what it did or ends the test with what was wrong. The card is reset before and after.

use anyhow::ensure;
use ipos_abi::pci;
use ipos_abi::queue::{DmaError, ERROR_VECTOR, QueueId, Status};
use ipos_abi::regs::{BLOCKS, dma, port, queue, queues, tables};
use ipos_device::DmaDevice;
use ipos_nic::Counters;
use serde_json::{Value, json};

use super::ring::Ring;
use super::show;
use super::traffic::{reset_in_traffic, traffic};
use super::wait::{Found, wait};

/// A bus address that nothing is mapped at: the last page below the interrupt window.
const NOWHERE: u64 = 0xfedf_f000;

/// Does something with a card that was just reset.
type Step = Box<dyn FnMut(&mut dyn DmaDevice) -> Found>;

/// Runs all steps and prints how each went. `false`: one failed.
pub fn run(card: &mut dyn DmaDevice, frames: u32, seed: u64, json: bool) -> anyhow::Result<bool> {
    let mut steps: Vec<(&str, Step)> = vec![
        ("identity", Box::new(identity)),
        ("registers", Box::new(registers)),
        ("reset", Box::new(power_on)),
        ("unmapped address", Box::new(unmapped)),
        ("bus mastering off", Box::new(bus_mastering)),
    ];
    if frames > 0 {
        steps.push(("frames", Box::new(move |card| traffic(card, frames, seed))));
        steps.push(("reset in traffic", Box::new(move |card| reset_in_traffic(card, frames.min(500), seed))));
    }
    let mut report = Vec::new();
    let mut good = true;
    for (name, step) in &mut steps {
        let found = card.reset().map_err(anyhow::Error::from).and_then(|()| step(card));
        let (ok, text) = found.map_or_else(|e| (false, format!("{e:#}")), |text| (true, text));
        if !json {
            println!("{} {name}: {text}", if ok { "ok    " } else { "FAILED" });
        }
        report.push(json!({ "step": name, "ok": ok, "found": text }));
        good &= ok;
        if !ok && *name == "identity" {
            break;
        }
    }
    card.reset()?;
    if json {
        println!("{}", json!({ "ok": good, "seed": seed, "frames": frames, "steps": Value::Array(report) }));
    } else {
        println!("{}", if good { "the card is good" } else { "the card is NOT good" });
    }
    Ok(good)
}

fn identity(card: &mut dyn DmaDevice) -> Found {
    show::identify(card)?;
    let mut offset = 0;
    for block in BLOCKS {
        ensure!(offset == block.offset, "block {} is at {offset:#x}, not at {:#x}", block.name, block.offset);
        let (header, expected) = (card.read32(offset)?, u32::from(block.kind) << 16 | u32::from(block.version));
        ensure!(header == expected, "block {} has the header {header:#010x}, not {expected:#010x}", block.name);
        offset = card.read32(offset + 4)?;
    }
    ensure!(offset == 0, "the list of register blocks does not end: {offset:#x}");
    Ok(format!("{:04x}:{:04x}, {} register blocks as declared", pci::VENDOR, pci::DEVICE, BLOCKS.len()))
}

/// Walking ones and their complements through registers that have no effect until something is committed.
fn registers(card: &mut dyn DmaDevice) -> Found {
    let under_test = [tables::KEY0, tables::KEY1, tables::KEY2, port::FRONT_MAC_LO, port::BACK_MAC_LO];
    for bit in 0..32 {
        for value in [1 << bit, !(1u32 << bit)] {
            // each register its own value, so that a wrong address shows
            for (i, &offset) in under_test.iter().enumerate() {
                card.write32(offset, value.rotate_left(i as u32))?;
            }
            for (i, &offset) in under_test.iter().enumerate() {
                let (found, expected) = (card.read32(offset)?, value.rotate_left(i as u32));
                ensure!(found == expected, "register {offset:#x} reads {found:#010x}, not {expected:#010x}");
            }
        }
    }
    Ok(format!("{} registers, all 32 bits each way", under_test.len()))
}

fn power_on(card: &mut dyn DmaDevice) -> Found {
    let q = queue(QueueId::Receive as usize, queues::MODERATION);
    let state = [(port::ETHERTYPE, 0x88b5), (port::FRONT_MAC_LO, 7), (q, 5)];
    let initial: Vec<u32> = state.iter().map(|(offset, _)| card.read32(*offset)).collect::<Result<_, _>>()?;
    for (offset, value) in state {
        card.write32(offset, value)?;
        ensure!(card.read32(offset)? == value, "register {offset:#x} does not keep {value:#x}");
    }
    card.reset()?;
    for ((offset, _), initial) in state.iter().zip(initial) {
        let found = card.read32(*offset)?;
        ensure!(found == initial, "register {offset:#x} is {found:#x} after a reset, was {initial:#x} at first");
    }
    ensure!(Counters::read(card)? == Counters::default(), "counters are not zero after a reset");
    Ok("registers and counters as at power-on".to_owned())
}

/// A frame at an address that the IOMMU does not map is reported, and the queue goes on.
fn unmapped(card: &mut dyn DmaDevice) -> Found {
    card.interrupts()?;
    let mut ring = Ring::start(card, QueueId::TransmitBack)?;
    let mut frame = Vec::new();
    ring.send_from(NOWHERE, 64);
    ring.doorbell(card)?;
    let status = wait(card, "reporting the unmapped frame", |_| Ok(ring.take(&mut frame)))?.status();
    ensure!(status == Some(Status::Read), "the frame at an unmapped address ended with {status:?}");
    let (causes, count) = (card.read32(dma::ERRORS)?, card.read32(dma::COUNT + 4 * DmaError::CompletionStatus as u32)?);
    ensure!(causes == 1 << DmaError::CompletionStatus as u8, "causes {causes:#x} were reported");
    let mut fired = 0;
    wait(card, "raising the error vector", |card| {
        fired |= card.interrupts()?;
        Ok((fired >> ERROR_VECTOR & 1 == 1).then_some(()))
    })?;
    ring.send(&[0xff; 64]);
    ring.doorbell(card)?;
    let status = wait(card, "sending the frame after it", |_| Ok(ring.take(&mut frame)))?.status();
    ensure!(status == Some(Status::Ok), "the frame after it ended with {status:?}");
    Ok(format!("read refused, status {:?}, error vector, {count} counted; the next frame went out", Status::Read))
}

/// Nothing reaches host memory without bus mastering; what waits goes on with it.
fn bus_mastering(card: &mut dyn DmaDevice) -> Found {
    let mut ring = Ring::start(card, QueueId::TransmitFront)?;
    let mut frame = Vec::new();
    card.set_bus_master(false)?;
    ring.send(&[0xff; 64]);
    ring.doorbell(card)?;
    for _ in 0..1000 {
        card.poll()?;
        ensure!(card.read32(queue(ring.id() as usize, queues::HEAD))? == 0, "a frame was read without bus mastering");
    }
    card.set_bus_master(true)?;
    let status = wait(card, "sending the frame that waited", |_| Ok(ring.take(&mut frame)))?.status();
    ensure!(status == Some(Status::Ok), "the frame that waited ended with {status:?}");
    Ok("a frame waits while it is off, goes out when it is on".to_owned())
}
