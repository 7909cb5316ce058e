//! What the client has said already and is to be answered by the new owner.

use std::net::SocketAddrV4;

use etherparse::PacketBuilder;

use ipos_abi::wire::tcb::{Repr as Tcb, State};

/// A segment of the client that its old owner has received, as an IPv4 packet for the rebuilt socket. `None`: there is none
/// that matters.
///
/// In CLOSE_WAIT it is the FIN: the socket is ESTABLISHED and learns of the end of the stream from it. Else it is the last
/// byte that was received and not acknowledged: a duplicate, which the kernel acknowledges at once (RFC 9293 section
/// 3.10.7.4). Without that a client that waits for the acknowledgement (RFC 896) waits for its retransmission time-out.
///
/// The segment carries no timestamp: the client's clock is unknown here, and Linux accepts a segment without (RFC 7323
/// section 3.2 lets it drop one, but checks PAWS only where the option is present).
#[must_use]
pub fn replay(tcb: &Tcb, client: SocketAddrV4, server: SocketAddrV4) -> Option<Vec<u8>> {
    let last = [0];
    let (seq, payload) = match tcb.state {
        State::CloseWait => (tcb.rcv_nxt, &[][..]),
        State::Established if tcb.rcv_wup != tcb.rcv_nxt => (tcb.rcv_nxt.wrapping_sub(1), &last[..]),
        State::Established => return None,
    };
    // an unscaled window that does not shrink what the client has offered, as far as 16 bits reach
    let window = (tcb.snd_wnd >> tcb.snd_scale).min(u32::from(u16::MAX)) as u16;
    let builder = PacketBuilder::ipv4(client.ip().octets(), server.ip().octets(), 64)
        .tcp(client.port(), server.port(), seq, window)
        .ack(tcb.snd_una);
    let builder = if tcb.state == State::CloseWait { builder.fin() } else { builder };
    let mut packet = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut packet, payload).expect("a Vec takes 41 bytes");
    Some(packet)
}
