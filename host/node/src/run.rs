//! The loop of a node: one thread between the datapath, the server's kernel, the peers and the
//! applications. It never waits for one of them alone.

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::api::Api;
use crate::error::{NodeError, Result};
use crate::flows::{FlowTable, PERIOD};
use crate::ingress::Taken;
use crate::moves::Moves;
use crate::ports::{Next, Ports};
use crate::{egress, ingress};

/// Frames taken from one queue before the others have their turn.
const BATCH: usize = 128;
/// How long a node with a move under way looks for the other's answer before it sleeps: to be woken takes longer than most answers
/// do, and the client waits. A peer that needs longer is not in the same room.
const EAGER: Duration = Duration::from_micros(200);

/// The loop and its owners: each has what it works on and takes the others as arguments.
pub(crate) struct Runner {
    ports: Ports,
    flows: FlowTable,
    moves: Moves,
    api: Api,
    /// When to look for connections that expire or are gone.
    look_again: Instant,
}

impl Runner {
    pub fn new(ports: Ports, flows: FlowTable, moves: Moves, api: Api) -> Self {
        Runner { ports, flows, moves, api, look_again: Instant::now() }
    }

    /// Runs until the node is told to stop or the datapath fails.
    pub fn run(mut self) -> Result {
        self.moves.recover(&mut self.ports, &mut self.flows)?;
        let mut stirred = Instant::now();
        loop {
            let mut busy = self.ports.poll()?;
            busy |= self.take_control()?;
            busy |= self.take_received()?;
            busy |= egress::take(BATCH, None, &mut self.ports, &mut self.flows)?;
            self.moves.take_events(BATCH, &mut self.ports, &mut self.flows)?;
            if !self.api.take(&mut self.ports, &mut self.flows, &mut self.moves)? {
                return self.stop();
            }
            self.take_time()?;
            self.moves.finish_arrivals();
            if self.ports.was_active() || busy {
                stirred = Instant::now();
            } else if !self.moves.work_ahead(&mut self.flows) {
                let eager = self.moves.are_under_way() && stirred.elapsed() < EAGER;
                if eager { std::thread::yield_now() } else { self.sleep()? }
            }
        }
    }

    /// Control packets: before anything else, whatever waits in the receive queue. `true`: there may be more.
    fn take_control(&mut self) -> Result<bool> {
        for _ in 0..BATCH {
            match self.ports.receive_control()? {
                Next::None => return Ok(false),
                Next::Dropped => {}
                Next::Some((peer, packet)) => {
                    self.moves.handle_message(peer, packet, &mut self.ports, &mut self.flows)?;
                }
            }
        }
        Ok(true)
    }

    /// Frames of clients. `true`: there may be more.
    fn take_received(&mut self) -> Result<bool> {
        let mut left = BATCH;
        loop {
            match ingress::take(&mut left, &mut self.ports, &mut self.flows)? {
                Taken::All => return Ok(false),
                Taken::Turn => return Ok(true),
                Taken::Stir(stir) => self.moves.handle_stir(stir, &mut self.ports, &mut self.flows)?,
            }
        }
    }

    fn take_time(&mut self) -> Result {
        self.moves.handle_timeout(&mut self.ports, &mut self.flows)?;
        let now = Instant::now();
        if now >= self.look_again {
            self.look_again = now + PERIOD;
            self.moves.look_again(now, &mut self.ports, &mut self.flows)?;
        }
        Ok(())
    }

    /// Waits until something happens or the core wants to be woken.
    fn sleep(&mut self) -> Result {
        // flows expire to the second, not to the millisecond
        let due = !self.flows.is_idle() || self.moves.are_behind() || self.moves.are_waiting();
        let longest = if due { PERIOD } else { Duration::from_secs(60) };
        let probe = self.flows.resets.deadline().map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = self.moves.idle_for(longest.min(probe.unwrap_or(longest)));
        // rounded up: a wake just before the deadline would spin
        let timeout = PollTimeout::try_from(timeout.as_millis() as u64 + 1).unwrap_or(PollTimeout::MAX);
        let readable = self.ports.wait_fds().into_iter().chain([self.api.fd()]);
        let mut fds: Vec<_> = readable.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        fds.extend(self.moves.write_fds().map(|fd| PollFd::new(fd, PollFlags::POLLOUT)));
        let woken = poll(&mut fds, timeout);
        self.api.clear();
        match woken {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(e) => Err(NodeError::Kernel(e.into())),
        }
    }

    /// Gives back what has not moved yet.
    fn stop(mut self) -> Result {
        self.moves.stop(&mut self.ports, &mut self.flows)?;
        // the last frames must reach the wires
        self.ports.poll()?;
        Ok(())
    }
}
