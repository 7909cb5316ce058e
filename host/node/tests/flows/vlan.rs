//! Tags on the front network: the card behind a trunk port of a switch, and a client that tags its frames with a priority alone.

use std::io;
use std::net::UdpSocket;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ipos_abi::rx::Outcome;
use ipos_node::NodeError;
use ipos_sim::card::Card;
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::rtl::RtlCard;
use ipos_sim::wire::Wire;
use ipos_sim::wire::packet::Packet;

use super::common::{CLIENT, Cluster, SERVICE};
use super::tcp::{Bench, echoes};
use super::{runtime, until};

/// The client's port of a switch (IEEE 802.1Q): what comes in gets a tag, what goes out loses one, or is dropped if it has not that
/// of the VLAN.
struct Port {
    wire: Packet,
    tci: u16,
    /// Frames for the client must be of the VLAN; else they must be untagged.
    trunk: bool,
    refused: Arc<AtomicUsize>,
}

impl Wire for Port {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let tagged = frame[12..14] == [0x81, 0];
        if tagged != self.trunk || (tagged && u16::from_be_bytes([frame[14], frame[15]]) & 0xfff != self.tci & 0xfff) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        if tagged { self.wire.send(&[&frame[..12], &frame[16..]].concat()) } else { self.wire.send(frame) }
    }

    fn receive(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        let some = self.wire.receive(frame)?;
        if some {
            frame.splice(12..12, [[0x81, 0], self.tci.to_be_bytes()].concat());
        }
        Ok(some)
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.wire.fd()
    }
}

/// What becomes of connections of a client behind such a port.
fn moves<C: Card + 'static>(card: impl Fn() -> C, tci: u16, trunk: bool, vlan: Option<u16>) {
    let refused = Arc::new(AtomicUsize::new(0));
    let plug = |wire| -> Box<dyn Wire> { Box::new(Port { wire, tci, trunk, refused: refused.clone() }) };
    let mut bench = Bench::over(Cluster::of_cards(2, card, plug, |_, device| device, |c| c.front_vlan = vlan));
    runtime().block_on(async {
        let (mut client, mut server) = bench.connect();
        echoes(&mut client, &mut server);
        for (from, to) in [(0, 1), (1, 0), (0, 1)] {
            server = bench.moved(server, from, to).await;
            for _ in 0..10 {
                echoes(&mut client, &mut server);
            }
        }
        let counters = bench.cluster.nodes[0].counters().await.unwrap();
        assert!(counters.get(ipos_abi::Port::Front, Outcome::Forwarded) > 10, "the host has forwarded");
    });
    assert_eq!(refused.load(Ordering::Relaxed), 0);
}

#[test]
fn connections_move_on_a_vlan() {
    moves(|| ModelCard::new(ModelConfig::default()), 0x6000 | 77, true, Some(77));
}

#[test]
fn connections_move_on_a_vlan_through_the_fabric() {
    moves(RtlCard::default, 77, true, Some(77));
}

#[test]
fn a_tag_with_a_priority_alone_is_no_vlan() {
    moves(|| ModelCard::new(ModelConfig::default()), 0xe000, false, None);
}

#[test]
fn a_tag_with_a_priority_alone_is_no_vlan_for_the_fabric() {
    moves(RtlCard::default, 0xe000, false, None);
}

#[test]
fn frames_of_another_vlan_are_not_the_nodes() {
    for (tci, vlan) in [(5, None), (5, Some(6)), (0xe000, Some(6))] {
        let plug = |wire| -> Box<dyn Wire> { Box::new(Port { wire, tci, trunk: true, refused: Arc::default() }) };
        let card = || ModelCard::new(ModelConfig::default());
        let cluster = Cluster::of_cards(1, card, plug, |_, device| device, |c| c.front_vlan = vlan);
        // ARP asks for the address
        cluster.client.run(|| UdpSocket::bind((CLIENT, 0))?.send_to(b"hello", (SERVICE, 9))).unwrap();
        runtime().block_on(async {
            let stats = async || cluster.nodes[0].stats().await.unwrap();
            until("nothing is ignored", async || stats().await.ignored > 0).await;
            assert_eq!(stats().await.to_kernel, 0);
        });
    }
}

#[test]
fn an_id_that_is_none_is_refused_with_the_range() {
    for id in [0, 4095, u16::MAX] {
        let error = super::mtu::configured(|config| config.front_vlan = Some(id)).unwrap_err();
        assert!(matches!(error, NodeError::Config { .. }) && error.to_string().contains("1 to 4094"), "{error}");
    }
}
