//! A datapath between wires whose far ends the test holds.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ipos_abi::Port;
use ipos_abi::queue::Event;
use ipos_abi::rx::{Outcome, RxMeta};
use ipos_datapath::{Card, CardConfig, Datapath, DatapathError, KernelPort, Received};
use ipos_device::vfio_user::VfioUser;
use ipos_device::{Device, DeviceError, Mtu, Queue, Registers};
use ipos_nic::{Counters, RingConfig, Rings};
use ipos_sim::card::SimDevice;
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::pcie::device::CabledFunction;
use ipos_sim::pcie::plant::Plant;
use ipos_sim::pcie::rings::RingCard;
use ipos_sim::pcie::rtl::{Manners, RtlFunction};
use ipos_sim::wire::Wire;
use ipos_sim::wire::memory::{Memory, pair};
use ipos_vfio_user::CardServer;

use super::frames::{BACK, FRONT, IPOS};

/// For everything that is in hand to be over; a fabric is simulated cycle by cycle.
const LIMIT: Duration = Duration::from_secs(60);

const CONFIG: CardConfig = CardConfig { front: FRONT, front_vlan: None, back: BACK, ethertype: IPOS };

/// The near end of the wire to the kernel.
struct Kernel(Memory);

impl KernelPort for Kernel {
    fn deliver(&mut self, frame: &[u8]) -> io::Result<()> {
        self.0.send(frame)
    }

    fn collect(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        self.0.receive(frame)
    }

    fn wait_fd(&self) -> BorrowedFd<'_> {
        self.0.fd().unwrap()
    }
}

/// Frames that came out, in order.
#[derive(Default)]
pub struct Seen {
    pub front: Vec<Vec<u8>>,
    pub back: Vec<Vec<u8>>,
    pub kernel: Vec<Vec<u8>>,
    pub host: Vec<(Received, Vec<u8>)>,
    pub control: Vec<(Received, Vec<u8>)>,
}

pub struct Bench {
    pub name: &'static str,
    // before the thread that serves it
    pub datapath: Box<dyn Datapath>,
    pub kernel: Memory,
    wires: [Memory; 2],
    sent: [u64; 2],
    pub seen: Seen,
    _server: Option<Server>,
}

/// A card's thread, which ends when its host is gone.
struct Server(Option<JoinHandle<()>>, PathBuf);

impl Drop for Server {
    fn drop(&mut self) {
        let ended = self.0.take().map(JoinHandle::join);
        // it may never have been served
        let _ = std::fs::remove_file(&self.1);
        if !thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

/// Every implementation, one after the other.
pub fn all() -> impl Iterator<Item = Bench> {
    [model as fn() -> Bench, rtl, vfio_user].into_iter().map(|make| make())
}

fn model_card() -> ModelCard {
    ModelCard::new(ModelConfig { bytes_per_cycle: 512, ..ModelConfig::default() })
}

pub fn model() -> Bench {
    over("model", |front, back, kernel| {
        let device = SimDevice::new(model_card()).with_wire(Port::Front, front).with_wire(Port::Back, back);
        (Box::new(Card::open(device, kernel, &CONFIG).unwrap()), None)
    })
}

/// A wire of an interface that has a setting.
struct Limited(Box<dyn Wire>, usize);

impl Wire for Limited {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.0.send(frame)
    }

    fn receive(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        self.0.receive(frame)
    }

    fn mtu(&self) -> Option<Mtu> {
        Some(Mtu { interface: "eth7".to_owned(), bytes: self.1 })
    }
}

/// The model over a back network of this MTU, or the error that it is refused with.
pub fn over_mtu(bytes: usize) -> Result<Box<dyn Datapath>, DatapathError> {
    let [front, back, kernel] = [(), (), ()].map(|()| Box::new(pair().unwrap().0));
    let back = Box::new(Limited(back, bytes));
    let device = SimDevice::new(model_card()).with_wire(Port::Front, front).with_wire(Port::Back, back);
    Ok(Box::new(Card::open(device, Box::new(Kernel(*kernel)), &CONFIG)?))
}

/// The model with few slots in the table of which this register tells the size.
pub fn tiny(register: u32) -> Bench {
    over("tiny", |front, back, kernel| {
        let device = SimDevice::new(model_card()).with_wire(Port::Front, front).with_wire(Port::Back, back);
        (Box::new(Card::open(Tiny(device, register), kernel, &CONFIG).unwrap()), None)
    })
}

fn rtl() -> Bench {
    over("RTL", |front, back, kernel| {
        let function = CabledFunction::new(|bus| RtlFunction::new(None, Manners::default(), bus));
        let function = function.with_wire(Port::Front, front).with_wire(Port::Back, back);
        let device = Rings::open(function, &RingConfig::default()).unwrap();
        (Box::new(Card::open(device, kernel, &CONFIG).unwrap()), None)
    })
}

fn vfio_user() -> Bench {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    over("vfio-user", |front, back, kernel| {
        let name = format!("ipos-datapath-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let socket = std::env::temp_dir().join(name);
        let mut plant = Plant::default();
        plant.plug(Port::Front, front);
        plant.plug(Port::Back, back);
        let make = |bus| RingCard::new(model_card, bus);
        let mut card = CardServer::new(&socket, plant, make, |e| panic!("{e}")).unwrap();
        let thread = thread::spawn(move || card.serve_one().unwrap());
        let device = Rings::open(VfioUser::connect(&socket).unwrap(), &RingConfig::default()).unwrap();
        (Box::new(Card::open(device, kernel, &CONFIG).unwrap()), Some(Server(Some(thread), socket)))
    })
}

type Plugged = (Box<dyn Datapath>, Option<Server>);

fn over(name: &'static str, make: impl FnOnce(Box<dyn Wire>, Box<dyn Wire>, Box<dyn KernelPort>) -> Plugged) -> Bench {
    let [(front, near_front), (back, near_back), (kernel, near_kernel)] = [(), (), ()].map(|()| pair().unwrap());
    let (datapath, server) = make(Box::new(near_front), Box::new(near_back), Box::new(Kernel(near_kernel)));
    Bench { name, datapath, kernel, wires: [front, back], sent: [0; 2], seen: Seen::default(), _server: server }
}

impl Bench {
    /// Puts a frame on a port's wire.
    pub fn put(&mut self, port: Port, frame: &[u8]) {
        self.wires[port as usize].send(frame).unwrap();
        self.sent[port as usize] += 1;
    }

    /// Takes what there is.
    pub fn take(&mut self) {
        self.datapath.poll().unwrap();
        let (mut frame, seen) = (Vec::new(), &mut self.seen);
        for (queue, into) in [(Queue::Control, &mut seen.control), (Queue::Receive, &mut seen.host)] {
            while let Some(received) = self.datapath.receive(queue, &mut frame).unwrap() {
                into.push((received, std::mem::take(&mut frame)));
            }
        }
        let [front, back] = &mut self.wires;
        for (wire, into) in [(front, &mut seen.front), (back, &mut seen.back), (&mut self.kernel, &mut seen.kernel)] {
            while wire.receive(&mut frame).unwrap() {
                into.push(std::mem::take(&mut frame));
            }
        }
    }

    /// Goes on until something is so.
    pub fn until(&mut self, what: &str, mut so: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + LIMIT;
        loop {
            self.take();
            if so(self) {
                return;
            }
            assert!(Instant::now() < end, "{}: {what}", self.name);
            thread::yield_now();
        }
    }

    /// Goes on until every frame that was put in has come out or was dropped for a reason, as the far ends of the wires and the queues
    /// count them.
    pub fn settle(&mut self) -> Counters {
        let end = Instant::now() + LIMIT;
        loop {
            self.take();
            let counters = self.datapath.counters().unwrap();
            let count = |outcome| Port::ALL.map(|port| counters.get(port, outcome)).iter().sum::<u64>();
            let forwarded = self.seen.back.iter().filter(|frame| frame[12..14] == IPOS.to_be_bytes()).count();
            let out = [forwarded, self.seen.host.len(), self.seen.control.len()].map(|n| n as u64);
            let counted = [Outcome::Forwarded, Outcome::ToHost, Outcome::ToControl].map(count);
            let received = counters.ports.map(|port| port.received);
            if received == self.sent && out == counted && counters.conserved().is_ok() {
                return counters;
            }
            let found = format!("{received:?} of {:?} received; {out:?} came out, {counted:?} counted", self.sent);
            assert!(Instant::now() < end, "{}: {found}: {:?}", self.name, counters.conserved());
            thread::yield_now();
        }
    }
}

/// A card that says of one register that it has 2^1 slots in each of its four banks.
struct Tiny(SimDevice<ModelCard>, u32);

impl Registers for Tiny {
    fn read32(&mut self, offset: u32) -> Result<u32, DeviceError> {
        if offset == self.1 { Ok(1) } else { self.0.read32(offset) }
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), DeviceError> {
        self.0.write32(offset, value)
    }
}

impl Device for Tiny {
    fn transmit(&mut self, port: Port, frame: &[u8]) -> Result<bool, DeviceError> {
        self.0.transmit(port, frame)
    }

    fn receive(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Result<Option<RxMeta>, DeviceError> {
        self.0.receive(queue, frame)
    }

    fn poll(&mut self) -> Result<bool, DeviceError> {
        self.0.poll()
    }

    fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        self.0.wait_fds()
    }

    fn event(&mut self) -> Result<Option<Event>, DeviceError> {
        self.0.event()
    }
}
