//! Who gets a path, and what is left of what stood there. The oracle is the kernel: what `connect(2)` and `stat(2)` say.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use ipos_socket::{ListenError, Listening, take};
use rustix::net::SocketType;

fn listen(path: &Path) -> Result<(OwnedFd, Listening), ListenError> {
    take(path, SocketType::STREAM, 0o640, 8)
}

/// Names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_no_socket_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node");
    let foreign = |path: &Path| {
        let error = listen(path).unwrap_err();
        assert!(matches!(&error, ListenError::Foreign(p) if p == path), "{error}");
        assert_eq!(std::io::Error::from(error).kind(), ErrorKind::AlreadyExists);
    };
    fs::write(&path, "a key").unwrap();
    foreign(&path);
    assert_eq!(fs::read(&path).unwrap(), b"a key");
    assert_eq!(names(directory.path()), ["node"]);
    // neither is what a link points to
    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    foreign(&link);
    symlink(directory.path().join("nothing"), directory.path().join("dangling")).unwrap();
    foreign(&directory.path().join("dangling"));
    fs::create_dir(directory.path().join("directory")).unwrap();
    foreign(&directory.path().join("directory"));
    assert_eq!(names(directory.path()), ["dangling", "directory", "link", "node"]);
    // nor what stands where the lock should
    let other = directory.path().join("other");
    let lock = directory.path().join("other.lock");
    for make in [|lock: &Path| fs::write(lock, "not empty").unwrap(), |lock: &Path| symlink("node", lock).unwrap()] {
        make(&lock);
        let error = listen(&other).unwrap_err();
        assert!(matches!(&error, ListenError::Foreign(p) if p == &lock), "{error}");
        assert!(!other.exists() && fs::symlink_metadata(&lock).is_ok());
        fs::remove_file(&lock).unwrap();
    }
    assert_eq!(fs::read(&path).unwrap(), b"a key");
}

#[test]
fn a_socket_is_replaced_only_when_nobody_answers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node");
    let inode = || fs::symlink_metadata(&path).unwrap().ino();
    // a program that knows no lock
    let other = UnixListener::bind(&path).unwrap();
    let before = inode();
    let error = listen(&path).unwrap_err();
    assert!(matches!(&error, ListenError::InUse(p) if p == &path), "{error}");
    // of another kind of socket, too
    assert!(matches!(take(&path, SocketType::SEQPACKET, 0o640, 8), Err(ListenError::InUse(_))));
    // or one that is too busy to answer
    let _waiting: Vec<_> = (0..4096).map_while(|_| connect_at_once(&path)).collect();
    assert!(matches!(listen(&path), Err(ListenError::InUse(_))));
    assert_eq!((inode(), names(directory.path()).len()), (before, 1));
    // dead
    drop(other);
    let (_fd, mine) = listen(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::metadata(directory.path().join("node.lock")).unwrap().permissions().mode() & 0o777, 0o600);
    UnixStream::connect(&path).unwrap();
    assert!(matches!(listen(&path), Err(ListenError::InUse(_))));
    drop(mine);
    assert_eq!(names(directory.path()), [""; 0]);
}

fn connect_at_once(path: &Path) -> Option<OwnedFd> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, connect, socket_with};
    let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK, None).unwrap();
    connect(&fd, &SocketAddrUnix::new(path).unwrap()).ok().map(|()| fd)
}

#[test]
fn what_another_has_put_there_meanwhile_is_not_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node");
    let (_fd, mine) = listen(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "a key").unwrap();
    drop(mine);
    assert_eq!(fs::read(&path).unwrap(), b"a key");
}

/// Many start at once beside a dead socket, again and again: one gets the path each time, and it is that one who answers.
#[test]
fn of_many_that_start_at_once_one_has_the_path() {
    const STARTERS: usize = 8;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node");
    for round in 0..200 {
        if round % 2 == 0 {
            drop(UnixListener::bind(&path).unwrap());
        }
        let barrier = Barrier::new(STARTERS);
        let got: Vec<_> = thread::scope(|scope| {
            let starters: Vec<_> = (0..STARTERS)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        listen(&path)
                    })
                })
                .collect();
            starters.into_iter().map(|s| s.join().unwrap()).collect()
        });
        let (winners, losers): (Vec<_>, Vec<_>) = got.into_iter().partition(Result::is_ok);
        assert_eq!(winners.len(), 1, "round {round}: {losers:?}");
        assert!(losers.iter().all(|l| matches!(l, Err(ListenError::InUse(_)))), "round {round}: {losers:?}");
        assert!(fs::symlink_metadata(&path).unwrap().file_type().is_socket());
        // the winner's backlog takes it
        UnixStream::connect(&path).unwrap();
        drop(winners);
        assert_eq!(names(directory.path()), [""; 0], "round {round}");
    }
}
