//! Frames of clients that the datapath leaves to the node: the kernel's, a peer's, held, or nobody's.

use std::time::Instant;

use ipos_abi::wire::tcp::Flags;
use ipos_datapath::Received;
use ipos_migrate::protocol::Flow;

use crate::error::Result;
use crate::flows::{FlowTable, Fragment, Sender, State, Verdict};
use crate::frame::Transport;
use crate::ports::{Next, Ports};
use crate::probe;

/// Something that a frame has changed and that concerns moves.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stir {
    /// A hold is full: a frame was dropped.
    Full(Flow),
    /// A connection that moved here is gone.
    Gone(Flow),
    /// A client that was to be reset needs it no longer.
    Settled(Flow),
}

/// Why no more frames were taken.
pub(crate) enum Taken {
    /// There are none.
    All,
    /// The turn is over.
    Turn,
    /// This must be known first.
    Stir(Stir),
}

/// Takes frames that the datapath gives to the host, while there are any `left` in this turn.
pub(crate) fn take(left: &mut usize, ports: &mut Ports, flows: &mut FlowTable) -> Result<Taken> {
    let mut frame = Vec::new();
    while *left > 0 {
        *left -= 1;
        let received = match ports.receive(&mut frame)? {
            Next::None => return Ok(Taken::All),
            Next::Dropped => continue,
            Next::Some(received) => received,
        };
        if let Some(stir) = sort(&mut frame, &received, ports, flows)? {
            return Ok(Taken::Stir(stir));
        }
    }
    Ok(Taken::Turn)
}

fn sort(frame: &mut Vec<u8>, received: &Received, ports: &mut Ports, flows: &mut FlowTable) -> Result<Option<Stir>> {
    let sender = if received.decapsulated { Sender::Peer(ports.peer_at(received.sender)) } else { Sender::Client };
    if let Some(inner) = Transport::parse(frame) {
        return of_client(frame, inner, sender, ports, flows);
    }
    // of a datagram for a service all or nothing goes on, and all of it the same way
    match Fragment::parse(frame, received.decapsulated) {
        Some(fragment) if ports.config().services.iter().any(|s| s.address == fragment.dst()) => {
            let mut stir = None;
            for (mut frame, inner) in flows.fragments.add(std::mem::take(frame), fragment, Instant::now()) {
                stir = of_client(&mut frame, inner, sender, ports, flows)?.or(stir);
            }
            Ok(stir)
        }
        _ => other(frame, sender, ports, flows).map(|()| None),
    }
}

/// A segment or datagram of a client, or a part of one.
fn of_client(
    frame: &mut Vec<u8>,
    inner: Transport,
    sender: Sender,
    ports: &mut Ports,
    flows: &mut FlowTable,
) -> Result<Option<Stir>> {
    let flow = inner.inbound();
    flows.watch.segment(&flow, &inner);
    flows.urgent.received(&flow, &inner);
    // it begins a new connection, which is the kernel's
    let settled = inner.has(Flags::SYN) && flows.resets.end(&flow);
    let mut stir = settled.then_some(Stir::Settled(flow));
    match flows.classify(&flow, &inner, sender) {
        Verdict::Reset => {
            if probe::take_answer(flow, frame, &inner, ports, flows)? {
                stir = Some(Stir::Settled(flow));
            }
        }
        Verdict::Over => flows.watch.end(&flow),
        Verdict::Hold => {
            let limit = ports.config().hold_bytes;
            let held = flows
                .held(&flow)
                .is_some_and(|hold| hold.push(std::mem::take(frame), inner, matches!(sender, Sender::Peer(_)), limit));
            if held {
                ports.stats.held += 1;
            } else {
                ports.stats.hold_overflow += 1;
                stir = Some(Stir::Full(flow));
            }
        }
        Verdict::PassOn(owner) => ports.pass_on(frame, &inner, owner)?,
        Verdict::Ignore => ports.stats.ignored += 1,
        // nobody here takes a new connection for another home: once that knows, it takes the next SYN itself
        Verdict::Anew if flows.watch.is_over(&flow) => {
            ports.stats.ignored += 1;
            stir = Some(Stir::Gone(flow));
        }
        Verdict::Anew | Verdict::Deliver => {
            if inner.has(Flags::SYN) && matches!(flows.get(&flow).map(|s| s.state), Some(State::Quiet(_))) {
                flows.set(flow, State::Here);
            }
            ports.deliver(frame)?;
        }
    }
    Ok(stir)
}

/// What belongs to no connection; but an ICMP error about one that lives elsewhere is its owner's.
fn other(frame: &[u8], sender: Sender, ports: &mut Ports, flows: &mut FlowTable) -> Result {
    if let Some(error) = Transport::quoted(frame)
        && let Some(away) = flows.away(&error.inbound())
        && sender != Sender::Peer(Some(away.owner))
    {
        return ports.pass_on(frame, &error, away.owner);
    }
    ports.deliver(frame)
}
