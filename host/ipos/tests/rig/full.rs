//! A process that is out of descriptors (`RLIMIT_NOFILE`).

use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Has every descriptor that this process may have, until it is dropped.
pub struct Full {
    all: Vec<OwnedFd>,
    before: Rlimit,
}

impl Full {
    pub fn new() -> Self {
        let before = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(1024), ..before }).unwrap();
        let mut full = Full { all: Vec::new(), before };
        while full.take() {}
        full
    }

    /// Takes one more. `false`: there is none.
    pub fn take(&mut self) -> bool {
        let another = std::io::stdin().as_fd().try_clone_to_owned();
        another.map(|fd| self.all.push(fd)).is_ok()
    }

    /// Leaves so many more to others.
    pub fn free(&mut self, n: usize) {
        self.all.truncate(self.all.len() - n);
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.before).unwrap();
    }
}
