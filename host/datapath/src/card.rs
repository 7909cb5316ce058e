//! The datapath over a card: its two tables, and the far end of the server's own interface.
//!
//! A card knows nothing of fences and deadlines. The kernel's frames come to the node, which keeps the fence; deadlines are kept
//! here, so they hold only while the node's process lives.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::time::Instant;

use ipos_abi::Port;
use ipos_abi::regs::outcome;
use ipos_abi::rx::Outcome;
use ipos_abi::table::FlowKey;
use ipos_abi::wire::tcp::Flags;
use ipos_device::{Device, Mtu, Queue, check_mtus};
use ipos_nic::{Carried, Counters, Destination, Forward, Nic, PortConfig, Table};

use crate::entry::{Action, Entry, Flow, Owner, PeerAddress};
use crate::error::DatapathError;
use crate::kernel::KernelPort;
use crate::{Datapath, Egress, Event, Received};

const NAME: &str = "a card";

/// Settings of a card for its two networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardConfig {
    /// MAC address of the front port and of the kernel's interface behind it.
    pub front: [u8; 6],
    /// The VLAN of the clients' network, whose frames are tagged on the front port; `None`: they are untagged.
    pub front_vlan: Option<u16>,
    /// MAC address of the back port.
    pub back: [u8; 6],
    /// EtherType of ipOS.
    pub ethertype: u16,
}

/// A card and the server's own interface.
pub struct Card<D> {
    nic: Nic<D>,
    kernel: Box<dyn KernelPort>,
    entries: HashMap<Flow, Entry>,
    deadlines: BTreeSet<(Instant, Flow)>,
}

impl<D: Device> Card<D> {
    /// Takes a card into use: its tables are emptied, its ports get their addresses.
    pub fn open(device: D, kernel: Box<dyn KernelPort>, config: &CardConfig) -> Result<Self, DatapathError> {
        check_mtus(device.mtu(Port::Front), kernel.mtu(), device.mtu(Port::Back))?;
        let mut nic = Nic::open(device)?;
        let CardConfig { front, front_vlan, back, ethertype } = *config;
        for (port, mac, vlan) in [(Port::Front, front, front_vlan), (Port::Back, back, None)] {
            nic.set_port(port, &PortConfig { mac, promiscuous: false, vlan })?;
        }
        nic.set_ethertype(ethertype)?;
        Ok(Card { nic, kernel, entries: HashMap::new(), deadlines: BTreeSet::new() })
    }

    /// Writes what differs between two entries into the card's tables.
    fn replace(&mut self, key: &FlowKey, old: &Entry, new: &Entry) -> Result<(), DatapathError> {
        if new.action != old.action {
            self.act(key, new.action)?;
        }
        let reference = |entry: &Entry| entry.endpoint.then_some(entry.epoch as u32);
        match (reference(old), reference(new)) {
            (before, Some(now)) if before != Some(now) => {
                if let Err(e) = self.nic.endpoint_insert(key, now) {
                    // a moment ago it had a place
                    if new.action != old.action {
                        self.act(key, old.action)?;
                    }
                    return Err(e.into());
                }
            }
            (Some(_), None) => {
                self.nic.endpoint_remove(key)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn act(&mut self, key: &FlowKey, action: Action) -> Result<(), DatapathError> {
        let forward = match action {
            Action::Pass => {
                self.nic.forward_remove(key)?;
                return Ok(());
            }
            Action::Forward(owner) => Forward::To(destination(&owner)?),
            Action::Host => Forward::Host,
            Action::Drop => Forward::Drop,
        };
        Ok(self.nic.forward_insert(key, forward)?)
    }

    fn note(&mut self, flow: Flow, entry: Option<Entry>) {
        let old = match entry {
            Some(entry) => self.entries.insert(flow, entry),
            None => self.entries.remove(&flow),
        };
        if let Some(expiry) = old.and_then(|entry| entry.expires) {
            self.deadlines.remove(&(expiry.at, flow));
        }
        self.deadlines.extend(entry.and_then(|entry| entry.expires).map(|expiry| (expiry.at, flow)));
    }

    fn expire(&mut self) -> Result<(), DatapathError> {
        while let Some((at, flow)) = self.deadlines.first().copied()
            && at <= Instant::now()
        {
            let left = self.entries.get(&flow).and_then(|entry| entry.expired());
            match self.set(&flow, left) {
                Ok(()) => {}
                // it has no room for what it forwarded before: the host has the packets, and passes them on
                Err(e) if e.is_of_entry() => {
                    tracing::warn!(?flow, "the action after its deadline: {e}");
                    self.set(&flow, left.map(|entry| Entry { action: Action::Pass, ..entry }))?;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

impl<D: Device> Datapath for Card<D> {
    fn set(&mut self, flow: &Flow, entry: Option<Entry>) -> Result<(), DatapathError> {
        let key = flow.key().ok_or(DatapathError::Unsupported {
            datapath: NAME,
            what: "have an entry of this address family",
            instead: "its tables are of IPv4",
        })?;
        let (old, new) = (self.get(flow).unwrap_or_default(), entry.unwrap_or_default());
        self.replace(&key, &old, &new)?;
        self.note(*flow, entry);
        Ok(())
    }

    fn get(&self, flow: &Flow) -> Option<Entry> {
        self.entries.get(flow).copied()
    }

    fn entries(&self) -> Vec<(Flow, Entry)> {
        self.entries.iter().map(|(flow, entry)| (*flow, *entry)).collect()
    }

    fn used(&self) -> usize {
        [Table::Forward, Table::Endpoint].map(|table| self.nic.load(table).0).iter().sum()
    }

    fn carried(&mut self, flow: &Flow) -> Result<Option<Carried>, DatapathError> {
        let Some(key) = flow.key() else { return Ok(None) };
        Ok(self.nic.carried(&key)?)
    }

    /// A card gives every packet without an entry to its host: new connections come to the node in any case.
    fn divert(&mut self, _service: SocketAddr, _on: bool) -> Result<(), DatapathError> {
        Ok(())
    }

    fn send(&mut self, port: Port, frame: &[u8]) -> Result<bool, DatapathError> {
        Ok(self.nic.device_mut().transmit(port, frame)?)
    }

    fn receive(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Result<Option<Received>, DatapathError> {
        while let Some(meta) = self.nic.device_mut().receive(queue, frame)? {
            match meta.info() {
                Ok(info) => {
                    let sender = frame.get(6..).and_then(|rest| rest.first_chunk().copied()).unwrap_or_default();
                    return Ok(Some(Received {
                        port: info.port,
                        decapsulated: info.decapsulated,
                        vlan: info.vlan_id(),
                        sender: PeerAddress::Mac(sender),
                    }));
                }
                Err(e) => tracing::warn!("a frame is dropped: {e}"),
            }
        }
        Ok(None)
    }

    fn deliver(&mut self, frame: &[u8]) -> Result<(), DatapathError> {
        self.kernel.deliver(frame).map_err(DatapathError::Kernel)
    }

    fn collect(&mut self, frame: &mut Vec<u8>) -> Result<Option<Egress>, DatapathError> {
        let some = self.kernel.collect(frame).map_err(DatapathError::Kernel)?;
        Ok(some.then_some(Egress::Waiting))
    }

    fn event(&mut self) -> Result<Option<Event>, DatapathError> {
        while let Some(event) = self.nic.device_mut().event()? {
            // its entry may have been removed since
            if let Some(key) = self.nic.event_key(&event) {
                return Ok(Some(Event { flow: key.into(), flags: Flags(event.tcp_flags.into()) }));
            }
        }
        Ok(None)
    }

    fn poll(&mut self) -> Result<bool, DatapathError> {
        self.expire()?;
        Ok(self.nic.device_mut().poll()?)
    }

    fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        let mut fds = self.nic.device().wait_fds();
        fds.push(self.kernel.wait_fd());
        fds
    }

    fn mtu(&self, port: Port) -> Option<Mtu> {
        self.nic.device().mtu(port)
    }

    fn counters(&mut self) -> Result<Counters, DatapathError> {
        Ok(self.nic.counters()?)
    }

    fn count(&mut self, port: Port, ended: Outcome) -> Result<u32, DatapathError> {
        Ok(self.nic.device_mut().read32(outcome(port, ended))?)
    }

    fn lost(&self) -> u64 {
        self.kernel.lost()
    }
}

/// An owner as the card's tables know it.
fn destination(owner: &Owner) -> Result<Destination, DatapathError> {
    match (owner.ip, owner.at) {
        (IpAddr::V4(ip), PeerAddress::Mac(mac)) => Ok(Destination { ip: ip.octets(), port: owner.port, mac }),
        (IpAddr::V6(_), _) => Err(DatapathError::Unsupported {
            datapath: NAME,
            what: "forward to an IPv6 address",
            instead: "its destinations are of IPv4",
        }),
        (_, PeerAddress::Udp(_)) => Err(DatapathError::Unsupported {
            datapath: NAME,
            what: "forward over UDP",
            instead: "it sends Ethernet frames to a MAC address",
        }),
    }
}
