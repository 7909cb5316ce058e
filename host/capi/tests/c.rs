//! The C example, compiled by the system's compiler, between two nodes.

#[path = "../../ipos/tests/rig/mod.rs"]
mod rig;

use std::ffi::CString;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rig::program::Program;
use rig::{ADDRESS, Rig, expect, runtime};

fn compile(to: &Path) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let library = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    assert!(library.join("libipos_c.so").exists());
    let program = to.join("echo");
    let status = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-D_POSIX_C_SOURCE=200809L"])
        .arg(here.join("examples/echo.c"))
        .arg("-I")
        .arg(here.join("../include"))
        .arg("-L")
        .arg(&library)
        .arg(format!("-Wl,-rpath,{}", library.display()))
        .args(["-lipos_c", "-lpthread", "-o"])
        .arg(&program)
        .status()
        .unwrap();
    assert!(status.success());
    program
}

#[test]
fn the_c_example_counts_on_wherever_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile(directory.path());
    let rig = Rig::new(2);
    let _servers = [0, 1].map(|server| {
        let mut command = Command::new(&program);
        command.arg(ADDRESS.to_string());
        Program::start(&rig, server, command)
    });
    let mut client = rig.connect();
    expect(&mut client, b"one\ntw", b"1 one\n");
    expect(&mut client, b"o\nmove b\nthree\n", b"2 two\n3 three\n");
    expect(&mut client, b"move nowhere\nfo", b"no peer is called \"nowhere\"; the node knows [\"a\"]\n");
    expect(&mut client, b"ur\n", b"4 four\n");
    expect(&mut client, b"move a\nfive\n", b"5 five\n");
    let moved = |server: usize| runtime().block_on(rig.cluster.nodes[server].stats()).unwrap().moved_in;
    assert_eq!((moved(0), moved(1)), (1, 1));
}

#[test]
fn one_read_takes_all_that_waits_and_touches_nothing_else() {
    const SENT: usize = 32 << 10;
    let rig = Rig::new(1);
    let socket = CString::new(rig.socket(0).as_os_str().as_bytes()).unwrap();
    let address = CString::new(ADDRESS.to_string()).unwrap();
    // SAFETY: two strings.
    let listen = || unsafe { ipos_c::ipos_listen(socket.as_ptr(), address.as_ptr()) } as usize;
    let listener = rig.cluster.kernels[0].run(|| Ok(listen())).unwrap() as *mut ipos_c::Listener;
    assert!(!listener.is_null());
    let mut client = rig.connect();
    client.write_all(&[7; SENT]).unwrap();
    // acknowledged: the server's kernel has it
    let unacknowledged = || {
        let mut bytes: libc::c_int = 0;
        // SAFETY: an integer that outlives the call.
        assert_eq!(unsafe { libc::ioctl(client.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) }, 0);
        bytes
    };
    while unacknowledged() > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut bytes = vec![0xaa; 2 * SENT];
    // SAFETY: the listener is open; the memory is as long as said.
    unsafe {
        let stream = ipos_c::ipos_accept(listener);
        assert!(!stream.is_null());
        assert_eq!(ipos_c::ipos_read(stream, bytes.as_mut_ptr(), bytes.len()), SENT as i64);
        assert_eq!(ipos_c::ipos_read(stream, bytes.as_mut_ptr(), 0), 0);
        ipos_c::ipos_close(stream);
        ipos_c::ipos_listener_close(listener);
    }
    assert!(bytes[..SENT].iter().all(|b| *b == 7) && bytes[SENT..].iter().all(|b| *b == 0xaa));
}

#[test]
fn what_can_not_be_done_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let program = compile(directory.path());
    for (socket, address, about) in [
        ("/nonexistent", "127.0.0.1:7001", "no node at /nonexistent"),
        ("/nonexistent", "127.0.0.1", "127.0.0.1: invalid IPv4 socket address"),
    ] {
        let output = Command::new(&program).arg(address).env("IPOS_SOCKET", socket).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && text.contains(about), "{text}");
    }
}
