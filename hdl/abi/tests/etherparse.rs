//! Ethernet, 802.1Q, IPv4, TCP and UDP against etherparse, in both directions.

mod common;

use common::{ip, link, options};
use etherparse as ep;
use ipos_abi::wire::tcp::{Flags, TcpOption};
use ipos_abi::wire::{Mac, ethernet, ipv4, tcp, udp};
use proptest::prelude::*;

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..1500)
}

fn ep_link(link: &ethernet::Repr) -> Vec<u8> {
    let outer = if link.vlan.is_some() { ethernet::VLAN } else { link.ethertype };
    let eth = ep::Ethernet2Header { source: link.src.0, destination: link.dst.0, ether_type: ep::EtherType(outer) };
    let mut bytes = eth.to_bytes().to_vec();
    if let Some(tci) = link.vlan {
        let tag = ep::SingleVlanHeader {
            pcp: ep::VlanPcp::try_new((tci >> 13) as u8).expect("3 bits"),
            drop_eligible_indicator: tci & 0x1000 != 0,
            vlan_id: ep::VlanId::try_new(tci & 0xfff).expect("12 bits"),
            ether_type: ep::EtherType(link.ethertype),
        };
        bytes.extend(tag.to_bytes());
    }
    bytes
}

prop_compose! {
    fn ipv4_header()(
        src in ip(), dst in ip(), protocol in any::<u8>(), tos in any::<u8>(), ident in any::<u16>(),
        flags in any::<(bool, bool)>(), offset in 0..0x2000u16, ttl in any::<u8>(), options in options(),
    ) -> (ipv4::Repr<'static>, Vec<u8>) {
        let repr = ipv4::Repr {
            src, dst, protocol, tos, ident, dont_fragment: flags.0, more_fragments: flags.1,
            fragment_offset: offset << 3, ttl, options: &[], payload_len: 0,
        };
        (repr, options)
    }
}

fn ep_ipv4(repr: &ipv4::Repr) -> Vec<u8> {
    let mut header = ep::Ipv4Header {
        dscp: ep::IpDscp::try_new(repr.tos >> 2).expect("6 bits"),
        ecn: ep::IpEcn::try_new(repr.tos & 3).expect("2 bits"),
        total_len: repr.buffer_len() as u16,
        identification: repr.ident,
        dont_fragment: repr.dont_fragment,
        more_fragments: repr.more_fragments,
        fragment_offset: ep::IpFragOffset::try_new(repr.fragment_offset / 8).expect("13 bits"),
        time_to_live: repr.ttl,
        protocol: ep::IpNumber(repr.protocol),
        header_checksum: 0,
        source: repr.src.octets(),
        destination: repr.dst.octets(),
        options: repr.options.try_into().expect("whole words"),
    };
    header.header_checksum = header.calc_header_checksum();
    header.to_bytes().to_vec()
}

prop_compose! {
    fn tcp_header()(
        ports in any::<(u16, u16)>(), seq in any::<u32>(), ack in any::<u32>(), flags in 0..0x200u16,
        window in any::<u16>(), urgent in any::<u16>(), options in options(),
    ) -> (tcp::Repr<'static>, Vec<u8>) {
        let (src_port, dst_port) = ports;
        (tcp::Repr { src_port, dst_port, seq, ack, flags: Flags(flags), window, urgent, options: &[] }, options)
    }
}

fn ep_tcp(repr: &tcp::Repr, src: [u8; 4], dst: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let on = |flag| repr.flags.contains(flag);
    let mut header = ep::TcpHeader {
        source_port: repr.src_port,
        destination_port: repr.dst_port,
        sequence_number: repr.seq,
        acknowledgment_number: repr.ack,
        ns: on(Flags::AE),
        fin: on(Flags::FIN),
        syn: on(Flags::SYN),
        rst: on(Flags::RST),
        psh: on(Flags::PSH),
        ack: on(Flags::ACK),
        urg: on(Flags::URG),
        ece: on(Flags::ECE),
        cwr: on(Flags::CWR),
        window_size: repr.window,
        checksum: 0,
        urgent_pointer: repr.urgent,
        options: repr.options.try_into().expect("at most 40 bytes"),
    };
    header.checksum = header.calc_checksum_ipv4_raw(src, dst, payload).expect("short");
    let mut bytes = header.to_bytes().to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

proptest! {
    #[test]
    fn ethernet_and_vlan(link in link(), payload in payload()) {
        let mut ours = vec![0; link.buffer_len()];
        prop_assert_eq!(link.emit(&mut ours), Ok(link.buffer_len()));
        let theirs = ep_link(&link);
        prop_assert_eq!(&ours, &theirs);

        let frame = [theirs, payload.clone()].concat();
        let view = ethernet::Frame::new_checked(&frame).expect("whole");
        prop_assert_eq!(ethernet::Repr::parse(&view), link);
        prop_assert_eq!(view.payload(), &payload[..]);
    }

    #[test]
    fn ipv4((repr, options) in ipv4_header(), payload in payload(), padding in 0..50usize) {
        let repr = ipv4::Repr { options: &options, payload_len: payload.len(), ..repr };
        let mut ours = vec![0xee; repr.header_len()];
        prop_assert_eq!(repr.emit(&mut ours), Ok(repr.header_len()));
        let theirs = ep_ipv4(&repr);
        prop_assert_eq!(&ours, &theirs);

        let packet = [theirs, payload.clone(), vec![0x55; padding]].concat();
        let view = ipv4::Packet::new_checked(&packet).expect("whole");
        prop_assert_eq!(ipv4::Repr::parse(&view), Ok(repr));
        prop_assert_eq!(view.payload(), &payload[..]);
        prop_assert_eq!(view.is_fragment(), repr.more_fragments || repr.fragment_offset != 0);
    }

    #[test]
    fn tcp((repr, options) in tcp_header(), src in ip(), dst in ip(), payload in payload()) {
        let repr = tcp::Repr { options: &options, ..repr };
        let mut ours = vec![0xee; repr.buffer_len() + payload.len()];
        prop_assert_eq!(repr.emit(&mut ours, src, dst, &payload), Ok(ours.len()));
        let theirs = ep_tcp(&repr, src.octets(), dst.octets(), &payload);
        prop_assert_eq!(&ours, &theirs);

        let view = tcp::Segment::new_checked(&theirs).expect("whole");
        prop_assert_eq!(tcp::Repr::parse(&view, src, dst), Ok(repr));
        prop_assert_eq!(view.payload(), &payload[..]);
    }

    #[test]
    fn udp(ports in any::<(u16, u16)>(), src in ip(), dst in ip(), payload in payload(), padding in 0..50usize) {
        let repr = udp::Repr { src_port: ports.0, dst_port: ports.1 };
        let mut ours = vec![0xee; repr.buffer_len() + payload.len()];
        prop_assert_eq!(repr.emit(&mut ours, src, dst, &payload), Ok(ours.len()));
        let header = ep::Ipv4Header {
            source: src.octets(), destination: dst.octets(), protocol: ep::ip_number::UDP, ..Default::default()
        };
        let header = ep::UdpHeader::with_ipv4_checksum(ports.0, ports.1, &header, &payload).expect("short");
        let theirs = [&header.to_bytes()[..], &payload].concat();
        prop_assert_eq!(&ours, &theirs);

        let padded = [theirs, vec![0x55; padding]].concat();
        let view = udp::Datagram::new_checked(&padded).expect("whole");
        prop_assert_eq!(udp::Repr::parse(&view, src, dst), Ok(repr));
        prop_assert_eq!(view.payload(), &payload[..]);
    }

    /// Options that etherparse writes are read, and the same options are written as it writes them.
    #[test]
    fn tcp_options(mss in any::<u16>(), scale in any::<u8>(), ts in any::<(u32, u32)>(), sack in any::<[(u32, u32); 2]>()) {
        use ep::TcpOptionElement as E;
        let theirs = ep::TcpOptions::try_from_elements(&[
            E::MaximumSegmentSize(mss), E::Noop, E::WindowScale(scale), E::SelectiveAcknowledgementPermitted,
            E::Timestamp(ts.0, ts.1), E::SelectiveAcknowledgement(sack[0], [Some(sack[1]), None, None]),
        ]).expect("38 bytes");
        let read: Vec<_> = tcp::options(theirs.as_slice()).collect::<Result<_, _>>().expect("valid");
        let blocks: Vec<u8> = sack.iter().flat_map(|(l, r)| [l.to_be_bytes(), r.to_be_bytes()].concat()).collect();
        let expected = [
            TcpOption::MaxSegmentSize(mss), TcpOption::WindowScale(scale), TcpOption::SackPermitted,
            TcpOption::Timestamps { value: ts.0, echo: ts.1 }, TcpOption::Sack(&blocks),
        ];
        prop_assert_eq!(&read[..], &expected[..]);
        prop_assert_eq!(tcp::sack_blocks(&blocks).collect::<Vec<_>>(), sack.to_vec());

        let mut ours = [0; 40];
        let mut n = 0;
        for option in expected {
            if matches!(option, TcpOption::WindowScale(_)) {
                ours[n] = 1; // the no-operation that was written above
                n += 1;
            }
            n += option.emit(&mut ours[n..]).expect("fits");
        }
        prop_assert_eq!(&ours[..], theirs.as_slice());
    }
}

#[test]
fn checksum_forms_of_udp() {
    use core::net::Ipv4Addr;
    let (src, dst) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
    // Pseudo-header 17 + 8 and header 8 sum to 0x21; the source port makes it 0xffff: computed zero.
    let repr = udp::Repr { src_port: 0xffff - 0x21, dst_port: 0 };
    let mut bytes = [0; udp::LEN];
    repr.emit(&mut bytes, src, dst, &[]).expect("fits");
    assert_eq!(bytes[6..], [0xff, 0xff], "zero is sent as all ones");
    assert!(udp::Datagram::new_checked(bytes).expect("whole").verify_checksum(src, dst));
    bytes[6..].fill(0);
    assert!(udp::Datagram::new_checked(bytes).expect("whole").verify_checksum(src, dst), "none is accepted");
    bytes[7] = 1;
    assert!(!udp::Datagram::new_checked(bytes).expect("whole").verify_checksum(src, dst));
}

#[test]
fn impossible_headers_are_errors() {
    let good = [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2, 0, 8, 0, 0];
    assert!(ipv4::Packet::new_checked(good).is_ok());
    for (offset, value) in [(0, 0x65), (0, 0x44), (0, 0x4f), (3, 19), (3, 29), (2, 1)] {
        let mut bad = good;
        bad[offset] = value;
        assert!(ipv4::Packet::new_checked(bad).is_err(), "byte {offset} {value:#x}");
        assert!(ep::Ipv4Slice::from_slice(&bad).is_err(), "etherparse agrees on byte {offset} {value:#x}");
    }
    for length in [0, 7, 9] {
        assert!(udp::Datagram::new_checked([0, 1, 0, 2, 0, length, 0, 0]).is_err());
    }
    for words in [0u8, 4, 6] {
        let mut segment = [0; tcp::LEN];
        segment[12] = words << 4;
        assert!(tcp::Segment::new_checked(segment).is_err(), "{words} words");
    }
    for malformed in [&[2u8, 3, 0][..], &[2, 4, 5], &[8], &[8, 1], &[5, 2], &[5, 9, 0, 0, 0, 0, 0, 0, 0], &[77, 0]] {
        let walked: Vec<_> = tcp::options(malformed).collect();
        assert!(matches!(walked[..], [Err(_)]), "{malformed:?}: {walked:?}");
    }
    let unknown: Vec<_> = tcp::options(&[1, 254, 3, 9, 0, 2, 4]).collect();
    assert_eq!(unknown, [Ok(TcpOption::Other { kind: 254, data: &[9] })], "ends at the end of the list");
    assert_eq!(Mac::BROADCAST.to_string(), "ff:ff:ff:ff:ff:ff");
}
