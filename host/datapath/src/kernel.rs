//! The seam to the server's own kernel.

use std::io;
use std::os::fd::BorrowedFd;

use ipos_device::Mtu;

/// The far side of the network interface that the server's kernel sees as its front network:
/// a TAP, or the other end of a veth pair. Frames are Ethernet without FCS, with finished
/// checksums and no longer than the MTU allows (checksum and segmentation offload off).
pub trait KernelPort: Send {
    /// Hands a frame to the kernel. A frame that the kernel can't take now, or that is too long for its interface, is lost, as
    /// on a wire; an error means that the interface itself is gone.
    fn deliver(&mut self, frame: &[u8]) -> io::Result<()>;

    /// Takes the next frame that the kernel sent into `frame` (cleared first). `false`: there is none.
    fn collect(&mut self, frame: &mut Vec<u8>) -> io::Result<bool>;

    /// A descriptor that becomes readable when the kernel has sent a frame.
    fn wait_fd(&self) -> BorrowedFd<'_>;

    /// Frames that were lost on the way to the kernel, as far as that is known.
    fn lost(&self) -> u64 {
        0
    }

    /// What bounds the packets of the interface, where it has a setting for that.
    fn mtu(&self) -> Option<Mtu> {
        None
    }
}
