//! A datapath that keeps the fence itself, as one in the server's kernel does: the node only looks at what the kernel sends.

use std::io::{Read, Write};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use ipos_abi::Port;
use ipos_abi::rx::Outcome;
use ipos_abi::table::Protocol;
use ipos_datapath::{Card, CardConfig, Datapath, DatapathError, Egress, Entry, Event, Flow, Received};
use ipos_device::{Mtu, Queue};
use ipos_nic::{Carried, Counters};
use ipos_node::Node;
use ipos_sim::card::SimDevice;
use ipos_sim::model::{ModelCard, ModelConfig};

use super::common::{Cluster, config};
use super::runtime;
use super::tcp::{Bench, echoes};

/// What the datapaths of a test have seen.
#[derive(Clone, Default)]
struct Seen {
    sent: Arc<AtomicUsize>,
    fenced: Arc<AtomicUsize>,
}

struct Fencing {
    card: Card<SimDevice<ModelCard>>,
    seen: Seen,
    /// Frames of the kernel that have left or met the fence, and that the node has not looked at.
    settled: Vec<Vec<u8>>,
}

impl Fencing {
    /// Judges what the kernel has sent until now.
    fn settle(&mut self) -> Result<(), DatapathError> {
        let mut frame = Vec::new();
        while self.card.collect(&mut frame)?.is_some() {
            let fenced = flow(&frame).and_then(|flow| self.card.get(&flow)).is_some_and(|entry| entry.fenced);
            let seen = if fenced { &self.seen.fenced } else { &self.seen.sent };
            seen.fetch_add(1, Ordering::Relaxed);
            if !fenced {
                while !self.card.send(Port::Front, &frame)? {
                    self.card.poll()?;
                }
            }
            self.settled.insert(0, std::mem::take(&mut frame));
        }
        Ok(())
    }
}

/// Whose segment from the service this is.
fn flow(frame: &[u8]) -> Option<Flow> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let (Some(NetSlice::Ipv4(ip)), Some(TransportSlice::Tcp(tcp))) = (packet.net, packet.transport) else {
        return None;
    };
    let client = (ip.header().destination_addr(), tcp.destination_port()).into();
    let service = (ip.header().source_addr(), tcp.source_port()).into();
    Some(Flow { protocol: Protocol::Tcp, client, service })
}

impl Datapath for Fencing {
    fn set(&mut self, flow: &Flow, entry: Option<Entry>) -> Result<(), DatapathError> {
        // what the kernel has sent before has passed the fence
        self.settle()?;
        self.card.set(flow, entry)
    }

    fn get(&self, flow: &Flow) -> Option<Entry> {
        self.card.get(flow)
    }

    fn entries(&self) -> Vec<(Flow, Entry)> {
        self.card.entries()
    }

    fn used(&self) -> usize {
        self.card.used()
    }

    fn carried(&mut self, flow: &Flow) -> Result<Option<Carried>, DatapathError> {
        self.card.carried(flow)
    }

    fn divert(&mut self, service: std::net::SocketAddr, on: bool) -> Result<(), DatapathError> {
        self.card.divert(service, on)
    }

    fn send(&mut self, port: Port, frame: &[u8]) -> Result<bool, DatapathError> {
        self.card.send(port, frame)
    }

    fn receive(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Result<Option<Received>, DatapathError> {
        self.card.receive(queue, frame)
    }

    fn deliver(&mut self, frame: &[u8]) -> Result<(), DatapathError> {
        self.card.deliver(frame)
    }

    fn collect(&mut self, frame: &mut Vec<u8>) -> Result<Option<Egress>, DatapathError> {
        self.settle()?;
        let next = self.settled.pop();
        Ok(next.map(|next| {
            *frame = next;
            Egress::Settled
        }))
    }

    fn event(&mut self) -> Result<Option<Event>, DatapathError> {
        self.card.event()
    }

    fn poll(&mut self) -> Result<bool, DatapathError> {
        self.card.poll()
    }

    fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        self.card.wait_fds()
    }

    fn mtu(&self, port: Port) -> Option<Mtu> {
        self.card.mtu(port)
    }

    fn counters(&mut self) -> Result<Counters, DatapathError> {
        self.card.counters()
    }

    fn count(&mut self, port: Port, outcome: Outcome) -> Result<u32, DatapathError> {
        self.card.count(port, outcome)
    }

    fn lost(&self) -> u64 {
        self.card.lost()
    }
}

#[test]
fn connections_move_over_a_datapath_that_keeps_the_fence() {
    let seen = Seen::default();
    let (mut cluster, devices) =
        Cluster::wired(2, || ModelCard::new(ModelConfig::default()), |client| Box::new(client));
    for (i, device) in devices.into_iter().enumerate() {
        let seen = seen.clone();
        let wrap = move |card| Fencing { card, seen, settled: Vec::new() };
        let (config, kernel) = (config(2, i), cluster.kernel_port(i));
        let card = CardConfig {
            front: config.front_mac,
            front_vlan: None,
            back: config.back_mac,
            ethertype: config.ethertype,
        };
        let inside = cluster.kernels[i].try_clone().unwrap();
        let open = move || Card::open(device, kernel, &card).map(wrap);
        cluster.nodes.push(Node::over(open, config, move || inside.enter()).unwrap());
    }
    let mut bench = Bench::over(cluster);
    runtime().block_on(async {
        let (mut client, mut server) = bench.connect();
        echoes(&mut client, &mut server);
        for turn in 0..10 {
            // what the client has sent and nobody has read moves, too
            client.write_all(b"unread").unwrap();
            server = bench.moved(server, turn % 2, 1 - turn % 2).await;
            server.read_exact(&mut [0; 6]).unwrap();
            echoes(&mut client, &mut server);
        }
        for node in &bench.cluster.nodes {
            let stats = node.stats().await.unwrap();
            assert_eq!((stats.from_kernel, stats.fenced, stats.failed), (0, 0, 0), "the node sends none of it on");
        }
    });
    assert!(seen.sent.load(Ordering::Relaxed) > 10);
    println!("{} frames met the fence", seen.fenced.load(Ordering::Relaxed));
}
