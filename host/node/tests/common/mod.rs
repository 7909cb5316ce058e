//! Servers in namespaces without names, their model cards and nodes, and a client; front and
//! back network are hubs in this process.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use ipos_abi::Port;
use ipos_device::{Device, Mtu};
use ipos_node::{Addresses, KernelPort, Node, NodeConfig, NodeHandle, PeerConfig, ServiceConfig};
use ipos_sim::card::{Card, SimDevice};
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::wire::netns::Netns;
use ipos_sim::wire::packet::Packet;
use ipos_sim::wire::pcap::Recorder;
use ipos_sim::wire::{Wire, memory, offload};
use nix::poll::{PollFd, PollFlags, poll};
use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkMessage};
use rtnetlink::{LinkUnspec, LinkVeth};

pub const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
pub const PORT: u16 = 7000;
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 10);

pub struct Cluster {
    // before the interfaces that they send on
    _hubs: [Hub; 2],
    pub client: Netns,
    pub kernels: Vec<Netns>,
    /// `a`, the home, then `b`, …
    pub nodes: Vec<NodeHandle>,
    /// With the far ends of the interfaces.
    pub cards: Netns,
}

pub fn name(node: usize) -> String {
    char::from(b'a' + node as u8).to_string()
}

fn front_mac(node: usize) -> [u8; 6] {
    [2, 0, 0, 0, 0, node as u8 + 1]
}

fn back_mac(node: usize) -> [u8; 6] {
    [2, 0, 0, 1, 0, node as u8 + 1]
}

fn back_ip(node: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 78, 0, node as u8 + 1)
}

impl Cluster {
    pub fn new(count: usize) -> Self {
        Self::with(count, |_, device| device, |_| ())
    }

    /// `wrap` may put something between node and card, `tweak` change the nodes' configuration.
    pub fn with<D: Device + 'static>(
        count: usize,
        wrap: impl Fn(usize, SimDevice<ModelCard>) -> D,
        tweak: impl Fn(&mut NodeConfig),
    ) -> Self {
        let card = || ModelCard::new(ModelConfig::default());
        Self::of_cards(count, card, |client| Box::new(client), wrap, tweak)
    }

    /// As [`with`](Self::with), with cards of another make; `plug` may put something between the client and the front network.
    pub fn of_cards<C: Card + 'static, D: Device + 'static>(
        count: usize,
        card: impl Fn() -> C,
        plug: impl Fn(Packet) -> Box<dyn Wire>,
        wrap: impl Fn(usize, SimDevice<C>) -> D,
        tweak: impl Fn(&mut NodeConfig),
    ) -> Self {
        let (mut cluster, devices) = Self::wired(count, card, plug);
        for (i, device) in devices.into_iter().enumerate() {
            cluster.nodes.push(cluster.start(i, wrap(i, device), &tweak));
        }
        cluster
    }

    /// The servers and their cards, without nodes.
    pub fn wired<C: Card + 'static>(
        count: usize,
        card: impl Fn() -> C,
        plug: impl Fn(Packet) -> Box<dyn Wire>,
    ) -> (Self, Vec<SimDevice<C>>) {
        let (client, cards) = (namespace(), namespace());
        veth(&client, "c0", &cards, "c0c", None);
        address(&client, "c0", CLIENT, 24);
        let kernels: Vec<_> = (0..count).map(|_| namespace()).collect();
        let mut front: Vec<Box<dyn Wire>> = vec![plug(cards.run(|| Packet::open("c0c")).unwrap())];
        let mut back: Vec<Box<dyn Wire>> = Vec::new();
        let mut devices = Vec::new();
        for (i, kernel) in kernels.iter().enumerate() {
            veth(kernel, "nic0", &cards, &far(i), Some(front_mac(i)));
            address(kernel, "nic0", Ipv4Addr::new(10, 77, 0, i as u8 + 1), 24);
            // only the home answers ARP for the service
            address(kernel, if i == 0 { "nic0" } else { "lo" }, SERVICE, 32);
            let mut device = SimDevice::new(card());
            for (port, hub) in [(Port::Front, &mut front), (Port::Back, &mut back)] {
                let (ours, theirs) = memory::pair().unwrap();
                device = device.with_wire(port, recorded(ours, i, port));
                hub.push(Box::new(theirs));
            }
            devices.push(device);
        }
        let cluster = Cluster { client, kernels, nodes: Vec::new(), cards, _hubs: [Hub::new(front), Hub::new(back)] };
        (cluster, devices)
    }

    /// Starts the node of a server over its card.
    pub fn start(&self, i: usize, device: impl Device + 'static, tweak: impl Fn(&mut NodeConfig)) -> NodeHandle {
        let inside = self.kernels[i].try_clone().unwrap();
        let mut config = config(self.kernels.len(), i);
        tweak(&mut config);
        Node::spawn(device, self.kernel_port(i), config, move || inside.enter()).unwrap()
    }

    /// The way to a server's kernel.
    pub fn kernel_port(&self, i: usize) -> Box<dyn KernelPort> {
        Box::new(KernelWire(self.cards.run(|| Packet::open(&far(i))).unwrap()))
    }
}

/// The far end of a server's interface.
pub fn far(i: usize) -> String {
    format!("nic{i}c")
}

pub fn config(count: usize, node: usize) -> NodeConfig {
    let peer = |i| PeerConfig::new(name(i), back_ip(i), back_mac(i));
    let addresses = Addresses { back_ip: back_ip(node), front_mac: front_mac(node), back_mac: back_mac(node) };
    let mut config = NodeConfig::new(name(node), addresses);
    config.peers = (0..count).filter(|i| *i != node).map(peer).collect();
    config.services = vec![ServiceConfig { address: SERVICE, port: PORT, home: name(0) }];
    config.cluster_keys = vec![[7; 32]];
    config
}

struct KernelWire(Packet);

impl KernelPort for KernelWire {
    fn deliver(&mut self, frame: &[u8]) -> io::Result<()> {
        self.0.send(frame)
    }

    fn collect(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        self.0.receive(frame)
    }

    fn wait_fd(&self) -> BorrowedFd<'_> {
        self.0.fd().unwrap()
    }

    fn lost(&self) -> u64 {
        self.0.lost()
    }

    fn mtu(&self) -> Option<Mtu> {
        self.0.mtu()
    }
}

/// What one port sends all others get.
struct Hub {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hub {
    fn new(mut ports: Vec<Box<dyn Wire>>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = thread::spawn(move || {
            let mut frame = Vec::new();
            while !told.load(Ordering::Relaxed) {
                let fds = ports.iter().map(|p| PollFd::new(p.fd().unwrap(), PollFlags::POLLIN));
                let mut fds: Vec<_> = fds.collect();
                poll(&mut fds, 100u16).unwrap();
                for from in 0..ports.len() {
                    while ports[from].receive(&mut frame).unwrap() {
                        for to in (0..ports.len()).filter(|to| *to != from) {
                            ports[to].send(&frame).unwrap();
                        }
                    }
                }
            }
        });
        Hub { stop, thread: Some(thread) }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

pub fn namespace() -> Netns {
    let ns = Netns::new().unwrap();
    let settings = [
        ("ipv6/conf/all/disable_ipv6", "1"),
        ("ipv6/conf/default/disable_ipv6", "1"),
        ("ipv4/conf/all/arp_ignore", "1"),
        ("ipv4/conf/all/arp_announce", "2"),
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
    ];
    ns.run(|| {
        for (name, value) in settings {
            match fs::write(format!("/proc/sys/net/{name}"), value) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    })
    .unwrap();
    up(&ns, "lo");
    ns
}

pub fn veth(a: &Netns, a_if: &str, b: &Netns, b_if: &str, mac: Option<[u8; 6]>) {
    let far: LinkMessage = LinkUnspec::new_with_name(b_if).setns_by_fd(b.as_raw_fd()).build();
    let mut near = LinkVeth::new(a_if, b_if).set_info_data(InfoData::Veth(InfoVeth::Peer(far)));
    if let Some(mac) = mac {
        near = near.address(mac.to_vec());
    }
    netlink(a, async move |handle| handle.link().add(near.build()).execute().await);
    for (ns, interface) in [(a, a_if), (b, b_if)] {
        ns.run(|| offload::disable(interface)).unwrap();
        up(ns, interface);
    }
}

fn up(ns: &Netns, interface: &str) {
    netlink(ns, async |handle| {
        let message = LinkUnspec::new_with_index(index(interface)).up().build();
        handle.link().set(message).execute().await
    });
}

pub fn address(ns: &Netns, interface: &str, address: Ipv4Addr, prefix: u8) {
    netlink(ns, async |handle| handle.address().add(index(interface), address.into(), prefix).execute().await);
}

pub fn index(interface: &str) -> u32 {
    nix::net::if_::if_nametoindex(interface).unwrap()
}

pub fn netlink(ns: &Netns, f: impl AsyncFnOnce(rtnetlink::Handle) -> Result<(), rtnetlink::Error> + Send) {
    ns.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection()?;
            tokio::spawn(connection);
            f(handle).await.map_err(io::Error::other)
        })
    })
    .unwrap();
}

/// With `IPOS_PCAP` set to a directory, each test leaves the captures of its cards' ports there.
fn recorded(wire: memory::Memory, server: usize, port: Port) -> Box<dyn Wire> {
    let Some(directory) = std::env::var_os("IPOS_PCAP") else { return Box::new(wire) };
    let test = std::thread::current().name().unwrap_or("test").to_owned();
    let file = std::path::Path::new(&directory).join(format!("{test}-{server}-{port:?}.pcap"));
    Box::new(Recorder::create(wire, &file).unwrap_or_else(|e| panic!("{}: {e}", file.display())))
}
