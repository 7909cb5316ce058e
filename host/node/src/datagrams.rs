//! A UDP flow leaves: what is in its socket goes on with what is held.
//!
//! Nothing repeats a datagram. So those that wait are taken out when the flow is frozen, again when the new owner is live, and
//! once more a while later: a busy kernel may give the socket a datagram long after the host has handed it over. What the application
//! has sent before it stopped may be as late; the fence falls only at the end.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use ipos_abi::wire::{Mac, ethernet};
use ipos_device::{Device, IP_MTU};
use ipos_migrate::protocol::{Endpoint, Flow, MoveId, PeerId, Streams};
use ipos_migrate::socket::{FreezeError, drain_udp};

use crate::error::NodeError;
use crate::frame::{Transport, framed};
use crate::outgoing::Socket;
use crate::run::Runner;

/// How late the kernel may be.
const LATE: Duration = Duration::from_secs(2);

/// A flow that was handed over, and the socket that it had.
pub(crate) struct Late {
    pub flow: Flow,
    fd: Option<OwnedFd>,
    to: PeerId,
    until: Instant,
}

impl Late {
    pub fn new(flow: Flow, fd: Option<OwnedFd>, to: PeerId) -> Self {
        Late { flow, fd, to, until: Instant::now() + LATE }
    }
}

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
        let streams = Streams { application: state, ..Streams::default() };
        self.core.frozen(id, Endpoint::Udp, streams, now);
        Ok(())
    }

    /// Sends on what the kernel was late with.
    pub fn pass_on_late(&mut self, which: impl Fn(&Late) -> bool) -> Result<(), NodeError> {
        let mut frames = Vec::new();
        for late in self.late.iter().filter(|l| which(l)) {
            let Some(fd) = &late.fd else { continue };
            let waiting = self.waiting_in(fd, &late.flow, late.to).unwrap_or_default();
            frames.extend(waiting.into_iter().map(|(frame, inner)| (frame, inner, late.to)));
        }
        for (frame, inner, to) in frames {
            self.pass_on(&frame, &inner, to)?;
        }
        Ok(())
    }

    /// Closes sockets that the kernel has nothing for any more, and their fence.
    pub fn close_late(&mut self, now: Instant) -> Result<(), NodeError> {
        self.pass_on_late(|late| now >= late.until)?;
        let flows = &mut self.flows;
        self.late.retain(|late| {
            // it may have come back
            if now >= late.until
                && let Some(special) = flows.get(&late.flow).filter(|s| s.away.is_some() && s.hold.is_none())
            {
                special.fenced = true;
            }
            now < late.until
        });
        Ok(())
    }

    /// The flow comes back: its old socket would take datagrams from the new one. What it has is held.
    pub fn rejoin(&mut self, flow: &Flow, from: PeerId) {
        let late: Vec<_> = self.late.extract_if(.., |l| l.flow == *flow).collect();
        for fd in late.iter().filter_map(|l| l.fd.as_ref()) {
            let waiting = self.waiting_in(fd, flow, from).unwrap_or_default();
            let hold = self.flows.entry(*flow).hold.get_or_insert_default();
            waiting.into_iter().for_each(|(frame, inner)| hold.queued(frame, inner));
        }
    }

    /// What waits in a socket, as frames from the client's side.
    fn waiting_in(&self, fd: &OwnedFd, flow: &Flow, to: PeerId) -> Result<Vec<(Vec<u8>, Transport)>, FreezeError> {
        let (dst, src) = (Mac(self.config.front_mac), Mac(self.config.peers[to.0].back_mac));
        let link = ethernet::Repr { dst, src, vlan: None, ethertype: ethernet::IPV4 };
        let packets = drain_udp(fd.as_fd(), flow, IP_MTU, self.config.hold_bytes)?;
        let frames = packets.iter().filter_map(|packet| {
            let frame = framed(packet, link).ok()?;
            let inner = Transport::of(flow, frame.len());
            Some((frame, inner))
        });
        Ok(frames.collect())
    }
}
