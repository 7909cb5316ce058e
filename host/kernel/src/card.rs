//! The card: programs, tables and rings together.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use ipos_abi::Port;
use ipos_abi::rx::Outcome;
use ipos_abi::table::FlowKey;

use crate::check;
use crate::config::Config;
use crate::elf::Object;
use crate::error::{KernelError, during};
use crate::flows::{Flows, read, write};
use crate::layout::{COUNTERS, CarriedValue, LAYOUT, MAX_DELIVERED, PEERS, Settings};
use crate::links::{self, Hook};
use crate::maps::{Maps, Sizes};
use crate::ring::{Event, Record, Ring};
use crate::sys::{self, Interface};
use crate::table::{Entry, Peer, peer_value};

/// What the programs have counted, per port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters([[u64; COUNTERS as usize]; 2]);

impl Counters {
    /// Frames that ended so.
    #[must_use]
    pub fn outcome(&self, port: Port, outcome: Outcome) -> u64 {
        self.0[port as usize][outcome as usize]
    }

    /// One of `layout::COUNT_…`.
    #[must_use]
    pub fn get(&self, port: Port, counter: u32) -> u64 {
        self.0[port as usize][counter as usize]
    }
}

/// The kernel, forwarding. Dropped without pins, it takes its programs along; with pins, forwarding goes on.
pub struct KernelCard {
    config: Config,
    interfaces: [Interface; 2],
    maps: Maps,
    flows: Flows,
    programs: Vec<(Hook, OwnedFd)>,
    deliver: OwnedFd,
    /// Held: without pins their end is that of the programs.
    _links: Vec<OwnedFd>,
    control: Ring,
    frames: Ring,
    events: Ring,
    generation: u32,
    processors: usize,
    resumed: bool,
}

impl KernelCard {
    /// Loads the programs and attaches them; with pins, to the tables of an earlier process if there are any.
    pub fn open(config: Config) -> Result<Self, KernelError> {
        Self::open_object(config, crate::OBJECT)
    }

    /// As [`open`](Self::open), with other programs than the committed ones.
    pub fn open_object(config: Config, object: &[u8]) -> Result<Self, KernelError> {
        let interfaces = check::interfaces(&config)?;
        let pins = config.pins.clone();
        let new = pins.as_deref().map(make_pins).transpose()?.unwrap_or(false);
        let opened = Self::start(config, interfaces, object);
        if let (Some(pins), true, Err(_)) = (&pins, new, &opened) {
            links::detach(pins)?;
        }
        opened
    }

    fn start(config: Config, interfaces: [Interface; 2], object: &[u8]) -> Result<Self, KernelError> {
        let (maps, resumed) = Maps::open(config.pins.as_deref(), &config.sizes)?;
        let flows = Flows::open(&maps, config.sizes.flows)?;
        let old: Settings = read(&maps, "config", &0u32)?.unwrap_or_default();
        let generation = old.generation.wrapping_add(1);
        let ring = |name, size| Ring::open(maps.get(name), size, generation);
        let Sizes { control, frames, events, .. } = config.sizes;
        let (control, frames, events) = (ring("control", control)?, ring("frames", frames)?, ring("events", events)?);
        let object = Object::parse(object)?;
        let one = interfaces[0].index == interfaces[1].index;
        let hooks = Hook::ALL.into_iter().filter(|h| !(one && h.is_back()));
        // all are loaded before the first is attached: an object that the kernel refuses changes nothing
        let load = |hook| links::load(&object, &maps, hook).map(|program| (hook, program));
        let programs = hooks.map(load).collect::<Result<Vec<_>, _>>()?;
        let deliver = links::load_deliver(&object, &maps)?;
        write(&maps, "config", &0u32, &settings(&config, &interfaces, generation))?;
        flows.heartbeat(&maps, sys::since_boot())?;
        let mut links = Vec::new();
        for (hook, program) in &programs {
            let (name, interface) =
                if hook.is_back() { (&config.back, &interfaces[1]) } else { (&config.front, &interfaces[0]) };
            links.push(links::attach(program, *hook, (name, interface.index), config.generic, config.pins.as_deref())?);
        }
        let processors = sys::processors().map_err(during::<KernelError>("counting processors"))?;
        Ok(KernelCard {
            config,
            interfaces,
            maps,
            flows,
            programs,
            deliver,
            _links: links,
            control,
            frames,
            events,
            generation,
            processors,
            resumed,
        })
    }

    /// Whether the tables are those of an earlier process.
    #[must_use]
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Front and back as they were found.
    #[must_use]
    pub fn interfaces(&self) -> &[Interface; 2] {
        &self.interfaces
    }

    /// Time since boot, which deadlines are counted in.
    #[must_use]
    pub fn now() -> Duration {
        sys::since_boot()
    }

    /// Changes VLANs, addresses taken and EtherType; interfaces, pins and sizes stay.
    pub fn configure(&mut self, change: impl FnOnce(&mut Config)) -> Result<(), KernelError> {
        let mut config = self.config.clone();
        change(&mut config);
        write(&self.maps, "config", &0u32, &settings(&config, &self.interfaces, self.generation))?;
        self.config = config;
        Ok(())
    }

    /// Adds a flow or replaces its entry whole: a packet meets the old one or the new one.
    pub fn set(&mut self, key: &FlowKey, entry: &Entry) -> Result<(), KernelError> {
        self.flows.set(&self.maps, key, entry)
    }

    /// A flow's entry.
    pub fn get(&self, key: &FlowKey) -> Result<Option<Entry>, KernelError> {
        self.flows.get(&self.maps, key)
    }

    /// Removes a flow; `false`: it had no entry.
    pub fn remove(&mut self, key: &FlowKey) -> Result<bool, KernelError> {
        self.flows.remove(&self.maps, key)
    }

    /// Calls `each` with all flows, in no order.
    pub fn flows(&self, each: impl FnMut(FlowKey, Entry)) -> Result<(), KernelError> {
        self.flows.all(&self.maps, each)
    }

    /// Flows in the table.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.flows.len()
    }

    /// Whether the table is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Packets and bytes of IP that a flow's entry has forwarded.
    pub fn carried(&self, key: &FlowKey) -> Result<Option<CarriedValue>, KernelError> {
        self.flows.carried(&self.maps, key)
    }

    /// Sets how a peer is reached, for all its flows at once; `None`: their packets are dropped and counted.
    pub fn set_peer(&mut self, index: u16, peer: Option<&Peer>) -> Result<(), KernelError> {
        if u32::from(index) >= PEERS {
            return Err(KernelError::NoPeer(index));
        }
        write(&self.maps, "peers", &u32::from(index), &peer_value(peer))
    }

    /// Says that the node lives; more often than once a second.
    pub fn heartbeat(&self) -> Result<(), KernelError> {
        self.flows.heartbeat(&self.maps, sys::since_boot())
    }

    /// Takes the next control frame into `frame`.
    pub fn control(&mut self, frame: &mut Vec<u8>) -> Option<Record> {
        self.control.frame(frame)
    }

    /// Takes the next held or unknown frame into `frame`.
    pub fn receive(&mut self, frame: &mut Vec<u8>) -> Option<Record> {
        self.frames.frame(frame)
    }

    /// Takes the next event.
    pub fn event(&mut self) -> Option<Event> {
        self.events.event()
    }

    /// Records of an earlier life that were passed over.
    #[must_use]
    pub fn stale(&self) -> u64 {
        self.control.stale + self.frames.stale + self.events.stale
    }

    /// Descriptors that become readable when control frames, frames or events are there.
    #[must_use]
    pub fn wait_fds(&self) -> [BorrowedFd<'_>; 3] {
        ["control", "frames", "events"].map(|name| self.maps.get(name).as_fd())
    }

    /// Gives this kernel a frame as if it had come from the front: neither XDP nor a hold looks at it.
    pub fn deliver(&self, frame: &[u8]) -> Result<(), KernelError> {
        if !(14..=MAX_DELIVERED).contains(&frame.len()) {
            return Err(KernelError::FrameLength(frame.len()));
        }
        sys::run_live(&self.deliver, frame, self.interfaces[0].index).map_err(during("delivering a frame"))
    }

    /// What the programs have counted.
    pub fn counters(&self) -> Result<Counters, KernelError> {
        let mut counters = Counters([[0; COUNTERS as usize]; 2]);
        for port in Port::ALL {
            for (i, value) in (0..COUNTERS).zip(&mut counters.0[port as usize]) {
                let index = port as u32 * COUNTERS + i;
                let each = sys::lookup_each(self.maps.get("counters"), index, self.processors);
                *value = each.map_err(during::<KernelError>("reading `counters`"))?.iter().sum();
            }
        }
        Ok(counters)
    }

    /// Runs `work` while the kernel measures, and gives each program's nanoseconds and runs in it.
    pub fn measure(&self, work: impl FnOnce()) -> Result<Vec<(Hook, u64, u64)>, KernelError> {
        let failed = || during::<KernelError>("measuring programs");
        let on = sys::statistics().map_err(failed())?;
        let times = || {
            self.programs.iter().map(|(h, p)| sys::run_time(p).map(|t| (*h, t))).collect::<std::io::Result<Vec<_>>>()
        };
        let before = times().map_err(failed())?;
        work();
        let after = times().map_err(failed())?;
        drop(on);
        Ok(before.iter().zip(after).map(|((h, b), (_, a))| (*h, a.0 - b.0, a.1 - b.1)).collect())
    }

    /// Takes the programs off and forgets the tables, pinned ones too.
    pub fn detach(self) -> Result<(), KernelError> {
        match self.config.pins.clone() {
            Some(pins) => links::detach(&pins).map(drop),
            None => Ok(()),
        }
    }
}

/// Makes the directory; `false`: it was there.
fn make_pins(pins: &Path) -> Result<bool, KernelError> {
    let parent = pins.parent().unwrap_or(pins);
    if !sys::is_bpffs(parent).map_err(during::<KernelError>(format!("{}", parent.display())))? {
        return Err(KernelError::NoBpffs(parent.to_owned()));
    }
    match fs::create_dir(pins) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        other => other.map(|()| true).map_err(during(format!("making {}", pins.display()))),
    }
}

fn settings(config: &Config, interfaces: &[Interface; 2], generation: u32) -> Settings {
    let own = config.udp.map_or(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), |u| u.own);
    let vlan = |port: Port| config.vlans[port as usize].unwrap_or(0);
    Settings {
        layout: LAYOUT,
        generation,
        front: interfaces[0].index,
        back: interfaces[1].index,
        back_mtu: interfaces[1].mtu,
        reforward: config.reforward.unwrap_or(0),
        front_mac: interfaces[0].mac,
        back_mac: interfaces[1].mac,
        ethertype: config.ethertype.to_be_bytes(),
        front_vlan: vlan(Port::Front),
        back_vlan: vlan(Port::Back),
        udp_port: own.port().to_be_bytes(),
        back_ip: own.ip().octets(),
        front_any: config.any_address[0].into(),
        back_any: config.any_address[1].into(),
        zero: [0; 6],
    }
}
