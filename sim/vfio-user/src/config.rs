//! The function's configuration space: type 0 header, MSI-X and PCI Express capabilities.
//!
//! On a board it belongs to the PCIe core; here it is a table of bytes with a mask of what software may write.

use ipos_abi::pci;
use ipos_abi::queue::VECTORS;
use ipos_abi::regs::{MSIX_PENDING, MSIX_TABLE};

/// Bytes of the configuration space.
pub const SIZE: usize = 4096;

const COMMAND: usize = 0x04;
const MSIX: usize = 0x40;
const PCIE: usize = 0x60;
const DEVICE_CONTROL: usize = PCIE + 8;
/// Initiate function-level reset: device control, bit 15 (PCI Express base specification 7.5.3.4).
const FLR: u16 = 1 << 15;
/// Power-on value of device control: MRRS 512 bytes, MPS 128, relaxed ordering and no-snoop allowed.
const DEVICE_CONTROL_RESET: u16 = 0x2810;

/// Offset, bytes. Little endian.
const INITIAL: &[(usize, &[u8])] = &[
    (0x00, &pci::VENDOR.to_le_bytes()),
    (0x02, &pci::DEVICE.to_le_bytes()),
    (0x06, &0x0010u16.to_le_bytes()), // status: there is a capability list
    (0x08, &pci::CLASS_AND_REVISION.to_le_bytes()),
    // BAR0: 32-bit, not prefetchable (reading a counter latches its high word). Its size is the region's.
    (0x10, &0u32.to_le_bytes()),
    (0x2c, &pci::VENDOR.to_le_bytes()),
    (0x2e, &1u16.to_le_bytes()),
    (0x34, &[MSIX as u8]),
    (MSIX, &[0x11, PCIE as u8]),
    (MSIX + 2, &(VECTORS as u16 - 1).to_le_bytes()),
    (MSIX + 4, &MSIX_TABLE.to_le_bytes()), // low three bits: in BAR0
    (MSIX + 8, &MSIX_PENDING.to_le_bytes()),
    (PCIE, &[0x10, 0x00]),
    (PCIE + 2, &0x0002u16.to_le_bytes()),      // version 2, endpoint
    (PCIE + 4, &0x1000_8021u32.to_le_bytes()), // FLR, role-based errors, extended tags, MPS 256
    (DEVICE_CONTROL, &DEVICE_CONTROL_RESET.to_le_bytes()),
    (PCIE + 0x0c, &0x0000_0041u32.to_le_bytes()), // link: 2.5 GT/s, four lanes
    (PCIE + 0x12, &0x0041u16.to_le_bytes()),
];

/// Offset, bits that software may write.
const WRITABLE: &[(usize, &[u8])] = &[
    (COMMAND, &0x0506u16.to_le_bytes()), // memory space, bus master, SERR, INTx disable
    (0x0c, &[0xff]),                     // cache line size
    (0x3c, &[0xff]),                     // interrupt line
    (MSIX + 2, &0xc000u16.to_le_bytes()),
    (DEVICE_CONTROL, &0x7fffu16.to_le_bytes()),
];

/// The bytes, and what of them software may change.
pub struct ConfigSpace {
    bytes: Vec<u8>,
    writable: Vec<u8>,
}

impl Default for ConfigSpace {
    fn default() -> Self {
        ConfigSpace { bytes: table(INITIAL), writable: table(WRITABLE) }
    }
}

impl ConfigSpace {
    /// Reads; bytes beyond the end are zero.
    pub fn read(&self, offset: u64, data: &mut [u8]) {
        for (i, byte) in data.iter_mut().enumerate() {
            *byte = usize::try_from(offset).ok().and_then(|o| self.bytes.get(o.checked_add(i)?)).copied().unwrap_or(0);
        }
    }

    /// Writes what may be written. `true`: a function-level reset was asked for.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> bool {
        let mut reset = false;
        for (i, byte) in data.iter().enumerate() {
            let Some(at) = usize::try_from(offset).ok().and_then(|o| o.checked_add(i)) else { break };
            let (Some(old), Some(mask)) = (self.bytes.get_mut(at), self.writable.get(at)) else { break };
            *old = *old & !mask | byte & mask;
            reset |= at == DEVICE_CONTROL + 1 && u16::from(*byte) << 8 & FLR != 0;
        }
        reset
    }

    /// Whether the function may send requests of its own.
    #[must_use]
    pub fn bus_master(&self) -> bool {
        self.word(COMMAND) & 4 != 0
    }

    /// Max payload size, as coded in device control 7:5.
    #[must_use]
    pub fn mps(&self) -> u8 {
        (self.word(DEVICE_CONTROL) >> 5 & 7) as u8
    }

    /// Max read request size, as coded in device control 14:12.
    #[must_use]
    pub fn mrrs(&self) -> u8 {
        (self.word(DEVICE_CONTROL) >> 12 & 7) as u8
    }

    fn word(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }
}

fn table(entries: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    for (at, data) in entries {
        bytes[*at..*at + data.len()].copy_from_slice(data);
    }
    bytes
}
