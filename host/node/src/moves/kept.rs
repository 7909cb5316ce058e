//! Sockets that the holder has kept for this life of the node: those that applications gave, until they ask for them. What becomes of
//! the others stands in `destination`, and the whole in [`keep`](crate::keep).

use std::net::SocketAddrV4;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use ipos_holder::{Claimed, Counts, Keeper};
use ipos_migrate::protocol::{Flow, Protocol};
use ipos_migrate::socket;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::net::sockopt;

use super::core::Core;
use crate::config::NodeConfig;
use crate::journal::Place;
use crate::keep::{Given, Mark, Reclaimed};

/// How long an application may take to ask for a connection that it gave for a move, and a listener to be there for one that
/// has come. The library looks for a node that is gone every two seconds.
pub(super) const CLAIM: Duration = Duration::from_secs(10);

/// A connection that is its application's again, if that asks.
struct Orphan {
    flow: Flow,
    socket: OwnedFd,
    given: Given,
    /// Readable when the application has died.
    process: Option<OwnedFd>,
    until: Instant,
}

#[derive(Default)]
pub(super) struct KeptSockets {
    keeper: Option<Keeper>,
    /// Of an earlier life, until the node has recovered.
    claimed: Vec<Claimed>,
    orphans: Vec<Orphan>,
}

impl KeptSockets {
    pub fn new(found: Option<(Keeper, Vec<Claimed>)>) -> Self {
        let (keeper, claimed) = found.map_or((None, Vec::new()), |(keeper, claimed)| (Some(keeper), claimed));
        KeptSockets { keeper, claimed, orphans: Vec::new() }
    }

    pub fn keeper(&self) -> Option<&Keeper> {
        self.keeper.as_ref()
    }

    pub fn counts(&self) -> Counts {
        self.keeper.as_ref().map(Keeper::counts).unwrap_or_default()
    }

    /// What an earlier life has left, once.
    pub fn claimed(&mut self) -> Vec<Claimed> {
        std::mem::take(&mut self.claimed)
    }

    pub fn is_waiting(&self) -> bool {
        !self.orphans.is_empty()
    }

    /// A socket that an application gave: closed if it was committed, else thawed and kept until that asks for it.
    pub fn take_back(
        &mut self,
        (given, socket): (Given, OwnedFd),
        process: Option<OwnedFd>,
        mark: Option<Mark>,
        core: &mut Core,
        config: &NodeConfig,
    ) {
        // without an address it is one that the client has reset
        let (name, Some(flow)) = (&config.name, flow_of(&socket)) else { return };
        let frozen = socket::in_repair(socket.as_fd()).unwrap_or(false);
        let place = core.journal.place(&flow);
        if frozen && mark.is_some_and(|m| place == Some(Place::Away(m.peer, m.epoch))) {
            tracing::info!(node = name, ?flow, "was committed before the restart");
            socket::close_silently(socket);
            return;
        }
        if frozen && let Err(e) = socket::thaw(socket.as_fd()) {
            tracing::error!(node = name, ?flow, "a frozen connection can't be thawed: {e}");
        }
        if place == Some(Place::Here(0)) {
            core.journal.note(flow, None);
        }
        if let Some((mark, id)) = mark.and_then(|m| Some((m, m.id(config)?))) {
            let now = core.now();
            core.migrator.retract(id, flow, mark.nonces(), now);
        }
        tracing::info!(
            node = name,
            ?flow,
            "its move ended with the restart: the connection is its application's again"
        );
        let until = Instant::now() + CLAIM;
        self.orphans.push(Orphan { flow, socket, given, process, until });
    }

    /// An application asks for what it gave to an earlier life.
    pub fn reclaim(&mut self, flow: &Flow, cookie: u64, user: u32, core: &Core) -> Reclaimed {
        let same = |o: &Orphan| {
            o.flow == *flow && o.given.user == user && sockopt::socket_cookie(&o.socket).is_ok_and(|c| c == cookie)
        };
        match (self.orphans.iter().position(same), core.journal.place(flow)) {
            (Some(at), _) => {
                let Orphan { socket, given, .. } = self.orphans.swap_remove(at);
                Reclaimed::Back(socket, given)
            }
            (None, Some(Place::Away(..))) => Reclaimed::Away,
            (None, _) => Reclaimed::Unknown,
        }
    }

    /// Closes connections whose application has died, or does not ask for them.
    pub fn close_orphans(&mut self, now: Instant, config: &NodeConfig) {
        self.orphans.retain(|o| {
            let dead = o.process.as_ref().is_some_and(|p| is_dead(p.as_fd()));
            if dead || now >= o.until {
                let why = if dead { "its application has died" } else { "its application does not ask for it" };
                tracing::warn!(node = config.name, flow = ?o.flow, "closed: {why}");
            }
            !dead && now < o.until
        });
    }
}

/// Whether a process has ended.
fn is_dead(process: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(process, PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// The connection of a socket.
fn flow_of(socket: &OwnedFd) -> Option<Flow> {
    let client = SocketAddrV4::try_from(rustix::net::getpeername(socket).ok()??).ok()?;
    let service = SocketAddrV4::try_from(rustix::net::getsockname(socket).ok()?).ok()?;
    Some(Flow { protocol: Protocol::Tcp, client, service })
}
