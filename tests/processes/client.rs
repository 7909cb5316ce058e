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
/// Bytes that are sent at once.
const PIECE: u64 = 1024;
/// The same where the kernel is to gather them.
const NAGLE_PIECE: u64 = 200;
/// How long the client lets bytes gather before it sends again, so that two cores serve many connections.
const PACE: Duration = Duration::from_millis(2);

/// What a client does while its connection moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It sends and is answered all the time.
    Streams,
    /// It waits for the server to say something.
    Waits,
    /// It sends small pieces and lets its kernel gather them (RFC 896).
    Nagle,
}

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
    /// No more is to be sent, for now.
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
    /// Connects from the namespace and begins to stream.
    pub fn new(inside: &Netns) -> Self {
        Self::of_kind(inside, Kind::Streams)
    }

    /// Connects from the namespace and begins; one that [waits](Kind::Waits) does so when it is told to [`finish`](Self::finish).
    pub fn of_kind(inside: &Netns, kind: Kind) -> Self {
        let socket = inside.run(|| TcpStream::connect((SERVICE, PORT))).unwrap();
        socket.set_nodelay(kind != Kind::Nagle).unwrap();
        let piece = if kind == Kind::Nagle { NAGLE_PIECE } else { PIECE };
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
            if let Err(end) = run(&mut stream, &of_thread, piece) {
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

    /// Goes on to send.
    pub fn go_on(&self) {
        self.seen.lock().unwrap().finish = false;
    }

    /// Waits for its end, without sending anything. `None`: none within `limit`.
    pub fn ends(&self, limit: Duration) -> Option<End> {
        self.wait(limit, |seen| seen.end.is_some());
        self.seen().end
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

fn run(stream: &mut TcpStream, shared: &Mutex<Seen>, piece: u64) -> Result<(), End> {
    let mut buffer = [0; 4096];
    loop {
        let Seen { sent, received, finish, .. } = *shared.lock().unwrap();
        let room = if finish { 0 } else { (WINDOW - (sent - received)).min(piece) };
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
