//! What a function's ports are plugged into: a cable from one to the other, or wires.

use std::io;
use std::os::fd::BorrowedFd;

use ipos_abi::Port;
use ipos_device::Mtu;

use super::Function;
use crate::card::{CYCLES_PER_POLL, FRAMES_PER_POLL, Wires};
use crate::wire::Wire;

/// The cabling of a function. By default its ports are cabled to each other, until wires are plugged in.
pub struct Plant(Plugged);

enum Plugged {
    Cable(Cable),
    Wires(Wires),
}

impl Default for Plant {
    fn default() -> Self {
        Plant(Plugged::Cable(Cable::default()))
    }
}

impl Plant {
    /// Plugs a wire into a port, in place of the cable or of what was there.
    pub fn plug(&mut self, port: Port, wire: Box<dyn Wire>) {
        if let Plugged::Cable(_) = self.0 {
            self.0 = Plugged::Wires(Wires::default());
        }
        if let Plugged::Wires(wires) = &mut self.0 {
            wires.plug(port, wire);
        }
    }

    /// Moves frames and lets the function work, both for a bounded time. `true`: there is more to do.
    pub fn run(&mut self, function: &mut impl Function) -> io::Result<bool> {
        match &mut self.0 {
            Plugged::Cable(cable) => {
                let carried = cable.carry(function);
                Ok(function.run(CYCLES_PER_POLL) | carried)
            }
            Plugged::Wires(wires) => {
                let more = wires.carry_in(|port, frame, error| function.wire_in(port, frame, error))?;
                let busy = function.run(CYCLES_PER_POLL);
                wires.carry_out(|port, frame| function.wire_out(port, frame))?;
                Ok(more | busy)
            }
        }
    }

    /// What bounds the packets of a port, if its wire knows.
    #[must_use]
    pub fn mtu(&self, port: Port) -> Option<Mtu> {
        match &self.0 {
            Plugged::Cable(_) => None,
            Plugged::Wires(wires) => wires.mtu(port),
        }
    }

    /// Descriptors that become readable when a wire has a frame.
    #[must_use]
    pub fn fds(&self) -> Vec<BorrowedFd<'_>> {
        match &self.0 {
            Plugged::Cable(_) => Vec::new(),
            Plugged::Wires(wires) => wires.fds(),
        }
    }
}

/// A cable between a card's two ports.
#[derive(Default)]
struct Cable {
    /// By port that has sent: a frame that the other has no room for yet.
    waiting: [Option<Vec<u8>>; 2],
    frame: Vec<u8>,
}

impl Cable {
    /// Moves frames across. `true`: some moved, or wait.
    fn carry(&mut self, function: &mut impl Function) -> bool {
        let mut more = false;
        for (from, to) in [(Port::Front, Port::Back), (Port::Back, Port::Front)] {
            for _ in 0..FRAMES_PER_POLL {
                let frame = match self.waiting[from as usize].take() {
                    Some(frame) => frame,
                    None if function.wire_out(from, &mut self.frame) => std::mem::take(&mut self.frame),
                    None => break,
                };
                more = true;
                if !function.wire_in(to, &frame, false) {
                    self.waiting[from as usize] = Some(frame);
                    break;
                }
                self.frame = frame;
            }
        }
        more
    }
}
