//! The card's verdicts: what it says about a frame that it hands to the host
//! ([`RxMeta`]), and the one [`Outcome`] in which every received frame ends.
//!
//! The order in which these are decided is the table in `docs/datapath.md`.

use zerocopy::byteorder::little_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::Port;

codes! {
    /// How a received frame ended. Each frame has exactly one outcome, so per port
    /// `received = Σ outcomes` whenever the card is idle. The code is the index of the counter.
    Outcome {
        Forwarded = 0, "hit in the forward table, sent encapsulated";
        ToHost = 1, "given to the host's receive queue";
        ToControl = 2, "given to the host's control queue";
        DropRunt = 3, "shorter than an Ethernet header";
        DropMac = 4, "for another destination MAC";
        DropIposOnFront = 5, "ipOS on the front port";
        DropIposChecksum = 6, "wrong ipOS checksum in a type 02 packet";
        DropHeader = 7, "wrong IPv4 header checksum on the forward path";
        DropTable = 8, "the forward entry says drop";
        DropNeighbour = 9, "the forward entry's neighbour is not set";
        DropLoop = 10, "would be re-forwarded to the MAC it came from";
        DropForwardFull = 11, "no room in the forward buffer";
        DropHostFull = 12, "no room in the host buffer of its queue";
        DropError = 13, "the MAC flagged an error (FCS)";
        DropShort = 14, "ended before its IPv4 total length on the forward path";
        DropRate = 15, "re-forwarded faster than the limit";
    }
}

codes! {
    /// Why a frame came to the host instead of being forwarded.
    Reason {
        Miss = 0, "no entry in the forward table";
        Endpoint = 1, "decapsulated, hit in the endpoint table";
        EncapsulatedMiss = 2, "decapsulated, in no table";
        Action = 3, "the forward entry says host";
        Vlan = 4, "not on the configured VLAN";
        Group = 5, "multicast or broadcast";
        NotIpv4 = 6, "another EtherType";
        Fragment = 7, "IPv4 fragment";
        Protocol = 8, "neither TCP nor UDP";
        Header = 9, "headers incomplete or malformed, see the IPv4 verdict";
        UnknownIpos = 10, "ipOS of unknown type";
        ShortIpos = 11, "ends before the ipOS header does";
        Back = 12, "plain IPv4 on the back port";
        Control = 13, "ipOS control packet";
    }
}

codes! {
    /// Verdict on the IPv4 header, or on the ipOS checksum of a control packet.
    L3 {
        None = 0, "not checked";
        Ok = 1, "valid";
        BadChecksum = 2, "wrong checksum";
        Truncated = 3, "the frame ends before its headers do";
        Malformed = 4, "version, header length or total length impossible";
        Short = 5, "the total length exceeds the frame";
    }
}

codes! {
    /// Verdict on the TCP or UDP checksum.
    L4 {
        NotChecked = 0, "not checked";
        Valid = 1, "valid";
        Bad = 2, "wrong checksum";
    }
}

/// What the card says about a frame on a host queue. 16 bytes, little endian.
///
/// | word | bits |
/// |---|---|
/// | 0 | length 15:0, VLAN TCI 31:16 |
/// | 1 | sequence number of the port, one per frame to the host on either queue |
/// | 2 | endpoint reference (zero without a hit) |
/// | 3 | reason 4:0, IPv4 verdict 10:8, TCP/UDP verdict 13:12, tagged 16, decapsulated 17, port 18 |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct RxMeta {
    length: U16,
    tci: U16,
    sequence: U32,
    endpoint: U32,
    flags: U32,
}

/// The fields of an [`RxMeta`], decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RxInfo {
    /// Bytes of the frame as delivered.
    pub length: u16,
    /// The stripped 802.1Q tag control information, if the frame had one.
    pub vlan: Option<u16>,
    /// Sequence number of the port, over both queues.
    pub sequence: u32,
    /// Endpoint reference; meaningful with [`Reason::Endpoint`], else zero.
    pub endpoint: u32,
    /// Why the frame is here.
    pub reason: Reason,
    /// IPv4 header, or ipOS checksum on the control queue.
    pub l3: L3,
    /// TCP or UDP checksum.
    pub l4: L4,
    /// The frame arrived as ipOS type 02 and was decapsulated.
    pub decapsulated: bool,
    /// The port it arrived on.
    pub port: Port,
}

/// A [`RxMeta`] with a code that this version does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the card reported flags {0:#010x}, which ABI version {abi} does not define", abi = crate::ABI_VERSION)]
pub struct UnknownFlags(pub u32);

const TAGGED: u32 = 1 << 16;
const DECAPSULATED: u32 = 1 << 17;
const BACK: u32 = 1 << 18;

impl RxMeta {
    /// From the 128-bit sideband of the card's host streams, word 0 in bits 31:0.
    #[must_use]
    pub fn from_words(words: [u32; 4]) -> Self {
        RxMeta {
            length: U16::new(words[0] as u16),
            tci: U16::new((words[0] >> 16) as u16),
            sequence: U32::new(words[1]),
            endpoint: U32::new(words[2]),
            flags: U32::new(words[3]),
        }
    }

    /// Decodes; an unknown code is an error, not a guess.
    pub fn info(&self) -> Result<RxInfo, UnknownFlags> {
        let flags = self.flags.get();
        let bits = |low: u32, width: u32| ((flags >> low) & ((1 << width) - 1)) as u8;
        let (Some(reason), Some(l3), Some(l4)) =
            (Reason::from_code(bits(0, 5)), L3::from_code(bits(8, 3)), L4::from_code(bits(12, 2)))
        else {
            return Err(UnknownFlags(flags));
        };
        Ok(RxInfo {
            length: self.length.get(),
            vlan: (flags & TAGGED != 0).then_some(self.tci.get()),
            sequence: self.sequence.get(),
            endpoint: self.endpoint.get(),
            reason,
            l3,
            l4,
            decapsulated: flags & DECAPSULATED != 0,
            port: if flags & BACK != 0 { Port::Back } else { Port::Front },
        })
    }
}

impl RxInfo {
    /// The VLAN that the frame is of; `None`: untagged, or a tag with a priority alone (IEEE 802.1Q, table 9-2: VLAN ID 0).
    #[must_use]
    pub fn vlan_id(&self) -> Option<u16> {
        self.vlan.map(|tci| tci & 0xfff).filter(|id| *id != 0)
    }
}

impl From<RxInfo> for RxMeta {
    fn from(i: RxInfo) -> Self {
        let flag = |on: bool, bit: u32| if on { bit } else { 0 };
        RxMeta {
            length: U16::new(i.length),
            tci: U16::new(i.vlan.unwrap_or(0)),
            sequence: U32::new(i.sequence),
            endpoint: U32::new(i.endpoint),
            flags: U32::new(
                u32::from(i.reason as u8)
                    | u32::from(i.l3 as u8) << 8
                    | u32::from(i.l4 as u8) << 12
                    | flag(i.vlan.is_some(), TAGGED)
                    | flag(i.decapsulated, DECAPSULATED)
                    | flag(i.port == Port::Back, BACK),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meta_round_trips_and_unknown_codes_are_refused() {
        let info = RxInfo {
            length: 1500,
            vlan: Some(0x6123),
            sequence: 7,
            endpoint: 0xdead_beef,
            reason: Reason::Endpoint,
            l3: L3::Ok,
            l4: L4::Bad,
            decapsulated: true,
            port: Port::Back,
        };
        assert_eq!(RxMeta::from(info).info(), Ok(info));
        assert_eq!(info.vlan_id(), Some(0x123));
        assert_eq!(RxInfo { vlan: Some(0x6000), ..info }.vlan_id(), None);
        assert_eq!(RxMeta::from_words([0, 0, 0, 31]).info(), Err(UnknownFlags(31)));
        assert_eq!(size_of::<RxMeta>(), 16);
    }

    #[test]
    fn codes_are_dense() {
        for (i, o) in Outcome::ALL.iter().enumerate() {
            assert_eq!(*o as usize, i);
        }
    }
}
