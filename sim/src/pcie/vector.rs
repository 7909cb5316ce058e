//! One interrupt vector of [`super::rings::RingCard`]: its entry in the MSI-X table, and when it may fire.

use ipos_abi::queue::VECTORS;
use ipos_abi::regs::MSIX_TABLE;

use super::{Bus, PciConfig};

/// Of the four words of the entry, the last: bit 0 is the mask.
const CONTROL: usize = 3;
const MASKED: u32 = 1;
/// Clock cycles of one unit of MODERATION, a microsecond, at 156.25 MHz.
const MODERATION_UNIT: u64 = 156;

/// An interrupt vector.
pub struct Vector {
    pub table: [u32; 4],
    /// There is something that has not been announced.
    pub pending: bool,
    pub moderation: u32,
    not_before: u64,
}

impl Vector {
    /// A vector after reset.
    pub fn new() -> Self {
        Vector { table: [0, 0, 0, MASKED], pending: false, moderation: 0, not_before: 0 }
    }

    /// Sends the interrupt if it is due at clock cycle `now`. `true`: it waits for its time.
    pub fn fire(&mut self, now: u64, config: &PciConfig, bus: &mut dyn Bus) -> bool {
        let masked = !config.msix_enable || config.msix_mask || self.table[CONTROL] & MASKED != 0;
        if !self.pending || masked {
            return false;
        }
        if now < self.not_before {
            return true;
        }
        self.pending = false;
        self.not_before = now + u64::from(self.moderation) * MODERATION_UNIT;
        let address = u64::from(self.table[1]) << 32 | u64::from(self.table[0]);
        bus.write(address, &self.table[2].to_le_bytes());
        false
    }
}

/// The vector and word of an offset in the MSI-X table.
pub fn word(offset: u32) -> Option<(usize, usize)> {
    let word = offset.checked_sub(MSIX_TABLE)? as usize / 4;
    (word < 4 * VECTORS).then_some((word / 4, word % 4))
}
