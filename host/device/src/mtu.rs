//! How long the packets of both networks may be.

use ipos_abi::wire::{ethernet, ipos};

use crate::MAX_FRAME;

/// The longest packet of a front network whose setting nobody knows.
pub const IP_MTU: usize = 1500;
/// The longest packet of a client that a card carries to another one: behind an Ethernet and an ipOS header it fills a buffer.
pub const FRONT_MTU: usize = MAX_FRAME - ethernet::LEN - ipos::LEN;

/// The longest IP packet of a wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mtu {
    /// The interface that has the setting.
    pub interface: String,
    /// Bytes behind the Ethernet header.
    pub bytes: usize,
}

/// Why packets would vanish.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MtuError {
    /// The back-side network can't carry what the card makes of a full packet.
    #[error(
        "{interface} carries packets of {bytes} bytes, and a client's full packet needs {need} on the back-side network: \
         `ip link set dev {interface} mtu {need}`, and the same on the switches between the servers"
    )]
    Narrow {
        /// The interface that the card's back port is plugged into.
        interface: String,
        /// Its setting.
        bytes: usize,
        /// What it must be at least.
        need: usize,
    },
    /// Clients and servers would send packets that get lost.
    #[error(
        "{interface} is set to packets of {bytes} bytes, and {limit} carries {most}: longer ones would be lost; \
         `ip link set dev {interface} mtu {most}`, and the same at its other end"
    )]
    Wide {
        /// An interface of the clients' network, or the one to the server's kernel.
        interface: String,
        /// Its setting.
        bytes: usize,
        /// What can't carry them.
        limit: String,
        /// What it must be at most.
        most: usize,
    },
}

/// Checks what is known of the two ports' wires and of the way to the server's kernel.
pub fn check_mtus(front: Option<Mtu>, kernel: Option<Mtu>, back: Option<Mtu>) -> Result<(), MtuError> {
    let (mut longest, mut limit, mut most) = (IP_MTU, "the card".to_owned(), FRONT_MTU);
    for Mtu { interface, bytes } in [front, kernel].into_iter().flatten() {
        if bytes > most {
            return Err(MtuError::Wide { interface, bytes, limit, most });
        }
        longest = longest.max(bytes);
        (limit, most) = (interface, bytes);
    }
    // an MTU doesn't count the outer Ethernet header
    let need = longest + ipos::LEN;
    match back {
        Some(Mtu { interface, bytes }) if bytes < need => Err(MtuError::Narrow { interface, bytes, need }),
        _ => Ok(()),
    }
}
