//! Urgent data on its way to a client (RFC 9293, section 3.8.5).
//!
//! No call tells whether the send queue of a socket holds an urgent byte, and a rebuilt socket would send it as any other. But
//! the node sees each segment that leaves: one that says urgent counts until the client has acknowledged it. What the kernel
//! has not sent yet can't be seen.

use std::collections::HashMap;

use ipos_abi::wire::tcp::Flags;
use ipos_migrate::protocol::Flow;

use crate::frame::Transport;

/// Connections with urgent data under way; when there are more, all are forgotten.
const MOST: usize = 4096;

/// Where urgent data ends, by connection.
#[derive(Default)]
pub(crate) struct Urgent(HashMap<Flow, u32>);

impl Urgent {
    /// Looks at a segment to the client.
    pub fn sent(&mut self, flow: Flow, inner: &Transport) {
        if inner.has(Flags::URG) {
            if self.0.len() >= MOST {
                self.0.clear();
            }
            self.0.insert(flow, inner.seq.wrapping_add(inner.urgent));
        }
    }

    /// Looks at a segment from the client.
    pub fn received(&mut self, flow: &Flow, inner: &Transport) {
        if self.0.is_empty() {
            return;
        }
        let Some(end) = self.0.get(flow) else { return };
        let acknowledged = inner.has(Flags::ACK) && inner.ack.wrapping_sub(*end) < 1 << 31;
        if acknowledged || inner.has(Flags::SYN | Flags::RST) {
            self.0.remove(flow);
        }
    }

    /// Whether urgent data is under way.
    pub fn is_under_way(&self, flow: &Flow) -> bool {
        self.0.contains_key(flow)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};

    use ipos_migrate::protocol::Protocol;

    use super::*;

    const FLOW: Flow = Flow {
        protocol: Protocol::Tcp,
        client: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 40_000),
        service: SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 80),
    };

    /// A frame of the service, made by etherparse.
    fn sent(seq: u32, urgent: Option<u16>) -> Transport {
        let builder = etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4(FLOW.service.ip().octets(), FLOW.client.ip().octets(), 64)
            .tcp(FLOW.service.port(), FLOW.client.port(), seq, 1000)
            .ack(1);
        let builder = if let Some(pointer) = urgent { builder.urg(pointer) } else { builder };
        let mut frame = Vec::new();
        builder.write(&mut frame, b"data!").unwrap();
        Transport::parse(&frame).unwrap()
    }

    fn received(ack: u32, flags: Flags) -> Transport {
        Transport { ack, flags, ..Transport::of(&FLOW, 54) }
    }

    #[test]
    fn urgent_data_is_under_way_until_it_is_acknowledged() {
        let mut urgent = Urgent::default();
        urgent.sent(FLOW, &sent(100, None));
        assert!(!urgent.is_under_way(&FLOW));
        // over the end of the sequence numbers
        urgent.sent(FLOW, &sent(u32::MAX - 1, Some(5)));
        urgent.sent(FLOW, &sent(3, None));
        for (ack, flags) in [(u32::MAX - 1, Flags::ACK), (2, Flags::ACK), (3, Flags::PSH)] {
            urgent.received(&FLOW, &received(ack, flags));
            assert!(urgent.is_under_way(&FLOW), "{ack}");
        }
        urgent.received(&FLOW, &received(3, Flags::ACK));
        assert!(!urgent.is_under_way(&FLOW));
    }

    #[test]
    fn a_reset_or_a_new_connection_ends_it_and_other_connections_do_not() {
        let mut urgent = Urgent::default();
        for flags in [Flags::RST, Flags::SYN] {
            urgent.sent(FLOW, &sent(100, Some(1)));
            let other = Flow { client: SocketAddrV4::new(*FLOW.client.ip(), 1), ..FLOW };
            urgent.received(&other, &received(0, flags));
            assert!(urgent.is_under_way(&FLOW));
            urgent.received(&FLOW, &received(0, flags));
            assert!(!urgent.is_under_way(&FLOW));
        }
    }
}
