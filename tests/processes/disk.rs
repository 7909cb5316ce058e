//! A small disk that can be full.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Its size in bytes.
const SIZE: usize = 256 << 10;

/// A disk in memory, which the calling thread and the processes that it starts see, and nobody else; gone with them.
pub struct Disk(PathBuf);

impl Disk {
    /// Two of them.
    pub fn pair() -> [Disk; 2] {
        // the mounts of a thread are its own from here on
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        [Disk::new(), Disk::new()]
    }

    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ipos-disk-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        let size = format!("size={SIZE}");
        mount(Some("tmpfs"), &path, Some("tmpfs"), MsFlags::empty(), Some(size.as_str())).unwrap();
        Disk(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Takes all room that is left. What a page of a file has left is the file's.
    pub fn fill(&self) {
        let mut rest = fs::File::create(self.0.join("rest")).unwrap();
        let full = (0..=SIZE / 4096).find_map(|_| rest.write_all(&[0; 4096]).err());
        assert_eq!(full.map(|e| e.kind()), Some(ErrorKind::StorageFull));
    }

    /// Gives it back.
    pub fn make_room(&self) {
        fs::remove_file(self.0.join("rest")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(&self.0, nix::mount::MntFlags::MNT_DETACH);
        let _ = fs::remove_dir(&self.0);
    }
}
