//! What the programs in `bpf/` and this crate share: the bytes of the maps' keys and values.
//!
//! A structure is declared here once; [`header`] writes the same one in C, with its size and offsets asserted, into
//! `bpf/shared.h` (`cargo xtask gen`), beside the codes of `ipos_abi`.

use std::fmt::Write;

use ipos_abi::Port;
use ipos_abi::rx::{L3, Outcome, Reason};
use ipos_abi::wire::{ipos, ipv4};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Version of everything here. Pinned maps of another version are refused, never read.
pub const LAYOUT: u32 = 1;
/// Entries of the peer table.
pub const PEERS: u32 = 1024;
/// Counters of a port.
pub const COUNTERS: u32 = 32;
/// A heartbeat older than this many nanoseconds is that of a dead node.
pub const HEARTBEAT_NS: u64 = 1_000_000_000;

/// Declares the structures with their C types, so that each field stands once.
macro_rules! shared {
    ($($(#[$m:meta])* $name:ident = $c:literal { $($doc:literal $field:ident: $ty:ty = $ctype:literal;)* })*) => {
        $(
            $(#[$m])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
            #[repr(C)]
            pub struct $name { $(#[doc = $doc] pub $field: $ty,)* }
        )*
        fn structures(text: &mut String) {
            $(
                let _ = writeln!(text, "\nstruct {} {{", $c);
                $(
                    let (kind, dimension) = $ctype.split_once('[').map_or(($ctype, String::new()), |(k, d)| (k, format!("[{d}")));
                    let _ = writeln!(text, "    {kind} {}{dimension}; // {}", stringify!($field), $doc.trim());
                )*
                let _ = writeln!(text, "}};\n_Static_assert(sizeof(struct {}) == {}, \"size\");", $c, size_of::<$name>());
                $(let _ = writeln!(
                    text, "_Static_assert(__builtin_offsetof(struct {}, {}) == {}, \"offset\");",
                    $c, stringify!($field), std::mem::offset_of!($name, $field)
                );)*
            )*
        }
    };
}

shared! {
    /// Key of a flow, in network byte order: the tuple as a packet from the client carries it.
    Key = "key" {
        " The client's address." client: [u8; 4] = "__be32";
        " The service's address." service: [u8; 4] = "__be32";
        " The client's port." client_port: [u8; 2] = "__be16";
        " The service's port." service_port: [u8; 2] = "__be16";
        " IP protocol number." protocol: u8 = "__u8";
        " Zero." zero: [u8; 3] = "__u8[3]";
    }
    /// Key of a pair of hosts that have entries: fragments name no ports.
    Pair = "pair" {
        " The client's address." client: [u8; 4] = "__be32";
        " The service's address." service: [u8; 4] = "__be32";
    }
    /// State of a flow; replaced whole.
    Value = "value" {
        " When the action ends, in nanoseconds since boot; zero: never." deadline: u64 = "__u64";
        " The flow's epoch." epoch: u64 = "__u64";
        " Index of its counters." counter: u32 = "__u32";
        " Endpoint reference." reference: u32 = "__u32";
        " The owner's address." owner: [u8; 4] = "__be32";
        " The owner's port." owner_port: [u8; 2] = "__be16";
        " Index of the owner's peer." peer: u16 = "__u16";
        " What is done with its packets: an ACTION." action: u8 = "__u8";
        " The action once deadline or heartbeat has passed." fallback: u8 = "__u8";
        " ENDPOINT, FENCE, HEARTBEAT." flags: u8 = "__u8";
        " Zero." zero: [u8; 5] = "__u8[5]";
    }
    /// Where encapsulated packets for an owner are sent.
    PeerValue = "peer" {
        " PEER_NONE, PEER_MAC or PEER_UDP." kind: u8 = "__u8";
        " Zero." zero: u8 = "__u8";
        " Destination MAC: the peer's, or that of the router to it." mac: [u8; 6] = "__u8[6]";
        " UDP: the peer's address." ip: [u8; 4] = "__be32";
        " UDP: the peer's port." port: [u8; 2] = "__be16";
        " Zero." zero2: u16 = "__u16";
    }
    /// The one element of the settings map.
    Settings = "settings" {
        " LAYOUT." layout: u32 = "__u32";
        " Life of the node: records of an earlier one are stale." generation: u32 = "__u32";
        " Interface index of the front." front: u32 = "__u32";
        " Interface index of the back; equal to the front's: one interface for both." back: u32 = "__u32";
        " MTU of the back." back_mtu: u32 = "__u32";
        " Packets encapsulated again a second and processor; zero: no bound." reforward: u32 = "__u32";
        " MAC of the front." front_mac: [u8; 6] = "__u8[6]";
        " MAC of the back." back_mac: [u8; 6] = "__u8[6]";
        " EtherType of ipOS." ethertype: [u8; 2] = "__be16";
        " VLAN that may hit, front; zero: untagged." front_vlan: u16 = "__u16";
        " VLAN that may hit, back; zero: untagged." back_vlan: u16 = "__u16";
        " UDP transport: own port; zero: off." udp_port: [u8; 2] = "__be16";
        " UDP transport: own address." back_ip: [u8; 4] = "__be32";
        " Front takes frames for any address." front_any: u8 = "__u8";
        " Back takes frames for any address." back_any: u8 = "__u8";
        " Zero." zero: [u8; 6] = "__u8[6]";
    }
    /// Head of a frame in a ring.
    RecordHead = "record" {
        " Bytes of the frame behind this head." length: u32 = "__u32";
        " Number among the port's records." sequence: u32 = "__u32";
        " Life of the node that it was for." generation: u32 = "__u32";
        " Endpoint reference; zero without a hit." reference: u32 = "__u32";
        " UDP transport: the sender's address, else zero." from: [u8; 4] = "__be32";
        " UDP transport: the sender's port." from_port: [u8; 2] = "__be16";
        " Tag that was taken out." tci: u16 = "__u16";
        " Reason code." reason: u8 = "__u8";
        " IPv4 verdict." l3: u8 = "__u8";
        " Port." port: u8 = "__u8";
        " TAGGED, DECAPSULATED, LATE." flags: u8 = "__u8";
    }
    /// A record of the event ring.
    EventRecord = "event" {
        " Life of the node that it was for." generation: u32 = "__u32";
        " Flags of the TCP header." tcp_flags: u8 = "__u8";
        " EVENT_FORWARDED or EVENT_SENT." kind: u8 = "__u8";
        " Zero." zero: u16 = "__u16";
        " The flow." key: Key = "struct key";
    }
    /// What an entry has forwarded.
    CarriedValue = "carried" {
        " Packets." packets: u64 = "__u64";
        " Bytes of IP." bytes: u64 = "__u64";
    }
}

/// Longest frame that can be delivered: a page less what the kernel keeps in it.
pub const MAX_DELIVERED: usize = 3_520;

/// Declares numbers that both sides know.
macro_rules! numbers {
    ($($doc:literal $name:ident: $ty:ty = $value:expr;)*) => {
        $(#[doc = $doc] pub const $name: $ty = $value;)*
        const NUMBERS: &[(&str, u64, &str)] = &[$((stringify!($name), $name as u64, $doc),)*];
    };
}

numbers! {
    " No action: the packet takes its usual way." ACTION_NONE: u8 = 0;
    " Encapsulate and send to the owner." ACTION_FORWARD: u8 = 1;
    " Into the ring: held." ACTION_HOST: u8 = 2;
    " Drop." ACTION_DROP: u8 = 3;
    " The endpoint lives here." ENDPOINT: u8 = 1;
    " Drop what this kernel answers." FENCE: u8 = 2;
    " The action needs a living node." HEARTBEAT: u8 = 4;
    " Not set." PEER_NONE: u8 = 0;
    " ipOS directly behind Ethernet." PEER_MAC: u8 = 1;
    " ipOS behind UDP/IPv4." PEER_UDP: u8 = 2;
    " The frame had an 802.1Q tag." TAGGED: u8 = 1;
    " The frame arrived encapsulated." DECAPSULATED: u8 = 2;
    " It had passed XDP before its flow was held." LATE: u8 = 4;
    " A forwarded packet had these TCP flags." EVENT_FORWARDED: u8 = 0;
    " The stack sent a packet of a local endpoint with these." EVENT_SENT: u8 = 1;
    " Index in `live`: the node's heartbeat, nanoseconds since boot." LIVE_HEARTBEAT: u32 = 0;
    " Index in `live`: entries that the fence looks at." LIVE_WATCHED: u32 = 1;
    " Index in `live`: entries with the action host." LIVE_HOLDS: u32 = 2;
    " Elements of `live`." LIVE: u32 = 3;
    " Counter: frames received." COUNT_RX: u32 = 16;
    " Counter: frames sent, forwarded ones on the back." COUNT_TX: u32 = 17;
    " Counter: forwarded with a checksum that its sender left to hardware." COUNT_UNFINISHED: u32 = 18;
    " Counter: dropped by the fence." COUNT_FENCED: u32 = 19;
    " Counter: held behind XDP." COUNT_LATE: u32 = 20;
    " Counter: packets of an entry whose action had ended." COUNT_EXPIRED: u32 = 21;
    " Counter: ICMP errors that were sent after their flow." COUNT_ICMP: u32 = 22;
    " Counter: events that found the ring full." COUNT_EVENT_LOST: u32 = 23;
    " Value of the mark between two programs of this card: decapsulated." MARK_DECAPSULATED: u32 = 0x6970_4f02;
    " The same, and of the metadata: delivered by the node." MARK_DELIVERED: u32 = 0x6970_4f01;
    " IP time to live of a packet sent by UDP: hops on the way, re-encapsulations included." UDP_TTL: u8 = 16;
    " Bytes that a program keeps of one frame." WORK_BYTES: u32 = 256;
    " Index in `work`: the fence's; the ports' are their own." WORK_FENCE: u32 = 2;
    " The same, for frames held late." WORK_LATER: u32 = 3;
    " Elements of `work`." WORKS: u32 = 4;
    " Longest frame in a ring, in bytes." MAX_RECORD: u32 = 65_664;
}

/// `bpf/shared.h`.
#[must_use]
pub fn header() -> String {
    let mut text = String::from(
        "/* Generated by `cargo xtask gen` from hdl/abi and host/kernel/src/layout.rs; do not edit. */\n#pragma once\n#include <linux/types.h>\n\n",
    );
    let mut constant =
        |name: &str, value: u64, doc: &str| _ = writeln!(text, "#define {name} {value:#x} // {}", doc.trim());
    constant("LAYOUT", LAYOUT.into(), "Version of everything here.");
    constant("COUNTERS", COUNTERS.into(), "Counters of a port.");
    constant("HEARTBEAT_NS", HEARTBEAT_NS, "Age of a dead node's heartbeat.");
    for &(name, value, doc) in NUMBERS {
        constant(name, value, doc);
    }
    for port in Port::ALL {
        constant(&format!("PORT_{}", screaming(&format!("{port:?}"))), port as u64, "Port.");
    }
    for &o in Outcome::ALL {
        constant(&format!("OUTCOME_{}", screaming(&format!("{o:?}"))), o as u64, o.text());
    }
    for &r in Reason::ALL {
        constant(&format!("REASON_{}", screaming(&format!("{r:?}"))), r as u64, r.text());
    }
    for &l in L3::ALL {
        constant(&format!("L3_{}", screaming(&format!("{l:?}"))), l as u64, l.text());
    }
    constant("IPOS_LEN", ipos::LEN as u64, "Bytes of the ipOS header.");
    constant("IPOS_CONNECTION", ipos::Type::Connection as u64, "Type.");
    constant("IPOS_PACKET", ipos::Type::Packet as u64, "Type.");
    constant("IPOS_ACK", ipos::Type::Ack as u64, "Type.");
    constant("IPPROTO_TCP", ipv4::TCP.into(), "IP protocol.");
    constant("IPPROTO_UDP", ipv4::UDP.into(), "IP protocol.");
    structures(&mut text);
    text
}

/// `DropRunt` → `DROP_RUNT`.
fn screaming(camel: &str) -> String {
    let mut out = String::new();
    for (i, c) in camel.chars().enumerate() {
        if i > 0 && c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_header_is_the_generated_one() {
        assert!(super::header() == include_str!("../bpf/shared.h"), "run `cargo xtask gen`");
    }
}
