//! What the fabric and the host share, declared once.
//!
//! * [`wire`]: the bytes on the wire, one file per protocol.
//! * [`regs`]: the register map of BAR0, from which the Verilog constants, the
//!   register reference and the C header are generated.
//! * [`rx`]: what the card says about a frame that it hands to the host, and
//!   the one outcome that every frame ends in.
//! * [`table`]: keys, values and hash functions of the lookup tables.
//!
//! Nothing here allocates or needs an operating system.
#![cfg_attr(not(any(test, feature = "std")), no_std)]

pub mod regs;
pub mod rx;
pub mod table;
pub mod wire;

/// Version of everything in this crate that card and host must agree on. A host that
/// meets a card with another version reports both and stops.
pub const ABI_VERSION: u32 = 1;

/// One of the card's two Ethernet ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Port {
    /// The clients' network.
    Front = 0,
    /// The servers' own network: migration and forwarded packets.
    Back = 1,
}

impl Port {
    /// Both ports, in register order.
    pub const ALL: [Port; 2] = [Port::Front, Port::Back];
}
