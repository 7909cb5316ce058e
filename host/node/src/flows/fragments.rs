//! Datagrams of clients that come in fragments (RFC 791, section 3.2).
//!
//! The card gives fragments to the host, and only the first one says whose connection it is of. So they wait here for the rest;
//! then they are delivered, held or passed on one behind the other as they came, never the half of a datagram, and the kernel
//! of whoever has the connection puts them together. No packet is made anew: encapsulated, each is as long as any other.
//!
//! A datagram whose fragments overlap is dropped, the fragments that still come included (RFC 5722, which RFC 8900 advises for
//! IPv4, too); one that was repeated on the way is dropped alone.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::datagram::{Datagram, Fragment, Key, Put};
use crate::frame::Transport;

/// How long a datagram waits for its rest, as in Linux (`ipfrag_time`).
const PATIENCE: Duration = Duration::from_secs(30);
/// Datagrams that wait for their rest, of all clients and of one.
const DATAGRAMS: usize = 4096;
const DATAGRAMS_OF_CLIENT: usize = 64;
/// Bytes of theirs: what Linux keeps (`ipfrag_high_thresh`), and eight of the longest datagrams.
const BYTES: usize = 4 << 20;
const BYTES_OF_CLIENT: usize = 512 << 10;
/// Datagrams that may begin while one waits: identifications come again after 65,536 (RFC 4963).
const SPAN: u64 = 16_384;

/// All datagrams that wait for their rest.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    /// By number: the oldest first.
    datagrams: BTreeMap<u64, Datagram>,
    /// The numbers of each client's.
    clients: HashMap<Ipv4Addr, VecDeque<u64>>,
    bytes: usize,
    next: u64,
    /// Datagrams that were complete.
    pub reassembled: u64,
    /// Fragments that nobody got.
    pub dropped: u64,
}

impl Fragments {
    /// Takes a fragment; what it completes.
    pub fn add(&mut self, frame: Vec<u8>, fragment: Fragment, now: Instant) -> Vec<(Vec<u8>, Transport)> {
        self.expire(now);
        if !fragment.is_sound() {
            self.dropped += 1;
            return Vec::new();
        }
        let number = self.find(&fragment.key).unwrap_or_else(|| self.begin(fragment.key, now));
        let Some(datagram) = self.datagrams.get_mut(&number) else { return Vec::new() };
        let before = datagram.bytes;
        match datagram.put(frame, fragment) {
            Put::Kept => self.bytes += datagram.bytes - before,
            Put::Repeated => return Vec::new(),
            Put::Refused => {
                // it stays, empty, for what still comes
                self.dropped += 1 + datagram.parts.len() as u64;
                datagram.parts.clear();
                self.bytes -= std::mem::take(&mut datagram.bytes);
                return Vec::new();
            }
        }
        if datagram.length != Some(datagram.have) {
            self.bound(fragment.key.src);
            return Vec::new();
        }
        let Some(datagram) = self.remove(number) else { return Vec::new() };
        let parts = datagram.parts.len() as u64;
        match datagram.whole() {
            Some(frames) => {
                self.reassembled += 1;
                frames
            }
            None => {
                self.dropped += parts;
                Vec::new()
            }
        }
    }

    /// Drops what has waited too long.
    pub fn expire(&mut self, now: Instant) {
        while let Some((&number, datagram)) = self.datagrams.first_key_value()
            && (now.saturating_duration_since(datagram.since) >= PATIENCE || number + SPAN < self.next)
        {
            self.drop(number);
        }
    }

    fn find(&self, key: &Key) -> Option<u64> {
        // mostly it is the newest
        let numbers = self.clients.get(&key.src)?.iter().rev();
        numbers.copied().find(|number| self.datagrams.get(number).is_some_and(|d| d.key == *key))
    }

    fn begin(&mut self, key: Key, since: Instant) -> u64 {
        let number = self.next;
        self.next += 1;
        self.datagrams.insert(number, Datagram::new(key, since));
        self.clients.entry(key.src).or_default().push_back(number);
        number
    }

    /// Drops the oldest while there are too many, of this client or of all.
    fn bound(&mut self, src: Ipv4Addr) {
        while let Some(numbers) = self.clients.get(&src) {
            let bytes: usize = numbers.iter().filter_map(|n| self.datagrams.get(n)).map(|d| d.bytes).sum();
            match numbers.front() {
                Some(&oldest) if numbers.len() > DATAGRAMS_OF_CLIENT || bytes > BYTES_OF_CLIENT => self.drop(oldest),
                _ => break,
            }
        }
        while let Some((&oldest, _)) = self.datagrams.first_key_value()
            && (self.datagrams.len() > DATAGRAMS || self.bytes > BYTES)
        {
            self.drop(oldest);
        }
    }

    fn drop(&mut self, number: u64) {
        self.dropped += self.remove(number).map_or(0, |d| d.parts.len() as u64);
    }

    fn remove(&mut self, number: u64) -> Option<Datagram> {
        let datagram = self.datagrams.remove(&number)?;
        self.bytes -= datagram.bytes;
        if let Some(numbers) = self.clients.get_mut(&datagram.key.src) {
            numbers.retain(|n| *n != number);
            if numbers.is_empty() {
                self.clients.remove(&datagram.key.src);
            }
        }
        Some(datagram)
    }
}

#[cfg(test)]
mod tests {
    use etherparse::defrag::IpDefragPool;
    use etherparse::{IpFragOffset, IpNumber, Ipv4Header, SlicedPacket, UdpHeader};
    use rand::rngs::StdRng;
    use rand::seq::SliceRandom;
    use rand::{Rng, RngCore, SeedableRng};

    use super::*;

    const CLIENT: [u8; 4] = [10, 0, 0, 9];
    const SERVICE: [u8; 4] = [10, 0, 0, 1];

    /// A piece of a UDP datagram as a frame, made by etherparse.
    fn frame(client: [u8; 4], ident: u16, offset: usize, more: bool, piece: &[u8]) -> Vec<u8> {
        let mut header = Ipv4Header::new(piece.len() as u16, 64, IpNumber::UDP, client, SERVICE).unwrap();
        (header.identification, header.dont_fragment, header.more_fragments) = (ident, false, more);
        header.fragment_offset = IpFragOffset::try_new((offset / 8) as u16).unwrap();
        header.header_checksum = header.calc_header_checksum();
        [&[2; 12][..], &[8, 0], &header.to_bytes(), piece, &[0; 3]].concat()
    }

    /// A datagram with a UDP header.
    fn datagram(port: u16, payload: &[u8]) -> Vec<u8> {
        let header = UdpHeader::with_ipv4_checksum(
            port,
            80,
            &Ipv4Header { source: CLIENT, destination: SERVICE, ..Ipv4Header::default() },
            payload,
        );
        [&header.unwrap().to_bytes()[..], payload].concat()
    }

    fn add(fragments: &mut Fragments, frame: &[u8], now: Instant) -> Vec<(Vec<u8>, Transport)> {
        fragments.add(frame.to_vec(), Fragment::parse(frame, false).unwrap(), now)
    }

    #[test]
    fn datagrams_come_out_whole_as_another_implementation_puts_them_together() {
        let seed = std::env::var("IPOS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random);
        println!("IPOS_SEED={seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let now = Instant::now();
        let mut fragments = Fragments::default();
        let mut oracle = IpDefragPool::<(), ()>::new();
        for round in 0..100u16 {
            let mut frames = Vec::new();
            for i in 0..8 {
                let mut payload = vec![0; rng.random_range(0..6000)];
                rng.fill_bytes(&mut payload);
                let whole = datagram(1000 + i, &payload);
                let mut offset = 0;
                while offset < whole.len() {
                    let most = (whole.len() - offset).min(8 * rng.random_range(1..187));
                    let more = offset + most < whole.len();
                    // one frame that holds all is no fragment
                    if more || offset > 0 {
                        frames.push(frame(CLIENT, 8 * round + i, offset, more, &whole[offset..offset + most]));
                    }
                    offset += most;
                }
            }
            frames.shuffle(&mut rng);
            for frame in frames {
                let repeated = rng.random_ratio(1, 8);
                let sliced = SlicedPacket::from_ethernet(&frame).unwrap();
                let expected = oracle.process_sliced_packet(&sliced, (), ()).unwrap();
                let found = add(&mut fragments, &frame, now);
                assert_eq!(found.is_empty(), expected.is_none());
                if let Some(expected) = expected {
                    let payload = |(f, inner): &(Vec<u8>, Transport)| f[14 + 20..inner.end].to_vec();
                    assert!(found.iter().map(payload).collect::<Vec<_>>().concat() == expected.payload);
                    let port = u16::from_be_bytes([expected.payload[0], expected.payload[1]]);
                    assert!(found.iter().all(|(_, inner)| (inner.src.port(), inner.dst.port()) == (port, 80)));
                } else if repeated {
                    assert!(add(&mut fragments, &frame, now).is_empty());
                }
            }
        }
        assert_eq!((fragments.dropped, fragments.bytes, fragments.datagrams.len()), (0, 0, 0));
        assert!(fragments.clients.is_empty() && fragments.reassembled > 500);
    }

    #[test]
    fn what_overlaps_or_contradicts_itself_is_dropped_to_the_end() {
        let data = datagram(1000, &[7; 200]);
        let piece = |from: usize, until: usize, more| frame(CLIENT, 1, from, more, &data[from..until]);
        let other = |from, until: usize| frame(CLIENT, 1, from, true, &vec![9; until - from]);
        let cases = [
            ("a byte of the one before", vec![piece(0, 64, true), piece(56, 128, true)]),
            ("a byte of the one behind", vec![piece(64, 128, true), piece(0, 72, true)]),
            ("the same place, other bytes", vec![piece(0, 64, true), other(0, 64)]),
            ("inside another one", vec![piece(0, 64, true), piece(8, 16, true)]),
            ("around another one", vec![piece(8, 16, true), piece(0, 64, true)]),
            ("behind the end", vec![piece(64, 128, false), piece(128, 136, true)]),
            ("an end before what came", vec![piece(128, 136, true), piece(64, 100, false)]),
            ("two ends", vec![piece(64, 128, false), piece(128, 208, false)]),
        ];
        for (what, frames) in cases {
            let mut fragments = Fragments::default();
            let now = Instant::now();
            let rest = [piece(0, 104, true), piece(104, 208, false)];
            let sent = frames.len() + rest.len();
            for frame in frames.into_iter().chain(rest) {
                assert!(add(&mut fragments, &frame, now).is_empty(), "{what}");
            }
            assert_eq!((fragments.dropped, fragments.reassembled, fragments.bytes), (sent as u64, 0, 0), "{what}");
            // the identification may be used again
            let later = now + PATIENCE;
            assert!(add(&mut fragments, &piece(0, 104, true), later).is_empty(), "{what}");
            assert_eq!(add(&mut fragments, &piece(104, 208, false), later).len(), 2, "{what}");
        }
    }

    #[test]
    fn what_can_be_of_no_datagram_is_dropped_alone() {
        let mut fragments = Fragments::default();
        let now = Instant::now();
        for (offset, more, bytes) in [(0, true, 0), (8, false, 0), (0, true, 63), (65_512, true, 8), (65_528, false, 7)]
        {
            assert!(add(&mut fragments, &frame(CLIENT, 1, offset, more, &vec![0; bytes]), now).is_empty());
        }
        assert_eq!((fragments.dropped, fragments.datagrams.len()), (5, 0));
        // nothing says whose it is
        assert!(add(&mut fragments, &frame(CLIENT, 1, 0, true, &[0; 8]), now).is_empty());
        assert!(add(&mut fragments, &frame(CLIENT, 1, 8, false, &[0; 8]), now).is_empty());
        assert_eq!((fragments.dropped, fragments.datagrams.len()), (7, 0));
        // the kernel's
        let whole = frame(CLIENT, 1, 0, false, &datagram(1, b"whole"));
        let mut damaged = frame(CLIENT, 1, 8, false, &[0; 8]);
        damaged[14 + 8] ^= 1;
        for frame in [whole, damaged] {
            assert!(Fragment::parse(&frame, false).is_none());
        }
    }

    #[test]
    fn nobody_occupies_more_than_the_bounds() {
        let now = Instant::now();
        let first = |client, ident, bytes| frame(client, ident, 0, true, &vec![7; bytes]);
        // many small ones of one client, then few large ones
        let mut fragments = Fragments::default();
        for ident in 0..1000 {
            add(&mut fragments, &first(CLIENT, ident, 8), now);
            assert!(fragments.datagrams.len() <= DATAGRAMS_OF_CLIENT);
        }
        assert_eq!(fragments.dropped, 1000 - DATAGRAMS_OF_CLIENT as u64);
        for ident in 0..32 {
            for offset in (0..65_000).step_by(1480) {
                add(&mut fragments, &frame(CLIENT, 2000 + ident, offset, true, &[7; 1480]), now);
                assert!(fragments.bytes <= BYTES_OF_CLIENT);
            }
        }
        // the newest are kept
        assert!(fragments.datagrams.last_key_value().is_some_and(|(_, d)| d.key.ident == 2031 && d.parts.len() == 44));
        // many clients
        let mut fragments = Fragments::default();
        for i in 0..3 * DATAGRAMS as u32 {
            add(&mut fragments, &first(i.to_be_bytes(), 1, 1480), now);
            assert!(fragments.datagrams.len() <= DATAGRAMS && fragments.bytes <= BYTES);
        }
        assert_eq!(fragments.clients.len(), fragments.datagrams.len());
        // and in time
        fragments.expire(now + PATIENCE - Duration::from_millis(1));
        assert!(!fragments.datagrams.is_empty());
        fragments.expire(now + PATIENCE);
        assert_eq!((fragments.datagrams.len(), fragments.clients.len(), fragments.bytes), (0, 0, 0));
        assert_eq!(fragments.dropped, 3 * DATAGRAMS as u64);
    }
}
