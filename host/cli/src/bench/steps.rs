//! The steps of a move, in order: where its time goes.

use std::time::Duration;

use super::cluster::Move;

/// A step: its name, and the time that it took in a move.
pub type Step = (&'static str, fn(&Move) -> Duration);

/// All steps, from the application's request to the application's connection.
pub const STEPS: [Step; 14] = [
    ("request: application to node a, socket checked", |m| m.departure.offered - m.asked),
    ("offer: to node b and back", |m| m.departure.ready - m.departure.offered),
    ("queues copied, sent ahead", |m| m.departure.copied - m.departure.ready),
    ("hold, drain", |m| m.departure.drained - m.departure.copied),
    ("check again", |m| m.departure.stopped - m.departure.drained),
    ("repair on, fence, read", |m| m.departure.read - m.departure.stopped),
    ("encode, sign", |m| m.departure.sent - m.departure.read),
    ("wire: control block, rest of the queues to b", |m| {
        m.landing.complete.saturating_duration_since(m.departure.sent)
    }),
    ("restore", |m| m.landing.built - m.landing.complete),
    ("wire: acknowledgement to a", |m| m.departure.accepted - m.landing.built),
    ("forward entry, socket closed", |m| m.departure.closed - m.departure.accepted),
    ("wire: commit to b", |m| m.landing.committed - m.departure.closed),
    ("repair off", |m| m.landing.speaks - m.landing.committed),
    ("held packets, deliver", |m| m.landed - m.landing.speaks),
];

/// From repair on at the source to repair off at the destination, and the time that the source was mute to copy its queues.
pub fn freeze(m: &Move) -> Duration {
    m.landing.speaks - m.departure.stopped + m.departure.copying
}

/// From repair on until the application has it, unsent data written again.
pub fn freeze_to_application(m: &Move) -> Duration {
    m.landing.delivered - m.departure.stopped + m.departure.copying
}

/// From the application's request to the application's connection.
pub fn whole(m: &Move) -> Duration {
    m.landed - m.asked
}
