//! Downloads and uploads that move to another server again and again: `GET /BYTES` sends so many bytes, `PUT /` answers with
//! how many came and their FNV-1a hash. A connection moves after every so many bytes.
//!
//! `cargo run -p ipos-examples --bin http -- ADDRESS BYTES_BETWEEN_MOVES`

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes written or read at once.
const CHUNK: u64 = 16 << 10;

/// What a connection is doing, all that another server must know of it.
#[derive(Serialize, Deserialize)]
enum Session {
    Request,
    Download { sent: u64, of: u64 },
    Upload { received: u64, of: u64, hash: u64 },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().context("the address to listen on is missing")?;
    let every = arguments.next().context("the bytes between moves are missing")?.parse()?;
    let mut listener = ipos::Node::default().listen(address.parse()?).await?;
    loop {
        let stream = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(e) = serve(stream, every).await {
                eprintln!("{e:#}");
            }
        });
    }
}

async fn serve(mut stream: ipos::Stream, every: u64) -> anyhow::Result<()> {
    let mut session = match stream.state() {
        [] => Session::Request,
        state => serde_json::from_slice(state)?,
    };
    let mut progress = 0;
    loop {
        let done;
        (session, done) = match session {
            Session::Request => (request(&mut stream).await?, 0),
            Session::Download { sent, of } if sent < of => {
                let bytes: Vec<u8> = (sent..of.min(sent + CHUNK)).map(content).collect();
                let written = stream.write(&bytes).await? as u64;
                (Session::Download { sent: sent + written, of }, written)
            }
            Session::Upload { received, of, mut hash } if received < of => {
                let mut bytes = vec![0; (of - received).min(CHUNK) as usize];
                let read = stream.read(&mut bytes).await?;
                if read == 0 {
                    bail!("the upload ended after {received} of {of} bytes");
                }
                for byte in &bytes[..read] {
                    hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
                }
                (Session::Upload { received: received + read as u64, of, hash }, read as u64)
            }
            Session::Download { .. } => return Ok(stream.shutdown().await?),
            Session::Upload { received, hash, .. } => {
                let body = format!("{received} {hash:016x}\n");
                let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.write_all((head + &body).as_bytes()).await?;
                return Ok(stream.shutdown().await?);
            }
        };
        progress += done;
        if progress >= every {
            progress = 0;
            match stream.migrate("", serde_json::to_vec(&session)?).await {
                Ok(_) => return Ok(()),
                Err(failed) => {
                    eprintln!("{failed}");
                    stream = failed.stream.context("and it is lost")?;
                }
            }
        }
    }
}

/// The byte of every download at an offset.
fn content(offset: u64) -> u8 {
    (offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// Reads a request and begins its answer.
async fn request(stream: &mut ipos::Stream) -> anyhow::Result<Session> {
    let mut head = Vec::new();
    loop {
        if head.len() > 16 << 10 || stream.read_buf(&mut head).await? == 0 {
            bail!("no request");
        }
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(length) = request.parse(&head)? else { continue };
        let path = request.path.unwrap_or("/").trim_start_matches('/');
        let header = |name: &str| {
            let found = request.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
            found.map(|h| String::from_utf8_lossy(h.value).into_owned())
        };
        let expects = header("expect").is_some();
        let session = match request.method {
            Some("GET") => Session::Download { sent: 0, of: path.parse().context("GET /BYTES")? },
            Some("PUT") => {
                let of = header("content-length").context("no Content-Length")?.parse()?;
                Session::Upload { received: 0, of, hash: 0xcbf2_9ce4_8422_2325 }
            }
            _ => bail!("neither GET nor PUT"),
        };
        // the body's beginning, if it came along
        let rest = head.split_off(length);
        stream.unread(&rest);
        match &session {
            Session::Download { of, .. } => {
                let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {of}\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
            }
            _ if expects => stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?,
            _ => {}
        }
        return Ok(session);
    }
}
