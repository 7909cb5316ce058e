//! What a port of a simulated card can be plugged into.

use std::io;
use std::os::fd::RawFd;

/// A non-blocking source and sink of Ethernet frames, without FCS.
pub trait Wire: Send {
    /// Sends a frame. A wire that can't take it now loses it, as a wire does; an error means
    /// that the wire itself is gone.
    fn send(&mut self, frame: &[u8]) -> io::Result<()>;

    /// Takes the next frame into `frame` (cleared first). `false`: nothing is there.
    fn receive(&mut self, frame: &mut Vec<u8>) -> io::Result<bool>;

    /// A descriptor that becomes readable when a frame arrives.
    fn fd(&self) -> Option<RawFd> {
        None
    }
}
