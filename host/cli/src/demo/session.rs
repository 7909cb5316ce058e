//! An application's part of one connection.

use std::io;

use tokio::net::TcpStream;

/// One connection of an application that can go on elsewhere.
pub trait Session: 'static {
    /// The application.
    const NAME: &'static str;
    /// The state that another server needs to go on from here.
    fn state(&self) -> Vec<u8>;
    /// Does the next thing. Dropping the future before it is ready loses nothing.
    /// `false`: the connection is finished.
    async fn step(&mut self, stream: &TcpStream) -> io::Result<bool>;
}
