//! The client's FIN, once more.

use std::net::SocketAddrV4;

use etherparse::PacketBuilder;

use ipos_abi::wire::tcb::Repr as Tcb;

/// The FIN that a socket in CLOSE_WAIT has already received, as an IPv4 packet from the client.
/// A rebuilt socket is ESTABLISHED and learns of the end of the stream from this. It carries no
/// timestamp: the client's clock is unknown here, and Linux accepts a segment without (RFC 7323
/// section 3.2 lets it drop one, but checks PAWS only where the option is present).
#[must_use]
pub fn replayed_fin(tcb: &Tcb, client: SocketAddrV4, server: SocketAddrV4) -> Vec<u8> {
    // an unscaled window that does not shrink what the client has offered, as far as 16 bits reach
    let window = (tcb.snd_wnd >> tcb.snd_scale).min(u32::from(u16::MAX)) as u16;
    let builder = PacketBuilder::ipv4(client.ip().octets(), server.ip().octets(), 64)
        .tcp(client.port(), server.port(), tcb.rcv_nxt, window)
        .fin()
        .ack(tcb.snd_una);
    let mut packet = Vec::with_capacity(builder.size(0));
    builder.write(&mut packet, &[]).expect("a Vec takes 40 bytes");
    packet
}
