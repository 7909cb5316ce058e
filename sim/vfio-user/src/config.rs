//! The function's configuration space: the bytes of `ipos_abi::pci::CONFIG`, with masks of what software may write.
//!
//! On a board it belongs to the PCIe core.

use ipos_abi::pci::{self, CONFIG, CONFIG_BYTES, config};
use ipos_abi::queue::DmaError;

/// The bytes, and what of them software may change.
pub struct ConfigSpace {
    bytes: Vec<u8>,
    writable: Vec<u8>,
    clears: Vec<u8>,
}

impl Default for ConfigSpace {
    fn default() -> Self {
        let table = |value: fn(&pci::ConfigRegister) -> u32| {
            let mut bytes = vec![0; CONFIG_BYTES];
            for r in CONFIG {
                let value = value(r).to_le_bytes();
                bytes[r.offset.into()..][..r.bytes.into()].copy_from_slice(&value[..r.bytes.into()]);
            }
            bytes
        };
        ConfigSpace { bytes: table(|r| r.reset), writable: table(|r| r.writable), clears: table(|r| r.clears) }
    }
}

/// Whether an access of `len` bytes at `offset` touches a register of two bytes.
fn touches(register: u16, offset: u64, len: usize) -> bool {
    offset < u64::from(register) + 2 && offset.saturating_add(len as u64) > register.into()
}

impl ConfigSpace {
    /// Whether an access touches what the card's state is shown in.
    #[must_use]
    pub fn shows_errors(offset: u64, len: usize) -> bool {
        touches(config::STATUS, offset, len) || touches(config::DEVICE_STATUS, offset, len)
    }

    /// Reads; bytes beyond the end are zero.
    pub fn read(&self, offset: u64, data: &mut [u8]) {
        for (i, byte) in data.iter_mut().enumerate() {
            *byte = usize::try_from(offset).ok().and_then(|o| self.bytes.get(o.checked_add(i)?)).copied().unwrap_or(0);
        }
    }

    /// Writes what may be written. `true`: a function-level reset was asked for.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> bool {
        let state = self.power_state();
        let mut reset = false;
        for (i, byte) in data.iter().enumerate() {
            let Some(at) = usize::try_from(offset).ok().and_then(|o| o.checked_add(i)) else { break };
            let (Some(old), Some(mask)) = (self.bytes.get_mut(at), self.writable.get(at)) else { break };
            *old = (*old & !mask | byte & mask) & !(byte & self.clears[at]);
            reset |= at == usize::from(config::DEVICE_CONTROL) + 1 && u32::from(*byte) << 8 & pci::INITIATE_FLR != 0;
        }
        if ![pci::D0, pci::D3HOT].contains(&self.power_state()) {
            let low = &mut self.bytes[usize::from(config::PM_CONTROL)];
            *low = *low & !3 | state as u8;
        }
        reset
    }

    /// What a function-level reset leaves: maximum payload size, read completion boundary, common clock and extended synch are not
    /// the function's to forget (base specification 6.6.2; one reading).
    pub fn function_reset(&mut self) {
        let kept = [(config::DEVICE_CONTROL, 0x00e0), (config::LINK_CONTROL, 0x00c8)];
        let before = kept.map(|(register, bits)| self.word(register) & bits);
        *self = ConfigSpace::default();
        for ((register, bits), old) in kept.into_iter().zip(before) {
            self.set(register, self.word(register) & !bits | old);
        }
    }

    /// Sets what an error of the card sets.
    pub fn record(&mut self, error: DmaError) {
        let (status, device_status) = pci::error_bits(error);
        self.set(config::STATUS, self.word(config::STATUS) | status);
        self.set(config::DEVICE_STATUS, self.word(config::DEVICE_STATUS) | device_status);
    }

    /// Says whether a read of the card's is outstanding.
    pub fn set_pending(&mut self, pending: bool) {
        let others = self.word(config::DEVICE_STATUS) & !pci::TRANSACTIONS_PENDING;
        self.set(config::DEVICE_STATUS, others | if pending { pci::TRANSACTIONS_PENDING } else { 0 });
    }

    /// Whether the function may send requests of its own.
    #[must_use]
    pub fn bus_master(&self) -> bool {
        self.word(config::COMMAND) & pci::BUS_MASTER != 0 && self.awake()
    }

    /// Whether it answers.
    #[must_use]
    pub fn awake(&self) -> bool {
        self.power_state() == pci::D0
    }

    /// Max payload size, as coded in device control 7:5.
    #[must_use]
    pub fn mps(&self) -> u8 {
        (self.word(config::DEVICE_CONTROL) >> 5 & 7) as u8
    }

    /// Max read request size, as coded in device control 14:12.
    #[must_use]
    pub fn mrrs(&self) -> u8 {
        (self.word(config::DEVICE_CONTROL) >> 12 & 7) as u8
    }

    /// Completion time-out value of device control 2, and its disable bit.
    #[must_use]
    pub fn timeout(&self) -> (u8, bool) {
        let control = self.word(config::DEVICE_CONTROL_2);
        ((control & 15) as u8, control & 16 != 0)
    }

    fn power_state(&self) -> u32 {
        self.word(config::PM_CONTROL) & 3
    }

    fn word(&self, register: u16) -> u32 {
        let at = usize::from(register);
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]).into()
    }

    fn set(&mut self, register: u16, value: u32) {
        self.bytes[register.into()..][..2].copy_from_slice(&value.to_le_bytes()[..2]);
    }
}
