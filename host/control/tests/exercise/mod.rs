//! Reads whatever bytes hold as a message to and from a node, and checks that what is accepted is valid: written again
//! and read again it is the same. Shared by the tests and the fuzz target `message` in `fuzz/`.

use std::fmt::Debug;

use ipos_control::message::{MESSAGE_BYTES, MessageError, Reply, Request, VERSION, decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A packet on the node's socket, in either direction; as it is and with its version put right, so that what follows
/// is reached. Whether it is a message in one of them.
pub fn packet(bytes: &[u8]) -> bool {
    let mut right = bytes.to_vec();
    if let Some(version) = right.first_mut() {
        *version = VERSION;
    }
    message::<Request>(&right);
    message::<Reply>(&right);
    // not `||`: both are looked at
    message::<Request>(bytes) | message::<Reply>(bytes)
}

fn message<M: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> bool {
    let message: M = match decode(bytes) {
        Ok(message) => message,
        Err(e) => {
            // the sender is told, and the log
            assert!(!e.to_string().is_empty());
            assert!(!matches!(e, MessageError::Version { found } if found == VERSION));
            return false;
        }
    };
    assert_eq!(bytes[0], VERSION);
    // what does not fit the answer is told so in words
    assert!(!format!("{message:?}").is_empty());
    let again = match encode(&message) {
        Ok(again) => again,
        Err(e) => {
            assert!(bytes.len() > MESSAGE_BYTES, "{e}, and it came in {} bytes", bytes.len());
            return true;
        }
    };
    // numbers may come in more bytes than they need: what is written is the shortest form
    assert!(again.len() <= bytes.len(), "nothing appears from nowhere");
    assert_eq!(decode::<M>(&again), Ok(message));
    // no message is the beginning of another one
    assert!(decode::<M>(&again[..again.len() - 1]).is_err());
    assert_eq!(decode::<M>(&[&again[..], b"x"].concat()), Err(MessageError::Trailing(1)));
    true
}
