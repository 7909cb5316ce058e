//! Servers with firewalls that judge segments by the connection that they belong to. The oracle is the kernel's netfilter: a
//! segment that it drops leaves the client waiting.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use ipos_node::{MoveError, NodeConfig};
use ipos_sim::wire::netns::Netns;

use super::common::{PORT, SERVICE};
use super::runtime;
use super::tcp::{Bench, echoes};

/// Rules for what comes and what goes, by `nft`.
fn filter(server: &Netns, rule: &str) {
    let chain = |hook| format!("chain {hook} {{ type filter hook {hook} priority 0; {rule}; }}");
    nft(server, &format!("table ip filter {{ {}; {}; }}", chain("input"), chain("output")));
}

fn nft(server: &Netns, rules: &str) {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let run = || Command::new("nft").env("PATH", path).arg(rules).output();
    let output = server.run(run).expect("nft, of Debian's nftables: `cargo xtask setup`");
    assert!(output.status.success(), "{rules}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What the server's kernel tracks of the connection of a client's port.
fn tracked(server: &Netns, client: u16) -> Vec<String> {
    let table = server.run(|| fs::read_to_string("/proc/thread-self/net/nf_conntrack")).unwrap();
    let port = format!("port={client} ");
    table.lines().filter(|line| line.contains(&port)).map(str::to_owned).collect()
}

/// More than any window that was known before.
fn flood(from: &mut TcpStream, to: &mut TcpStream) {
    let data = vec![7; 3 << 20];
    thread::scope(|s| {
        s.spawn(|| from.write_all(&data).unwrap());
        let mut got = vec![0; data.len()];
        to.read_exact(&mut got).unwrap();
        assert!(got == data);
    });
}

/// To b and back, behind a rule on both servers; `loose`: whether the kernel tracks connections whose beginning it has not seen.
fn there_and_back(rule: &str, loose: bool) {
    let mut bench = Bench::new(2, NodeConfig::IDLE);
    for server in &bench.cluster.kernels {
        filter(server, rule);
        let loose = if loose { "1" } else { "0" };
        server.run(|| fs::write("/proc/sys/net/netfilter/nf_conntrack_tcp_loose", loose)).unwrap();
    }
    runtime().block_on(async {
        let (mut client, mut server) = bench.connect();
        let port = client.local_addr().unwrap().port();
        for (from, to) in [(0, 1), (1, 0), (0, 1)] {
            flood(&mut client, &mut server);
            flood(&mut server, &mut client);
            server = bench.moved(server, from, to).await;
            echoes(&mut client, &mut server);
            // nothing stays, least of all for five days
            assert_eq!(tracked(&bench.cluster.kernels[from], port), [""; 0], "{rule}");
            let known = tracked(&bench.cluster.kernels[to], port);
            assert!(known.len() == 1 && known[0].contains("ESTABLISHED"), "{rule}: {known:?}");
        }
        flood(&mut client, &mut server);
    });
}

#[test]
fn what_is_invalid_is_dropped() {
    there_and_back("ct state invalid drop", true);
}

#[test]
fn what_is_invalid_is_dropped_and_no_connection_is_taken_up_in_its_midst() {
    there_and_back("ct state invalid drop", false);
}

#[test]
fn what_is_new_and_no_syn_is_dropped() {
    there_and_back("tcp flags & (fin|syn|rst|ack) != syn ct state new drop", true);
}

#[test]
fn a_connection_that_is_translated_stays_and_works() {
    let bench = Bench::new(2, NodeConfig::IDLE);
    let rule = format!("tcp dport 7001 dnat to {SERVICE}:{PORT}");
    nft(
        &bench.cluster.kernels[0],
        &format!("table ip nat {{ chain pre {{ type nat hook prerouting priority -100; {rule}; }}; }}"),
    );
    runtime().block_on(async {
        let connect = || TcpStream::connect(SocketAddrV4::new(SERVICE, 7001));
        let mut client = bench.cluster.client.run(connect).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (server, _) = bench.listener.accept().unwrap();
        let failed = bench.cluster.nodes[0].migrate(server.into(), vec![], "b").await.unwrap_err();
        assert!(matches!(&failed.error, MoveError::Socket(e) if e.to_string().contains("translated here")), "{failed}");
        echoes(&mut client, &mut failed.fd.unwrap().into());
        // one that is not, beside it
        let (_client, server) = bench.connect();
        bench.cluster.nodes[0].migrate(server.into(), vec![], "b").await.unwrap();
    });
}
