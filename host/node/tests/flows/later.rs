//! Nodes of a later format among those of this one: what they say is longer, and they can do more. This is what any later release
//! may do, and what this one must bear: a cluster is upgraded node by node, under load, and no client notices.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ipos_abi::wire::checksum::checksum;
use ipos_abi::wire::control::parse;
use ipos_abi::wire::ipos::Type;
use ipos_abi::wire::trailer::{Key, Path, Seal, TAG_LEN};
use ipos_node::NodeConfig;

use super::runtime;
use super::tcp::{Bench, exchange};

/// The frame as a later format might have it: three bytes more in each body, all feature bits set, an extra that nobody knows.
/// Written from the layouts in the docs and not by the code under test.
pub fn rewrite(frame: &[u8]) -> Option<Vec<u8>> {
    let received = parse(frame, NodeConfig::ETHERTYPE).ok()?;
    received.frame.trailer?;
    let (kind, signed) = (received.frame.message.kind(), received.frame.is_signed());
    let mut bytes = frame.to_vec();
    let mut end = match kind {
        Type::Connection if bytes[27] == 1 => 30 + 146,
        Type::Connection => 30 + 6,
        Type::Ack => 30,
        _ => {
            match kind {
                Type::Offer => bytes[60..62].fill(0xff),
                Type::Ready => bytes[48..50].fill(0xff),
                _ => {}
            }
            let body = 46 + usize::from(bytes[45]);
            let data = if kind == Type::Data { u16::from_be_bytes([bytes[51], bytes[52]]).into() } else { 0 };
            bytes.splice(body..body, [0xd5; 3]);
            bytes[45] += 3;
            body + 3 + data
        }
    };
    let covered = if kind == Type::Ack { 30 } else { end };
    bytes[28..30].fill(0);
    let sum = checksum(&bytes[14..covered]);
    bytes[28..30].copy_from_slice(&sum.to_be_bytes());
    bytes[end + 3] += 4;
    end += usize::from(bytes[end + 3]);
    bytes.truncate(end);
    let tag = end - TAG_LEN;
    bytes.resize(end - 4, 0);
    bytes.splice(tag - 4..tag - 4, [0x7e, 2, 1, 2]);
    let address = |mac: &[u8]| Ipv4Addr::new(10, 78, 0, mac[5]);
    let path = Path { from: address(&frame[6..12]), to: address(&frame[..6]) };
    let made = Seal { key: &Key::new([7; 32]), path }.tag(&bytes[14..tag]);
    bytes[tag..].copy_from_slice(if signed { &made } else { &[0; TAG_LEN] });
    Some(bytes)
}

/// An echo that can be stopped between two answers.
struct Echo {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<TcpStream>,
}

impl Echo {
    fn run(mut server: TcpStream) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        server.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let thread = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while !told.load(Ordering::Relaxed) {
                match server.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(n) => server.write_all(&buffer[..n]).unwrap(),
                    Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock, "{e}"),
                }
            }
            server
        });
        Echo { stop, thread }
    }

    fn stop(self) -> TcpStream {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

#[test]
fn a_cluster_is_upgraded_node_by_node_under_load() {
    let mut bench = Bench::new(3, NodeConfig::IDLE);
    runtime().block_on(async {
        let mut clients = Vec::new();
        let mut served = Vec::new();
        for seed in 0..3 {
            let (client, server) = bench.connect();
            clients.push(exchange(client, seed));
            served.push((0, Echo::run(server)));
        }
        // each as far from the others as it can be, then each node in turn, the home last
        for upgraded in [None, Some(1), Some(2), Some(0)] {
            if let Some(node) = upgraded {
                for (at, echo) in std::mem::take(&mut served) {
                    let echo = if at == node {
                        let server = bench.moved(echo.stop(), at, (at + 1) % 3).await;
                        ((at + 1) % 3, Echo::run(server))
                    } else {
                        (at, echo)
                    };
                    served.push(echo);
                }
                let alone = bench.stop(node);
                bench.speak_later(node);
                bench.start(node, alone, true);
            }
            // every way between old and new
            for _ in 0..2 {
                for (at, echo) in std::mem::take(&mut served) {
                    let to = (at + 1) % 3;
                    let server = bench.moved(echo.stop(), at, to).await;
                    served.push((to, Echo::run(server)));
                }
            }
            for (at, echo) in std::mem::take(&mut served) {
                let to = (at + 2) % 3;
                let server = bench.moved(echo.stop(), at, to).await;
                served.push((to, Echo::run(server)));
            }
        }
        for node in &bench.cluster.nodes {
            assert_eq!(node.stats().await.unwrap().control_bad, 0, "what is longer was not understood");
        }
        for (stop, exchanged) in clients {
            stop.store(true, Ordering::Relaxed);
            assert!(exchanged.join().unwrap() > 10, "rounds of traffic");
        }
        for (_, echo) in served {
            drop(echo.stop());
        }
    });
}
