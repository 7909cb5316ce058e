//! The wires that this command opens by name, and the one to the kernel.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use anyhow::anyhow;
use ipos_device::Mtu;
use ipos_node::KernelPort;
use ipos_wire::Wire;
use ipos_wire::packet::Packet;
use ipos_wire::tap::Tap;

/// `tap:NAME`: a TAP interface, made here; else the far end of a veth pair.
pub fn open(interface: &str) -> io::Result<Box<dyn Wire>> {
    Ok(match interface.strip_prefix("tap:") {
        Some(name) => Box::new(Tap::open(name)?),
        None => Box::new(Packet::open(interface)?),
    })
}

/// The far end of a server's own network interface.
pub struct KernelWire(Box<dyn Wire>, OwnedFd);

impl KernelWire {
    /// A wire that can be waited for, to the interface of this name.
    pub fn new(wire: Box<dyn Wire>, name: &str) -> anyhow::Result<Self> {
        let fd = wire.fd().ok_or_else(|| anyhow!("{name} can't be waited for"))?.try_clone_to_owned()?;
        Ok(KernelWire(wire, fd))
    }
}

impl KernelPort for KernelWire {
    fn deliver(&mut self, frame: &[u8]) -> io::Result<()> {
        self.0.send(frame)
    }

    fn collect(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        self.0.receive(frame)
    }

    fn wait_fd(&self) -> BorrowedFd<'_> {
        self.1.as_fd()
    }

    fn lost(&self) -> u64 {
        self.0.lost()
    }

    fn mtu(&self) -> Option<Mtu> {
        self.0.mtu()
    }
}
