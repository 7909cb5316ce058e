//! Anonymous network namespaces.
//!
//! A namespace is held by a descriptor and by the threads in it, never by a name, so it and its
//! interfaces are gone when the process is, however the process ends.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::thread;

use crate::{checked, context};

/// A network namespace without a name.
#[derive(Debug)]
pub struct Netns(OwnedFd);

impl Netns {
    /// Makes a namespace. Needs `CAP_SYS_ADMIN` in the calling process's user namespace.
    pub fn new() -> io::Result<Self> {
        let made = in_thread(|| {
            // SAFETY: no pointers; only this short-lived thread changes namespace.
            checked(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
            File::open("/proc/thread-self/ns/net")
        });
        made.map(|f| Netns(f.into())).map_err(|e| context("a new network namespace (root or a user namespace)", &e))
    }

    /// The namespace that the calling thread is in.
    pub fn current() -> io::Result<Self> {
        Ok(Netns(File::open("/proc/thread-self/ns/net")?.into()))
    }

    /// The namespace that a file stands for: `/run/netns/NAME`, `/proc/PID/ns/net`.
    pub fn open(file: &Path) -> io::Result<Self> {
        let opened =
            File::open(file).map_err(|e| context(format_args!("the network namespace {}", file.display()), &e));
        opened.map(|f| Netns(f.into()))
    }

    /// Another handle to the same namespace.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Netns)
    }

    /// Moves the calling thread into the namespace, for good. Sockets that the thread made
    /// before stay where they were.
    pub fn enter(&self) -> io::Result<()> {
        // SAFETY: the descriptor is open for as long as `self` is; no pointers.
        checked(unsafe { libc::setns(self.0.as_raw_fd(), libc::CLONE_NEWNET) })
            .map(drop)
            .map_err(|e| context("entering a network namespace", &e))
    }

    /// Runs `f` on a thread of its own inside the namespace and waits for it.
    pub fn run<T: Send>(&self, f: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        in_thread(|| self.enter().and_then(|()| f()))
    }
}

impl AsRawFd for Netns {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn in_thread<T: Send>(f: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|s| match s.spawn(f).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::linux::fs::MetadataExt;

    fn inode(ns: &Netns) -> u64 {
        File::from(ns.0.try_clone().unwrap()).metadata().unwrap().st_ino()
    }

    #[test]
    fn each_namespace_is_its_own_and_the_caller_stays() {
        let here = inode(&Netns::current().unwrap());
        let (a, b) = (Netns::new().unwrap(), Netns::new().unwrap());
        assert_ne!(inode(&a), inode(&b));
        let inside = a.run(|| Ok(inode(&Netns::current()?))).unwrap();
        assert_eq!(inside, inode(&a));
        assert_eq!(inode(&Netns::current().unwrap()), here);
    }
}
