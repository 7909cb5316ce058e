//! A client with one connection, over which bytes go out and come back, and what it saw.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ipos_lab::net::SERVICE;
use ipos_sim::wire::netns::Netns;

use crate::application::PORT;

/// Bytes that may be on their way.
const WINDOW: u64 = 8 << 10;
/// How long the client lets bytes gather before it sends again, so that two cores serve many connections.
const PACE: Duration = Duration::from_millis(2);

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// RST.
    Reset,
    /// FIN.
    Closed,
    /// The client's own time-out, or anything else.
    Other(ErrorKind),
}

/// What a client has seen so far.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Bytes sent.
    pub sent: u64,
    /// Bytes that came back, each of them checked.
    pub received: u64,
    /// When the last of them came.
    pub last: Instant,
    /// The longest time without any.
    pub longest: Duration,
    /// How it ended, if it did.
    pub end: Option<End>,
    /// No more is to be sent.
    finish: bool,
    /// A byte came back that was not the next one.
    pub wrong: bool,
}

/// A client at work.
pub struct Client {
    seen: Arc<Mutex<Seen>>,
    socket: TcpStream,
    thread: Option<JoinHandle<()>>,
    /// Its port.
    pub port: u16,
}

fn byte(at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

impl Client {
    /// Connects from the namespace and begins.
    pub fn new(inside: &Netns) -> Self {
        let socket = inside.run(|| TcpStream::connect((SERVICE, PORT))).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PACE)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let seen = Seen {
            sent: 0,
            received: 0,
            last: Instant::now(),
            longest: Duration::ZERO,
            end: None,
            finish: false,
            wrong: false,
        };
        let seen = Arc::new(Mutex::new(seen));
        let (of_thread, mut stream) = (seen.clone(), socket.try_clone().unwrap());
        stream.set_write_timeout(Some(PACE)).unwrap();
        let thread = thread::Builder::new().stack_size(64 << 10).spawn(move || {
            if let Err(end) = run(&mut stream, &of_thread) {
                of_thread.lock().unwrap().end = Some(end);
            }
        });
        Client { seen, socket, thread: Some(thread.unwrap()), port }
    }

    /// What it has seen so far.
    pub fn seen(&self) -> Seen {
        *self.seen.lock().unwrap()
    }

    /// Waits until `more` bytes beyond now have come back. `false`: the connection ended, or they did not come within `limit`.
    pub fn goes_on(&self, more: u64, limit: Duration) -> bool {
        let goal = self.seen().received + more;
        self.wait(limit, |seen| seen.received >= goal)
    }

    fn wait(&self, limit: Duration, done: impl Fn(&Seen) -> bool) -> bool {
        let end = Instant::now() + limit;
        loop {
            let seen = self.seen();
            if done(&seen) || seen.end.is_some() || Instant::now() > end {
                return done(&seen);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends no more and waits for what is still on its way. `true`: every byte came back, once.
    pub fn finish(&mut self, limit: Duration) -> bool {
        self.seen.lock().unwrap().finish = true;
        self.wait(limit, |seen| seen.received == seen.sent) && !self.seen().wrong
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // ends the thread's next read or write
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(stream: &mut TcpStream, shared: &Mutex<Seen>) -> Result<(), End> {
    let mut buffer = [0; 4096];
    loop {
        let Seen { sent, received, finish, .. } = *shared.lock().unwrap();
        let room = if finish { 0 } else { (WINDOW - (sent - received)).min(1024) };
        if room > 0 {
            for (i, b) in buffer[..room as usize].iter_mut().enumerate() {
                *b = byte(sent + i as u64);
            }
            match stream.write(&buffer[..room as usize]) {
                Ok(n) => shared.lock().unwrap().sent += n as u64,
                Err(e) => later(e.kind())?,
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) => return Err(End::Closed),
            Ok(n) => {
                let mut seen = shared.lock().unwrap();
                let right = (seen.received..).zip(&buffer[..n]).all(|(at, b)| *b == byte(at));
                seen.wrong |= !right || seen.received + n as u64 > seen.sent;
                seen.received += n as u64;
                seen.longest = seen.longest.max(seen.last.elapsed());
                seen.last = Instant::now();
            }
            Err(e) => later(e.kind())?,
        }
        if room > 0 {
            thread::sleep(PACE);
        }
    }
}

/// Whether an error means only that nothing could be done yet.
fn later(kind: ErrorKind) -> Result<(), End> {
    match kind {
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(()),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Err(End::Reset),
        other => Err(End::Other(other)),
    }
}
