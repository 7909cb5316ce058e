//! The queues of a connection that goes on living: what can be sent ahead, before the freeze.
//!
//! Repair mode shows the send queue, and is left without a word. While it is on the socket is mute, for as long as the copying takes.

use std::os::fd::BorrowedFd;

use ipos_abi::wire::tcb::State;
use socket2::SockRef;

use super::error::{FreezeError, What};
use super::queues::{Copied, Room, peek, state};
use super::sys::{self, RepairQueue, TcpInfo};

/// Copies both queues; the connection lives on. The caller keeps the client's packets away meanwhile: with the send queue selected, an
/// acknowledgement would have unsent data marked as sent. `None`: they changed while they were read.
pub fn copy(fd: BorrowedFd<'_>, room: Room) -> Result<Option<(Copied, Room)>, FreezeError> {
    sys::set_repair(fd, true).map_err(FreezeError::Repair)?;
    let read = read(fd, room);
    sys::select(fd, RepairQueue::None).reading("TCP_REPAIR_QUEUE")?;
    sys::leave_repair(fd).reading("TCP_REPAIR off")?;
    // repair-off clears it (tcp_repair_off, SK_NO_REUSE)
    SockRef::from(&fd).set_reuse_address(true).reading("SO_REUSEADDR")?;
    read
}

fn read(fd: BorrowedFd<'_>, [receive, send]: Room) -> Result<Option<(Copied, Room)>, FreezeError> {
    let count = |request: i32, what| sys::count(fd, request as libc::c_ulong).reading(what);
    let received = count(libc::FIONREAD as i32, "FIONREAD")?;
    let written = count(libc::TIOCOUTQ as i32, "TIOCOUTQ")?;
    let (receive_end, receive) = peek(fd, RepairQueue::Receive, received, receive)?;
    let (write_seq, send) = peek(fd, RepairQueue::Send, written, send)?;
    let info: TcpInfo = sys::get_tcp(fd, libc::TCP_INFO).reading("TCP_INFO")?;
    let fin = u32::from(state(&info)? == State::CloseWait);
    let still =
        count(libc::FIONREAD as i32, "FIONREAD")? == received && count(libc::TIOCOUTQ as i32, "TIOCOUTQ")? == written;
    if !still || receive.len() != received || send.len() != written {
        return Ok(None);
    }
    let copied_seq = receive_end.wrapping_sub(fin).wrapping_sub(received as u32);
    Ok(Some((Copied { receive: received, send: written, copied_seq, write_seq }, [receive, send])))
}
