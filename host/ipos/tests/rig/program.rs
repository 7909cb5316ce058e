//! Servers as processes of their own, without any privilege.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{PORT, Rig};

/// A running program; it is killed when this is dropped.
pub struct Program(pub Child);

impl Program {
    /// Runs a program in a server's network namespace, with no capability at all, and waits until the node knows that it listens:
    /// the kernel does before.
    pub fn start(rig: &Rig, server: usize, mut command: Command) -> Self {
        command.env("IPOS_SOCKET", rig.socket(server)).stdin(Stdio::null());
        // SAFETY: system calls alone between fork and exec; nothing allocates.
        unsafe {
            command.pre_exec(|| {
                for capability in 0..64 {
                    // those that this kernel does not have can't be dropped
                    libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
                }
                Ok(())
            });
        }
        let mut program = Program(rig.cluster.kernels[server].run(|| command.spawn()).unwrap());
        for _ in 0..2000 {
            let ended = program.0.try_wait().unwrap();
            assert!(ended.is_none(), "{command:?}: {ended:?}");
            if rig.cluster.nodes[server].listens(PORT) {
                let status = std::fs::read_to_string(format!("/proc/{}/status", program.0.id())).unwrap();
                assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
                return program;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{command:?} does not listen");
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id() as i32), signal).unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
