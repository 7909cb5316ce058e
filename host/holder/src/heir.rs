//! From one holder to the next, over the path that both serve.
//!
//! The running holder sends its listening socket with the lock of its path, the connection to its node, every entry, and
//! their number. Meanwhile it takes nothing from anybody, so what the node says waits for the successor. When the successor
//! has all of it, it says so, and the predecessor ends without removing its path. If either ends before, the other one goes on
//! with everything; the node notices nothing in any case.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use ipos_socket::Listening;
use rustix::net::{SocketAddrUnix, connect};

use crate::message::{Header, Kind, Why};
use crate::packet::{self, Received, Space, Wait, borrowed};
use crate::serve::{Holder, HolderError, own_process};

/// Everything that a holder has.
#[derive(Debug)]
pub(crate) struct Estate {
    pub listening: Listening,
    pub listener: OwnedFd,
    pub session: Option<OwnedFd>,
    /// Key, note, descriptors.
    pub entries: Vec<(u64, Box<[u8]>, Vec<OwnedFd>)>,
}

/// Hands everything on. `Err`: the heir did not take it, the holder goes on.
pub(crate) fn hand_on(holder: Holder, heir: &OwnedFd) -> Result<(), Box<Holder>> {
    match send_all(&holder, heir) {
        Ok(()) => {
            tracing::info!("another holder has taken over");
            holder.listening.leave();
            Ok(())
        }
        Err(why) => {
            tracing::warn!("another holder did not take over: {why}");
            Err(Box::new(holder))
        }
    }
}

fn send_all(holder: &Holder, heir: &OwnedFd) -> Result<(), String> {
    let said = |e: rustix::io::Errno| e.to_string();
    let send = |kind, key, note: &[u8], fds: &[_]| packet::send(heir, Header::new(kind, key), note, fds, Wait::Yes);
    let (table, lock) = (&holder.table, holder.listening.lock());
    send(Kind::Listener, 0, &[], &[holder.listener.as_fd(), lock]).map_err(said)?;
    if let Some(session) = &holder.session {
        send(Kind::Session, 0, &[], &[session.as_fd()]).map_err(said)?;
    }
    for (key, entry) in table.iter() {
        send(Kind::Entry, key, &entry.note, &borrowed(&entry.descriptors)).map_err(said)?;
    }
    send(Kind::End, table.len() as u64, &[], &[]).map_err(said)?;
    match packet::receive(heir, &mut Space::default(), Wait::Yes).map_err(said)? {
        Received::Message { header: Header { kind: Kind::Took, .. }, .. } => Ok(()),
        other => Err(format!("it said {other:?}")),
    }
}

/// Takes over what the holder at `path` has, and makes a holder of it with `make`.
pub(crate) fn inherit(
    path: &Path,
    make: impl FnOnce(Estate) -> Result<Holder, HolderError>,
) -> Result<Holder, HolderError> {
    let io = HolderError::io("the holder's socket");
    let channel = packet::socket().map_err(&io)?;
    connect(&channel, &SocketAddrUnix::new(path).map_err(&io)?).map_err(&io)?;
    packet::send(&channel, Header::new(Kind::Succeed, 0), &[], &[], Wait::Yes).map_err(&io)?;
    let refused = |why: String| HolderError::Succeed(why);
    let (mut space, mut listening, mut session, mut entries) = (Space::default(), None, None, Vec::new());
    loop {
        let received = packet::receive(&channel, &mut space, Wait::Yes).map_err(|e| refused(e.to_string()))?;
        let Received::Message { header, note, mut descriptors } = received else {
            return Err(refused(format!("{received:?}")));
        };
        match (header.kind, descriptors.len()) {
            (Kind::Listener, 2) => listening = descriptors.pop().zip(descriptors.pop()),
            (Kind::Session, 1) => session = descriptors.pop(),
            (Kind::Entry, 1..) => entries.push((header.key, Box::from(note), descriptors)),
            (Kind::End, 0) if header.key == entries.len() as u64 => break,
            (Kind::Refused(why), 0) => return Err(refused(why.to_string())),
            (kind, n) => return Err(refused(format!("{kind:?} with {n} descriptors: {}", Why::OutOfPlace))),
        }
    }
    let (lock, listener) = listening.ok_or_else(|| refused("its listening socket is missing".to_owned()))?;
    let listening = Listening::adopt(path, lock)?;
    let holder = make(Estate { listening, listener, session, entries })?;
    // a predecessor that has died meanwhile needs no telling
    match packet::send(&channel, Header::new(Kind::Took, 0), &[], &[], Wait::Yes) {
        Ok(()) | Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) => {
            if let (Some(session), Ok(own)) = (&holder.session, own_process()) {
                // a node that can't hear it now can't end this holder, should it ever stand still
                let _ = packet::send(session, Header::new(Kind::Pong, 0), &[], &[own.as_fd()], Wait::No);
            }
            Ok(holder)
        }
        Err(e) => {
            holder.listening.leave();
            Err(io(e))
        }
    }
}
