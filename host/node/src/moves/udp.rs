//! A UDP flow leaves: what is in its socket goes on with what is held.
//!
//! Nothing repeats a datagram. So those that wait are taken out when the flow is frozen, again when the new owner is live, and
//! once more a while later: a busy kernel may give the socket a datagram long after the host has handed it over. What the application
//! has sent before it stopped may be as late; the fence falls only at the end.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use ipos_abi::wire::{Mac, ethernet};
use ipos_device::IP_MTU;
use ipos_migrate::protocol::{Flow, PeerId};
use ipos_migrate::socket::{FreezeError, drain_udp};

use crate::config::NodeConfig;
use crate::error::Result;
use crate::flows::FlowTable;
use crate::frame::{Transport, framed};
use crate::ports::Ports;

/// How late the kernel may be.
const LATE: Duration = Duration::from_secs(2);

/// A flow that was handed over, and the socket that it had.
struct Late {
    flow: Flow,
    fd: Option<OwnedFd>,
    to: PeerId,
    until: Instant,
}

/// All of them.
#[derive(Default)]
pub(super) struct LateSockets(Vec<Late>);

impl LateSockets {
    /// A flow was handed over.
    pub fn push(&mut self, flow: Flow, fd: Option<OwnedFd>, to: PeerId) {
        self.0.push(Late { flow, fd, to, until: Instant::now() + LATE });
    }

    /// Sends on what the kernel was late with for one flow.
    pub fn pass_on(&self, flow: &Flow, ports: &mut Ports) -> Result {
        self.0.iter().filter(|late| late.flow == *flow).try_for_each(|late| late.pass_on(ports))
    }

    /// Closes sockets that the kernel has nothing for any more, and their fence.
    pub fn close(&mut self, now: Instant, ports: &mut Ports, flows: &mut FlowTable) -> Result {
        for late in self.0.extract_if(.., |late| now >= late.until) {
            late.pass_on(ports)?;
            // it may have come back
            if flows.away(&late.flow).is_some() && flows.held(&late.flow).is_none() {
                ports.change(&late.flow, |entry| entry.fenced = true)?;
            }
        }
        Ok(())
    }

    /// The flow comes back: its old socket would take datagrams from the new one. What it has is held.
    pub fn rejoin(&mut self, flow: &Flow, from: PeerId, config: &NodeConfig, flows: &mut FlowTable) {
        let late: Vec<_> = self.0.extract_if(.., |l| l.flow == *flow).collect();
        for fd in late.iter().filter_map(|l| l.fd.as_ref()) {
            let waiting = waiting_in(fd, flow, from, config).unwrap_or_default();
            if let Some(hold) = flows.held(flow) {
                waiting.into_iter().for_each(|(frame, inner)| hold.queued(frame, inner));
            }
        }
    }
}

impl Late {
    fn pass_on(&self, ports: &mut Ports) -> Result {
        let Some(fd) = &self.fd else { return Ok(()) };
        let waiting = waiting_in(fd, &self.flow, self.to, ports.config()).unwrap_or_default();
        waiting.iter().try_for_each(|(frame, inner)| ports.pass_on(frame, inner, self.to))
    }
}

/// What waits in a socket, as frames from the client's side.
pub(super) fn waiting_in(
    fd: &OwnedFd,
    flow: &Flow,
    to: PeerId,
    config: &NodeConfig,
) -> Result<Vec<(Vec<u8>, Transport)>, FreezeError> {
    let (dst, src) = (Mac(config.front_mac), Mac(config.peers[to.0].back_mac));
    let link = ethernet::Repr { dst, src, vlan: None, ethertype: ethernet::IPV4 };
    let packets = drain_udp(fd.as_fd(), flow, IP_MTU, config.hold_bytes)?;
    let frames = packets.iter().filter_map(|packet| {
        let frame = framed(packet, link).ok()?;
        let inner = Transport::of(flow, frame.len());
        Some((frame, inner))
    });
    Ok(frames.collect())
}
