//! What a forward entry has carried, over all the slots that it was in.

use ipos_abi::regs::{ENABLE, entries};
use ipos_device::{DeviceError, Registers};

/// Packets that hit an entry and were forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// How many.
    pub packets: u64,
    /// Bytes of their IP packets.
    pub bytes: u64,
    /// There was one since this was last asked for: an entry without is idle.
    pub seen: bool,
}

impl Carried {
    pub(crate) fn add(&mut self, more: &Carried) {
        self.packets += more.packets;
        self.bytes += more.bytes;
        self.seen |= more.seen;
    }

    /// Reads a slot's counters, which begin at its last commit; `forget` clears its seen bit.
    pub(crate) fn read(
        device: &mut impl Registers,
        bank: usize,
        index: u32,
        forget: bool,
    ) -> Result<Carried, DeviceError> {
        let slot = (bank as u32) << 16 | index;
        device.write32(entries::SELECT, slot | if forget { ENABLE } else { 0 })?;
        let packets = device.read32(entries::PACKETS)?.into();
        let low = u64::from(device.read32(entries::BYTES_LO)?);
        let bytes = u64::from(device.read32(entries::BYTES_HI)?) << 32 | low;
        Ok(Carried { packets, bytes, seen: device.read32(entries::SEEN)? & 1 == 1 })
    }
}
