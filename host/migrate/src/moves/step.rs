//! What a move tells its node after an input.

/// The effect of an input of a move on its connection.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It stays where it is.
    Stays,
    /// It has become this node's.
    Arrives,
    /// It has become the peer's.
    Leaves,
    /// The peer, whose it was, has lost it.
    Lost,
    /// The peer, whose it is, has never said so.
    Unconfirmed,
}
