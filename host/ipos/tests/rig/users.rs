//! Processes of other users, as far as the kernel tells: a thread with another effective user id.

use std::io::ErrorKind;
use std::net::{SocketAddr, SocketAddrV4, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use ipos_control::Channel;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use socket2::{Domain, Socket, Type};

use super::Rig;

/// Runs something in a server's network namespace as another user. `None`, and a word about it: this process may not.
pub fn as_user<T: Send>(rig: &Rig, server: usize, user: u32, f: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let run = scope.spawn(|| {
            rig.cluster.kernels[server].try_clone().unwrap().enter().unwrap();
            // SAFETY: no memory is passed. The bare system call changes this thread alone, which ends here.
            let result = unsafe { libc::syscall(libc::SYS_setresuid, -1, user, -1) };
            if result != 0 {
                eprintln!("not tried as user {user}: {}", std::io::Error::last_os_error());
                return None;
            }
            Some(f())
        });
        run.join().unwrap()
    })
}

/// Lets other users come to the nodes' sockets.
pub fn let_in(rig: &Rig) {
    let directory = rig.socket(0).parent().unwrap().to_owned();
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The other end of a conversation, as the calling thread's user.
pub fn knock(rig: &Rig, server: usize) -> OwnedFd {
    let fd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::NONBLOCK, None).unwrap();
    connect(&fd, &SocketAddrUnix::new(rig.socket(server)).unwrap()).unwrap();
    fd
}

pub fn channel(fd: OwnedFd) -> Channel {
    Channel::new(fd).unwrap()
}

/// A socket that listens, as the calling thread's user. The port is free once the node has closed what it was shown, too.
pub fn listening_when_free(address: SocketAddrV4) -> TcpListener {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match listening(address, false) {
            Err(e) if e.kind() == ErrorKind::AddrInUse && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(1));
            }
            other => break other.unwrap(),
        }
    }
}

/// A socket that listens, as the calling thread's user, unless the kernel refuses.
pub fn listening(address: SocketAddrV4, share: bool) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    socket.bind(&SocketAddr::from(address).into())?;
    socket.listen(16)?;
    Ok(socket.into())
}
