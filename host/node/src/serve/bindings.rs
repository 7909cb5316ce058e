//! Who takes the connections that move here, by the address that they talk to.
//!
//! Processes of one user may share an address, as they may share its port (`SO_REUSEPORT`): the latest takes what arrives;
//! when it goes, the one before it does, and gets what the latest had not taken yet. Another user's process takes an address
//! only when nobody listens there any more; root's and the node's user's always.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use ipos_control::Refusal;
use tokio::sync::{mpsc, watch};

use super::slots::is_privileged;
use super::socket::Shown;
use crate::handle::NodeHandle;
use crate::report::Arrival;

/// All addresses that somebody listens on.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    by_address: Mutex<HashMap<SocketAddrV4, Arc<Binding>>>,
    next: AtomicU64,
}

/// One address.
#[derive(Debug)]
struct Binding {
    state: Mutex<State>,
    /// Touched whenever another one may have become the latest.
    turns: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    arrivals: mpsc::Receiver<Arrival>,
    /// What a process had been sent and has not said that it has.
    returned: VecDeque<Arrival>,
    /// In the order in which they came.
    holders: Vec<Holder>,
}

#[derive(Debug)]
struct Holder {
    id: u64,
    user: u32,
    shown: Shown,
}

/// What a listener is at its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// What arrives is its.
    Latest,
    /// A process that came later has what arrives.
    Waiting,
    /// It listens no more, and another user's process does.
    Gone,
}

/// A listener's part of an address. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Claim {
    bindings: Arc<Bindings>,
    binding: Arc<Binding>,
    address: SocketAddrV4,
    id: u64,
    /// An arrival on its way to the process, which has not said that it has it.
    pub sent: Option<Arrival>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the kernel would not let two users listen on both.
fn overlap(a: SocketAddrV4, b: SocketAddrV4) -> bool {
    a.port() == b.port() && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

impl Bindings {
    /// Takes the place of the latest at the address of the socket that `user` has shown. [`Claim::turn`] is to be asked
    /// whenever the second value changes.
    pub fn claim(
        self: &Arc<Self>,
        node: &NodeHandle,
        user: u32,
        shown: Shown,
    ) -> Result<(Claim, watch::Receiver<()>), Refusal> {
        let mut all = locked(&self.by_address);
        let overlapping = || all.iter().filter(|(address, _)| overlap(**address, shown.address));
        // two owners' sockets can't both listen on one address, and the one that was shown now does
        let alive = |h: &Holder| h.shown.cookie == shown.cookie || h.shown.owner == shown.owner;
        for (address, binding) in overlapping() {
            let theirs = |h: &Holder| h.user != user && alive(h);
            if !is_privileged(user) && locked(&binding.state).holders.iter().any(theirs) {
                tracing::warn!("user {user} asked for what arrives at {address}: another user's server has it");
                return Err(Refusal::Held(shown.address));
            }
        }
        for (address, binding) in overlapping() {
            let mut state = locked(&binding.state);
            let before = state.holders.len();
            state.holders.retain(alive);
            if state.holders.len() < before {
                tracing::warn!("{address}: a server of another user than {user} listens no more and is forgotten");
                binding.turns.send_replace(());
            }
        }
        let binding = match all.get(&shown.address) {
            Some(binding) => binding.clone(),
            None => {
                let arrivals = node.listen_on(shown.address).map_err(|_| Refusal::Stopped)?;
                let state = State { arrivals, returned: VecDeque::new(), holders: Vec::new() };
                let binding = Arc::new(Binding { state: Mutex::new(state), turns: watch::Sender::new(()) });
                all.insert(shown.address, binding.clone());
                binding
            }
        };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        locked(&binding.state).holders.push(Holder { id, user, shown });
        binding.turns.send_replace(());
        let turns = binding.turns.subscribe();
        Ok((Claim { bindings: self.clone(), binding, address: shown.address, id, sent: None }, turns))
    }
}

impl Claim {
    /// The next arrival; `None`: none follows. Waits while another one is the latest.
    pub async fn next(&self) -> Option<Arrival> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Arrival>> {
        let mut state = locked(&self.binding.state);
        if state.holders.last().is_none_or(|h| h.id != self.id) {
            // a change of turns wakes
            return Poll::Pending;
        }
        match state.returned.pop_front() {
            Some(arrival) => Poll::Ready(Some(arrival)),
            None => state.arrivals.poll_recv(cx),
        }
    }

    /// What the process is now.
    pub fn turn(&self) -> Turn {
        match &locked(&self.binding.state).holders[..] {
            [.., latest] if latest.id == self.id => Turn::Latest,
            holders if holders.iter().any(|h| h.id == self.id) => Turn::Waiting,
            _ => Turn::Gone,
        }
    }

    /// Nothing new is to arrive at the address, for none of its listeners.
    pub fn close(&self) {
        locked(&self.binding.state).arrivals.close();
    }

    /// Ends this listener's part. `true`: others share the address, and nothing comes any more; else what is on its way
    /// still does.
    pub fn leave(&self) -> bool {
        let mut all = locked(&self.bindings.by_address);
        let mut state = locked(&self.binding.state);
        if let [only] = &state.holders[..]
            && only.id == self.id
        {
            state.arrivals.close();
            self.forget(&mut all);
            return false;
        }
        state.holders.retain(|h| h.id != self.id);
        self.binding.turns.send_replace(());
        true
    }

    /// Who listens there next begins anew.
    fn forget(&self, all: &mut HashMap<SocketAddrV4, Arc<Binding>>) {
        if all.get(&self.address).is_some_and(|b| Arc::ptr_eq(b, &self.binding)) {
            all.remove(&self.address);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut all = locked(&self.bindings.by_address);
        let mut state = locked(&self.binding.state);
        state.holders.retain(|h| h.id != self.id);
        state.returned.extend(self.sent.take());
        if state.holders.is_empty() {
            self.forget(&mut all);
            state.arrivals.close();
        }
        self.binding.turns.send_replace(());
    }
}
