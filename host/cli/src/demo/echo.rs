//! The echo server's part of one connection: what comes goes back.

use std::io;

use tokio::net::TcpStream;

use super::session::Session;

/// Most that is held for a client that does not read.
const LIMIT: usize = 32 << 10;

/// One connection.
#[derive(Default)]
pub struct Echo {
    /// Received and not yet sent back. All that another server needs to go on.
    pending: Vec<u8>,
}

impl Echo {
    /// A connection that came from another server.
    pub fn resume(state: Vec<u8>) -> Self {
        Echo { pending: state }
    }
}

impl Session for Echo {
    const NAME: &'static str = "echo";

    fn state(&self) -> Vec<u8> {
        self.pending.clone()
    }

    async fn step(&mut self, stream: &TcpStream) -> io::Result<bool> {
        let result = if self.pending.is_empty() {
            stream.readable().await?;
            let mut buffer = [0; LIMIT];
            stream.try_read(&mut buffer).map(|n| {
                self.pending.extend_from_slice(&buffer[..n]);
                n > 0
            })
        } else {
            stream.writable().await?;
            stream.try_write(&self.pending).map(|n| {
                self.pending.drain(..n);
                true
            })
        };
        match result {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(true),
            other => other,
        }
    }
}
