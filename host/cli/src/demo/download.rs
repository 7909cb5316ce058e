//! The download server's part of one connection: HTTP/1.1 (RFC 9112), `GET /file`, nothing else.

use std::io;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::file::File;
use super::session::Session;

/// Longest request head.
const MAX_HEAD: usize = 16 << 10;
/// Most that one step writes.
const CHUNK: usize = 16 << 10;

/// How much of the file may have been sent by now, in bytes: the demo lets the transfer last as
/// long as its moves.
pub type Gate = watch::Receiver<u64>;

/// One connection. Where it stands is all that another server needs to go on.
pub struct Download {
    file: File,
    gate: Gate,
    at: Progress,
}

/// What travels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    /// Received and not yet answered.
    request: Vec<u8>,
    response: Option<Response>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Response {
    head: String,
    /// Bytes of the file that follow the head.
    body: u64,
    /// Bytes of head and body written so far.
    written: u64,
    /// The connection ends after this response.
    close: bool,
}

impl Download {
    /// A connection that has just been accepted.
    pub fn new(file: File, gate: Gate) -> Self {
        Download { file, gate, at: Progress::default() }
    }

    /// A connection that came from another server.
    pub fn resume(file: File, gate: Gate, state: &[u8]) -> anyhow::Result<Self> {
        let at = serde_json::from_slice(state).context("the state of a download that arrived")?;
        Ok(Download { file, gate, at })
    }

    async fn read_request(&mut self, stream: &TcpStream) -> io::Result<bool> {
        stream.readable().await?;
        let mut buffer = [0; 4096];
        match stream.try_read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(n) => self.at.request.extend_from_slice(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
        self.at.response = answer(&mut self.at.request, self.file.size);
        Ok(true)
    }

    async fn write_response(&mut self, stream: &TcpStream) -> io::Result<bool> {
        let Some(response) = &mut self.at.response else { return Ok(true) };
        let head = response.head.len() as u64;
        let end = head + response.body;
        let mut buffer = [0; CHUNK];
        let chunk = if response.written < head {
            &response.head.as_bytes()[response.written as usize..]
        } else {
            let open = head + (*self.gate.borrow_and_update()).min(response.body);
            let length = open.saturating_sub(response.written).min(CHUNK as u64) as usize;
            if length == 0 && response.written < end {
                // an error means that the demo is over
                return Ok(self.gate.changed().await.is_ok());
            }
            self.file.fill(response.written - head, &mut buffer[..length]);
            &buffer[..length]
        };
        if !chunk.is_empty() {
            stream.writable().await?;
            match stream.try_write(chunk) {
                Ok(n) => response.written += n as u64,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
        }
        if response.written < end {
            return Ok(true);
        }
        let close = response.close;
        self.at.response = answer(&mut self.at.request, self.file.size);
        Ok(!close)
    }
}

impl Session for Download {
    const NAME: &'static str = "download";

    fn state(&self) -> Vec<u8> {
        serde_json::to_vec(&self.at).unwrap_or_default()
    }

    async fn step(&mut self, stream: &TcpStream) -> io::Result<bool> {
        if self.at.response.is_some() { self.write_response(stream).await } else { self.read_request(stream).await }
    }
}

/// Takes a whole request head off the front of `request` and answers it; `None`: it is incomplete.
fn answer(request: &mut Vec<u8>, size: u64) -> Option<Response> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut headers);
    let (status, body, close) = match parsed.parse(request) {
        Ok(httparse::Status::Partial) if request.len() < MAX_HEAD => return None,
        Ok(httparse::Status::Complete(length)) => {
            let answer = match (parsed.method, parsed.path) {
                (Some("GET"), Some("/file")) => ("200 OK", size, false),
                (Some("GET"), _) => ("404 Not Found", 0, false),
                _ => ("405 Method Not Allowed\r\nAllow: GET", 0, true),
            };
            request.drain(..length);
            answer
        }
        Ok(httparse::Status::Partial) => ("431 Request Header Fields Too Large", 0, true),
        Err(_) => ("400 Bad Request", 0, true),
    };
    let connection = if close { "Connection: close\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {body}\r\n{connection}\r\n"
    );
    Some(Response { head, body, written: 0, close })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn a_download_resumed_at_every_step_is_the_file() {
        runtime().block_on(async {
            let file = File { seed: 3, size: 200_000 };
            let (mut client, server) = pair().await;
            let (open, gate) = watch::channel(50_000);
            let serve = async {
                let mut session = Download::new(file, gate.clone());
                while session.step(&server).await.unwrap() {
                    session = Download::resume(file, gate.clone(), &session.state()).unwrap();
                }
            };
            let ask = async {
                client.write_all(b"GET /file HT").await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                client.write_all(b"TP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
                let mut got = vec![0; 50_000];
                client.read_exact(&mut got).await.unwrap();
                open.send(u64::MAX).unwrap();
                let start = got.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
                assert!(got.starts_with(b"HTTP/1.1 200 OK\r\n"));
                let mut rest = vec![0; start + 200_000 - 50_000];
                client.read_exact(&mut rest).await.unwrap();
                got.extend(rest);
                assert_eq!(blake3::hash(&got[start..]), file.digest());
                client.shutdown().await.unwrap();
            };
            tokio::join!(serve, ask);
        });
    }

    #[test]
    fn other_requests_are_refused_and_damaged_state_is_an_error() {
        let status = |request: &[u8]| answer(&mut request.to_vec(), 1).map(|r| (r.head[9..12].to_owned(), r.close));
        assert_eq!(status(b"GET /file HTTP/1.1\r\n"), None);
        assert_eq!(status(b"GET /file HTTP/1.1\r\n\r\n"), Some(("200".into(), false)));
        assert_eq!(status(b"GET / HTTP/1.1\r\n\r\n"), Some(("404".into(), false)));
        assert_eq!(status(b"PUT /file HTTP/1.1\r\n\r\n"), Some(("405".into(), true)));
        assert_eq!(status(b"\x00\x01\r\n\r\n"), Some(("400".into(), true)));
        assert_eq!(status(&[b'a'; MAX_HEAD]), Some(("431".into(), true)));
        let (_open, gate) = watch::channel(0);
        let file = File { seed: 0, size: 0 };
        assert!(Download::resume(file, gate.clone(), b"{").is_err());
        assert!(Download::resume(file, gate, b"").is_err());
    }
}
