//! A reference card with two ports set up, and frames for it as hand-computed hex.

use ipos_abi::Port;
use ipos_abi::regs::{ENABLE, counters, mac_words, outcome, port, tables};
use ipos_abi::rx::{L3, L4, Outcome, Reason};
use ipos_abi::table::{ENDPOINT_INDEX_BITS, FORWARD_INDEX_BITS, FlowKey, Protocol, hash};
use ipos_device::Queue;
use ipos_sim::card::Card;
use ipos_sim::model::{ModelCard, ModelConfig};

pub const FRONT: &str = "020000000001";
pub const BACK: &str = "020000000002";
pub const CLIENT: &str = "0200000000c1";
/// Neighbour 1, and the source of the back port's frames.
pub const PEER: &str = "0200000000b1";
/// Another server.
pub const OTHER: &str = "0200000000b2";

/// 10.0.0.1:1000 → 192.168.7.1:80, don't fragment, four bytes of data; header and segment apart.
pub const TCP_IP: &str = "4500002c12344000400656ee0a000001c0a80701";
pub const TCP: &str = "03e80050112233445566778850182000e3ca000061626364";
/// 10.0.0.1:2000 → 192.168.7.1:53, three bytes of data.
pub const UDP_IP: &str = "4500001f12344000401156f00a000001c0a80701";
pub const UDP: &str = "07d00035000b33af78797a";
/// ipOS headers of type 02 in front of TCP and UDP: to 172.16.0.3:5000.
pub const IN_TCP: &str = "0a00000103e8ac10000313880201307a";
pub const IN_UDP: &str = "0a00000107d0ac100003138802022c91";

pub const TCP_KEY: FlowKey =
    FlowKey { protocol: Protocol::Tcp, src_ip: [10, 0, 0, 1], src_port: 1000, dst_ip: [192, 168, 7, 1], dst_port: 80 };
pub const UDP_KEY: FlowKey = FlowKey { protocol: Protocol::Udp, src_port: 2000, dst_port: 53, ..TCP_KEY };

/// What became of a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    Drop(Outcome),
    Sent(String),
    Host { reason: Reason, l3: L3, l4: L4, vlan: Option<u16>, endpoint: u32, decapsulated: bool, frame: String },
}

/// A frame that the host should get as it arrived: untagged, not decapsulated.
pub fn host(reason: Reason, l3: L3, l4: L4, frame: &str) -> Seen {
    Seen::Host { reason, l3, l4, vlan: None, endpoint: 0, decapsulated: false, frame: frame.to_owned() }
}

impl Seen {
    pub fn tagged(mut self, tci: u16) -> Self {
        if let Seen::Host { vlan, .. } = &mut self {
            *vlan = Some(tci);
        }
        self
    }

    pub fn decap(mut self) -> Self {
        if let Seen::Host { decapsulated, .. } = &mut self {
            *decapsulated = true;
        }
        self
    }

    pub fn reference(mut self, reference: u32) -> Self {
        if let Seen::Host { endpoint, .. } = &mut self {
            *endpoint = reference;
        }
        self
    }
}

/// A frame's hex from its parts.
pub fn frame(parts: &[&str]) -> String {
    parts.concat()
}

/// The client's frame with this IPv4 header and what follows.
pub fn from_client(ip: &str, rest: &str) -> String {
    frame(&[FRONT, CLIENT, "0800", ip, rest])
}

/// The peer's ipOS frame.
pub fn from_peer(ipos: &str, rest: &str) -> String {
    frame(&[BACK, PEER, "0007", ipos, rest])
}

/// `hex` with the bytes from `at` on replaced.
pub fn put(hex: &str, at: usize, bytes: &str) -> String {
    format!("{}{bytes}{}", &hex[..2 * at], &hex[2 * at + bytes.len()..])
}

/// The first `bytes` bytes of `hex`.
pub fn cut(hex: &str, bytes: usize) -> String {
    hex[..2 * bytes].to_owned()
}

pub struct Rig {
    pub card: ModelCard,
    sequence: [u32; 2],
}

impl Rig {
    /// Both MACs set, neighbour 1 valid, destination 5 is 172.16.0.9:5001 through it,
    /// destination 6 the same through neighbour 2, which is not valid; no entries.
    pub fn new() -> Self {
        Self::with(ModelConfig::default())
    }

    pub fn with(config: ModelConfig) -> Self {
        let mut rig = Rig { card: ModelCard::new(config), sequence: [0; 2] };
        let (front, back, peer) = (mac_words(mac(FRONT)), mac_words(mac(BACK)), mac_words(mac(PEER)));
        rig.write(&[
            (port::REFORWARD, 0),
            (port::FRONT_MAC_LO, front.0),
            (port::FRONT_MAC_HI, front.1),
            (port::BACK_MAC_LO, back.0),
            (port::BACK_MAC_HI, back.1),
            (tables::NEIGHBOUR_LO, peer.0),
            (tables::NEIGHBOUR_HI, peer.1 | ENABLE),
            (tables::COMMIT_NEIGHBOUR, 1),
            (tables::DEST_IP, 0xac10_0009),
            (tables::DEST_PORT, 0x1_1389),
            (tables::COMMIT_DEST, 5),
            (tables::DEST_PORT, 0x2_1389),
            (tables::COMMIT_DEST, 6),
        ]);
        rig
    }

    pub fn write(&mut self, writes: &[(u32, u32)]) {
        for &(offset, value) in writes {
            self.card.write32(offset, value);
        }
    }

    fn entry(&mut self, commit: u32, bits: usize, key: &FlowKey, bank: usize, value: u32) {
        let words = key.words();
        self.write(&[
            (tables::KEY0, words[0]),
            (tables::KEY1, words[1]),
            (tables::KEY2, words[2]),
            (tables::KEY3, words[3]),
            (tables::VALUE, value),
            (commit, ENABLE | (bank as u32) << 16 | hash(bank, key.bits(), bits)),
        ]);
    }

    /// Action in bits 9:8, destination in 7:0.
    pub fn forward(&mut self, key: &FlowKey, bank: usize, value: u32) {
        self.entry(tables::COMMIT_FORWARD, FORWARD_INDEX_BITS, key, bank, value);
    }

    pub fn endpoint(&mut self, key: &FlowKey, bank: usize, reference: u32) {
        self.entry(tables::COMMIT_ENDPOINT, ENDPOINT_INDEX_BITS, key, bank, reference);
    }

    /// Sends a frame and looks at everything that it changed.
    pub fn send(&mut self, port: Port, hex: &str, bad_fcs: bool) -> Seen {
        let before = self.counts(port);
        assert!(self.card.wire_in(port, &bytes(hex), bad_fcs));
        while self.card.run(1000) {}
        let after = self.counts(port);
        let rx = [counters::FRONT_RX, counters::BACK_RX][port as usize];
        assert_eq!(after.iter().sum::<u32>(), self.card.read32(rx), "conservation");
        let grown: Vec<_> = (0..after.len()).filter(|&i| after[i] != before[i]).collect();
        assert_eq!(grown.len(), 1, "one outcome");
        let outcome = Outcome::ALL[grown[0]];
        let mut out = Vec::new();
        let sent = self.card.wire_out(Port::Back, &mut out);
        assert_eq!(sent, outcome == Outcome::Forwarded);
        if sent {
            return Seen::Sent(hex_of(&out));
        }
        let queue = match outcome {
            Outcome::ToHost => Queue::Receive,
            Outcome::ToControl => Queue::Control,
            other => {
                let nothing = [Queue::Receive, Queue::Control].map(|q| self.card.host_out(q, &mut out));
                assert_eq!(nothing, [None, None]);
                return Seen::Drop(other);
            }
        };
        let info = self.card.host_out(queue, &mut out).unwrap().info().unwrap();
        assert_eq!(info.port, port);
        assert_eq!(usize::from(info.length), out.len());
        assert_eq!(info.sequence, self.sequence[port as usize], "sequence");
        assert_eq!(queue == Queue::Control, info.reason == Reason::Control);
        self.sequence[port as usize] += 1;
        Seen::Host {
            reason: info.reason,
            l3: info.l3,
            l4: info.l4,
            vlan: info.vlan,
            endpoint: info.endpoint,
            decapsulated: info.decapsulated,
            frame: hex_of(&out),
        }
    }

    /// Sends each frame without an error flag and compares.
    pub fn check(&mut self, port: Port, cases: &[(&str, String, Seen)]) {
        for (name, hex, expected) in cases {
            assert_eq!(&self.send(port, hex, false), expected, "{name}: {hex}");
        }
    }

    fn counts(&mut self, port: Port) -> Vec<u32> {
        Outcome::ALL.iter().map(|&o| self.card.read32(outcome(port, o))).collect()
    }
}

pub fn mac(hex: &str) -> [u8; 6] {
    bytes(hex).try_into().unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2));
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
