//! The register map of BAR0: 32-bit registers, little endian, in self-describing blocks.
//!
//! Each block begins with a header word (`type << 16 | version`) and the offset of the next
//! block (zero at the end). The map is data: [`BLOCKS`] is what the register reference, the
//! C header and the Verilog constants are generated from.

use crate::rx::Outcome;

/// How software may use a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read only.
    Ro,
    /// Read and write.
    Rw,
    /// Write only: reads as zero, a write acts.
    Wo,
}

/// One 32-bit register.
#[derive(Clone, Copy, Debug)]
pub struct Reg {
    /// Name within its block, upper snake case.
    pub name: &'static str,
    /// Absolute offset in bytes.
    pub offset: u32,
    /// Access.
    pub access: Access,
    /// Meaning, with bit ranges.
    pub doc: &'static str,
}

/// A block of registers.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Name, lower snake case.
    pub name: &'static str,
    /// Type in the header word.
    pub kind: u16,
    /// Version in the header word.
    pub version: u16,
    /// Offset of the header word.
    pub offset: u32,
    /// What it is.
    pub doc: &'static str,
    /// Its registers after the two header words.
    pub regs: &'static [Reg],
}

macro_rules! blocks {
    ($($block:ident $kind:literal v $version:literal @ $base:literal, $bdoc:literal {
        $($reg:ident + $off:literal $access:ident, $doc:literal;)*
    })*) => {
        $(
            #[doc = $bdoc]
            pub mod $block {
                /// Offset of the block's header word.
                pub const BASE: u32 = $base;
                /// Value of the block's header word.
                pub const HEADER: u32 = ($kind << 16) | $version;
                $(#[doc = $doc] pub const $reg: u32 = $base + $off;)*
            }
        )*
        /// All blocks in the order of the list in the card.
        pub const BLOCKS: &[Block] = &[$(Block {
            name: stringify!($block), kind: $kind, version: $version, offset: $base, doc: $bdoc,
            regs: &[$(Reg { name: stringify!($reg), offset: $base + $off, access: Access::$access, doc: $doc },)*],
        },)*];
    };
}

blocks! {
    card 1 v 1 @ 0x000, "Identity: what this card is." {
        MAGIC + 0x08 Ro, "0x6970_4f53, `ipOS`.";
        ABI + 0x0c Ro, "ABI version; software that knows another one stops.";
        BUILD + 0x10 Ro, "First 32 bits of the hash of the generated Verilog's sources.";
        WIDTH + 0x14 Ro, "Data path width in bits.";
        PORTS + 0x18 Ro, "Ethernet ports.";
        FORWARD_SLOTS + 0x1c Ro, "log2 of the forward table's slots per bank (four banks).";
        ENDPOINT_SLOTS + 0x20 Ro, "log2 of the endpoint table's slots per bank (four banks).";
        CLOCK_KHZ + 0x24 Ro, "Core clock in kHz; zero when simulated without one.";
    }
    port 2 v 2 @ 0x100, "Port configuration." {
        ETHERTYPE + 0x08 Rw, "EtherType of ipOS in 15:0, the same on every card and host. Resets to 0x0007.";
        FRONT_MAC_LO + 0x10 Rw, "Front MAC address, bytes 2-5, byte 5 in 7:0: staged, and taken when FRONT_MAC_HI is written.";
        FRONT_MAC_HI + 0x14 Rw, "Front MAC address, bytes 0-1 in 15:0, byte 1 in 7:0; bit 31: promiscuous.";
        FRONT_VLAN + 0x18 Rw, "VLAN that may hit on the front port: ID in 11:0, bit 31 set: that VLAN; clear, or ID 0: untagged and priority-tagged frames.";
        BACK_MAC_LO + 0x20 Rw, "Back MAC address, as FRONT_MAC_LO.";
        BACK_MAC_HI + 0x24 Rw, "Back MAC address, as FRONT_MAC_HI.";
        BACK_VLAN + 0x28 Rw, "VLAN that may hit on the back port, as FRONT_VLAN.";
        REFORWARD + 0x30 Rw, "Microseconds between packets that came encapsulated and are forwarded again, on average over 16, in 15:0; more of them are dropped (`DropRate`). Resets to 1, a million a second; 0: no limit.";
    }
    tables 3 v 1 @ 0x200, "Lookup tables: entries are staged in KEY and VALUE registers and become visible in one cycle by a write to a COMMIT register." {
        KEY0 + 0x08 Rw, "Key bits 31:0.";
        KEY1 + 0x0c Rw, "Key bits 63:32.";
        KEY2 + 0x10 Rw, "Key bits 95:64.";
        KEY3 + 0x14 Rw, "Key bit 96 (1 = UDP) in bit 0.";
        VALUE + 0x18 Rw, "Forward: destination 7:0, action 9:8. Endpoint: reference 31:0.";
        COMMIT_FORWARD + 0x20 Wo, "Writes the staged entry to the forward table: slot 11:0, bank 17:16, valid bit 31 (clear: the slot becomes empty).";
        COMMIT_ENDPOINT + 0x24 Wo, "Writes the staged entry to the endpoint table; bits as COMMIT_FORWARD.";
        DEST_IP + 0x30 Rw, "Staged destination: back-side IP of the owner.";
        DEST_PORT + 0x34 Rw, "Staged destination: port 15:0, neighbour index 19:16.";
        COMMIT_DEST + 0x38 Wo, "Writes the staged destination to the index in 7:0.";
        NEIGHBOUR_LO + 0x40 Rw, "Staged neighbour: MAC bytes 2-5, byte 5 in 7:0.";
        NEIGHBOUR_HI + 0x44 Rw, "Staged neighbour: MAC bytes 0-1 in 15:0; bit 31: valid.";
        COMMIT_NEIGHBOUR + 0x48 Wo, "Writes the staged neighbour to the index in 3:0.";
    }
    entries 5 v 1 @ 0x280, "What a forward entry has counted since it was committed." {
        SELECT + 0x08 Wo, "Latches the counters of slot 11:0, bank 17:16; bit 31: and clears the seen bit.";
        PACKETS + 0x10 Ro, "Packets forwarded, 30:0.";
        BYTES_LO + 0x14 Ro, "Bytes of their IP packets, low word.";
        BYTES_HI + 0x18 Ro, "Bytes, 39:32 in 7:0.";
        SEEN + 0x1c Ro, "Bit 0: a packet hit the entry since the bit was last cleared.";
    }
    counters 4 v 1 @ 0x300, "64-bit counters; reading a low word latches its high word. Per port: 16 outcomes (the codes of `Outcome`), then received and sent frames." {
        HIGH + 0x08 Ro, "High word of the counter whose low word was read last.";
        FRONT_OUTCOME + 0x40 Ro, "Front port: low word of outcome 0; outcome n is at + 4 n.";
        BACK_OUTCOME + 0x80 Ro, "Back port: low word of outcome 0; outcome n is at + 4 n.";
        FRONT_RX + 0xc0 Ro, "Front port: frames received, low word.";
        FRONT_TX + 0xc4 Ro, "Front port: frames sent, low word.";
        BACK_RX + 0xc8 Ro, "Back port: frames received, low word.";
        BACK_TX + 0xcc Ro, "Back port: frames sent, low word. Frames sent with an error mark count here too.";
    }
    queues 6 v 2 @ 0x400, "Queues in host memory: queue q's registers are at + 0x40 q, in the order of `QueueId`; the sixth place has only MODERATION, of the error vector." {
        CONTROL + 0x08 Rw, "Bit 0: enable; setting it starts the queue afresh with counts of zero and phase 1. 11:8: log2 of the rings' entries, 3 to 12.";
        STATUS + 0x0c Ro, "Bit 0: running; stays set after a disable until nothing is under way. 15:8: why it stopped (`QueueError`).";
        DESCRIPTORS_LO + 0x10 Rw, "Bus address of the descriptor ring, aligned to the ring's size in bytes. None for the event queue.";
        DESCRIPTORS_HI + 0x14 Rw, "High word of it.";
        COMPLETIONS_LO + 0x18 Rw, "Bus address of the completion ring, aligned likewise.";
        COMPLETIONS_HI + 0x1c Rw, "High word of it.";
        TAIL + 0x20 Rw, "Doorbell: descriptors that the host has filled since the enable, modulo 65,536 in 15:0. Event queue: entries that it has taken.";
        HEAD + 0x24 Ro, "Completions that the card has written since the enable, modulo 65,536.";
        MODERATION + 0x28 Rw, "Shortest time between two interrupts of this queue's vector, in microseconds, 15:0.";
        FAILED + 0x2c Ro, "Descriptors that ended with an error since the enable. Event queue: events lost because the ring was full or the queue off.";
    }
    dma 7 v 2 @ 0x600, "The way to host memory." {
        LINK + 0x08 Ro, "Bit 0: bus master; 6:4: max payload and 10:8: max read request, as in the device control register; bit 16: reads outstanding.";
        ERRORS + 0x0c Rw, "Causes (bit numbers of `DmaError`) since they were cleared; write 1 to clear. A cause that is newly set raises the error vector.";
        COUNT + 0x40 Ro, "How often cause 0 of ERRORS came up; cause n is at + 4 n.";
    }
}

/// Value of [`card::MAGIC`].
pub const MAGIC: u32 = 0x6970_4f53;
/// Bit 31 of MAC_HI, VLAN, NEIGHBOUR_HI and the COMMIT registers of the cuckoo tables.
pub const ENABLE: u32 = 1 << 31;

/// Offset of the low word of an outcome counter.
#[must_use]
pub const fn outcome(port: crate::Port, outcome: Outcome) -> u32 {
    let base = match port {
        crate::Port::Front => counters::FRONT_OUTCOME,
        crate::Port::Back => counters::BACK_OUTCOME,
    };
    base + 4 * outcome as u32
}

/// Offset of a register of [`queues`] for the queue (or vector) with index `queue`.
#[must_use]
pub const fn queue(queue: usize, register: u32) -> u32 {
    register + 0x40 * queue as u32
}

/// Offset of the MSI-X table in BAR0, on a 4 KiB page of its own; 16 bytes a vector.
pub const MSIX_TABLE: u32 = 0x8000;
/// Offset of the MSI-X pending bits in BAR0, on a 4 KiB page of its own.
pub const MSIX_PENDING: u32 = 0x9000;

/// A MAC address as the two words of a `*_LO`, `*_HI` pair, without the enable bit.
#[must_use]
pub const fn mac_words(mac: [u8; 6]) -> (u32, u32) {
    (u32::from_be_bytes([mac[2], mac[3], mac[4], mac[5]]), u32::from_be_bytes([0, 0, mac[0], mac[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_aligned_unique_and_inside_their_block() {
        let mut seen = std::collections::BTreeMap::new();
        for (i, b) in BLOCKS.iter().enumerate() {
            let end = BLOCKS.get(i + 1).map_or(0x1_0000, |n| n.offset);
            for (name, offset) in [("HEADER", b.offset), ("NEXT", b.offset + 4)]
                .into_iter()
                .chain(b.regs.iter().map(|r| (r.name, r.offset)))
            {
                assert_eq!(offset % 4, 0, "{name}");
                assert!(offset >= b.offset && offset < end, "{}.{name}", b.name);
                assert_eq!(seen.insert(offset, name), None, "{}.{name}", b.name);
            }
        }
    }
}
