//! Two veth pairs in a namespace of the test's own: `front` and `back` are the card's, `front_far` and `back_far` the wires' far ends.
//!
//! None has an IP address, so no stack answers. The calling thread moves into the namespace for good.
#![allow(dead_code)] // each test program uses a part

use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use etherparse::PacketBuilder;
use ipos_abi::table::{FlowKey, Protocol};
use ipos_abi::wire::ipos;
use ipos_kernel::table::{Action, Entry, Owner};
use ipos_kernel::{Config, KernelCard, Sizes};
use ipos_sim::wire::Wire;
use ipos_sim::wire::netns::Netns;
use ipos_sim::wire::packet::Packet;

/// Longer than any test waits for what must come.
const LIMIT: Duration = Duration::from_secs(10);
pub const FRONT_MTU: u32 = 1600;
/// As long as the longest packet that the card forwards: 2,048 bytes of frame, 16 of ipOS.
pub const BACK_MTU: u32 = 2050;

pub struct Rig {
    pub front_far: Packet,
    pub back_far: Packet,
    pub front: Packet,
    pub back: Packet,
    _namespace: Netns,
}

/// Loading programs needs CAP_BPF and CAP_NET_ADMIN in the first user namespace, which no namespace of a test's own gives.
pub fn allowed() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|l| l.strip_prefix("CapEff:")).unwrap().trim();
    let effective = u64::from_str_radix(effective, 16).unwrap();
    let first = std::fs::read_to_string("/proc/self/uid_map").unwrap().split_whitespace().eq(["0", "0", "4294967295"]);
    let allowed = first && [12, 39].into_iter().all(|capability| effective >> capability & 1 == 1);
    if !allowed {
        eprintln!("skipped: loading BPF programs needs CAP_BPF and CAP_NET_ADMIN in the first user namespace");
    }
    allowed
}

pub fn command(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

pub fn ip(line: &str) {
    command("ip", &line.split_whitespace().collect::<Vec<_>>());
}

pub fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|b| format!("{b:02x}")).join(":")
}

impl Rig {
    /// The wires, with these addresses of the card.
    pub fn new(front: [u8; 6], back: [u8; 6]) -> Self {
        let namespace = Netns::new().unwrap();
        namespace.enter().unwrap();
        let sysctl = |line: &str| {
            let (name, value) = line.split_once('=').unwrap();
            std::fs::write(format!("/proc/sys/net/{name}"), value).unwrap();
        };
        sysctl("ipv6/conf/default/disable_ipv6=1");
        for (near, mac, mtu) in [("front", front, FRONT_MTU), ("back", back, BACK_MTU)] {
            let mac = mac_text(mac);
            ip(&format!("link add {near} mtu {mtu} address {mac} type veth peer name {near}_far mtu {mtu}"));
            for end in [near, &format!("{near}_far")] {
                command("ethtool", &["-K", end, "tx", "off", "tso", "off", "gso", "off", "gro", "off"]);
                ip(&format!("link set {end} up"));
            }
            // what is redirected into a veth needs a NAPI at its far end
            command("ethtool", &["-K", &format!("{near}_far"), "gro", "on"]);
        }
        let open = |name| Packet::open(name).unwrap();
        Rig {
            front_far: open("front_far"),
            back_far: open("back_far"),
            front: open("front"),
            back: open("back"),
            _namespace: namespace,
        }
    }

    /// A card on the wires, its frames not merged for the stack.
    pub fn card(&self, config: Config) -> KernelCard {
        self.card_with(config, &object())
    }

    pub fn card_with(&self, config: Config, object: &[u8]) -> KernelCard {
        let card = KernelCard::open_object(config, object).unwrap_or_else(|e| panic!("{e}"));
        // attaching XDP to a veth turns it on
        for end in ["front", "back"] {
            command("ethtool", &["-K", end, "gro", "off"]);
        }
        card
    }
}

/// The committed programs, or those that `cargo xtask bpf-mutants` has broken.
pub fn object() -> Vec<u8> {
    std::env::var_os("IPOS_BPF_OBJECT")
        .map_or_else(|| ipos_kernel::OBJECT.to_vec(), |path| std::fs::read(path).unwrap())
}

/// Small tables.
pub fn config() -> Config {
    let sizes = Sizes { flows: 1 << 12, control: 1 << 18, frames: 1 << 21, events: 1 << 16 };
    Config { sizes, reforward: None, ..Config::new("front", "back") }
}

/// A bpffs of the test's own, and a directory on it for pins.
pub fn bpffs() -> (Mounted, PathBuf) {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("ipos-bpffs-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    command("mount", &["-t", "bpf", "bpf", path.to_str().unwrap()]);
    (Mounted(path.clone()), path.join("ipos"))
}

pub struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Calls `look` until it gives something.
pub fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::yield_now();
    }
}

/// The next frame of a wire.
pub fn next(wire: &mut Packet, what: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    wait(what, || wire.receive(&mut frame).unwrap().then(|| std::mem::take(&mut frame)))
}

pub const FRONT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const BACK_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];
pub const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 3];
pub const CLIENT_MAC: [u8; 6] = [2, 0, 0, 0, 0, 4];

/// A client's flow to the service.
pub fn flow(client_port: u16) -> FlowKey {
    FlowKey {
        protocol: Protocol::Tcp,
        src_ip: [10, 0, 0, 10],
        src_port: client_port,
        dst_ip: [10, 0, 0, 100],
        dst_port: 80,
    }
}

/// Where the tests' peer 0 and owner are.
pub fn owner() -> Owner {
    Owner { address: "10.9.0.2:80".parse().unwrap(), peer: 0 }
}

pub fn forward() -> Entry {
    Entry { action: Action::Forward, owner: owner(), ..Entry::default() }
}

/// A client's segment of a flow, made by etherparse.
pub fn segment(key: &FlowKey, payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(CLIENT_MAC, FRONT_MAC).ipv4(key.src_ip, key.dst_ip, 64);
    let mut frame = Vec::new();
    builder.tcp(key.src_port, key.dst_port, 7, 1024).ack(9).write(&mut frame, payload).unwrap();
    frame
}

/// The service's answer, as its kernel sends it, with these flags.
pub fn answer(key: &FlowKey, fin: bool) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2(FRONT_MAC, CLIENT_MAC).ipv4(key.dst_ip, key.src_ip, 64);
    let mut builder = builder.tcp(key.dst_port, key.src_port, 9, 1024).ack(7);
    if fin {
        builder = builder.fin();
    }
    let mut frame = Vec::new();
    builder.write(&mut frame, b"answer").unwrap();
    frame
}

/// A frame as peer 0 would send it: type 02, for this node's back.
pub fn from_peer(key: &FlowKey, packet: &[u8]) -> Vec<u8> {
    let client = SocketAddrV4::new(key.src_ip.into(), key.src_port);
    let mut header = [0u8; 16];
    let repr = ipos::Repr { client, owner: owner().address, kind: ipos::Type::Packet, protocol: key.protocol };
    repr.emit(&mut header).unwrap();
    [&BACK_MAC[..], &PEER_MAC, &[0x88, 0xb5], &header, packet].concat()
}
