//! Numbers that nobody outside can know beforehand, for messages to prove by that they are no recordings.

use std::fmt;

use crate::protocol::{Flow, PeerId, Time};

/// 32 random bytes, new in each life of a node: what was recorded in an earlier one proves nothing. It does not show itself in
/// debug output.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Secret([u8; 32]);

/// How long the [question](Secret::question) about a claim stays the same, in seconds. An answer is believed for one to two of it.
const SLOT: u64 = 16;

impl Secret {
    /// From 32 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Secret(bytes)
    }

    /// The number with this place in a row of them.
    pub(crate) fn nonce(&self, place: u64) -> u64 {
        self.number(&[b"move", &place.to_be_bytes()])
    }

    /// What `peer` must repeat when it says what it is to `flow`, as of `epoch`: whoever asks need not remember that it did.
    pub(crate) fn question(&self, peer: PeerId, flow: &Flow, epoch: u64, now: Time) -> u64 {
        self.slot(peer, flow, epoch, now.as_secs() / SLOT)
    }

    /// Whether `answer` is to a [question](Secret::question) that was asked a moment ago.
    pub(crate) fn is_answered(&self, answer: u64, peer: PeerId, flow: &Flow, epoch: u64, now: Time) -> bool {
        let slot = now.as_secs() / SLOT;
        (slot.saturating_sub(1)..=slot).any(|slot| answer == self.slot(peer, flow, epoch, slot))
    }

    fn slot(&self, peer: PeerId, flow: &Flow, epoch: u64, slot: u64) -> u64 {
        let key = flow.key();
        let protocol = [flow.protocol.ip_number()];
        let ports = [key.src_port.to_be_bytes(), key.dst_port.to_be_bytes()].concat();
        let numbers = [peer.0 as u64, epoch, slot].map(u64::to_be_bytes).concat();
        self.number(&[b"claim", &protocol, &key.src_ip, &key.dst_ip, &ports, &numbers])
    }

    /// Never zero, which stands for none.
    fn number(&self, of: &[&[u8]]) -> u64 {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        of.iter().for_each(|part| {
            hasher.update(part);
        });
        let mut bytes = [0; 8];
        hasher.finalize_xof().fill(&mut bytes);
        u64::from_be_bytes(bytes).max(1)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
