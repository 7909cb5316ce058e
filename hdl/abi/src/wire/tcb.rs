//! The TCP control block, version 1: what a Linux socket needs to be rebuilt with `TCP_REPAIR`.
//!
//! Queue data is not in it; it follows in [data](super::ext) packets. Bytes 124–135 are reserved
//! and zero. An unknown version is refused, never guessed. `srtt`, `rttvar`, `cwnd`, `ssthresh` and
//! `ts_recent` can't be set on a Linux socket: they are hints.

use super::{Error, room};
use crc::{CRC_32_ISCSI, Crc, Table};

/// The version that this code writes and reads.
pub const VERSION: u8 = 1;

header! {
    "TCP control block", 140 bytes;
    /// A control block, length checked, content not.
    view Packet;
    struct Raw;
    version: u8 as Dec @ 0, "Version, 1";
    flags: u8 as Hex @ 1, "Negotiated: timestamps 0, SACK 1, window scale 2, ECN 3";
    state: u8 as Dec @ 2, "TCP state as Linux numbers it: 1 ESTABLISHED, 8 CLOSE_WAIT";
    scales: u8 as Hex @ 3, "Window scales: receive 7:4, send 3:0";
    snd_una: u32 as Dec @ 4, "Oldest unacknowledged sequence number";
    snd_nxt: u32 as Dec @ 8, "Next sequence number to send";
    write_seq: u32 as Dec @ 12, "Sequence number behind the last byte in the send queue";
    rcv_nxt: u32 as Dec @ 16, "Next sequence number expected";
    copied_seq: u32 as Dec @ 20, "First sequence number that the application has not read";
    snd_wl1: u32 as Dec @ 24, "Sequence number of the last window update";
    snd_wnd: u32 as Dec @ 28, "Send window, bytes";
    max_window: u32 as Dec @ 32, "Largest send window seen, bytes";
    rcv_wnd: u32 as Dec @ 36, "Receive window, bytes";
    rcv_wup: u32 as Dec @ 40, "rcv_nxt when the window was last sent";
    ts_value: u32 as Dec @ 44, "Own timestamp clock";
    ts_recent: u32 as Dec @ 48, "Timestamp to echo";
    mss: u16 as Dec @ 52, "Maximum segment size for sending, bytes";
    advmss: u16 as Dec @ 54, "Advertised maximum segment size, bytes";
    srtt: u32 as Dec @ 56, "Smoothed round-trip time, microseconds";
    rttvar: u32 as Dec @ 60, "Round-trip time variation, microseconds";
    cwnd: u32 as Dec @ 64, "Congestion window, segments";
    ssthresh: u32 as Dec @ 68, "Slow-start threshold, segments";
    send_buffer: u32 as Dec @ 72, "Send buffer, bytes";
    receive_buffer: u32 as Dec @ 76, "Receive buffer, bytes";
    user_timeout: u32 as Dec @ 80, "TCP_USER_TIMEOUT, milliseconds";
    keepalive_idle: u16 as Dec @ 84, "Keepalive idle time, seconds";
    keepalive_interval: u16 as Dec @ 86, "Keepalive interval, seconds";
    keepalive_count: u8 as Dec @ 88, "Keepalive probes";
    keepalive_on: u8 as Dec @ 89, "Keepalive: 0 off, 1 on";
    options: u8 as Hex @ 90, "No delay 0, cork 1, linger 2";
    tos: u8 as Hex @ 91, "Type of service of sent packets";
    ttl: u8 as Dec @ 92, "Time to live of sent packets";
    congestion: u8 as Dec @ 93, "Congestion control: 0 cubic, 1 reno, 2 bbr, 3 dctcp, 255 other";
    linger: u16 as Dec @ 94, "Linger time, seconds";
    epoch: u64 as Dec @ 96, "Epoch of the move";
    digest: [u8; 16] as Bytes @ 104, "BLAKE3 of receive queue, send queue, application state; first 16 bytes";
    application_len: u32 as Dec @ 120, "Application state, bytes";
    crc: u32 as Hex @ 136, "CRC-32C of bytes 0-135";
}

/// What the CRC covers.
const COVERED: usize = LEN - 4;
/// RFC 7323, 2.3.
const MAX_SCALE: u8 = 14;
static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);

impl<T: AsRef<[u8]>> Packet<T> {
    /// Checks that the block is whole.
    pub fn new_checked(buffer: T) -> Result<Self, Error> {
        Self::new_fixed(buffer)
    }

    /// Whether the CRC is right.
    #[must_use]
    pub fn verify_crc(&self) -> bool {
        CRC.checksum(&self.buffer.as_ref()[..COVERED]) == self.crc()
    }
}

codes! {
    /// TCP states that can be moved; the codes are those of Linux.
    #[derive(Default)]
    State: u8 {
        #[default]
        Established = 1, "ESTABLISHED", "Both directions open.";
        CloseWait = 8, "CLOSE_WAIT", "The client has closed its direction. `rcv_nxt` does not count its FIN, which is replayed.";
    }
}

codes! {
    /// Congestion control.
    #[derive(Default)]
    Congestion: u8 {
        Cubic = 0, "cubic", "CUBIC.";
        Reno = 1, "reno", "NewReno.";
        Bbr = 2, "bbr", "BBR.";
        Dctcp = 3, "dctcp", "DCTCP.";
        #[default]
        Other = 255, "other", "Any other, and codes that are not defined: the destination's default.";
    }
}

/// Declares a set of bits of one byte as a struct of booleans.
macro_rules! bits {
    ($(#[$m:meta])* $name:ident { $($(#[$fm:meta])* $field:ident = $bit:literal,)* }) => {
        $(#[$m])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name { $($(#[$fm])* pub $field: bool,)* }

        impl $name {
            const fn from_byte(byte: u8) -> Self {
                $name { $($field: byte & (1 << $bit) != 0,)* }
            }
            const fn byte(self) -> u8 {
                $(((self.$field as u8) << $bit))|*
            }
        }
    };
}
bits! {
    /// What both ends agreed on in their SYNs.
    Negotiated {
        /// Timestamps (RFC 7323).
        timestamps = 0,
        /// Selective acknowledgement (RFC 2018).
        sack = 1,
        /// Window scaling (RFC 7323).
        window_scale = 2,
        /// Explicit congestion notification (RFC 3168).
        ecn = 3,
    }
}
bits! {
    /// Socket options that are on or off.
    Options {
        /// `TCP_NODELAY`.
        no_delay = 0,
        /// `TCP_CORK`.
        cork = 1,
        /// `SO_LINGER`; the time is [`Repr::linger`].
        linger = 2,
    }
}

/// A TCP control block. Units and meanings are those of [`FIELDS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // documented in the field table, once
pub struct Repr {
    pub negotiated: Negotiated,
    pub state: State,
    pub snd_scale: u8,
    pub rcv_scale: u8,
    pub snd_una: u32,
    pub snd_nxt: u32,
    pub write_seq: u32,
    pub rcv_nxt: u32,
    pub copied_seq: u32,
    pub snd_wl1: u32,
    pub snd_wnd: u32,
    pub max_window: u32,
    pub rcv_wnd: u32,
    pub rcv_wup: u32,
    pub ts_value: u32,
    pub ts_recent: u32,
    pub mss: u16,
    pub advmss: u16,
    pub srtt: u32,
    pub rttvar: u32,
    pub cwnd: u32,
    pub ssthresh: u32,
    pub send_buffer: u32,
    pub receive_buffer: u32,
    pub user_timeout: u32,
    pub keepalive_idle: u16,
    pub keepalive_interval: u16,
    pub keepalive_count: u8,
    pub keepalive_on: bool,
    pub options: Options,
    pub tos: u8,
    pub ttl: u8,
    pub congestion: Congestion,
    pub linger: u16,
    pub epoch: u64,
    pub digest: [u8; 16],
    pub application_len: u32,
}

impl Repr {
    /// Bytes that the application has not read.
    #[must_use]
    pub const fn receive_queue_len(&self) -> u32 {
        self.rcv_nxt.wrapping_sub(self.copied_seq)
    }

    /// Bytes sent but not acknowledged.
    #[must_use]
    pub const fn unacknowledged_len(&self) -> u32 {
        self.snd_nxt.wrapping_sub(self.snd_una)
    }

    /// Bytes written but not sent.
    #[must_use]
    pub const fn unsent_len(&self) -> u32 {
        self.write_seq.wrapping_sub(self.snd_nxt)
    }

    /// Bytes in the send queue, sent or not.
    #[must_use]
    pub const fn send_queue_len(&self) -> u32 {
        self.write_seq.wrapping_sub(self.snd_una)
    }

    /// What [`Repr::parse`] asks of any block and [`Repr::emit`] of its own.
    fn check(&self) -> Result<(), Error> {
        let value = |field, found: u32| Err(Error::Value { header: TITLE, field, found: found.into() });
        let behind = |length: u32| length > i32::MAX as u32;
        if self.snd_scale > MAX_SCALE || self.rcv_scale > MAX_SCALE {
            return value("scales", u32::from(self.rcv_scale) << 4 | u32::from(self.snd_scale));
        }
        if behind(self.receive_queue_len()) {
            return value("copied_seq beyond rcv_nxt", self.copied_seq);
        }
        if behind(self.unacknowledged_len()) {
            return value("snd_una beyond snd_nxt", self.snd_una);
        }
        if behind(self.unsent_len()) {
            return value("snd_nxt beyond write_seq", self.snd_nxt);
        }
        if behind(self.send_queue_len()) {
            return value("snd_una beyond write_seq", self.snd_una);
        }
        Ok(())
    }

    /// Reads a block: version, then CRC, then content.
    pub fn parse<T: AsRef<[u8]>>(packet: &Packet<T>) -> Result<Self, Error> {
        if packet.version() != VERSION {
            return Err(Error::Version { header: TITLE, found: packet.version(), known: VERSION });
        }
        if !packet.verify_crc() {
            return Err(Error::Checksum { header: TITLE });
        }
        let value = |field, found: u8| Error::Value { header: TITLE, field, found: found.into() };
        let state = State::from_code(packet.state()).ok_or(value("state", packet.state()))?;
        let repr = Repr {
            negotiated: Negotiated::from_byte(packet.flags()),
            state,
            snd_scale: packet.scales() & 15,
            rcv_scale: packet.scales() >> 4,
            snd_una: packet.snd_una(),
            snd_nxt: packet.snd_nxt(),
            write_seq: packet.write_seq(),
            rcv_nxt: packet.rcv_nxt(),
            copied_seq: packet.copied_seq(),
            snd_wl1: packet.snd_wl1(),
            snd_wnd: packet.snd_wnd(),
            max_window: packet.max_window(),
            rcv_wnd: packet.rcv_wnd(),
            rcv_wup: packet.rcv_wup(),
            ts_value: packet.ts_value(),
            ts_recent: packet.ts_recent(),
            mss: packet.mss(),
            advmss: packet.advmss(),
            srtt: packet.srtt(),
            rttvar: packet.rttvar(),
            cwnd: packet.cwnd(),
            ssthresh: packet.ssthresh(),
            send_buffer: packet.send_buffer(),
            receive_buffer: packet.receive_buffer(),
            user_timeout: packet.user_timeout(),
            keepalive_idle: packet.keepalive_idle(),
            keepalive_interval: packet.keepalive_interval(),
            keepalive_count: packet.keepalive_count(),
            keepalive_on: packet.keepalive_on() != 0,
            options: Options::from_byte(packet.options()),
            tos: packet.tos(),
            ttl: packet.ttl(),
            congestion: Congestion::from_code(packet.congestion()).unwrap_or_default(),
            linger: packet.linger(),
            epoch: packet.epoch(),
            digest: packet.digest(),
            application_len: packet.application_len(),
        };
        repr.check()?;
        Ok(repr)
    }

    /// Bytes of the block.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        LEN
    }

    /// Writes the block at the start of `buffer`; returns its length. A block that
    /// [`Repr::parse`] would refuse is not written.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.check()?;
        let buffer = room(TITLE, buffer, LEN)?;
        let mut raw = Raw {
            version: VERSION,
            flags: self.negotiated.byte(),
            state: self.state.code(),
            scales: self.rcv_scale << 4 | self.snd_scale,
            snd_una: self.snd_una,
            snd_nxt: self.snd_nxt,
            write_seq: self.write_seq,
            rcv_nxt: self.rcv_nxt,
            copied_seq: self.copied_seq,
            snd_wl1: self.snd_wl1,
            snd_wnd: self.snd_wnd,
            max_window: self.max_window,
            rcv_wnd: self.rcv_wnd,
            rcv_wup: self.rcv_wup,
            ts_value: self.ts_value,
            ts_recent: self.ts_recent,
            mss: self.mss,
            advmss: self.advmss,
            srtt: self.srtt,
            rttvar: self.rttvar,
            cwnd: self.cwnd,
            ssthresh: self.ssthresh,
            send_buffer: self.send_buffer,
            receive_buffer: self.receive_buffer,
            user_timeout: self.user_timeout,
            keepalive_idle: self.keepalive_idle,
            keepalive_interval: self.keepalive_interval,
            keepalive_count: self.keepalive_count,
            keepalive_on: self.keepalive_on.into(),
            options: self.options.byte(),
            tos: self.tos,
            ttl: self.ttl,
            congestion: self.congestion.code(),
            linger: self.linger,
            epoch: self.epoch,
            digest: self.digest,
            application_len: self.application_len,
            crc: 0,
        };
        raw.write(buffer);
        raw.crc = CRC.checksum(&buffer[..COVERED]);
        raw.write(buffer);
        Ok(LEN)
    }
}

/// The digest of a control block: receive queue, send queue and application state, in this
/// order, in any number of parts.
#[derive(Clone, Debug, Default)]
pub struct Digest(blake3::Hasher);

impl Digest {
    /// Adds bytes. Parts of many KiB are several times faster than small ones.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of what was added.
    #[must_use]
    pub fn finish(&self) -> [u8; 16] {
        let mut out = [0; 16];
        self.0.finalize_xof().fill(&mut out);
        out
    }
}

/// The [`Digest`] of parts that are at hand.
#[must_use]
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 16] {
    let mut digest = Digest::default();
    for part in parts {
        digest.update(part);
    }
    digest.finish()
}
