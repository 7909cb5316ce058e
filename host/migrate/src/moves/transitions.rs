//! The legal transitions of a move, in one table. In debug builds the machines assert that each step they take stands there, the
//! exploration checks that each row is taken, and `cargo xtask gen` writes the tables of `docs/migration.md` from it.

use std::fmt::Write;

use Machine::{Destination, PlainDestination, PlainSource, Source};
use State::{
    Cancelling, Committed, Confirming, Copying, Freezing, Gone, HandingOver, Live, Offered, Prepared, Preparing,
    Refused, Reserved, Reserving, Transferring,
};

/// The four state machines of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Machine {
    /// The side that gives a connection away.
    Source,
    /// The same, to a peer of the plain format.
    PlainSource,
    /// The side that takes a connection.
    Destination,
    /// The same, from a peer of the plain format.
    PlainDestination,
}

/// A state of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the machines' phases say what each means")]
#[non_exhaustive]
pub enum State {
    Offered,
    Confirming,
    Copying,
    Freezing,
    Transferring,
    HandingOver,
    Committed,
    Cancelling,
    Reserving,
    Reserved,
    Preparing,
    Prepared,
    Live,
    Refused,
    Gone,
}

/// Declares the causes of transitions with their texts.
macro_rules! causes {
    ($($name:ident $text:literal,)*) => {
        /// What makes a machine take a step.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum By { $(#[doc = $text] $name,)* }

        impl By {
            /// As the documents name it.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(By::$name => $text,)* }
            }
        }
    };
}

causes! {
    Start "the application",
    Restart "the node's next life",
    GiveUp "give up, failure",
    Stale "81 \"stale\" with a later epoch",
    Ready "88",
    Progress "85",
    Copied "copied",
    Frozen "frozen",
    HandedOver "handed over",
    Acknowledge "03, or 89 \"prepared\"",
    Refusal "81",
    Lost "81 \"lost\"",
    Confirmed "86 answer",
    Returned "the peer offers it",
    Confirmation "84 without data, with the nonce of 88",
    Room "room",
    NoRoom "no room",
    Complete "01 and all of 84, digest right",
    Damaged "digest wrong, over the limit",
    Repetition "01, 84",
    Cancel "83",
    Built "built",
    NotBuilt "not built",
    Commit "86",
    Connection "01",
    Anything "anything of the move",
    Time "time",
    Silence "no answer",
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Transition {
    /// Of which machine.
    pub machine: Machine,
    /// From one of these; none: a move begins.
    pub from: &'static [State],
    /// Its cause.
    pub by: By,
    /// A condition beside the cause, or empty.
    pub when: &'static str,
    /// The state after it.
    pub to: State,
    /// What the machine does.
    pub does: &'static str,
}

const fn row(
    machine: Machine,
    from: &'static [State],
    (by, when): (By, &'static str),
    to: State,
    does: &'static str,
) -> Transition {
    Transition { machine, from, by, when, to, does }
}

/// All that a move can go through.
#[rustfmt::skip]
pub const TRANSITIONS: &[Transition] = &[
    row(Source, &[], (By::Start, ""), Offered, "80, repeated with back-off from 100 ms to 1 s, 8 times"),
    row(Source, &[Offered], (By::Stale, ""), Offered, "80 under a higher epoch, at most four times"),
    row(Source, &[Offered], (By::Ready, ""), Confirming, "84 without data, repeated likewise"),
    row(Source, &[Confirming], (By::Progress, ""), Freezing, "hold, drain, repair, fence, read"),
    row(Source, &[Confirming], (By::Progress, "queues of 64 KiB and more"), Copying, "repair, read, repair off without a probe; 84"),
    row(Source, &[Copying], (By::Progress, ""), Copying, "more 84"),
    row(Source, &[Copying], (By::Progress, "next to all has arrived"), Freezing, "hold, drain, repair, fence, read what is new"),
    row(Source, &[Copying], (By::Copied, "little to send"), Freezing, "likewise"),
    row(Source, &[Copying], (By::Time, "2 s"), Freezing, "likewise"),
    row(Source, &[Freezing], (By::Frozen, ""), Transferring, "84, credit 64 frames, then 01; the hold ends after 2 s"),
    row(Source, &[Transferring], (By::Progress, ""), Transferring, "more 84; a frame reported missing three times is repeated at once"),
    row(Source, &[Transferring], (By::Acknowledge, ""), HandingOver, "forward entry, socket closed silently, held packets passed on"),
    row(Source, &[HandingOver], (By::HandedOver, ""), Committed, "86, repeated for a minute"),
    row(Source, &[Offered, Confirming, Copying, Freezing, Transferring, HandingOver], (By::GiveUp, ""), Cancelling, "thaw; 83, repeated 8 times"),
    row(Source, &[Offered, Confirming, Copying, Transferring], (By::Silence, ""), Cancelling, "likewise"),
    row(Source, &[Transferring], (By::Time, "the hold is over"), Cancelling, "likewise"),
    row(Source, &[Offered, Confirming, Copying, Transferring], (By::Refusal, ""), Gone, "thaw; tells the application: nothing has happened"),
    row(Source, &[Committed], (By::Acknowledge, ""), Committed, "86 again"),
    row(Source, &[Committed], (By::Confirmed, ""), Gone, "done"),
    row(Source, &[Committed], (By::Returned, ""), Gone, "done: it can offer only what it owns"),
    row(Source, &[Committed], (By::Lost, ""), Gone, "the destination has lost it: the home asks everybody, then resets the client"),
    row(Source, &[Committed], (By::Silence, ""), Gone, "unconfirmed: the home keeps asking by 89; other servers can be asked for 60 s more"),
    row(Source, &[], (By::Restart, "frozen, not committed"), Cancelling, "thaw; 83, repeated 8 times"),
    row(Source, &[Cancelling], (By::Acknowledge, ""), Cancelling, "83 again"),
    row(Source, &[Cancelling], (By::Refusal, ""), Gone, "forgotten"),
    row(Source, &[Cancelling], (By::Silence, ""), Gone, "forgotten"),

    row(PlainSource, &[], (By::Start, ""), Freezing, "hold, drain, repair, fence, read"),
    row(PlainSource, &[Freezing], (By::Frozen, ""), Transferring, "01, repeated; the hold ends after 2 s"),
    row(PlainSource, &[Freezing], (By::Frozen, "queues, state"), Gone, "thaw: nothing has been said"),
    row(PlainSource, &[Freezing], (By::GiveUp, ""), Gone, "thaw: nothing has been said"),
    row(PlainSource, &[Transferring], (By::Acknowledge, ""), HandingOver, "forward entry, socket closed silently, held packets passed on"),
    row(PlainSource, &[Transferring], (By::Time, "the hold is over"), HandingOver, "likewise: the peer may own it"),
    row(PlainSource, &[Transferring], (By::GiveUp, "but for a full hold"), HandingOver, "likewise"),
    row(PlainSource, &[HandingOver], (By::HandedOver, ""), Committed, "01, repeated for a minute"),
    row(PlainSource, &[HandingOver], (By::HandedOver, "03 has come"), Gone, "done"),
    row(PlainSource, &[Committed], (By::Acknowledge, ""), Gone, "done"),
    row(PlainSource, &[Committed], (By::Returned, ""), Gone, "done: it can send only what it owns"),
    row(PlainSource, &[Committed], (By::Silence, ""), Gone, "unconfirmed"),

    row(Destination, &[], (By::Confirmation, ""), Reserving, "listener, room, table entries"),
    row(Destination, &[Reserving], (By::Room, ""), Reserved, "85; holds; forgotten 10 s after the last message"),
    row(Destination, &[Reserving], (By::NoRoom, ""), Refused, "81"),
    row(Destination, &[Reserved], (By::Complete, ""), Preparing, "socket built, silent"),
    row(Destination, &[Reserved], (By::Damaged, ""), Refused, "drops, 81"),
    row(Destination, &[Reserved], (By::Time, "10 s"), Refused, "drops, 81"),
    row(Destination, &[Reserving, Reserved, Preparing, Prepared], (By::Cancel, ""), Refused, "A owns: drops, 81"),
    row(Destination, &[Reserving, Reserved, Preparing, Prepared], (By::Returned, "under a later epoch"), Refused, "A owns: drops, 81"),
    row(Destination, &[Preparing], (By::Built, ""), Prepared, "03"),
    row(Destination, &[Preparing], (By::NotBuilt, ""), Refused, "drops, 81"),
    row(Destination, &[], (By::Restart, "built, silent"), Prepared, "holds; 89 at once"),
    row(Destination, &[Prepared], (By::Repetition, ""), Prepared, "03 again"),
    row(Destination, &[Prepared], (By::Commit, ""), Live, "repair off, held packets delivered, 86 answer; 87 to the home"),
    row(Destination, &[Prepared], (By::Time, ""), Prepared, "89 \"prepared, who owns?\", each second, for less than two minutes"),
    row(Destination, &[Prepared], (By::Silence, "after 100 questions"), Refused, "drops, 81 \"lost\": two owners would be worse than none"),
    row(Destination, &[Live], (By::Commit, ""), Live, "86 answer; remembered for 10 s after the last"),
    row(Destination, &[Live], (By::Time, "10 s"), Gone, "forgotten"),
    row(Destination, &[Refused], (By::Anything, ""), Refused, "81; remembered for 10 s after the last"),
    row(Destination, &[Refused], (By::Time, "10 s"), Gone, "forgotten"),

    row(PlainDestination, &[], (By::Connection, ""), Reserving, "listener, room, table entries"),
    row(PlainDestination, &[Reserving], (By::Room, ""), Preparing, "socket built, silent"),
    row(PlainDestination, &[Reserving], (By::NoRoom, ""), Refused, "nothing: the format has no word for it"),
    row(PlainDestination, &[Preparing], (By::Built, ""), Live, "repair off, held packets delivered, 03; 87 to the home"),
    row(PlainDestination, &[Preparing], (By::NotBuilt, ""), Refused, "drops"),
    row(PlainDestination, &[Live, Refused], (By::Connection, "not owned here"), Gone, "a new move of the flow begins"),
    row(PlainDestination, &[Live, Refused], (By::Time, "10 s"), Gone, "forgotten"),
];

/// The target of the events by which the exploration hears of rows that are taken, in debug builds: each has the field `row`.
pub const TAKEN: &str = "ipos_migrate::transition";

/// Asserts that a step stands in the table.
pub(super) fn assert_legal(machine: Machine, from: Option<State>, by: By, to: State) {
    if !cfg!(debug_assertions) {
        return;
    }
    let begins = |t: &Transition| from.map_or(t.from.is_empty(), |from| t.from.contains(&from));
    let taken = TRANSITIONS.iter().position(|t| (t.machine, t.by, t.to) == (machine, by, to) && begins(t));
    debug_assert!(taken.is_some(), "{machine:?}: {from:?} by {by:?} to {to:?} stands in no row");
    tracing::trace!(target: TAKEN, row = taken);
}

/// A machine's rows as a table for the documents.
#[must_use]
pub fn markdown(machine: Machine) -> String {
    let mut table = String::from("| from | by | to | does |\n|---|---|---|---|\n");
    let name = |state: &State| if *state == Gone { "gone".to_owned() } else { format!("{state:?}") };
    for t in TRANSITIONS.iter().filter(|t| t.machine == machine) {
        let from: Vec<_> = t.from.iter().map(name).collect();
        let from = if from.is_empty() { "–".to_owned() } else { from.join(", ") };
        let comma = if t.when.is_empty() { "" } else { ", " };
        let _ = writeln!(table, "| {from} | {}{comma}{} | {} | {} |", t.by.text(), t.when, name(&t.to), t.does);
    }
    table
}
