//! The card's counters, and the law that they obey.

use ipos_abi::Port;
use ipos_abi::regs::{counters as reg, outcome};
use ipos_abi::rx::Outcome;
use ipos_device::{DeviceError, Registers};

/// Counters of one port, since the card's reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounters {
    /// Frames by [`Outcome`], indexed by its code.
    pub outcomes: [u64; Outcome::ALL.len()],
    /// Frames received.
    pub received: u64,
    /// Frames sent, those with an error mark included.
    pub sent: u64,
}

/// A snapshot of all counters. It is not taken in one instant: it adds up only while the card is idle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Per port, indexed by [`Port`].
    pub ports: [PortCounters; 2],
}

/// A port whose received frames are not the sum of its outcomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the {port:?} port received {received} frames but accounts for {accounted}: the card was not idle, or lost some"
)]
pub struct Imbalance {
    /// The port.
    pub port: Port,
    /// Frames received.
    pub received: u64,
    /// Sum of all outcomes.
    pub accounted: u64,
}

impl Counters {
    /// Reads all counters. The card has one latch for high words, so nothing else may read
    /// counters meanwhile.
    pub fn read(device: &mut (impl Registers + ?Sized)) -> Result<Self, DeviceError> {
        let mut read = |low: u32| -> Result<u64, DeviceError> {
            let low = u64::from(device.read32(low)?);
            Ok(u64::from(device.read32(reg::HIGH)?) << 32 | low)
        };
        let mut all = Counters::default();
        for (port, rx, tx) in [(Port::Front, reg::FRONT_RX, reg::FRONT_TX), (Port::Back, reg::BACK_RX, reg::BACK_TX)] {
            let counters = &mut all.ports[port as usize];
            for &o in Outcome::ALL {
                counters.outcomes[o as usize] = read(outcome(port, o))?;
            }
            counters.received = read(rx)?;
            counters.sent = read(tx)?;
        }
        Ok(all)
    }

    /// Frames of a port that ended so.
    #[must_use]
    pub fn get(&self, port: Port, outcome: Outcome) -> u64 {
        self.ports[port as usize].outcomes[outcome as usize]
    }

    /// Checks that every received frame is accounted for once.
    pub fn conserved(&self) -> Result<(), Imbalance> {
        for port in Port::ALL {
            let counters = &self.ports[port as usize];
            let accounted = counters.outcomes.iter().sum();
            if counters.received != accounted {
                return Err(Imbalance { port, received: counters.received, accounted });
            }
        }
        Ok(())
    }
}
