//! The node's way to the networks and to the server's kernel: what leaves by a port, what peers say, and the datapath's entries.

use std::collections::VecDeque;
use std::net::{SocketAddr, SocketAddrV4};
use std::os::fd::BorrowedFd;
use std::rc::Rc;

use ipos_abi::Port;
use ipos_abi::rx::Outcome;
use ipos_abi::wire::trailer::{Key, Path};
use ipos_abi::wire::{Mac, ethernet};
use ipos_datapath::{Action, Datapath, DatapathError, Egress, Entry, Event, Owner, PeerAddress, Received};
use ipos_device::{FRONT_MTU, Queue, RateLimit};
use ipos_migrate::codec::{self, Packet};
use ipos_migrate::protocol::{Flow, PeerId};
use ipos_nic::{Carried, Counters};

use crate::config::{NodeConfig, PeerConfig};
use crate::error::Result;
use crate::frame::{Transport, encapsulate, tag};
use crate::misfit::Misfits;
use crate::stats::NodeStats;

/// Frames that wait for the card's transmit queue; more control packets and held frames are dropped.
const WAITING: usize = 8192;

/// What became of a frame that was given to the datapath.
#[derive(PartialEq, Eq)]
enum Offered {
    Taken,
    /// There is no room now.
    Full,
    /// Nothing carries it.
    Unsendable,
}

/// The next of a queue.
pub(crate) enum Next<T> {
    None,
    /// It is not the node's, and was counted as that.
    Dropped,
    Some(T),
}

/// The datapath, and what the node counts of it.
pub(crate) struct Ports {
    datapath: Box<dyn Datapath>,
    config: Rc<NodeConfig>,
    keys: Vec<Key>,
    pub stats: NodeStats,
    misfits: Misfits,
    /// Frames that there was no room for, in order.
    waiting: VecDeque<(Port, Vec<u8>)>,
    /// Where one frame at a time is built or taken, kept for its memory.
    pub scratch: Vec<u8>,
    /// Something was sent since this was last asked.
    active: bool,
    /// Of complaints about frames that nothing carries.
    too_long: RateLimit,
}

impl Ports {
    pub fn new(datapath: Box<dyn Datapath>, config: Rc<NodeConfig>) -> Self {
        Ports {
            datapath,
            keys: config.cluster_keys.iter().copied().map(Key::new).collect(),
            config,
            stats: NodeStats::default(),
            misfits: Misfits::default(),
            waiting: VecDeque::new(),
            scratch: Vec::new(),
            active: false,
            too_long: RateLimit::default(),
        }
    }

    pub fn config(&self) -> &Rc<NodeConfig> {
        &self.config
    }

    /// Replaces the cluster's keys.
    pub fn set_keys(&mut self, keys: Vec<[u8; 32]>) {
        self.keys = keys.into_iter().map(Key::new).collect();
    }

    /// Lets the datapath work and gives it what waits. `true`: there is more to do.
    pub fn poll(&mut self) -> Result<bool> {
        let busy = self.datapath.poll()?;
        while let Some((port, frame)) = self.waiting.pop_front() {
            if self.offer(port, &frame)? == Offered::Full {
                self.waiting.push_front((port, frame));
                break;
            }
            self.active = true;
        }
        Ok(busy)
    }

    /// Whether something was sent since this was last asked.
    pub fn was_active(&mut self) -> bool {
        std::mem::take(&mut self.active)
    }

    pub fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        self.datapath.wait_fds()
    }

    /// Queues a frame for a port. `false`: dropped, because too many wait already or because nothing carries it.
    pub fn transmit(&mut self, port: Port, frame: &[u8]) -> Result<bool> {
        self.active = true;
        if self.waiting.is_empty() {
            match self.offer(port, frame)? {
                Offered::Taken => return Ok(true),
                Offered::Unsendable => return Ok(false),
                Offered::Full => {}
            }
        }
        if self.waiting.len() >= WAITING {
            self.stats.transmit_full += 1;
            return Ok(false);
        }
        self.waiting.push_back((port, frame.to_vec()));
        Ok(true)
    }

    fn offer(&mut self, port: Port, frame: &[u8]) -> Result<Offered> {
        match self.datapath.send(port, frame) {
            Ok(true) => Ok(Offered::Taken),
            Ok(false) => Ok(Offered::Full),
            Err(e) if e.is_of_frame() => {
                self.stats.unsendable += 1;
                if self.too_long.allows() {
                    tracing::warn!(
                        node = self.config.name,
                        "to the {port:?} port: {e}; it is dropped (said once a minute). The MTU of the kernel's interface must not be \
                         over {FRONT_MTU}, its segmentation and receive offloads off, at both ends (docs/operations.md)"
                    );
                }
                Ok(Offered::Unsendable)
            }
            Err(e) => Err(e.into()),
        }
    }

    /// Hands a frame to the kernel.
    pub fn deliver(&mut self, frame: &[u8]) -> Result {
        self.stats.to_kernel += 1;
        Ok(self.datapath.deliver(frame)?)
    }

    /// The next frame that the kernel sent. `None`: there is none, or no room for more.
    pub fn collect(&mut self, frame: &mut Vec<u8>) -> Result<Option<Egress>> {
        Ok(self.datapath.collect(frame)?)
    }

    /// Whether frames wait for room.
    pub fn is_full(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Sends a frame of the kernel to the clients' network.
    pub fn send_on(&mut self, frame: &mut Vec<u8>) -> Result {
        if let Some(id) = self.config.front_vlan {
            tag(frame, id);
        }
        self.stats.from_kernel += u64::from(self.transmit(Port::Front, frame)?);
        Ok(())
    }

    /// The next frame of the clients' network, whichever way it came.
    pub fn receive(&mut self, frame: &mut Vec<u8>) -> Result<Next<Received>> {
        let Some(received) = self.datapath.receive(Queue::Receive, frame)? else { return Ok(Next::None) };
        // the kernel's interface is on the front network
        if !self.is_on_network(&received) || (received.port == Port::Back && !received.decapsulated) {
            self.stats.ignored += 1;
            if received.port == Port::Back {
                self.misfits.foreign(frame, received.sender, &self.config, &mut self.stats);
            }
            return Ok(Next::Dropped);
        }
        Ok(Next::Some(received))
    }

    /// Whether a frame is of its port's VLAN.
    fn is_on_network(&self, received: &Received) -> bool {
        let vlan = match received.port {
            Port::Front => self.config.front_vlan,
            Port::Back => None,
        };
        received.vlan == vlan
    }

    /// Whose address on the back network this is.
    pub fn peer_at(&self, address: PeerAddress) -> Option<PeerId> {
        self.config.peers.iter().position(|p| PeerAddress::Mac(p.back_mac) == address).map(PeerId)
    }

    /// The link header of a back-side frame to a peer.
    fn link(&self, peer: PeerId) -> ethernet::Repr {
        let dst = Mac(self.config.peers[peer.0].back_mac);
        ethernet::Repr { dst, src: Mac(self.config.back_mac), vlan: None, ethertype: self.config.ethertype }
    }

    /// Sends a client's frame on to the owner of its connection, as fabric does on a forward hit.
    pub fn pass_on(&mut self, frame: &[u8], inner: &Transport, owner: PeerId) -> Result {
        let address = SocketAddrV4::new(self.config.peers[owner.0].back_ip, inner.dst.port());
        match encapsulate(frame, inner, address, self.link(owner)) {
            Ok(packet) => {
                self.stats.passed_on += u64::from(self.transmit(Port::Back, &packet)?);
            }
            Err(e) => tracing::debug!("a held frame can't be encapsulated: {e}"),
        }
        Ok(())
    }

    /// The next control packet, and the peer that it is from. `None`: the peer means another node.
    pub fn receive_control(&mut self) -> Result<Next<(PeerId, Option<Packet>)>> {
        let mut frame = std::mem::take(&mut self.scratch);
        let next = match self.datapath.receive(Queue::Control, &mut frame)? {
            Some(received) => self.read_control(&frame, &received),
            None => Next::None,
        };
        self.scratch = frame;
        Ok(next)
    }

    fn read_control(&mut self, frame: &[u8], received: &Received) -> Next<(PeerId, Option<Packet>)> {
        if !self.is_on_network(received) {
            self.stats.ignored += 1;
            return Next::Dropped;
        }
        self.stats.control_in += 1;
        let Some(peer) = self.peer_at(received.sender) else {
            self.misfits.stranger(received.sender, &self.config, &mut self.stats);
            return Next::Dropped;
        };
        let PeerConfig { plain, back_ip, .. } = self.config.peers[peer.0];
        let decoded = if plain {
            codec::decode_plain(frame, self.config.ethertype)
        } else {
            let path = Path { from: back_ip, to: self.config.back_ip };
            codec::decode(frame, self.config.ethertype, &self.keys, path)
        };
        match decoded {
            Ok((_, packet)) => {
                let meant = self.misfits.is_meant(peer.0, &packet, &self.config, &mut self.stats);
                Next::Some((peer, meant.then_some(packet)))
            }
            Err(e) => {
                self.misfits.unread(peer.0, frame, &e, &self.config, &mut self.stats);
                Next::Dropped
            }
        }
    }

    /// Sends a control packet.
    pub fn send_control(&mut self, peer: PeerId, packet: &Packet) -> Result {
        let mut frame = std::mem::take(&mut self.scratch);
        let encoded = if self.config.peers[peer.0].plain {
            codec::encode_plain(packet, self.link(peer), &mut frame)
        } else {
            let path = Path { from: self.config.back_ip, to: self.config.peers[peer.0].back_ip };
            codec::encode(packet, self.link(peer), path, self.keys.first(), &mut frame)
        };
        match encoded {
            Ok(()) => {
                self.stats.control_out += 1;
                self.transmit(Port::Back, &frame)?;
            }
            Err(e) => tracing::error!(?packet, "a control packet can't be written: {e}"),
        }
        self.scratch = frame;
        Ok(())
    }

    /// Says what the nodes' configurations disagree in.
    pub fn look_for_misfits(&mut self) -> Result {
        let drops = self.datapath.count(Port::Back, Outcome::DropMac)?;
        self.misfits.look(drops, &self.config, &self.stats);
        Ok(())
    }

    /// Changes what the datapath does with a flow, at once. After a refusal it is as before.
    pub fn change(&mut self, flow: &Flow, change: impl FnOnce(&mut Entry)) -> Result<(), DatapathError> {
        let key = key(flow);
        let mut entry = self.datapath.get(&key).unwrap_or_default();
        change(&mut entry);
        let none = entry == Entry { epoch: entry.epoch, ..Entry::default() };
        self.datapath.set(&key, (!none).then_some(entry))
    }

    /// Whether the kernel must send nothing of a flow.
    pub fn is_fenced(&self, flow: &Flow) -> bool {
        self.datapath.get(&key(flow)).is_some_and(|entry| entry.fenced)
    }

    /// Forwarding a flow to a peer.
    pub fn forward_to(&self, peer: PeerId, flow: &Flow) -> Action {
        let peer = &self.config.peers[peer.0];
        let at = PeerAddress::Mac(peer.back_mac);
        Action::Forward(Owner { ip: peer.back_ip.into(), port: flow.service.port(), at })
    }

    pub fn carried(&mut self, flow: &Flow) -> Result<Option<Carried>> {
        Ok(self.datapath.carried(&key(flow))?)
    }

    pub fn event(&mut self) -> Result<Option<Event>> {
        Ok(self.datapath.event()?)
    }

    pub fn counters(&mut self) -> Result<Counters> {
        Ok(self.datapath.counters()?)
    }

    /// What was counted so far.
    pub fn stats(&self) -> NodeStats {
        NodeStats { entries: self.datapath.used(), kernel_lost: self.datapath.lost(), ..self.stats }
    }
}

fn key(flow: &Flow) -> ipos_datapath::Flow {
    let Flow { protocol, client, service } = *flow;
    ipos_datapath::Flow { protocol, client: client.into(), service: service.into() }
}

/// The flow of an event. `None`: it is of a family that moves nothing yet.
pub(crate) fn flow_of(key: &ipos_datapath::Flow) -> Option<Flow> {
    match (key.client, key.service) {
        (SocketAddr::V4(client), SocketAddr::V4(service)) => Some(Flow { protocol: key.protocol, client, service }),
        _ => None,
    }
}
