//! A frame that somebody does not carry is lost alone; the node goes on with the next.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::Duration;

use ipos_node::NodeStats;
use ipos_sim::wire::netns::Netns;
use ipos_sim::wire::offload;
use rtnetlink::LinkUnspec;

use super::common::{SERVICE, far, index, netlink};
use super::tcp::{Bench, echoes};
use super::{runtime, until};

fn mtu(ns: &Netns, interface: &str, bytes: u32) {
    netlink(ns, async |handle| {
        let message = LinkUnspec::new_with_index(index(interface)).mtu(bytes).build();
        handle.link().set(message).execute().await
    });
}

fn send(ns: &Netns, from: Ipv4Addr, to: Ipv4Addr, bytes: usize) {
    ns.run(|| UdpSocket::bind((from, 0))?.send_to(&vec![7; bytes], (to, 9))).unwrap();
}

/// Waits until the home has counted as many frames, then moves a connection.
async fn goes_on(bench: &mut Bench, what: &str, count: impl Fn(NodeStats) -> u64, at_least: u64) {
    until(what, async || count(bench.cluster.nodes[0].stats().await.unwrap()) >= at_least).await;
    let (mut client, mut server) = bench.connect();
    echoes(&mut client, &mut server);
    let mut server = bench.moved(server, 0, 1).await;
    echoes(&mut client, &mut server);
}

#[test]
fn a_frame_that_is_too_long_for_the_card_is_dropped_and_counted() {
    let mut bench = Bench::new(2, Duration::from_secs(120));
    mtu(&bench.cluster.kernels[0], "nic0", 9000);
    mtu(&bench.cluster.cards, &far(0), 9000);
    let home = Ipv4Addr::new(10, 77, 0, 1);
    // a frame of 2,048 bytes is the longest
    for bytes in [2100, 2048 - 14 - 28, 2048 - 14 - 28 + 1, 8000] {
        send(&bench.cluster.kernels[0], home, Ipv4Addr::new(10, 77, 0, 10), bytes);
    }
    runtime().block_on(async {
        goes_on(&mut bench, "too long frames are not counted", |stats| stats.unsendable, 3).await;
        assert_eq!(bench.cluster.nodes[0].stats().await.unwrap().unsendable, 3);
    });
}

#[test]
fn segments_that_the_kernel_left_uncut_are_dropped_until_its_offloads_are_off() {
    let mut bench = Bench::new(2, Duration::from_secs(120));
    let (mut client, mut server) = bench.connect();
    let offloads = |bench: &Bench, switch: fn(&str) -> std::io::Result<()>| {
        bench.cluster.kernels[0].run(|| switch("nic0")).unwrap();
        bench.cluster.cards.run(|| switch(&far(0))).unwrap();
    };
    offloads(&bench, offload::enable);
    let data: Vec<_> = (0..1 << 20).map(|i| (i / 7) as u8).collect();
    let sent = data.clone();
    let sender = thread::spawn(move || server.write_all(&sent).unwrap());
    runtime().block_on(async {
        until("no frame was too long", async || bench.cluster.nodes[0].stats().await.unwrap().unsendable > 0).await;
        offloads(&bench, offload::disable);
        let mut got = vec![0; data.len()];
        client.read_exact(&mut got).unwrap();
        assert!(got == data);
        sender.join().unwrap();
        goes_on(&mut bench, "", |stats| stats.unsendable, 1).await;
    });
}

#[test]
fn a_frame_that_is_too_long_for_the_kernel_is_dropped_and_counted() {
    let mut bench = Bench::new(2, Duration::from_secs(120));
    for (ns, interface) in [(&bench.cluster.client, "c0"), (&bench.cluster.cards, "c0c")] {
        mtu(ns, interface, 1900);
    }
    send(&bench.cluster.client, Ipv4Addr::new(10, 77, 0, 10), SERVICE, 1850);
    runtime().block_on(goes_on(
        &mut bench,
        "frames that the kernel does not get are not counted",
        |s| s.kernel_lost,
        1,
    ));
}

#[test]
fn a_frame_that_is_too_long_for_a_wire_is_lost_on_it() {
    let mut bench = Bench::new(2, Duration::from_secs(120));
    mtu(&bench.cluster.kernels[0], "nic0", 1900);
    mtu(&bench.cluster.cards, &far(0), 1900);
    let before = runtime().block_on(bench.cluster.nodes[0].stats()).unwrap().from_kernel;
    // the client's interface takes 1,500
    send(&bench.cluster.kernels[0], Ipv4Addr::new(10, 77, 0, 1), Ipv4Addr::new(10, 77, 0, 10), 1850);
    // ARP, and the frame
    runtime().block_on(goes_on(&mut bench, "the frame does not leave", |s| s.from_kernel, before + 2));
}
