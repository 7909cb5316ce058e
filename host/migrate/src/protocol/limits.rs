//! The numbers of the protocol: how long, how often, how much.

use std::time::Duration;

use ipos_abi::wire::ext::MAX_DATA;

/// Epochs are below this: no clock comes here, and the next one can always be made.
pub const EPOCHS: u64 = 1 << 63;

/// Bytes of stream in one data message, so that it fits into 1,500 with all headers.
pub const DATA: usize = MAX_DATA;
/// Frames that may be under way before the first progress report.
pub const CREDIT: u16 = 64;
/// Frames that may be under way after that: half as many again fit into the control queue of a node.
pub const GRANT: u16 = 160;
/// First wait for an answer; it doubles up to [`RETRY_MAX`].
pub const RETRY: Duration = Duration::from_millis(100);
/// Longest wait between two tries.
pub const RETRY_MAX: Duration = Duration::from_secs(1);
/// Tries of a message that the move can do without.
pub const TRIES: u32 = 8;
/// Tries of a commit, about a minute: nobody else can take the connection.
pub const COMMIT_TRIES: u32 = 64;
/// Longest time from freeze to commit: a client's patience, not the protocol's.
pub const HOLD: Duration = Duration::from_secs(2);
/// Longest time that is taken to send ahead what the queues have, before the freeze: what is left then goes after it.
pub const AHEAD: Duration = Duration::from_secs(2);
/// Offers of one move under later epochs, because the destination knows more than the source.
pub const RENEWALS: u8 = 4;
/// A destination forgets an offer that nothing follows, and remembers how a move ended.
pub const LINGER: Duration = Duration::from_secs(10);
/// Questions of a destination in doubt, less than two minutes; then it drops what was prepared. The source
/// remembers a commit for longer than that: [`COMMIT_TRIES`] and [`KNOWN`].
pub const DOUBT_TRIES: u32 = 100;
/// How long it is remembered where a connection went, or that it ended, after it has left.
pub const KNOWN: Duration = Duration::from_secs(60);
