//! Tables, neighbours and counters of a card, above the device trait.
//!
//! [`Nic`] owns a device and keeps the software side of its tables: where entries go
//! ([`cuckoo`]), what they share ([`Destination`]), and what the card counted ([`Counters`]). [`Rings`] carries
//! frames and events through host memory; a [`Nic`] may own one, or any other device.
//!
//! Where to read next: `ipos-device` for the trait below, `ipos-node` for the user above.

mod carried;
mod counters;
pub mod cuckoo;
mod destinations;
mod error;
mod rings;

use std::collections::HashMap;

use ipos_abi::queue::Event;
use ipos_abi::regs::{ENABLE, MAGIC, card, mac_words, port as port_regs, tables};
use ipos_abi::table::{Action, BANKS, FlowKey, ForwardValue, HASH_BITS, NEIGHBOURS};
use ipos_abi::{ABI_VERSION, Port};
use ipos_device::Registers;

pub use carried::Carried;
pub use counters::{Counters, Imbalance, PortCounters};
use cuckoo::{Cuckoo, SlotWrite};
pub use destinations::Destination;
use destinations::{Acquired, Route, Shared};
pub use error::{NicError, Table};
pub use rings::{Complaint, RingConfig, RingStats, Rings};

/// What the card said about itself when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// First 32 bits of the hash of the fabric's sources.
    pub build: u32,
    /// Data path width in bits.
    pub width: u32,
    /// Ethernet ports.
    pub ports: u32,
    /// Core clock in kHz; zero when simulated.
    pub clock_khz: u32,
}

/// Settings of one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortConfig {
    /// The port's address; frames for another one are dropped.
    pub mac: [u8; 6],
    /// Takes frames for any address.
    pub promiscuous: bool,
    /// The VLAN whose frames may hit in the tables (1 to 4094); `None`: untagged frames.
    pub vlan: Option<u16>,
}

/// What the card does with packets of a forward entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Forward {
    /// Sends them on, encapsulated.
    To(Destination),
    /// Gives them to the host (held while an endpoint moves).
    Host,
    /// Drops them.
    Drop,
}

/// A card and the software side of its tables.
pub struct Nic<D> {
    device: D,
    identity: Identity,
    forward: Cuckoo<ForwardValue>,
    endpoint: Cuckoo<u32>,
    destinations: Shared<Route>,
    neighbours: Shared<[u8; 6]>,
    /// What forward entries carried in slots that they are no longer in, by key.
    totals: HashMap<u128, Carried>,
}

impl<D: Registers> Nic<D> {
    /// Identifies the card and empties its tables: the software's copy starts empty, so the
    /// card must too. Ports keep their settings.
    pub fn open(mut device: D) -> Result<Self, NicError> {
        let found = device.read32(card::MAGIC)?;
        if found != MAGIC {
            return Err(NicError::NotACard { found });
        }
        let version = device.read32(card::ABI)?;
        if version != ABI_VERSION {
            return Err(NicError::AbiVersion { card: version });
        }
        let identity = Identity {
            build: device.read32(card::BUILD)?,
            width: device.read32(card::WIDTH)?,
            ports: device.read32(card::PORTS)?,
            clock_khz: device.read32(card::CLOCK_KHZ)?,
        };
        let forward = index_bits(Table::Forward, device.read32(card::FORWARD_SLOTS)?)?;
        let endpoint = index_bits(Table::Endpoint, device.read32(card::ENDPOINT_SLOTS)?)?;
        for (commit, bits) in [(tables::COMMIT_FORWARD, forward), (tables::COMMIT_ENDPOINT, endpoint)] {
            for slot in (0..BANKS as u32).flat_map(|bank| (0..1u32 << bits).map(move |index| bank << 16 | index)) {
                device.write32(commit, slot)?;
            }
        }
        let mut nic = Nic {
            device,
            identity,
            forward: Cuckoo::new(forward),
            endpoint: Cuckoo::new(endpoint),
            destinations: destinations::destinations(),
            neighbours: destinations::neighbours(),
            totals: HashMap::new(),
        };
        for index in 0..NEIGHBOURS {
            nic.write_neighbour(index, None)?;
        }
        Ok(nic)
    }

    /// What the card said about itself.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The device below.
    pub fn device(&self) -> &D {
        &self.device
    }

    /// The device below, for frames.
    pub fn device_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// Sets a port's address and VLAN.
    pub fn set_port(&mut self, port: Port, config: &PortConfig) -> Result<(), NicError> {
        unicast(config.mac)?;
        if let Some(id) = config.vlan
            && !(1..=4094).contains(&id)
        {
            return Err(NicError::VlanId { id });
        }
        let (low, high, vlan) = match port {
            Port::Front => (port_regs::FRONT_MAC_LO, port_regs::FRONT_MAC_HI, port_regs::FRONT_VLAN),
            Port::Back => (port_regs::BACK_MAC_LO, port_regs::BACK_MAC_HI, port_regs::BACK_VLAN),
        };
        let (mac_low, mac_high) = mac_words(config.mac);
        self.device.write32(low, mac_low)?;
        self.device.write32(high, mac_high | if config.promiscuous { ENABLE } else { 0 })?;
        self.device.write32(vlan, config.vlan.map_or(0, |id| ENABLE | u32::from(id)))?;
        Ok(())
    }

    /// Sets the EtherType of ipOS, which is the same on every card and host.
    pub fn set_ethertype(&mut self, ethertype: u16) -> Result<(), NicError> {
        Ok(self.device.write32(port_regs::ETHERTYPE, u32::from(ethertype))?)
    }

    /// Adds a forward entry or changes what is done with it. Packets that arrive meanwhile meet
    /// either the old state or the new one.
    pub fn forward_insert(&mut self, key: &FlowKey, forward: Forward) -> Result<(), NicError> {
        let old = self.forward.lookup(key.bits());
        let value = match forward {
            Forward::To(destination) => {
                ForwardValue { destination: self.acquire(destination)?, action: Action::Forward }
            }
            Forward::Host => ForwardValue { destination: 0, action: Action::Host },
            Forward::Drop => ForwardValue { destination: 0, action: Action::Drop },
        };
        let Ok(plan) = self.forward.plan_insert(key.bits(), value) else {
            self.release(value)?;
            return Err(full(Table::Forward, &self.forward));
        };
        for write in &plan {
            self.commit_forward(write)?;
        }
        old.map_or(Ok(()), |old| self.release(old))
    }

    /// Removes a forward entry. `false`: there was none.
    pub fn forward_remove(&mut self, key: &FlowKey) -> Result<bool, NicError> {
        let Some(old) = self.forward.lookup(key.bits()) else { return Ok(false) };
        for write in self.forward.plan_remove(key.bits()) {
            self.commit_forward(&write)?;
        }
        self.totals.remove(&key.bits());
        self.release(old)?;
        Ok(true)
    }

    /// What a forward entry has carried since it was added; clears its seen bit. `None`: there is none.
    ///
    /// Packets that come while an entry is moved or rewritten, between the reading of its old counters and the write, are
    /// not counted.
    pub fn carried(&mut self, key: &FlowKey) -> Result<Option<Carried>, NicError> {
        let mut total = self.totals.get(&key.bits()).copied().unwrap_or_default();
        let mut found = false;
        for (bank, index) in self.forward.places(key.bits()) {
            total.add(&Carried::read(&mut self.device, bank, index, true)?);
            found = true;
        }
        if let Some(earlier) = self.totals.get_mut(&key.bits()) {
            earlier.seen = false;
        }
        Ok(found.then_some(total))
    }

    /// Whose entry an event tells of. `None`: it has been removed since.
    #[must_use]
    pub fn event_key(&self, event: &Event) -> Option<FlowKey> {
        let (key, _) = self.forward.occupant(event.bank.into(), event.slot.into())?;
        Some(FlowKey::from_bits(key))
    }

    /// Writes a forward slot; what its entry has carried there is not forgotten with it.
    fn commit_forward(&mut self, write: &SlotWrite<ForwardValue>) -> Result<(), NicError> {
        if let Some((key, _)) = self.forward.occupant(write.bank, write.index) {
            let carried = Carried::read(&mut self.device, write.bank, write.index, false)?;
            if carried.packets > 0 {
                self.totals.entry(key).or_default().add(&carried);
            }
        }
        commit(&mut self.device, tables::COMMIT_FORWARD, write, |value| value.bits())?;
        self.forward.apply(write);
        Ok(())
    }

    /// What a forward entry does.
    #[must_use]
    pub fn forward(&self, key: &FlowKey) -> Option<Forward> {
        let value = self.forward.lookup(key.bits())?;
        Some(match value.action {
            Action::Host => Forward::Host,
            Action::Drop => Forward::Drop,
            Action::Forward => {
                let Route { ip, port, neighbour } = self.destinations.get(usize::from(value.destination))?;
                Forward::To(Destination { ip, port, mac: self.neighbours.get(neighbour)? })
            }
        })
    }

    /// Adds an endpoint entry or changes its reference: decapsulated packets of this key are
    /// delivered with it.
    pub fn endpoint_insert(&mut self, key: &FlowKey, reference: u32) -> Result<(), NicError> {
        let plan =
            self.endpoint.plan_insert(key.bits(), reference).map_err(|_| full(Table::Endpoint, &self.endpoint))?;
        for write in &plan {
            commit(&mut self.device, tables::COMMIT_ENDPOINT, write, |reference| *reference)?;
            self.endpoint.apply(write);
        }
        Ok(())
    }

    /// Removes an endpoint entry. `false`: there was none.
    pub fn endpoint_remove(&mut self, key: &FlowKey) -> Result<bool, NicError> {
        let plan = self.endpoint.plan_remove(key.bits());
        for write in &plan {
            commit(&mut self.device, tables::COMMIT_ENDPOINT, write, |reference| *reference)?;
            self.endpoint.apply(write);
        }
        Ok(!plan.is_empty())
    }

    /// The reference of an endpoint entry.
    #[must_use]
    pub fn endpoint(&self, key: &FlowKey) -> Option<u32> {
        self.endpoint.lookup(key.bits())
    }

    /// Slots in use and slots in all of a table.
    #[must_use]
    pub fn load(&self, table: Table) -> (usize, usize) {
        match table {
            Table::Forward => (self.forward.used(), self.forward.slots()),
            Table::Endpoint => (self.endpoint.used(), self.endpoint.slots()),
        }
    }

    /// Destinations and neighbours in use.
    #[must_use]
    pub fn destinations_used(&self) -> (usize, usize) {
        (self.destinations.used(), self.neighbours.used())
    }

    /// Reads all counters.
    pub fn counters(&mut self) -> Result<Counters, NicError> {
        Ok(Counters::read(&mut self.device)?)
    }

    /// Takes a reference to a destination, writing to the card what it does not have yet:
    /// neighbour first, so that nothing ever points at an entry that is not there.
    fn acquire(&mut self, destination: Destination) -> Result<u8, NicError> {
        let Destination { ip, port, mac } = destination;
        unicast(mac)?;
        let neighbour = self.neighbours.acquire(mac).ok_or(NicError::NeighboursFull)?;
        if let Acquired::New(index) = neighbour {
            self.write_neighbour(index, Some(mac))?;
        }
        let route = Route { ip, port, neighbour: neighbour.index() };
        let Some(acquired) = self.destinations.acquire(route) else {
            self.release_neighbour(route.neighbour)?;
            return Err(NicError::DestinationsFull);
        };
        match acquired {
            Acquired::Known(_) => self.release_neighbour(route.neighbour)?, // the destination holds one already
            Acquired::New(index) => {
                self.device.write32(tables::DEST_IP, u32::from_be_bytes(ip))?;
                self.device.write32(tables::DEST_PORT, u32::from(port) | (route.neighbour as u32) << 16)?;
                self.device.write32(tables::COMMIT_DEST, index as u32)?;
            }
        }
        Ok(acquired.index() as u8) // the table has as many entries as the index has values
    }

    /// Gives back what a forward value referred to.
    fn release(&mut self, value: ForwardValue) -> Result<(), NicError> {
        if value.action != Action::Forward {
            return Ok(());
        }
        match self.destinations.release(usize::from(value.destination)) {
            Some(route) => self.release_neighbour(route.neighbour),
            None => Ok(()),
        }
    }

    fn release_neighbour(&mut self, index: usize) -> Result<(), NicError> {
        match self.neighbours.release(index) {
            Some(_) => self.write_neighbour(index, None),
            None => Ok(()),
        }
    }

    fn write_neighbour(&mut self, index: usize, mac: Option<[u8; 6]>) -> Result<(), NicError> {
        let (low, high) = mac.map_or((0, 0), |mac| {
            let (low, high) = mac_words(mac);
            (low, high | ENABLE)
        });
        self.device.write32(tables::NEIGHBOUR_LO, low)?;
        self.device.write32(tables::NEIGHBOUR_HI, high)?;
        Ok(self.device.write32(tables::COMMIT_NEIGHBOUR, index as u32)?)
    }
}

/// Writes one slot of a cuckoo table: it changes at the last of these register writes, at once.
fn commit<V>(
    device: &mut impl Registers,
    register: u32,
    write: &SlotWrite<V>,
    bits: impl Fn(&V) -> u32,
) -> Result<(), NicError> {
    let mut slot = (write.bank as u32) << 16 | write.index;
    if let Some((key, value)) = &write.entry {
        for (i, offset) in [tables::KEY0, tables::KEY1, tables::KEY2, tables::KEY3].into_iter().enumerate() {
            device.write32(offset, (key >> (32 * i)) as u32)?;
        }
        device.write32(tables::VALUE, bits(value))?;
        slot |= ENABLE;
    }
    Ok(device.write32(register, slot)?)
}

fn index_bits(table: Table, found: u32) -> Result<usize, NicError> {
    if (1..=HASH_BITS as u32).contains(&found) { Ok(found as usize) } else { Err(NicError::TableSize { table, found }) }
}

fn full<V: Copy>(table: Table, cuckoo: &Cuckoo<V>) -> NicError {
    NicError::TableFull { table, used: cuckoo.used(), slots: cuckoo.slots() }
}

fn unicast(mac: [u8; 6]) -> Result<(), NicError> {
    if mac[0] & 1 == 0 { Ok(()) } else { Err(NicError::GroupAddress { mac }) }
}
