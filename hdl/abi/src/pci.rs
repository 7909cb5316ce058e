//! How the card shows itself on PCI.

/// Vendor: pid.codes, whose identifiers are for open hardware.
pub const VENDOR: u16 = 0x1209;
/// Device.
pub const DEVICE: u16 = 0xf09a;
/// Class code 02 00 00, an Ethernet controller.
pub const CLASS: u32 = 0x02_00_00;
/// Configuration space's word at 8: class in 31:8, revision in 7:0.
pub const CLASS_AND_REVISION: u32 = CLASS << 8 | 1;
