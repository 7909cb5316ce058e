//! The reference card under a [`Nic`], watched at every register write.

use std::collections::HashMap;
use std::os::fd::BorrowedFd;

use etherparse::PacketBuilder;
use ipos_abi::Port;
use ipos_abi::regs::{ENABLE, tables};
use ipos_abi::rx::RxMeta;
use ipos_abi::table::{FlowKey, Protocol};
use ipos_device::{Device, DeviceError, Queue, Registers};
use ipos_nic::{Destination, Forward, Nic, PortConfig};
use ipos_sim::card::{Card, SimDevice};
use ipos_sim::model::{ModelCard, ModelConfig};

pub const FRONT: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const BACK: [u8; 6] = [2, 0, 0, 0, 0, 2];
const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 0xc1];

/// A device that sends packets through the card between any two register writes: a key that
/// has an entry must hit, with its own value, whatever is being moved meanwhile.
pub struct Watched {
    sim: SimDevice<ModelCard>,
    /// Keys that must hit now, with the port that their destination names.
    pub present: HashMap<u128, (FlowKey, u16)>,
    staged: [u32; 4],
    /// What was written to each slot of the forward table.
    slots: HashMap<u32, u128>,
    probe_order: Vec<u128>,
    pub probes: u64,
    /// Writes to the forward table.
    pub commits: u64,
    /// Reads of these offsets give these values.
    pub lies: HashMap<u32, u32>,
}

impl Watched {
    pub fn new() -> Self {
        Watched {
            sim: SimDevice::new(ModelCard::new(ModelConfig::default())),
            present: HashMap::new(),
            staged: [0; 4],
            slots: HashMap::new(),
            probe_order: Vec::new(),
            probes: 0,
            commits: 0,
            lies: HashMap::new(),
        }
    }

    /// From now on `key` must hit.
    pub fn expect(&mut self, key: FlowKey, port: u16) {
        if self.present.insert(key.bits(), (key, port)).is_none() {
            self.probe_order.push(key.bits());
        }
    }

    /// From now on `key` may hit or miss.
    pub fn forget(&mut self, key: &FlowKey) {
        self.present.remove(&key.bits());
    }

    /// All keys hit.
    pub fn sweep(&mut self) {
        for (key, port) in self.present.values().copied().collect::<Vec<_>>() {
            self.probe(&key, Some(port));
        }
    }

    /// Sends a packet and checks which destination port it leaves with (`None`: it must miss).
    pub fn probe(&mut self, key: &FlowKey, port: Option<u16>) {
        self.probes += 1;
        let sent = self.forwarded(key).map(|frame| u16::from_be_bytes([frame[24], frame[25]]));
        assert_eq!(sent, port, "{key:?} after {} writes to the table", self.commits);
    }

    /// What the card makes of a packet from the client.
    pub fn forwarded(&mut self, key: &FlowKey) -> Option<Vec<u8>> {
        let frame = packet(key);
        let card = self.sim.card_mut();
        assert!(card.wire_in(Port::Front, &frame, false));
        while card.run(1000) {}
        let mut out = Vec::new();
        while card.host_out(Queue::Receive, &mut out).is_some() {}
        card.wire_out(Port::Back, &mut out).then_some(out)
    }

    pub fn card_mut(&mut self) -> &mut ModelCard {
        self.sim.card_mut()
    }
}

impl Registers for Watched {
    fn read32(&mut self, offset: u32) -> Result<u32, DeviceError> {
        let value = self.sim.read32(offset)?;
        Ok(self.lies.get(&offset).copied().unwrap_or(value))
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), DeviceError> {
        self.sim.write32(offset, value)?;
        let keys = [tables::KEY0, tables::KEY1, tables::KEY2, tables::KEY3];
        if let Some(word) = keys.iter().position(|&k| k == offset) {
            self.staged[word] = value;
        }
        let mut at_risk = Vec::new();
        if offset == tables::COMMIT_FORWARD {
            self.commits += 1;
            let staged = self.staged.iter().rev().fold(0, |key, &word| key << 32 | u128::from(word));
            let slot = value & !ENABLE;
            at_risk.extend(self.slots.remove(&slot));
            if value & ENABLE != 0 {
                self.slots.insert(slot, staged);
                at_risk.push(staged);
            }
        } else if !self.probe_order.is_empty() {
            at_risk.push(self.probe_order[self.probes as usize * 7919 % self.probe_order.len()]);
        }
        for key in at_risk {
            if let Some(&(key, port)) = self.present.get(&key) {
                self.probe(&key, Some(port));
            }
        }
        Ok(())
    }
}

impl Device for Watched {
    fn transmit(&mut self, port: Port, frame: &[u8]) -> Result<bool, DeviceError> {
        self.sim.transmit(port, frame)
    }

    fn receive(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Result<Option<RxMeta>, DeviceError> {
        self.sim.receive(queue, frame)
    }

    fn poll(&mut self) -> Result<bool, DeviceError> {
        self.sim.poll()
    }

    fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        self.sim.wait_fds()
    }
}

/// A card with both ports set up.
pub fn open() -> Nic<Watched> {
    let mut nic = Nic::open(Watched::new()).unwrap();
    nic.set_port(Port::Front, &PortConfig { mac: FRONT, promiscuous: false, vlan: None }).unwrap();
    nic.set_port(Port::Back, &PortConfig { mac: BACK, promiscuous: false, vlan: None }).unwrap();
    nic
}

/// A packet of this flow from the client, made by etherparse.
pub fn packet(key: &FlowKey) -> Vec<u8> {
    let ip = PacketBuilder::ethernet2(CLIENT, FRONT).ipv4(key.src_ip, key.dst_ip, 64);
    let mut frame = Vec::new();
    match key.protocol {
        Protocol::Tcp => ip.tcp(key.src_port, key.dst_port, 1, 1024).write(&mut frame, b"data"),
        Protocol::Udp => ip.udp(key.src_port, key.dst_port).write(&mut frame, b"data"),
    }
    .unwrap();
    frame
}

/// One of 100 destinations, told apart by their port.
pub fn destination(port: u16) -> Destination {
    Destination { ip: [172, 16, 0, (port % 4) as u8], port, mac: [2, 0, 0, 0, 1, (port % 4) as u8] }
}

/// A forward entry that the card must honour from now on.
pub fn insert(nic: &mut Nic<Watched>, key: FlowKey, port: u16) -> Result<(), ipos_nic::NicError> {
    nic.device_mut().forget(&key);
    nic.forward_insert(&key, Forward::To(destination(port)))?;
    nic.device_mut().expect(key, port);
    nic.device_mut().probe(&key, Some(port));
    Ok(())
}
