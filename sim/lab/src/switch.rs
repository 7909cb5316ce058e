//! A learning Ethernet switch as a thread, for kernels that have no bridge.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ipos_sim::wire::Wire;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How often the thread looks whether it is to stop, in milliseconds.
const STOP_MS: u16 = 100;
/// How often it looks at wires that hold frames back and don't say when they let them go.
const WATCH_MS: u16 = 1;

/// A running switch; dropping it stops the thread.
pub struct Switch {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Switch {
    /// Switches between `ports` until dropped. Each needs a descriptor to wait for.
    pub fn spawn<W: Wire + 'static>(ports: Vec<W>) -> io::Result<Self> {
        Self::start(ports, STOP_MS)
    }

    /// As [`Switch::spawn`], for ports of which some hold frames back, as [`ipos_sim::fault::Fault`] does.
    pub fn spawn_watchful<W: Wire + 'static>(ports: Vec<W>) -> io::Result<Self> {
        Self::start(ports, WATCH_MS)
    }

    fn start<W: Wire + 'static>(mut ports: Vec<W>, wait_ms: u16) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::Builder::new().name("switch".into()).spawn(move || {
            if let Err(e) = run(&mut ports, &stopped, wait_ms) {
                tracing::error!("the switch stopped: {e}");
            }
        })?;
        Ok(Switch { stop, thread: Some(thread) })
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // a panic there has already been printed
            let _ = thread.join();
        }
    }
}

fn run<W: Wire>(ports: &mut [W], stop: &AtomicBool, wait_ms: u16) -> io::Result<()> {
    let mut learned: HashMap<[u8; 6], usize> = HashMap::new();
    let mut frame = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        for from in 0..ports.len() {
            while ports[from].receive(&mut frame)? {
                let (Some(&to), Some(&source)) =
                    (frame.first_chunk::<6>(), frame.get(6..).unwrap_or_default().first_chunk::<6>())
                else {
                    continue;
                };
                learned.insert(source, from);
                let known = if to[0] & 1 == 0 { learned.get(&to).copied() } else { None };
                for (at, port) in ports.iter_mut().enumerate() {
                    if at != from && known.is_none_or(|k| k == at) {
                        port.send(&frame)?;
                    }
                }
            }
        }
        wait(ports, wait_ms)?;
    }
    Ok(())
}

fn wait<W: Wire>(ports: &[W], wait_ms: u16) -> io::Result<()> {
    let mut fds: Vec<PollFd<'_>> =
        ports.iter().filter_map(Wire::fd).map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    match poll(&mut fds, PollTimeout::from(wait_ms)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ipos_sim::wire::memory::{Memory, pair};
    use std::time::{Duration, Instant};

    fn frame(to: u8, from: u8) -> Vec<u8> {
        [[2, 0, 0, 0, 0, to], [2, 0, 0, 0, 0, from], [0x88, 0xb5, to, from, 0, 0]].concat()
    }

    fn expect(wire: &mut Memory, want: &[u8]) {
        let end = Instant::now() + Duration::from_secs(2);
        let mut got = Vec::new();
        while !wire.receive(&mut got).unwrap() {
            assert!(Instant::now() < end, "nothing arrived");
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(got, want);
    }

    #[test]
    fn unknown_destinations_are_flooded_and_learned_ones_are_not() {
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let (a, b) = pair().unwrap();
            near.push(a);
            far.push(b);
        }
        let _switch = Switch::spawn(near).unwrap();
        far[0].send(&frame(2, 1)).unwrap();
        expect(&mut far[1], &frame(2, 1));
        expect(&mut far[2], &frame(2, 1));
        far[1].send(&[0; 5]).unwrap(); // no link header: ignored
        far[1].send(&frame(1, 2)).unwrap();
        expect(&mut far[0], &frame(1, 2));
        far[0].send(&frame(2, 1)).unwrap();
        expect(&mut far[1], &frame(2, 1));
        // had the two known ones been flooded, they would come before this one
        let broadcast = [&[0xff; 6][..], &frame(0, 1)[6..]].concat();
        far[0].send(&broadcast).unwrap();
        expect(&mut far[2], &broadcast);
        let mut got = Vec::new();
        assert!(!far[0].receive(&mut got).unwrap(), "a frame never leaves by the port it came in");
    }
}
