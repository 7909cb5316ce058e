//! One datagram of which fragments have come.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Instant;

use ipos_abi::wire::{ethernet, ipv4};

use crate::frame::{Transport, framed};

/// What a fragment costs beside its bytes.
const OVERHEAD: usize = 128;

/// The datagram that a fragment is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub src: Ipv4Addr,
    dst: Ipv4Addr,
    protocol: u8,
    pub ident: u16,
    decapsulated: bool,
}

/// What the IPv4 header of a frame says of a fragment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fragment {
    pub(super) key: Key,
    /// Where its bytes stand in the frame.
    from: usize,
    until: usize,
    /// Where they stand in the datagram.
    offset: usize,
    last: bool,
}

impl Fragment {
    /// Reads an untagged Ethernet frame. `None`: no fragment of TCP or UDP, or one that the kernel may judge.
    pub fn parse(frame: &[u8], decapsulated: bool) -> Option<Self> {
        let link = ethernet::Frame::new_checked(frame).ok()?;
        let ip = ipv4::Packet::new_checked(link.payload()).ok()?;
        let protocol = ip.protocol();
        if link.ethertype() != ethernet::IPV4
            || !ip.is_fragment()
            || !ip.verify_checksum()
            || ![ipv4::TCP, ipv4::UDP].contains(&protocol)
        {
            return None;
        }
        let start = link.header_len();
        Some(Fragment {
            key: Key { src: ip.src(), dst: ip.dst(), protocol, ident: ip.ident(), decapsulated },
            from: start + ip.header_len(),
            until: start + usize::from(ip.total_len()),
            offset: ip.fragment_offset().into(),
            last: !ip.more_fragments(),
        })
    }

    /// Whom it is for.
    pub fn dst(&self) -> Ipv4Addr {
        self.key.dst
    }

    fn len(&self) -> usize {
        self.until - self.from
    }

    fn end(&self) -> usize {
        self.offset + self.len()
    }

    /// Whether it can be of a datagram of 65,535 bytes.
    pub(super) fn is_sound(&self) -> bool {
        let whole_words = self.last || self.len().is_multiple_of(8);
        self.len() > 0 && whole_words && self.end() + ipv4::LEN <= u16::MAX.into()
    }
}

/// A datagram, as far as it has come.
#[derive(Debug)]
pub(super) struct Datagram {
    pub key: Key,
    pub since: Instant,
    /// By their offset in the datagram; no two of them overlap.
    pub parts: BTreeMap<usize, (Vec<u8>, Fragment)>,
    /// Length, once the last fragment has come.
    pub length: Option<usize>,
    /// What has come of it.
    pub have: usize,
    /// What its frames occupy.
    pub bytes: usize,
    /// Its fragments contradict each other.
    spoilt: bool,
}

/// What became of a fragment.
pub(super) enum Put {
    Kept,
    Repeated,
    Refused,
}

impl Datagram {
    /// Nothing has come of it.
    pub fn new(key: Key, since: Instant) -> Self {
        Datagram { key, since, parts: BTreeMap::new(), length: None, have: 0, bytes: 0, spoilt: false }
    }

    pub fn put(&mut self, frame: Vec<u8>, fragment: Fragment) -> Put {
        if self.spoilt {
            return Put::Refused;
        }
        let before = self.parts.range(..=fragment.offset).next_back();
        let behind = self.parts.range(fragment.offset..).next();
        if let Some((old, had)) = before.map(|(_, part)| part)
            && (had.offset, had.last) == (fragment.offset, fragment.last)
            && old[had.from..had.until] == frame[fragment.from..fragment.until]
        {
            return Put::Repeated;
        }
        let overlaps = before.is_some_and(|(_, (_, had))| had.end() > fragment.offset)
            || behind.is_some_and(|(offset, _)| *offset < fragment.end());
        let length = if fragment.last { Some(fragment.end()) } else { self.length };
        let reaches = self.parts.last_key_value().map_or(0, |(_, (_, had))| had.end()).max(fragment.end());
        if overlaps || (fragment.last && self.length.is_some()) || length.is_some_and(|length| reaches > length) {
            self.spoilt = true;
            return Put::Refused;
        }
        self.length = length;
        self.have += fragment.len();
        self.bytes += frame.len() + OVERHEAD;
        self.parts.insert(fragment.offset, (frame, fragment));
        Put::Kept
    }

    /// The frames in their order, each with what the datagram says of its connection. `None`: it says nothing.
    pub fn whole(self) -> Option<Vec<(Vec<u8>, Transport)>> {
        let Key { src, dst, protocol, .. } = self.key;
        let mut packet = vec![0; ipv4::LEN];
        ipv4::Repr::new(src, dst, protocol, self.have).emit(&mut packet).ok()?;
        for (frame, fragment) in self.parts.values() {
            packet.extend_from_slice(&frame[fragment.from..fragment.until]);
        }
        let (first, _) = self.parts.first_key_value().map(|(_, part)| part)?;
        let link = ethernet::Repr::parse(&ethernet::Frame::new_checked(first.as_slice()).ok()?);
        let inner = Transport::parse(&framed(&packet, link).ok()?)?;
        let frames = self.parts.into_values();
        Some(frames.map(|(frame, Fragment { until, .. })| (frame, Transport { end: until, ..inner })).collect())
    }
}
