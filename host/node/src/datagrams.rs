//! A UDP flow leaves: what is in its socket goes on with what is held.
//!
//! Nothing repeats a datagram. So those that wait are taken out twice: when the flow is frozen, and again when the new owner
//! is live, since a busy kernel may give the socket a datagram after the host has handed it over. What the application has sent
//! before it stopped still leaves; the fence falls only at the end.

use std::os::fd::{AsFd, OwnedFd};

use ipos_abi::wire::{Mac, ethernet};
use ipos_device::Device;
use ipos_migrate::protocol::{Endpoint, Flow, MoveId, PeerId};
use ipos_migrate::socket::{FreezeError, drain_udp};

use crate::error::NodeError;
use crate::frame::{Transport, to_kernel};
use crate::outgoing::{Outgoing, Socket};
use crate::run::Runner;

/// The longest IP packet of the front network.
pub(crate) const IP_MTU: usize = 1500;

impl<D: Device> Runner<D> {
    /// Answers [`Action::Freeze`](ipos_migrate::protocol::Action::Freeze) for UDP.
    pub fn freeze_udp(&mut self, id: MoveId, flow: Flow) -> Result<(), NodeError> {
        let Some(outgoing) = self.outgoing.get(&id) else { return Ok(()) };
        let waiting = match &outgoing.socket {
            Socket::Live(fd) => self.waiting_in(fd, &flow, id.peer),
            _ => Ok(Vec::new()),
        };
        let frames = match waiting {
            Ok(frames) => frames,
            Err(e) => {
                self.fail_locally(id, e.into());
                return Ok(());
            }
        };
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return Ok(()) };
        outgoing.report.queue_bytes = frames.iter().map(|(frame, _)| frame.len() - ethernet::LEN).sum();
        let state = std::mem::take(&mut outgoing.state);
        let hold = self.flows.entry(flow).hold.get_or_insert_default();
        for (frame, inner) in frames {
            hold.queued(frame, inner);
        }
        let now = self.now();
        self.core.frozen(id, Endpoint::Udp, [Vec::new(), Vec::new(), state], now);
        Ok(())
    }

    /// The new owner is live.
    pub fn end_udp(&mut self, to: PeerId, outgoing: &Outgoing) -> Result<(), NodeError> {
        let flow = outgoing.flow;
        if let Socket::Late(fd) = &outgoing.socket {
            for (frame, inner) in self.waiting_in(fd, &flow, to).unwrap_or_default() {
                self.pass_on(&frame, &inner, to)?;
            }
        }
        // it may be on its way back already
        if let Some(special) = self.flows.get(&flow).filter(|s| s.away.is_some()) {
            special.fenced = true;
        }
        Ok(())
    }

    /// What waits in a socket, as frames from the client's side.
    fn waiting_in(&self, fd: &OwnedFd, flow: &Flow, to: PeerId) -> Result<Vec<(Vec<u8>, Transport)>, FreezeError> {
        let (dst, src) = (Mac(self.config.front_mac), Mac(self.config.peers[to.0].back_mac));
        let link = ethernet::Repr { dst, src, vlan: None, ethertype: ethernet::IPV4 };
        let packets = drain_udp(fd.as_fd(), flow, IP_MTU, self.config.hold_bytes)?;
        let frames = packets.iter().filter_map(|packet| {
            let frame = to_kernel(packet, link).ok()?;
            let inner = Transport::of(flow, frame.len());
            Some((frame, inner))
        });
        Ok(frames.collect())
    }
}
