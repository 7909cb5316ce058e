//! Tells a client that its connection has died with its owner.
//!
//! Nobody knows the connection's sequence numbers any more, and a client that waits sends nothing that the kernel could answer by a
//! reset. So its home asks: a bare acknowledgement with numbers that the client can't accept is answered by one that tells the right
//! ones (RFC 9293, section 3.10.7.4, "first, check sequence number"). The home takes this answer itself, and everything else that the
//! client sends, and resets with its SEG.ACK, the one number that the client accepts (RFC 5961, section 3.2). Probe, answer and reset
//! go between card and node: the server's kernel knows nothing of the connection, and its firewall would drop them as invalid.
//!
//! The same probe tells the owner of a connection whose home is silent whether its client is still there (`audit`).

use ipos_abi::Port;
use ipos_abi::wire::tcp::{self, Flags};
use ipos_abi::wire::{Error, Mac, ethernet, ipv4};
use ipos_migrate::protocol::Flow;

use crate::error::Result;
use crate::flows::FlowTable;
use crate::frame::{Transport, framed};
use crate::ports::Ports;

/// Sends a segment that the client can't accept. One in four thousand may fall into a window of 1 MiB: each has another number.
pub(crate) fn probe(flow: Flow, number: u32, ports: &mut Ports, flows: &mut FlowTable) -> Result {
    let mark = flows.resets.mark(&flow);
    match flows.watch.neighbours().next_hop(*flow.client.ip()) {
        Ok(Some(mac)) => say(flow, mac, mark.wrapping_mul(2 * number + 1), mark, Flags::ACK, ports),
        // next time
        Ok(None) => Ok(()),
        Err(e) => {
            tracing::debug!(node = ports.config().name, ?flow, "no way to the client: {e}");
            Ok(())
        }
    }
}

/// Takes what a client that is to be reset says. `true`: it has no such connection any more.
pub(crate) fn take_answer(
    flow: Flow,
    frame: &[u8],
    inner: &Transport,
    ports: &mut Ports,
    flows: &mut FlowTable,
) -> Result<bool> {
    if inner.has(Flags::RST) {
        let over = inner.seq == flows.resets.mark(&flow) && flows.resets.end(&flow);
        ports.stats.resets += u64::from(over);
        return Ok(over);
    }
    if inner.has(Flags::ACK)
        && let Some(mac) = frame.get(6..12).and_then(|mac| mac.try_into().ok())
    {
        say(flow, mac, inner.ack, 0, Flags::RST, ports)?;
    }
    Ok(false)
}

/// Sends a segment without data to a client, as its service.
fn say(flow: Flow, mac: [u8; 6], seq: u32, ack: u32, flags: Flags, ports: &mut Ports) -> Result {
    let config = ports.config();
    let link = ethernet::Repr {
        dst: Mac(mac),
        src: Mac(config.front_mac),
        vlan: config.front_vlan,
        ethertype: ethernet::IPV4,
    };
    match segment(&flow, seq, ack, flags).and_then(|packet| framed(&packet, link)) {
        Ok(frame) => drop(ports.transmit(Port::Front, &frame)?),
        Err(e) => tracing::error!(?flow, "a segment can't be written: {e}"),
    }
    Ok(())
}

/// A segment without data from the service to its client, as an IPv4 packet.
fn segment(flow: &Flow, seq: u32, ack: u32, flags: Flags) -> Result<Vec<u8>, Error> {
    let Flow { client, service, .. } = *flow;
    let ports = (service.port(), client.port());
    let repr = tcp::Repr { src_port: ports.0, dst_port: ports.1, seq, ack, flags, window: 0, urgent: 0, options: &[] };
    let header = ipv4::Repr::new(*service.ip(), *client.ip(), ipv4::TCP, repr.buffer_len());
    let mut packet = vec![0; header.buffer_len()];
    let at = header.emit(&mut packet)?;
    repr.emit(&mut packet[at..], *service.ip(), *client.ip(), &[])?;
    Ok(packet)
}
