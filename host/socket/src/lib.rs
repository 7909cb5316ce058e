//! A Unix socket's path, which one process has at a time: the node's and a served card's.
//!
//! The process that has `PATH` holds a lock on `PATH.lock` for as long as it lives; the kernel ends the lock with the
//! process, however that ends. Only the lock's holder removes anything, and nothing but a socket on which nobody answers.

#![forbid(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with};

/// Why a path can't be listened on. Whatever stands there is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Another process has the path, or answers there.
    #[error("another process listens on {} already", .0.display())]
    InUse(PathBuf),
    /// Something that is no socket stands there, or no lock where the lock should be.
    #[error("{} exists and is not what this program would have left there: remove it, or choose another path", .0.display())]
    Foreign(PathBuf),
    /// The system refused.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

impl From<ListenError> for io::Error {
    fn from(e: ListenError) -> Self {
        let kind = match &e {
            ListenError::InUse(_) => io::ErrorKind::AddrInUse,
            ListenError::Foreign(_) => io::ErrorKind::AlreadyExists,
            ListenError::Io { cause, .. } => cause.kind(),
        };
        io::Error::new(kind, e)
    }
}

/// A path that is this process's. Dropping it, before the socket, removes the socket's file, if that is still the one that
/// was made.
#[derive(Debug)]
pub struct Listening {
    path: PathBuf,
    lock: PathBuf,
    /// Device and inode of the socket, once it is made.
    made: Option<(u64, u64)>,
    /// Locked.
    held: File,
    /// Another process has the path now.
    left: bool,
}

impl Listening {
    /// The lock, for another process that is to have the path: the lock ends when all its descriptors are closed.
    #[must_use]
    pub fn lock(&self) -> BorrowedFd<'_> {
        self.held.as_fd()
    }

    /// Leaves the path to another process, which has [adopted](Self::adopt) it: nothing is removed.
    pub fn leave(mut self) {
        self.left = true;
    }

    /// Has `path` with the `lock` of another process that listens there and leaves.
    pub fn adopt(path: &Path, lock: OwnedFd) -> Result<Self, ListenError> {
        let (held, name) = (File::from(lock), lock_of(path));
        let found = held.metadata().map_err(refused(&name))?;
        let same = |path: &Path| fs::symlink_metadata(path).is_ok_and(|m| identity(&m) == identity(&found));
        if !same(&name) {
            return Err(ListenError::Foreign(name));
        }
        // of the same open file: it has the lock, or gets it
        flock(&held, FlockOperation::NonBlockingLockExclusive).map_err(|_| ListenError::InUse(path.to_owned()))?;
        let made = Some(identity(&fs::symlink_metadata(path).map_err(refused(path))?));
        Ok(Listening { path: path.to_owned(), lock: name, made, held, left: false })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        // a file may have the inode of one that is gone, but no socket has that of one that is open
        let ours = |found: fs::Metadata| found.file_type().is_socket() && Some(identity(&found)) == self.made;
        if fs::symlink_metadata(&self.path).is_ok_and(ours) {
            // nobody is left to be told
            let _ = fs::remove_file(&self.path);
        }
        // before the lock ends: whoever opens the file later finds that it is not the one at the path
        let _ = fs::remove_file(&self.lock);
    }
}

/// Makes a non-blocking socket that listens at `path` with the permissions `mode`, in place of one on which nobody answers.
/// It never waits for another process.
pub fn take(path: &Path, kind: SocketType, mode: u32, backlog: i32) -> Result<(OwnedFd, Listening), ListenError> {
    // first: no lock is left beside a file that was named by mistake
    replaceable(path)?;
    let lock = lock_of(path);
    let mut listening = Listening { path: path.to_owned(), made: None, held: hold(path, &lock)?, lock, left: false };
    let address = SocketAddrUnix::new(path).map_err(refused(path))?;
    let socket = || {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socket_with(AddressFamily::UNIX, kind, flags, None).map_err(refused(path))
    };
    if replaceable(path)? {
        if connect(socket()?, &address) != Err(Errno::CONNREFUSED) {
            return Err(ListenError::InUse(path.to_owned()));
        }
        fs::remove_file(path).map_err(refused(path))?;
    }
    let fd = socket()?;
    bind(&fd, &address).map_err(refused(path))?;
    listening.made = Some(identity(&fs::symlink_metadata(path).map_err(refused(path))?));
    // nobody can connect before listen
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(refused(path))?;
    listen(&fd, backlog).map_err(refused(path))?;
    Ok((fd, listening))
}

fn refused<E: Into<io::Error>>(path: &Path) -> impl Fn(E) -> ListenError {
    move |cause| ListenError::Io { path: path.to_owned(), cause: cause.into() }
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn lock_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

/// Whether a socket stands at `path`; anything else there is an error.
fn replaceable(path: &Path) -> Result<bool, ListenError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => Ok(true),
        Ok(_) => Err(ListenError::Foreign(path.to_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(refused(path)(e)),
    }
}

/// Locks the file at `lock`, an empty one that is for its owner alone: no other user can keep `path` from being taken.
fn hold(path: &Path, lock: &Path) -> Result<File, ListenError> {
    loop {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
        let mode = (Mode::RUSR | Mode::WUSR).bits();
        let file = OpenOptions::new().read(true).write(true).create(true).custom_flags(flags).mode(mode).open(lock);
        let file = match file {
            Err(e) if e.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
                return Err(ListenError::Foreign(lock.to_owned()));
            }
            other => other.map_err(refused(lock))?,
        };
        let found = file.metadata().map_err(refused(lock))?;
        if !found.is_file() || found.len() > 0 {
            return Err(ListenError::Foreign(lock.to_owned()));
        }
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(ListenError::InUse(path.to_owned())),
            Err(Errno::INTR) => continue,
            Err(e) => return Err(refused(lock)(e)),
        }
        // who had it before may have removed it meanwhile: a lock on that one keeps nobody out
        if fs::symlink_metadata(lock).is_ok_and(|m| identity(&m) == identity(&found)) {
            return Ok(file);
        }
    }
}
