//! A record of a core's inputs and actions, as bytes that no change of the core's types changes: messages as frames of the wire,
//! the rest as text. Two versions of the core that make equal records behave equally.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use ipos_abi::wire::trailer::Path;
use ipos_abi::wire::{Mac, ethernet};
use ipos_migrate::codec::{Packet, encode};
use ipos_migrate::protocol::{Action, Endpoint, Failure, Flow, Message, MoveId, Nonces, PeerId, Reason, Streams, Time};
use ipos_migrate::transitions::TAKEN;
use ipos_migrate::{Migrator, StartError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

thread_local! {
    static RECORD: RefCell<Option<blake3::Hasher>> = const { RefCell::new(None) };
}

/// The digest of all that cores of this thread are told and say in the meantime.
pub fn recorded(schedules: impl FnOnce()) -> blake3::Hash {
    RECORD.set(Some(blake3::Hasher::new()));
    schedules();
    RECORD.take().expect("nobody else takes it").finalize()
}

/// Adds to the record what `write` writes, if there is one.
fn record(write: impl FnOnce(&mut Sink<'_>) -> fmt::Result) {
    RECORD.with_borrow_mut(|record| {
        if let Some(hasher) = record {
            write(&mut Sink(hasher)).expect("a hasher takes everything");
        }
    });
}

struct Sink<'a>(&'a mut blake3::Hasher);

impl Write for Sink<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

impl Sink<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> fmt::Result {
        self.0.update(&(bytes.len() as u64).to_be_bytes()).update(bytes);
        Ok(())
    }

    fn action(&mut self, action: &Action) -> fmt::Result {
        match action {
            Action::Send { id, flow, owner, nonces, message } => {
                write!(self, "send {id:?}")?;
                self.bytes(&frame(&packet(*flow, *owner, id.epoch, *nonces, message.clone())))
            }
            Action::Ask { id, flow, lengths } => {
                write!(self, "ask {id:?} {flow:?}")?;
                self.lengths(*lengths)
            }
            Action::Reserve { id, flow, lengths } => {
                write!(self, "reserve {id:?} {flow:?}")?;
                self.lengths(*lengths)
            }
            Action::Prepare { id, flow, endpoint, streams } => {
                write!(self, "prepare {id:?} {flow:?}")?;
                self.endpoint(endpoint)?;
                streams.as_ref().into_iter().try_for_each(|(_, bytes)| self.bytes(bytes))
            }
            other => write!(self, "{other:?}"),
        }
    }

    fn lengths(&mut self, Streams { receive, send, application }: Streams<u32>) -> fmt::Result {
        write!(self, " {receive} {send} {application}")
    }

    fn endpoint(&mut self, endpoint: &Endpoint) -> fmt::Result {
        match endpoint {
            Endpoint::Tcp(tcb, options) => write!(self, "{tcb:?} {options:?}"),
            Endpoint::Udp => write!(self, "UDP"),
        }
    }
}

/// A message and what travels beside it. The wire format of an acknowledgement has no room for the service.
pub fn packet(flow: Flow, owner: std::net::SocketAddrV4, epoch: u64, nonces: Nonces, message: Message) -> Packet {
    let service = (message != Message::Acknowledge).then_some(flow.service);
    Packet { protocol: flow.protocol, client: flow.client, owner, service, epoch, nonces, message }
}

/// The frame of a message, addresses of the back-side network excepted.
pub fn frame(packet: &Packet) -> Vec<u8> {
    let link = ethernet::Repr { dst: Mac([2; 6]), src: Mac([4; 6]), vlan: None, ethertype: ethernet::IPOS };
    let path = Path { from: *packet.owner.ip(), to: *packet.owner.ip() };
    let mut frame = Vec::new();
    encode(packet, link, path, None, &mut frame).expect("a core says only what can be sent");
    frame
}

/// A core that is recorded.
#[derive(Clone, Debug)]
pub struct Core(pub Migrator);

impl Hash for Core {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Deref for Core {
    type Target = Migrator;

    fn deref(&self) -> &Migrator {
        &self.0
    }
}

impl Core {
    pub fn poll_action(&mut self) -> Option<Action> {
        let action = self.0.poll_action();
        if let Some(action) = &action {
            record(|r| r.action(action));
        }
        action
    }

    /// Records an input and the timer that the core then has.
    fn input<T>(&mut self, what: fmt::Arguments<'_>, input: impl FnOnce(&mut Migrator) -> T) -> T {
        record(|r| r.write_fmt(what));
        let result = input(&mut self.0);
        record(|r| write!(r, "{:?}", self.0.poll_timeout()));
        result
    }

    pub fn start(
        &mut self,
        now: Time,
        wall: u64,
        peer: PeerId,
        flow: Flow,
        lengths: Streams<u32>,
    ) -> Result<MoveId, StartError> {
        let Streams { receive, send, application } = lengths;
        let input = format_args!("start {now:?} {wall} {peer:?} {flow:?} {receive} {send} {application}");
        let started = self.input(input, |core| core.start(now, wall, peer, flow, lengths));
        record(|r| write!(r, "{started:?}"));
        started
    }

    pub fn copied(&mut self, id: MoveId, [receive, send]: [Vec<u8>; 2]) {
        let input = format_args!("copied {id:?} {receive:?} {send:?}");
        self.input(input, |core| core.copied(id, [receive.clone(), send.clone()]));
    }

    pub fn frozen(&mut self, id: MoveId, endpoint: Endpoint, streams: Streams<Vec<u8>>, now: Time) {
        let Streams { receive, send, application } = &streams;
        record(|r| r.endpoint(&endpoint));
        let input = format_args!("frozen {id:?} {receive:?} {send:?} {application:?} {now:?}");
        self.input(input, |core| core.frozen(id, endpoint, streams.clone(), now));
    }

    pub fn handed_over(&mut self, id: MoveId, now: Time) {
        self.input(format_args!("handed over {id:?} {now:?}"), |core| core.handed_over(id, now));
    }

    pub fn give_up(&mut self, id: MoveId, failure: Failure, now: Time) {
        self.input(format_args!("give up {id:?} {failure:?} {now:?}"), |core| core.give_up(id, failure, now));
    }

    pub fn asked(&mut self, id: MoveId, result: Result<(), Reason>) {
        self.input(format_args!("asked {id:?} {result:?}"), |core| core.asked(id, result));
    }

    pub fn reserved(&mut self, id: MoveId, result: Result<(), Reason>, now: Time) {
        self.input(format_args!("reserved {id:?} {result:?} {now:?}"), |core| core.reserved(id, result, now));
    }

    pub fn prepared(&mut self, id: MoveId, result: Result<(), Reason>, now: Time) {
        self.input(format_args!("prepared {id:?} {result:?} {now:?}"), |core| core.prepared(id, result, now));
    }

    pub fn handle_message(&mut self, peer: PeerId, packet: Packet, now: Time) {
        record(|r| r.bytes(&frame(&packet)));
        self.input(format_args!("message {peer:?} {now:?}"), |core| core.handle_message(peer, packet, now));
    }

    pub fn handle_timeout(&mut self, now: Time) {
        self.input(format_args!("timeout {now:?}"), |core| core.handle_timeout(now));
    }

    pub fn recover(&mut self, flow: Flow, peer: PeerId, epoch: u64, now: Time) {
        let input = format_args!("recover {flow:?} {peer:?} {epoch} {now:?}");
        self.input(input, |core| core.recover(flow, peer, epoch, now));
    }

    pub fn adopt(&mut self, flow: Flow, epoch: u64, alive: bool, now: Time) {
        let input = format_args!("adopt {flow:?} {epoch} {alive} {now:?}");
        self.input(input, |core| core.adopt(flow, epoch, alive, now));
    }

    pub fn released(&mut self, flow: Flow, now: Time) {
        self.input(format_args!("released {flow:?} {now:?}"), |core| core.released(flow, now));
    }

    pub fn idle(&mut self, flow: Flow, now: Time) {
        self.input(format_args!("idle {flow:?} {now:?}"), |core| core.idle(flow, now));
    }
}

/// Rows of the table of transitions.
pub type Rows = BTreeSet<usize>;

/// Hears which rows the cores of this thread take.
#[derive(Clone, Default)]
pub struct Taken(Arc<Mutex<Rows>>);

impl Taken {
    pub fn rows(&self) -> Rows {
        self.0.lock().unwrap().clone()
    }
}

impl Visit for Taken {
    fn record_u64(&mut self, _: &Field, row: u64) {
        self.0.lock().unwrap().insert(row as usize);
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

impl Subscriber for Taken {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TAKEN
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
