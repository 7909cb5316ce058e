//! Whether a process that was just started can be talked to.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

/// How long a process gets until it listens.
const LIMIT: Duration = Duration::from_secs(60);
/// Flag of a socket that listens (`__SO_ACCEPTCON`, linux/net.h).
const LISTENS: &str = "00010000";

/// Waits until a socket at `path` listens in the network namespace of `process`. The file alone is there before.
/// `false`: the process has ended, or a minute is over.
pub fn listens(path: &Path, process: &mut Child) -> bool {
    let end = Instant::now() + LIMIT;
    while Instant::now() < end && process.try_wait().is_ok_and(|ended| ended.is_none()) {
        if listens_now(path, process.id()) {
            return true;
        }
        thread::sleep(Duration::from_millis(2));
    }
    false
}

/// As proc_pid_net(5) has it: number, references, protocol, flags, type, state, inode, path.
fn listens_now(path: &Path, process: u32) -> bool {
    let table = fs::read_to_string(format!("/proc/{process}/net/unix")).unwrap_or_default();
    let path = format!(" {}", path.display());
    table.lines().any(|line| line.ends_with(&path) && line.split_ascii_whitespace().nth(3) == Some(LISTENS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixDatagram, UnixListener};

    #[test]
    fn a_socket_that_is_there_need_not_listen() {
        let path = std::env::temp_dir().join(format!("ipos-lab-ready {}", std::process::id()));
        let listening = || listens_now(&path, std::process::id());
        // bound, as a server's is until it calls listen(2)
        let bound = UnixDatagram::bind(&path).unwrap();
        assert!(path.exists() && !listening());
        drop(bound);
        fs::remove_file(&path).unwrap();
        let listener = UnixListener::bind(&path).unwrap();
        assert!(listening());
        drop(listener);
        assert!(path.exists() && !listening());
        fs::remove_file(&path).unwrap();
    }
}
