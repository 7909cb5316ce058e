//! What is special about a connection, and what therefore becomes of a frame of its client.

use std::time::{Duration, Instant};

use ipos_abi::wire::tcp::Flags;
use ipos_migrate::protocol::PeerId;

use super::hold::Hold;
use crate::frame::Transport;

/// A connection that lives on another server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Away {
    pub owner: PeerId,
    /// When it is forgotten: never at its home, soon on other servers that it left.
    pub until: Option<Instant>,
    /// When to see whether its forward entry is still used.
    pub look: Instant,
    /// How often that was done.
    pub looks: u32,
}

impl Away {
    /// Lives at `owner` from now on.
    pub fn new(owner: PeerId, idle: Duration) -> Self {
        Away { owner, until: None, look: Instant::now() + idle, looks: 0 }
    }
}

/// Where a connection lives.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum State {
    /// Here, or nowhere.
    #[default]
    Here,
    Away(Away),
    /// It ended elsewhere: stray segments are dropped until then, so that nobody answers them.
    Quiet(Instant),
}

/// What the node knows of one connection.
#[derive(Debug, Default)]
pub(crate) struct Special {
    pub state: State,
    /// The client's frames are kept, whichever the state.
    pub hold: Option<Hold>,
}

impl Special {
    /// It need not be known any more.
    pub fn is_nothing(&self) -> bool {
        self.hold.is_none() && matches!(self.state, State::Here)
    }

    pub fn away(&self) -> Option<&Away> {
        match &self.state {
            State::Away(away) => Some(away),
            _ => None,
        }
    }
}

/// Who has sent a frame of the client to here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// The client itself.
    Client,
    /// Another server, which had it from the client. `None`: no peer has its address.
    Peer(Option<PeerId>),
}

/// What else there is to know of a connection of which a frame came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub sender: Sender,
    /// Its client is to be reset.
    pub condemned: bool,
    /// It moved here.
    pub arrived: bool,
    /// What a probe of its client acknowledges.
    pub mark: u32,
}

/// What becomes of a frame of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the kernel's.
    Deliver,
    /// It waits until it is known who is to have it.
    Hold,
    /// It is for a peer.
    PassOn(PeerId),
    /// It is nobody's.
    Ignore,
    /// It answers a probe, and is to be answered by a reset.
    Reset,
    /// It tells that the client has no such connection any more.
    Over,
    /// It begins a connection in place of one that moved here: nobody's, if that is over, else the kernel's.
    Anew,
}

/// Judges a frame of a client.
pub(crate) fn classify(special: Option<&Special>, facts: &Facts, inner: &Transport) -> Verdict {
    if facts.condemned {
        return Verdict::Reset;
    }
    if inner.has(Flags::RST) && facts.arrived && inner.seq == facts.mark {
        return Verdict::Over;
    }
    let syn = inner.has(Flags::SYN);
    match special {
        Some(Special { hold: Some(_), .. }) => return Verdict::Hold,
        Some(Special { state: State::Away(away), .. }) => {
            // the owner's card saw it before its entry was there: back to it, and it would go in a circle
            let circle = facts.sender == Sender::Peer(Some(away.owner));
            return if circle { Verdict::Ignore } else { Verdict::PassOn(away.owner) };
        }
        // a SYN begins a new connection of the same addresses, at its home
        Some(Special { state: State::Quiet(_), .. }) if !(syn && facts.sender == Sender::Client) => {
            return Verdict::Ignore;
        }
        _ => {}
    }
    if syn && facts.arrived { Verdict::Anew } else { Verdict::Deliver }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};

    use ipos_migrate::protocol::{Flow, Protocol};

    use super::*;

    const MARK: u32 = 77;
    const OWNER: PeerId = PeerId(1);
    const FACTS: Facts = Facts { sender: Sender::Client, condemned: false, arrived: false, mark: MARK };

    fn segment(flags: Flags, seq: u32) -> Transport {
        let address = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let flow = Flow { protocol: Protocol::Tcp, client: address(1), service: address(2) };
        Transport { flags, seq, ..Transport::of(&flow, 54) }
    }

    fn special(state: State, held: bool) -> Special {
        Special { state, hold: held.then(Hold::default) }
    }

    #[test]
    fn every_case_has_its_verdict() {
        let away = || State::Away(Away::new(OWNER, Duration::ZERO));
        let quiet = || State::Quiet(Instant::now());
        let (none, owner, other) = (Sender::Peer(None), Sender::Peer(Some(OWNER)), Sender::Peer(Some(PeerId(0))));
        let from = |sender| Facts { sender, ..FACTS };
        let (condemned, arrived) = (Facts { condemned: true, ..FACTS }, Facts { arrived: true, ..FACTS });
        let (ack, syn, rst) = (Flags::ACK, Flags::SYN, Flags::RST);
        use Verdict::{Anew, Deliver, Hold, Ignore, Over, PassOn, Reset};
        let cases = [
            // nothing is known of it
            (None, FACTS, ack, 0, Deliver),
            (None, FACTS, syn, 0, Deliver),
            (None, FACTS, rst, MARK, Deliver),
            (None, from(owner), ack, 0, Deliver),
            // it is held, wherever it lives
            (Some(special(State::Here, true)), FACTS, ack, 0, Hold),
            (Some(special(away(), true)), from(owner), ack, 0, Hold),
            (Some(special(quiet(), true)), FACTS, ack, 0, Hold),
            (Some(special(State::Here, true)), FACTS, syn, 0, Hold),
            // it lives elsewhere
            (Some(special(away(), false)), FACTS, ack, 0, PassOn(OWNER)),
            (Some(special(away(), false)), FACTS, syn, 0, PassOn(OWNER)),
            (Some(special(away(), false)), from(other), ack, 0, PassOn(OWNER)),
            (Some(special(away(), false)), from(none), ack, 0, PassOn(OWNER)),
            (Some(special(away(), false)), from(owner), ack, 0, Ignore),
            // it ended elsewhere
            (Some(special(quiet(), false)), FACTS, ack, 0, Ignore),
            (Some(special(quiet(), false)), FACTS, syn, 0, Deliver),
            (Some(special(quiet(), false)), from(other), syn, 0, Ignore),
            // its client is to be reset
            (None, condemned, ack, 0, Reset),
            (Some(special(State::Here, true)), condemned, ack, 0, Reset),
            // it moved here
            (None, arrived, ack, 0, Deliver),
            (None, arrived, syn, 0, Anew),
            (None, arrived, rst, MARK, Over),
            (None, arrived, rst, MARK + 1, Deliver),
            (Some(special(State::Here, true)), arrived, rst, MARK, Over),
            (Some(special(State::Here, true)), arrived, syn, 0, Hold),
            (Some(special(quiet(), false)), arrived, syn, 0, Anew),
        ];
        for (special, facts, flags, seq, verdict) in cases {
            let found = classify(special.as_ref(), &facts, &segment(flags, seq));
            assert_eq!(found, verdict, "{special:?} {facts:?} {flags:?} {seq}");
        }
    }
}
