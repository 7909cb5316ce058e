//! What a node counts.

/// Declares counters; what documents a field is its meaning for people, too.
macro_rules! counters {
    ($(#[$about:meta])* pub struct $name:ident { $(#[doc = $doc:literal] pub $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        pub struct $name { $(#[doc = $doc] pub $field: $type,)* }

        impl $name {
            /// Names of the counters, and what they count.
            pub const MEANINGS: &[(&str, &str)] = &[$((stringify!($field), $doc.trim_ascii()),)*];
        }
    };
}

counters! {
/// What a node has done since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct NodeStats {
    /// Connections that moved away.
    pub moved_out: u64,
    /// Connections that moved here.
    pub moved_in: u64,
    /// Moves that this node began and that failed.
    pub failed: u64,
    /// Frames given to the server's kernel.
    pub to_kernel: u64,
    /// Frames taken from the server's kernel and sent.
    pub from_kernel: u64,
    /// Frames held while a connection moved.
    pub held: u64,
    /// Held frames dropped because the bound was reached.
    pub hold_overflow: u64,
    /// Frames of the kernel dropped by an egress fence.
    pub fenced: u64,
    /// Control packets received.
    pub control_in: u64,
    /// Control packets sent.
    pub control_out: u64,
    /// Control packets dropped: malformed, or for one of the reasons that follow.
    pub control_bad: u64,
    /// Control packets not believed: recordings, late ones, or of an earlier life of their sender or of this node.
    pub control_stale: u64,
    /// Control packets of peers without a tag by one of this node's keys: compare `cluster_keys`.
    pub control_unsigned: u64,
    /// Control packets from a MAC address that is no peer's `back_mac`.
    pub control_strangers: u64,
    /// Offers for another `back_ip` than this node's.
    pub control_misaddressed: u64,
    /// Control packets with another EtherType than this node's.
    pub other_ethertype: u64,
    /// Frames of clients that software passed on to the owner of their connection.
    pub passed_on: u64,
    /// Datagrams of clients that came in fragments and were complete.
    pub reassembled: u64,
    /// Fragments of clients that were dropped: overlapping or malformed ones, over the bounds, or without the rest for 30 s.
    pub fragments_dropped: u64,
    /// Frames from the card that are not the kernel's: of another VLAN, on the wrong port, or stray.
    pub ignored: u64,
    /// Connections that were lost between commit and going live.
    pub lost: u64,
    /// Clients that were reset because the owner of their connection had died.
    pub resets: u64,
    /// Frames dropped because the card's transmit queue stayed full.
    pub transmit_full: u64,
    /// Frames dropped because they are longer than the card carries.
    pub unsendable: u64,
    /// Frames lost on the way to the server's kernel, whose interface was down, full, or set to shorter packets.
    pub kernel_lost: u64,
    /// Connections now held for a move.
    pub holding: usize,
    /// Connections of this home that live elsewhere now.
    pub forwarded: usize,
    /// Entries in the card's two tables.
    pub entries: usize,
    /// Sockets that were given to the holder.
    pub kept: u64,
    /// Sockets that the holder could not be given, and messages that it refused: it was absent, late or full.
    pub kept_not: u64,
}
}
