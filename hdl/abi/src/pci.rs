//! How the card shows itself on PCI: its configuration space, as the PCIe core at the card's border, a simulated function and the
//! documentation have it.
//!
//! The map is data: [`CONFIG`] is what the simulated function's space and the register reference are made from. Paragraphs are those
//! of the PCI Express base specification 5.0.

use crate::queue::{DmaError, VECTORS};
use crate::regs::{MSIX_PENDING, MSIX_TABLE};

/// Vendor. Nobody has assigned it: 1209 is the number under which pid.codes registers **USB** products of open hardware; PCI vendors
/// are the PCI-SIG's to number, and the project is no member. A placeholder for simulations and laboratories.
pub const VENDOR: u16 = 0x1209;
/// Device, a placeholder as [`VENDOR`].
pub const DEVICE: u16 = 0xf09a;
/// Class code 02 00 00, an Ethernet controller.
pub const CLASS: u32 = 0x02_00_00;
/// Configuration space's word at 8: class in 31:8, revision in 7:0.
pub const CLASS_AND_REVISION: u32 = CLASS << 8 | 1;
/// Bytes of the configuration space.
pub const CONFIG_BYTES: usize = 4096;

/// A register of configuration space, little endian. Bytes that no register has read as zero.
#[derive(Clone, Copy, Debug)]
pub struct ConfigRegister {
    /// Name, upper snake case.
    pub name: &'static str,
    /// Offset of its first byte.
    pub offset: u16,
    /// Bytes: 1, 2 or 4.
    pub bytes: u8,
    /// Value after a reset of the function.
    pub reset: u32,
    /// Bits that software may set and clear.
    pub writable: u32,
    /// Bits that the function sets and software clears by writing ones.
    pub clears: u32,
    /// Meaning, with bit ranges.
    pub doc: &'static str,
}

macro_rules! config {
    ($($name:ident @ $offset:literal $bytes:literal = $reset:expr, $writable:literal, $clears:literal, $doc:literal;)*) => {
        /// Offsets of the registers.
        pub mod config {
            $(#[doc = $doc] pub const $name: u16 = $offset;)*
        }
        /// All registers that are not zero throughout, in order.
        pub const CONFIG: &[ConfigRegister] = &[$(ConfigRegister {
            name: stringify!($name), offset: $offset, bytes: $bytes, reset: $reset, writable: $writable, clears: $clears, doc: $doc,
        },)*];
    };
}

// reset value, bits that software may write, bits that writing one clears
config! {
    VENDOR_ID @ 0x00 2 = VENDOR as u32, 0, 0, "Vendor; a placeholder.";
    DEVICE_ID @ 0x02 2 = DEVICE as u32, 0, 0, "Device; a placeholder.";
    COMMAND @ 0x04 2 = 0, 0x0546, 0, "Memory space 1, bus master 2, parity error response 6, SERR 8, INTx disable 10 (7.5.1.1.3). The function has no INTx.";
    STATUS @ 0x06 2 = 0x0010, 0, 0xf900, "Capability list 4; errors (7.5.1.1.4): master data parity 8, signalled target abort 11, received target abort 12, received master abort 13, signalled system error 14, detected parity 15.";
    REVISION_CLASS @ 0x08 4 = CLASS_AND_REVISION, 0, 0, "Revision 7:0, class 31:8.";
    CACHE_LINE @ 0x0c 1 = 0, 0xff, 0, "Cache line size; without meaning on PCI Express (7.5.1.1.7).";
    BAR0 @ 0x10 4 = 0, 0xffff_0000, 0, "64 KiB of memory, 32-bit, not prefetchable: reading a counter latches its high word.";
    SUBSYSTEM_VENDOR @ 0x2c 2 = VENDOR as u32, 0, 0, "As VENDOR_ID.";
    SUBSYSTEM @ 0x2e 2 = 1, 0, 0, "Subsystem.";
    CAPABILITIES @ 0x34 1 = 0x40, 0, 0, "First capability: power management.";
    INTERRUPT_LINE @ 0x3c 1 = 0, 0xff, 0, "Interrupt line; without meaning, for there is no INTx.";
    PM @ 0x40 2 = 0x5001, 0, 0, "Power management capability 01, next at 0x50.";
    PM_CAPABILITIES @ 0x42 2 = 0x0003, 0, 0, "Version 3; neither D1, D2 nor PME (7.5.2.1).";
    PM_CONTROL @ 0x44 2 = 0x0008, 0x0003, 0, "Power state 1:0: D0 or D3hot, others are not taken; no soft reset 3: a return to D0 keeps all state (7.5.2.2). In D3hot registers are not answered and nothing is sent.";
    MSIX @ 0x50 2 = 0x6011, 0, 0, "MSI-X capability 11, next at 0x60.";
    MSIX_CONTROL @ 0x52 2 = VECTORS as u32 - 1, 0xc000, 0, "Vectors less one 10:0, function mask 14, enable 15 (7.7.2.2).";
    MSIX_TABLE_AT @ 0x54 4 = MSIX_TABLE, 0, 0, "The table in BAR0.";
    MSIX_PENDING_AT @ 0x58 4 = MSIX_PENDING, 0, 0, "The pending bits in BAR0.";
    EXPRESS @ 0x60 2 = 0x0010, 0, 0, "PCI Express capability 10, the last.";
    EXPRESS_CAPABILITIES @ 0x62 2 = 0x0002, 0, 0, "Version 2, endpoint (7.5.3.2).";
    DEVICE_CAPABILITIES @ 0x64 4 = 0x1000_8001, 0, 0, "Payload of up to 256 bytes 2:0, tags of five bits, role-based error reporting 15, function-level reset 28 (7.5.3.3).";
    DEVICE_CONTROL @ 0x68 2 = 0x2810, 0x78ff, 0, "Error reporting 3:0, relaxed ordering 4, max payload 7:5, no snoop 11, max read request 14:12, function-level reset 15, which reads as zero (7.5.3.4). The function sets neither relaxed ordering nor no snoop.";
    DEVICE_STATUS @ 0x6a 2 = 0, 0, 0x000f, "Detected: correctable error 0, non-fatal error 1, fatal error 2, unsupported request 3; transactions pending 5 (7.5.3.5).";
    LINK_CAPABILITIES @ 0x6c 4 = 0x0040_0011, 0, 0, "2.5 GT/s 3:0, one lane 9:4, no active state power management 11:10 and 22 (7.5.3.6).";
    LINK_CONTROL @ 0x70 2 = 0, 0x00c8, 0, "Read completion boundary 3, common clock 6, extended synch 7 (7.5.3.7).";
    LINK_STATUS @ 0x72 2 = 0x0011, 0, 0, "2.5 GT/s 3:0, one lane 9:4 (7.5.3.8).";
    DEVICE_CAPABILITIES_2 @ 0x84 4 = 0x0000_001f, 0, 0, "Completion time-out: ranges A to D 3:0, can be disabled 4 (7.5.3.15).";
    DEVICE_CONTROL_2 @ 0x88 2 = 0, 0x001f, 0, "Completion time-out: value 3:0, disabled 4 (7.5.3.16).";
    LINK_CAPABILITIES_2 @ 0x8c 4 = 0x0000_0002, 0, 0, "2.5 GT/s 1 (7.5.3.18).";
}

/// COMMAND: the function may send requests.
pub const BUS_MASTER: u32 = 1 << 2;
/// DEVICE_CONTROL: initiate a function-level reset.
pub const INITIATE_FLR: u32 = 1 << 15;
/// DEVICE_STATUS: a read is outstanding.
pub const TRANSACTIONS_PENDING: u32 = 1 << 5;
/// Power states of PM_CONTROL.
pub const D0: u32 = 0;
/// The other one.
pub const D3HOT: u32 = 3;

/// Bits of STATUS and of DEVICE_STATUS that an error sets (6.2.3, 6.2.4 and table 6-5). An advisory non-fatal error counts as a
/// correctable one there.
#[must_use]
pub const fn error_bits(error: DmaError) -> (u32, u32) {
    const SIGNALLED_TARGET_ABORT: u32 = 1 << 11;
    const RECEIVED_MASTER_ABORT: u32 = 1 << 13;
    const DETECTED_PARITY: u32 = 1 << 15;
    const CORRECTABLE: u32 = 1;
    const NON_FATAL: u32 = 1 << 1;
    const FATAL: u32 = 1 << 2;
    const UNSUPPORTED: u32 = 1 << 3;
    match error {
        DmaError::UnsupportedRequest => (0, CORRECTABLE | UNSUPPORTED),
        DmaError::Poisoned => (DETECTED_PARITY, NON_FATAL),
        DmaError::UnexpectedCompletion => (0, CORRECTABLE),
        DmaError::CompletionStatus => (RECEIVED_MASTER_ABORT, 0),
        DmaError::CompletionTimeout => (0, NON_FATAL),
        DmaError::Malformed => (0, FATAL),
        DmaError::RegisterAccess => (SIGNALLED_TARGET_ABORT, CORRECTABLE),
        DmaError::Queue | DmaError::EventLost => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_aligned_disjoint_and_in_order() {
        let mut end = 0;
        for r in CONFIG {
            assert!(r.offset >= end && r.offset.is_multiple_of(r.bytes.into()), "{}", r.name);
            end = r.offset + u16::from(r.bytes);
            let all = u32::MAX >> (32 - 8 * u32::from(r.bytes));
            assert_eq!((r.reset | r.writable | r.clears) & !all, 0, "{}", r.name);
            assert_eq!(r.writable & r.clears, 0, "{}", r.name);
        }
    }
}
