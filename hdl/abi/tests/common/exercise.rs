//! Reads whatever bytes hold, and checks that what is accepted is valid: written again and read
//! again it is the same. Shared by the tests on damaged packets and the fuzz targets in `fuzz/`.
#![allow(dead_code)] // each user takes a part

use ipos_abi::wire::connection::Repr::Tcp;
use ipos_abi::wire::control::{self, Message, Received};
use ipos_abi::wire::options::{self, Options};
use ipos_abi::wire::{checksum, ethernet, ext, ipos, ipv4, tcb, tcp, udp};

/// A back-side frame and all that it holds.
pub fn control(bytes: &[u8], ethertype: u16) -> Option<Received<'_>> {
    if let Ok(eth) = ethernet::Frame::new_checked(bytes) {
        packet(eth.payload());
    }
    let received = control::parse(bytes, ethertype).ok()?;
    match received.frame.message {
        Message::Packet(inner) => packet(inner),
        Message::Connection(Tcp { tcb, .. }) => block(tcb),
        _ => {}
    }
    let mut again = vec![0xee; received.frame.buffer_len()];
    assert_eq!(received.frame.emit(&mut again, None), Ok(again.len()));
    assert!(again.len() <= bytes.len(), "nothing appears from nowhere");
    assert_eq!(control::parse(&again, ethertype).expect("its own output").frame, received.frame);
    Some(received)
}

/// A frame of ipOS type with its checksum put right, so that what follows the checksum is reached.
pub fn control_with_checksum(bytes: &[u8], ethertype: u16) {
    let mut bytes = bytes.to_vec();
    let Ok(eth) = ethernet::Frame::new_checked(&bytes) else { return };
    let start = eth.header_len();
    let Ok(repr) = ipos::Packet::new_checked(eth.payload()).and_then(|p| ipos::Repr::parse(&p)) else { return };
    let body = match repr.kind {
        ipos::Type::Connection => ipos_abi::wire::connection::Repr::len_of(repr.protocol),
        ipos::Type::Packet | ipos::Type::Ack => 0,
        kind => match ext::Repr::measure(kind, &eth.payload()[ipos::LEN..]) {
            Ok(n) => n,
            Err(_) => return,
        },
    };
    let Some(covered) = bytes.get_mut(start..start + ipos::LEN + body) else { return };
    covered[14..16].fill(0);
    let sum = checksum::checksum(covered);
    covered[14..16].copy_from_slice(&sum.to_be_bytes());
    control(&bytes, ethertype);
}

/// A control block.
pub fn block(bytes: &[u8]) {
    let Ok(packet) = tcb::Packet::new_checked(bytes) else { return };
    if let Ok(repr) = tcb::Repr::parse(&packet) {
        let mut out = [0xee; tcb::LEN];
        assert_eq!(repr.emit(&mut out), Ok(tcb::LEN));
        assert_eq!(tcb::Repr::parse(&tcb::Packet::new_checked(out).expect("whole")), Ok(repr));
    }
}

/// A list of socket options.
pub fn options(bytes: &[u8]) {
    let Ok(list) = Options::parse(bytes) else { return };
    let mut out = [0xee; options::MAX_LEN];
    let n = list.emit(&mut out).expect("what was read can be written");
    assert_eq!(n, list.buffer_len());
    if list.unknown() == 0 {
        assert_eq!(out[..n], *bytes);
    } else {
        assert!(n + 2 * usize::from(list.unknown()) <= bytes.len(), "what was skipped was there");
    }
    let again = Options::parse(&out[..n]).expect("its own output");
    assert!(again.iter().eq(list.iter()));
}

/// An IP packet and the segment or datagram in it.
pub fn packet(bytes: &[u8]) {
    let Ok(ip) = ipv4::Packet::new_checked(bytes) else { return };
    let (src, dst) = (ip.src(), ip.dst());
    let mut out = vec![0xee; bytes.len()];
    if let Ok(repr) = ipv4::Repr::parse(&ip) {
        assert_eq!(repr.emit(&mut out), Ok(ip.header_len()));
        assert_eq!(ipv4::Repr::parse(&ipv4::Packet::new_checked(&out).expect("whole")), Ok(repr));
    }
    if let Ok(segment) = tcp::Segment::new_checked(ip.payload()) {
        for option in tcp::options(segment.options()).flatten() {
            assert!(option.buffer_len() <= tcp::MAX_OPTIONS);
            let mut out = [0; tcp::MAX_OPTIONS];
            let n = option.emit(&mut out).expect("what was read can be written");
            assert_eq!(tcp::options(&out[..n]).next(), Some(Ok(option)));
            if let tcp::TcpOption::Sack(blocks) = option {
                assert_eq!(tcp::sack_blocks(blocks).count() * 8, blocks.len());
            }
        }
        if let Ok(repr) = tcp::Repr::parse(&segment, src, dst) {
            let n = repr.emit(&mut out, src, dst, segment.payload()).expect("what was read can be written");
            let again = tcp::Segment::new_checked(&out[..n]).expect("whole");
            assert_eq!(tcp::Repr::parse(&again, src, dst), Ok(repr));
        }
    }
    if let Ok(datagram) = udp::Datagram::new_checked(ip.payload())
        && let Ok(repr) = udp::Repr::parse(&datagram, src, dst)
    {
        let n = repr.emit(&mut out, src, dst, datagram.payload()).expect("what was read can be written");
        let again = udp::Datagram::new_checked(&out[..n]).expect("whole");
        assert_eq!(udp::Repr::parse(&again, src, dst), Ok(repr));
        assert_eq!(again.payload(), datagram.payload());
    }
}
