//! What the fabric and the host share, declared once.
//!
//! * [`wire`]: the bytes on the wire, one file per protocol.
//! * [`regs`]: the register map of BAR0, from which the Verilog constants, the
//!   register reference and the C header are generated.
//! * [`pci`]: how the card shows itself on PCI.
//! * [`queue`]: descriptors and completions of the queues in host memory.
//! * [`rx`]: what the card says about a frame that it hands to the host, and
//!   the one outcome that every frame ends in.
//! * [`table`]: keys, values and hash functions of the lookup tables.
//!
//! Nothing here allocates or needs an operating system.
#![cfg_attr(not(any(test, feature = "std")), no_std)]

/// Declares a fieldless `u8` enum with its names, so that code, name and text stand once.
macro_rules! codes {
    ($(#[$m:meta])* $name:ident { $($(#[$vm:meta])* $variant:ident = $value:literal, $text:literal;)* }) => {
        $(#[$m])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum $name { $(#[doc = $text] $(#[$vm])* $variant = $value,)* }
        impl $name {
            /// All values in the order of their codes.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];
            /// The value with this code, if there is one.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($value => Some($name::$variant),)* _ => None }
            }
            /// One line for people.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }
    };
}

pub mod pci;
pub mod queue;
pub mod regs;
pub mod rx;
pub mod table;
pub mod wire;

/// Version of everything in this crate that card and host must agree on. A host that
/// meets a card with another version reports both and stops.
pub const ABI_VERSION: u32 = 4;

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
