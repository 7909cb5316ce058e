//! Death, or a halt, at a chosen step of the protocol, for trials of what a crash leaves behind.
//!
//! `IPOS_CRASH` in the environment names the step: `before STEP` or `after STEP`, with STEP one of [`name`]'s. The process
//! then kills itself as `kill -9` would, the first time that it gets there. `IPOS_HALT` names one where it stops itself, once, as
//! `kill -STOP` would, so that somebody else can be killed meanwhile.

use std::thread;
use std::time::Duration;

use ipos_migrate::protocol::{Action, Message};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What the card gets to send what it was given before, and what other threads get to see what happened during a halt.
const PAUSE: Duration = Duration::from_millis(50);

/// The steps that were named, and the signals there.
pub(crate) struct Crash(Vec<(String, Signal)>);

impl Crash {
    pub fn from_environment() -> Self {
        let named = [("IPOS_CRASH", Signal::SIGKILL), ("IPOS_HALT", Signal::SIGSTOP)];
        let found = named.into_iter().filter_map(|(name, signal)| {
            let at = std::env::var(name).ok()?;
            tracing::warn!("{name}: this process gets {signal} {at}");
            Some((at, signal))
        });
        Crash(found.collect())
    }

    /// The signal that is due, once.
    pub fn take(&mut self, when: &str, step: &str) -> Option<Signal> {
        let here = |at: &str| at.strip_prefix(when).is_some_and(|rest| rest.trim_start() == step);
        let found = self.0.iter().position(|(at, _)| here(at))?;
        Some(self.0.swap_remove(found).1)
    }
}

/// Sends this process a signal once the card has sent what it was given.
pub(crate) fn suffer(signal: Signal) {
    thread::sleep(PAUSE);
    // it can only fail for a process that is not there
    let _ = kill(Pid::this(), signal);
    thread::sleep(PAUSE);
}

/// The step that an action of the core is.
pub(crate) fn name(action: &Action) -> &'static str {
    match action {
        Action::Send { message, .. } => match message {
            Message::Offer { .. } => "offer",
            Message::Ready { .. } => "ready",
            Message::Refuse { .. } => "refusal",
            Message::Connection(_) => "connection",
            Message::Data { bytes, .. } if bytes.is_empty() => "confirmation",
            Message::Data { .. } => "data",
            Message::Progress { .. } => "progress",
            Message::Acknowledge => "acknowledgement",
            Message::Cancel => "cancel",
            Message::Commit { answer: false } => "commit",
            Message::Commit { answer: true } => "commit answer",
            Message::Moved { .. } => "moved",
            Message::Release { .. } => "release",
            Message::Query { .. } => "query",
        },
        Action::Copy(_) => "copy",
        Action::Freeze(_) => "freeze",
        Action::HandOver(_) => "hand-over",
        Action::Done(_) => "done",
        Action::Failed(..) => "failure",
        Action::Renew { .. } => "renewal",
        Action::Ignored { .. } => "disbelief",
        Action::Ask { .. } => "question",
        Action::Reserve { .. } => "reserve",
        Action::Prepare { .. } => "prepare",
        Action::GoLive(_) => "go-live",
        Action::Abandon(_) => "abandon",
        Action::Repoint { .. } => "repoint",
        Action::Forget(_) => "forget",
        Action::Lost(_) => "loss",
    }
}
