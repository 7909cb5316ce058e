//! Why the card could not be configured.

use ipos_abi::ABI_VERSION;
use ipos_abi::regs::MAGIC;
use ipos_abi::table::{DESTINATIONS, HASH_BITS, NEIGHBOURS};
use ipos_device::DeviceError;

/// A table of the card whose placement is the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The forward table.
    Forward,
    /// The endpoint table.
    Endpoint,
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Table::Forward => "forward",
            Table::Endpoint => "endpoint",
        })
    }
}

/// Why an operation on a [`Nic`](crate::Nic) failed. The card and the tables are then as before,
/// except after [`NicError::Device`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NicError {
    /// The card could not be reached.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// What answers is no ipOS card.
    #[error("no ipOS card: its identity register reads {found:#010x} instead of {magic:#010x}", magic = MAGIC)]
    NotACard {
        /// Value of the MAGIC register.
        found: u32,
    },
    /// Card and software don't understand each other.
    #[error("the card speaks ABI version {card}, this software {host}: update the older of the two", host = ABI_VERSION)]
    AbiVersion {
        /// The card's version.
        card: u32,
    },
    /// The card reports a table that the hash functions can't address.
    #[error("the card reports {found} index bits for its {table} table; up to {max} are possible", max = HASH_BITS)]
    TableSize {
        /// Which table.
        table: Table,
        /// log2(slots per bank) as the card reports it.
        found: u32,
    },
    /// No place was found for a new entry.
    #[error(
        "the {table} table is full: no place for a new entry at {used} of {slots} slots ({percent:.1} % load); \
         remove entries first",
        percent = 100.0 * *used as f64 / *slots as f64
    )]
    TableFull {
        /// Which table.
        table: Table,
        /// Slots in use.
        used: usize,
        /// Slots of the table.
        slots: usize,
    },
    /// All destinations are in use.
    #[error("all {max} destinations are in use: remove the forward entries of one first", max = DESTINATIONS)]
    DestinationsFull,
    /// All neighbours are in use.
    #[error("all {max} neighbours are in use: remove the forward entries through one first", max = NEIGHBOURS)]
    NeighboursFull,
    /// A MAC address that can't be a station's own.
    #[error(
        "{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x} is a group address: give a unicast one",
        mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]
    )]
    GroupAddress {
        /// The address.
        mac: [u8; 6],
    },
    /// A VLAN ID outside IEEE 802.1Q's range.
    #[error("VLAN ID {id} is not in 1 to 4094")]
    VlanId {
        /// The ID.
        id: u16,
    },
}
