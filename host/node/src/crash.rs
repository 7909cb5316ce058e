//! Death at a chosen step of the protocol, for trials of what a crash leaves behind.
//!
//! `IPOS_CRASH` in the environment names the step: `before STEP` or `after STEP`, with STEP one of [`name`]'s. The process
//! then kills itself as `kill -9` would, the first time that it gets there.

use std::thread;
use std::time::Duration;

use ipos_migrate::protocol::{Action, Message};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What the card gets to send what it was given before the process dies.
const LAST_FRAMES: Duration = Duration::from_millis(50);

/// The step, if one was named.
pub(crate) struct Crash(Option<String>);

impl Crash {
    pub fn from_environment() -> Self {
        let at = std::env::var("IPOS_CRASH").ok();
        if let Some(at) = &at {
            tracing::warn!("IPOS_CRASH: this process dies {at}");
        }
        Crash(at)
    }

    /// Whether the process is to die now.
    pub fn is_due(&self, when: &str, step: &str) -> bool {
        self.0.as_deref().and_then(|at| at.strip_prefix(when)).is_some_and(|at| at.trim_start() == step)
    }

    /// Does not return.
    pub fn die(&self) {
        thread::sleep(LAST_FRAMES);
        tracing::warn!("dying as told");
        // it can only fail for a process that is not there
        let _ = kill(Pid::this(), Signal::SIGKILL);
    }
}

/// The step that an action of the core is.
pub(crate) fn name(action: &Action) -> &'static str {
    match action {
        Action::Send { message, .. } => match message {
            Message::Offer { .. } => "offer",
            Message::Ready => "ready",
            Message::Refuse(_) => "refusal",
            Message::Connection(_) => "connection",
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
        Action::Freeze(_) => "freeze",
        Action::HandOver(_) => "hand-over",
        Action::Done(_) => "done",
        Action::Failed(..) => "failure",
        Action::Reserve { .. } => "reserve",
        Action::Prepare { .. } => "prepare",
        Action::GoLive(_) => "go-live",
        Action::Abandon(_) => "abandon",
        Action::Repoint { .. } => "repoint",
        Action::Forget(_) => "forget",
        Action::Lost(_) => "loss",
    }
}
