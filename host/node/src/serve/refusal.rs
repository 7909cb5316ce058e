//! A failed move in the words of [`ipos_control::message`].

use ipos_control::{Refusal, Unmovable};
use ipos_migrate::StartError;
use ipos_migrate::protocol::Failure;
use ipos_migrate::socket::FreezeError;

use crate::error::MoveError;

/// Characters of an unknown name that are given back.
const SHOWN: usize = 64;

/// No peer is called so. A name may be as long as a request: whole it would not fit into the answer beside the others,
/// and a socket that goes back with the answer would be lost.
pub(super) fn unknown_peer(asked: &str, known: &[String]) -> Refusal {
    let asked = match asked.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &asked[..end]),
        None => asked.to_owned(),
    };
    Refusal::UnknownPeer { asked, known: known.to_vec() }
}

pub(super) fn refusal(error: &MoveError) -> Refusal {
    let detail = error.to_string();
    let unmovable = |kind| Refusal::Unmovable { kind, detail: detail.clone() };
    let long = |what: &str, length: usize, limit: usize| Refusal::TooLong {
        what: what.to_owned(),
        length: length as u64,
        limit: limit as u64,
    };
    match error {
        MoveError::UnknownPeer { asked, known } => unknown_peer(asked, known),
        MoveError::StateTooLong { length, limit } => long("application state", *length, *limit),
        MoveError::Socket(e) => unmovable(match e {
            FreezeError::NotConnected(_) => Unmovable::NotTcp,
            FreezeError::State(_) => Unmovable::State,
            FreezeError::Urgent => Unmovable::Urgent,
            FreezeError::Mptcp => Unmovable::Mptcp,
            FreezeError::Ulp(_) => Unmovable::UpperLayer,
            FreezeError::Signed(_) => Unmovable::Signed,
            FreezeError::Moving(_) => Unmovable::Changing,
            FreezeError::Option(_) => Unmovable::Option,
            FreezeError::Translated => Unmovable::Translated,
            FreezeError::Repair(_) | FreezeError::Io { .. } => Unmovable::System,
        }),
        MoveError::Start(StartError::UnknownService(_)) => unmovable(Unmovable::UnknownService),
        MoveError::Start(StartError::Busy) => unmovable(Unmovable::Moving),
        MoveError::Start(StartError::TooLong { length, limit }) => long("queues and state", *length, *limit),
        MoveError::Card(_) => Refusal::NoRoom(detail),
        MoveError::Protocol(Failure::Refused(reason)) => Refusal::Destination(reason.name().to_owned()),
        MoveError::Journal(_)
        | MoveError::Start(StartError::Plain | StartError::Epoch)
        | MoveError::Protocol(Failure::Plain | Failure::Silent(_) | Failure::Held | Failure::Local) => {
            Refusal::GivenUp(detail)
        }
        MoveError::Protocol(Failure::Unconfirmed) => Refusal::Unconfirmed,
        MoveError::Protocol(Failure::Lost) => Refusal::Lost(detail),
        MoveError::Stopped => Refusal::Stopped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upper_layer_protocol_is_named() {
        let Refusal::Unmovable { kind, detail } = refusal(&FreezeError::Ulp("tls".to_owned()).into()) else {
            panic!("another kind of refusal");
        };
        assert_eq!(kind, Unmovable::UpperLayer);
        assert!(detail.contains("\"tls\""), "{detail}");
    }
}
