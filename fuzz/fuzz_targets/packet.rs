//! IPv4 packets, TCP segments with their options, UDP datagrams; as they are and with the checksums put right.
#![no_main]

#[path = "../../hdl/abi/tests/common/exercise.rs"]
mod exercise;

use ipos_abi::table::Protocol;
use ipos_abi::wire::checksum::{Sum, checksum};
use ipos_abi::wire::ipv4;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    exercise::packet(bytes);
    let Ok(ip) = ipv4::Packet::new_checked(bytes) else { return };
    let (src, dst, header_len, end) = (ip.src(), ip.dst(), ip.header_len(), usize::from(ip.total_len()));
    let protocol = Protocol::from_ip_number(ip.protocol());
    let mut bytes = bytes[..end].to_vec();
    let (header, payload) = bytes.split_at_mut(header_len);
    header[10..12].fill(0);
    let sum = checksum(header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    if let Some(protocol) = protocol {
        let at = match protocol {
            Protocol::Tcp => 16,
            Protocol::Udp => 6,
        };
        if payload.len() >= at + 2 {
            payload[at..at + 2].fill(0);
            let sum = Sum::pseudo_header(src, dst, protocol, payload.len()).bytes(payload).finish();
            payload[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        }
    }
    exercise::packet(&bytes);
});
