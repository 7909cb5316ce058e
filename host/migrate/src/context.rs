//! What all state machines of a node share.

use std::net::SocketAddrV4;

use crate::config::Config;
use crate::protocol::{Action, Actions, Flow, Ignored, Message, MoveId, Nonces, PeerId};
use crate::timers::{Timer, Timers};

#[derive(Clone, Debug, Hash)]
pub(crate) struct Context {
    pub config: Config,
    /// Nonces made so far.
    drawn: u64,
    pub timers: Timers<Timer>,
    pub actions: Actions,
}

impl Context {
    pub fn new(config: Config) -> Self {
        Context { config, drawn: 0, timers: Timers::new(), actions: Actions::new() }
    }

    /// A nonce that was never used.
    pub fn draw(&mut self) -> u64 {
        self.drawn += 1;
        self.config.secret.nonce(self.drawn)
    }

    pub fn ignore(&mut self, peer: PeerId, why: Ignored) {
        self.actions.push_back(Action::Ignored { peer, why });
    }

    /// Sends a message about a flow that is here, or is asked about from here.
    pub fn say(&mut self, id: MoveId, flow: Flow, nonces: Nonces, message: Message) {
        let owner = SocketAddrV4::new(self.config.back_ip, flow.service.port());
        self.actions.push_back(Action::Send { id, flow, owner, nonces, message });
    }
}
