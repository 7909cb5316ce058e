//! Messages to a home, each repeated until it is answered: where a connection lives (0x87), and that it is gone (0x82).

use std::collections::BTreeMap;
use std::mem::discriminant;

use crate::context::Context;
use crate::protocol::{COMMIT_TRIES, Flow, Message, MoveId, Nonces, Time};
use crate::timers::{Retry, Timer};

#[derive(Clone, Debug, Hash)]
struct Notice {
    flow: Flow,
    message: Message,
    /// What the answer must repeat.
    nonce: u64,
    retry: Retry,
}

impl Notice {
    fn send(&self, id: MoveId, cx: &mut Context) {
        cx.timers.set(Timer::Notice(id), Some(self.retry.at));
        cx.say(id, self.flow, Nonces { from: self.nonce, to: 0 }, self.message.clone());
    }
}

/// The notices that are not answered yet.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Notices(BTreeMap<MoveId, Notice>);

impl Notices {
    /// Tells a home something. A peer of the plain format would not understand.
    pub fn send(&mut self, id: MoveId, flow: Flow, message: Message, now: Time, cx: &mut Context) {
        if cx.config.is_plain(id.peer) {
            return;
        }
        let notice = Notice { flow, message, nonce: cx.draw(), retry: Retry::start(now) };
        notice.send(id, cx);
        self.0.insert(id, notice);
    }

    pub fn stop(&mut self, id: MoveId, cx: &mut Context) {
        self.0.remove(&id);
        cx.timers.set(Timer::Notice(id), None);
    }

    /// Whether a message answers a notice, which then ends.
    pub fn is_answered(&mut self, id: MoveId, nonce: u64, answer: &Message, cx: &mut Context) -> bool {
        // an answer to the one is none to the other, which has the same number
        let to = |n: &Notice| discriminant(&n.message) == discriminant(answer) && n.nonce == nonce;
        let answered = self.0.get(&id).is_some_and(to);
        if answered {
            self.stop(id, cx);
        }
        answered
    }

    /// Where a connection lives is told for as long as it lives here; its end, for about a minute.
    pub fn handle_timeout(&mut self, id: MoveId, now: Time, cx: &mut Context) {
        let Some(notice) = self.0.get_mut(&id) else { return };
        let limit = if matches!(notice.message, Message::Moved { .. }) { u32::MAX } else { COMMIT_TRIES };
        if notice.retry.due(now, limit).is_ok() {
            return notice.send(id, cx);
        }
        tracing::warn!(?id, message = ?notice.message, "the home does not answer");
        self.0.remove(&id);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
