//! A chat room that moves from server to server with all its members. The first line of a member is its name, every other
//! line is said to all; `/move NAME` takes the room to that server.
//!
//! `cargo run -p ipos-examples --bin chat -- ADDRESS`
//!
//! A session takes along its name, the room's latest lines and which of them it has seen. So whoever arrives last still gets
//! what the first ones said meanwhile.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};

/// Lines that the room remembers, and the longest line.
const LINES: usize = 100;
const LINE: usize = 400;

/// What was said.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Log {
    /// Number of the first line that is still remembered.
    first: usize,
    lines: Vec<String>,
}

impl Log {
    fn end(&self) -> usize {
        self.first + self.lines.len()
    }

    fn say(&mut self, mut line: String) {
        line.truncate(line.floor_char_boundary(LINE));
        self.lines.push(line);
        if self.lines.len() > LINES {
            self.lines.remove(0);
            self.first += 1;
        }
    }

    fn since(&self, seen: usize) -> &[String] {
        &self.lines[seen.saturating_sub(self.first).min(self.lines.len())..]
    }
}

/// The room on this server.
struct Room {
    log: RefCell<Log>,
    /// Number of lines said, for those who wait.
    said: watch::Sender<usize>,
    /// Where the room goes. Nobody says anything here any more once it is set.
    moving: watch::Sender<Option<String>>,
}

/// What a member takes along.
#[derive(Serialize, Deserialize)]
struct Session {
    name: Option<String>,
    seen: usize,
    log: Log,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).context("the address to listen on is missing")?;
    LocalSet::new().run_until(run(address.parse()?)).await
}

async fn run(address: std::net::SocketAddrV4) -> anyhow::Result<()> {
    let mut listener = ipos::Node::default().listen(address).await?;
    let room = Rc::new(Room { log: RefCell::default(), said: watch::channel(0).0, moving: watch::channel(None).0 });
    loop {
        let stream = listener.accept().await?;
        let room = room.clone();
        spawn_local(async move {
            if let Err(e) = serve(stream, &room).await {
                eprintln!("{e:#}");
            }
        });
    }
}

impl Room {
    fn say(&self, line: String) {
        self.log.borrow_mut().say(line);
        self.said.send_replace(self.log.borrow().end());
    }

    /// Takes over what was said elsewhere, unless more is known here.
    fn learn(&self, log: Log) {
        if log.end() > self.log.borrow().end() {
            *self.log.borrow_mut() = log;
            // the room has come here
            self.moving.send_replace(None);
            self.said.send_replace(self.log.borrow().end());
        }
    }
}

async fn serve(mut stream: ipos::Stream, room: &Room) -> anyhow::Result<()> {
    let (mut name, mut seen) = match stream.state() {
        [] => (None, room.log.borrow().end()),
        state => {
            let session: Session = serde_json::from_slice(state)?;
            room.learn(session.log);
            (session.name, session.seen)
        }
    };
    let (mut said, mut moving) = (room.said.subscribe(), room.moving.subscribe());
    let mut line = Vec::new();
    loop {
        // written before anything is read, so that the order is the room's
        let news = room.log.borrow().since(seen).to_vec();
        for line in news {
            stream.write_all(format!("{line}\n").as_bytes()).await?;
        }
        seen = *said.borrow_and_update();
        let target = moving.borrow_and_update().clone();
        if let Some(target) = target {
            stream.unread(&line);
            line.clear();
            let session = Session { name: name.clone(), seen, log: room.log.borrow().clone() };
            match stream.migrate(&target, serde_json::to_vec(&session)?).await {
                Ok(_) => return Ok(()),
                Err(failed) => {
                    stream = failed.stream.with_context(|| failed.error.to_string())?;
                    room.moving.send_replace(None);
                    room.say(format!("* the room stays: {}", failed.error));
                    continue;
                }
            }
        }
        tokio::select! {
            biased;
            _ = moving.changed() => {}
            _ = said.changed() => {}
            read = stream.read_until(b'\n', &mut line) => {
                if read? == 0 {
                    return Ok(());
                }
                let text = String::from_utf8_lossy(&std::mem::take(&mut line)).trim_end().to_owned();
                match (&name, text.strip_prefix("/move ")) {
                    (None, _) => {
                        room.say(format!("* {text} is here"));
                        name = Some(text);
                    }
                    (Some(_), Some(target)) => drop(room.moving.send_replace(Some(target.to_owned()))),
                    (Some(name), None) => room.say(format!("<{name}> {text}")),
                }
            }
        }
    }
}
