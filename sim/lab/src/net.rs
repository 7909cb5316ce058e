//! Servers, their cards and a client, in namespaces without names: they are gone when the process is.
//!
//! ```text
//!  client ── c0 ═══ switch ═══ front ┐ card a ┌ back ══════ back ┐ card b ┌ front ═══ switch
//!                                    └───┬────┘                  └───┬────┘
//!                                  nic0c ║                     nic0c ║
//!                                   nic0 ║                      nic0 ║
//!                                  kernel of a                 kernel of b
//! ```
//!
//! `═` and `║` are veth pairs. A server is two namespaces: its kernel (what its applications see)
//! and its card (the far ends, which the card and its node open as wires).

use std::fs;
use std::io;
use std::net::Ipv4Addr;

use ipos_sim::fault::{Fault, Faults};
use ipos_sim::wire::Wire;
use ipos_sim::wire::netns::Netns;
use ipos_sim::wire::{offload, packet};
use rtnetlink::packet_route::link::{InfoData, InfoVeth, LinkMessage};
use rtnetlink::{Handle, LinkBridge, LinkUnspec, LinkVeth};

use crate::switch::Switch;

/// The address that the client talks to. Server a is its home.
pub const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
/// The client's own address.
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 10);
/// The client's interface.
pub const CLIENT_IF: &str = "c0";
/// A server's interface, as its kernel sees it.
const KERNEL_IF: &str = "nic0";
/// The far end of [`KERNEL_IF`], which the node opens.
pub const KERNEL_FAR_IF: &str = "nic0c";
/// The card's wire to the clients' network.
pub const FRONT_IF: &str = "front";
/// The card's wire to the servers' own network.
pub const BACK_IF: &str = "back";
/// MTU of the front network.
const MTU: u32 = 1500;
/// Encapsulation puts 30 bytes in front of the IP packet, 14 of them the link header.
const BACK_MTU: u32 = MTU + 16;

/// One server's addresses and namespaces.
pub struct ServerNet {
    /// `a`, `b`, …
    pub name: String,
    /// Its kernel.
    pub kernel: Netns,
    /// Its card.
    pub card: Netns,
    /// MAC address of the kernel's interface and of the card's front port.
    pub front_mac: [u8; 6],
    /// MAC address of the card's back port.
    pub back_mac: [u8; 6],
    /// Its address on the servers' own network, known to nodes only.
    pub back_ip: Ipv4Addr,
}

/// All of it.
pub struct Net {
    /// The client.
    pub client: Netns,
    /// The servers, home first.
    pub servers: Vec<ServerNet>,
    /// Held, not used.
    _switches: Vec<Joint>,
}

/// What joins interfaces: a namespace with a bridge, or with a thread that stands in for one.
struct Joint {
    _switch: Option<Switch>,
    _namespace: Netns,
}

impl Net {
    /// Builds the networks of `count` servers (at most 26).
    pub fn new(count: u8) -> io::Result<Self> {
        Self::build(count, None)
    }

    /// As [`Net::new`]; what passes between the home's back port and the other servers meets `faults`, by `seed`.
    pub fn with_faults(count: u8, faults: Faults, seed: u64) -> io::Result<Self> {
        Self::build(count, Some((faults, seed)))
    }

    fn build(count: u8, faults: Option<(Faults, u64)>) -> io::Result<Self> {
        let client = quiet_namespace()?;
        let mut servers = Vec::new();
        for i in 0..count {
            servers.push(ServerNet {
                name: char::from(b'a' + i).to_string(),
                kernel: quiet_namespace()?,
                card: quiet_namespace()?,
                front_mac: [0x02, b'i', b'p', 0, 0, i + 1],
                back_mac: [0x02, b'i', b'p', 1, 0, i + 1],
                back_ip: Ipv4Addr::new(10, 78, 0, i + 1),
            });
        }

        let mut switches = Vec::new();
        let cards = servers.iter().map(|s| (&s.card, FRONT_IF));
        switches.push(join(MTU, &cards.chain([(&client, CLIENT_IF)]).collect::<Vec<_>>())?);
        let backs: Vec<_> = servers.iter().map(|s| (&s.card, BACK_IF)).collect();
        match (faults, &backs[..]) {
            (Some((faults, seed)), _) => switches.push(unreliable(BACK_MTU, &backs, faults, seed)?),
            (None, [(a, a_if), (b, b_if)]) => veth(a, b, BACK_MTU, a_if, b_if, None)?,
            (None, _) => switches.push(join(BACK_MTU, &backs)?),
        }

        address(&client, CLIENT_IF, CLIENT, 24)?;
        for (i, s) in servers.iter().enumerate() {
            veth(&s.kernel, &s.card, MTU, KERNEL_IF, KERNEL_FAR_IF, Some(s.front_mac))?;
            address(&s.kernel, KERNEL_IF, Ipv4Addr::new(10, 77, 0, i as u8 + 1), 24)?;
            // everyone has the service's address, but only the home answers ARP for it
            address(&s.kernel, if i == 0 { KERNEL_IF } else { "lo" }, SERVICE, 32)?;
        }
        Ok(Net { client, servers, _switches: switches })
    }
}

/// A namespace with its loopback up, without IPv6 (nobody asked for router solicitations) and
/// with the ARP manners that a shared service address needs.
fn quiet_namespace() -> io::Result<Netns> {
    let ns = Netns::new()?;
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
                Err(e) if e.kind() == io::ErrorKind::NotFound && name.starts_with("ipv6") => {}
                Err(e) => {
                    let text = format!("setting net/{name} (is /proc/sys mounted read-only?): {e}");
                    return Err(io::Error::new(e.kind(), text));
                }
                Ok(()) => {}
            }
        }
        Ok(())
    })?;
    up(&ns, "lo")?;
    Ok(ns)
}

/// Joins interfaces, made in the namespaces named, by a switch in a namespace of its own.
fn join(mtu: u32, ends: &[(&Netns, &str)]) -> io::Result<Joint> {
    let (ns, ports) = ports(mtu, ends)?;
    let switch = match bridge(&ns, &ports) {
        Ok(()) => None,
        Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            tracing::info!("this kernel has no bridges: a thread switches instead");
            Some(Switch::spawn(wires(&ns, &ports)?)?)
        }
        Err(e) => return Err(context("making a bridge", &e)),
    };
    Ok(Joint { _switch: switch, _namespace: ns })
}

/// As [`join`], by a thread; what passes the first port meets faults.
fn unreliable(mtu: u32, ends: &[(&Netns, &str)], faults: Faults, seed: u64) -> io::Result<Joint> {
    let (ns, ports) = ports(mtu, ends)?;
    let mut plugged: Vec<Box<dyn Wire>> = Vec::new();
    for wire in wires(&ns, &ports)? {
        plugged.push(if plugged.is_empty() { Box::new(Fault::new(wire, faults, seed)) } else { Box::new(wire) });
    }
    Ok(Joint { _switch: Some(Switch::spawn_watchful(plugged)?), _namespace: ns })
}

/// A namespace with one end of a cable to each of `ends`, and their names.
fn ports(mtu: u32, ends: &[(&Netns, &str)]) -> io::Result<(Netns, Vec<String>)> {
    let ns = quiet_namespace()?;
    let ports: Vec<String> = (0..ends.len()).map(|i| format!("p{i}")).collect();
    for ((far, far_if), port) in ends.iter().zip(&ports) {
        veth(&ns, far, mtu, port, far_if, None)?;
    }
    Ok((ns, ports))
}

fn wires(ns: &Netns, ports: &[String]) -> io::Result<Vec<packet::Packet>> {
    ns.run(|| ports.iter().map(|p| packet::Packet::open(p)).collect())
}

fn bridge(ns: &Netns, ports: &[String]) -> io::Result<()> {
    netlink(ns, async |handle| {
        handle.link().add(LinkBridge::new("sw").build()).execute().await.map_err(io_error)?;
        let controller = index("sw")?;
        for port in ports {
            let message = LinkUnspec::new_with_index(index(port)?).controller(controller).build();
            handle.link().set(message).execute().await.map_err(io_error)?;
        }
        Ok(())
    })
}

/// A veth pair over two namespaces, both ends up and handing over finished frames.
fn veth(a: &Netns, b: &Netns, mtu: u32, a_if: &str, b_if: &str, mac: Option<[u8; 6]>) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    let far: LinkMessage = LinkUnspec::new_with_name(b_if).mtu(mtu).setns_by_fd(b.as_raw_fd()).build();
    let mut near = LinkVeth::new(a_if, b_if).mtu(mtu).set_info_data(InfoData::Veth(InfoVeth::Peer(far)));
    if let Some(mac) = mac {
        near = near.address(mac.to_vec());
    }
    netlink(a, async move |handle| handle.link().add(near.build()).execute().await.map_err(io_error))
        .map_err(|e| context(&format!("making the veth pair {a_if}–{b_if}"), &e))?;
    for (ns, name) in [(a, a_if), (b, b_if)] {
        ns.run(|| offload::disable(name))?;
        up(ns, name)?;
    }
    Ok(())
}

fn up(ns: &Netns, interface: &str) -> io::Result<()> {
    netlink(ns, async |handle| {
        let message = LinkUnspec::new_with_index(index(interface)?).up().build();
        handle.link().set(message).execute().await.map_err(io_error)
    })
    .map_err(|e| context(&format!("bringing {interface} up"), &e))
}

fn address(ns: &Netns, interface: &str, address: Ipv4Addr, prefix: u8) -> io::Result<()> {
    netlink(ns, async |handle| {
        handle.address().add(index(interface)?, address.into(), prefix).execute().await.map_err(io_error)
    })
    .map_err(|e| context(&format!("giving {interface} the address {address}/{prefix}"), &e))
}

/// Runs `f` with a netlink connection of the namespace.
fn netlink<T: Send>(ns: &Netns, f: impl AsyncFnOnce(Handle) -> io::Result<T> + Send) -> io::Result<T> {
    ns.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection()?;
            tokio::spawn(connection);
            f(handle).await
        })
    })
}

/// Index of an interface of the calling thread's namespace.
fn index(interface: &str) -> io::Result<u32> {
    Ok(nix::net::if_::if_nametoindex(interface)?)
}

/// `error` with what was tried in front, its kind kept.
fn context(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

fn io_error(error: rtnetlink::Error) -> io::Error {
    match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io(),
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::time::Duration;

    /// A card that is a plain cable, to see whether the rest of the network is right.
    fn patch(s: &ServerNet) -> Switch {
        let wires = s.card.run(|| Ok(vec![packet::Packet::open(FRONT_IF)?, packet::Packet::open(KERNEL_FAR_IF)?]));
        Switch::spawn(wires.unwrap()).unwrap()
    }

    #[test]
    fn the_client_reaches_the_home_and_only_the_home_answers_for_the_service() {
        let net = Net::new(3).unwrap();
        let _cards: Vec<Switch> = net.servers.iter().map(patch).collect();
        let ask = |text: &str, at: Ipv4Addr| {
            net.client.run(|| {
                let socket = UdpSocket::bind((CLIENT, 0))?;
                socket.set_read_timeout(Some(Duration::from_secs(3)))?;
                socket.send_to(text.as_bytes(), (at, 7))?;
                let mut reply = [0; 2048];
                let (length, from) = socket.recv_from(&mut reply)?;
                assert_eq!(from, (at, 7).into());
                Ok(String::from_utf8_lossy(&reply[..length]).into_owned())
            })
        };
        for s in &net.servers {
            let socket = s.kernel.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 7))).unwrap();
            let name = s.name.clone();
            std::thread::spawn(move || {
                let mut request = [0; 2048];
                while let Ok((length, from)) = socket.recv_from(&mut request) {
                    if &request[..length] == b"stop" {
                        break;
                    }
                    // more than a frame carries: fragments must pass too
                    let reply = format!("{name}{}", "x".repeat(1600));
                    if socket.send_to(reply.as_bytes(), from).is_err() {
                        break;
                    }
                }
            });
        }
        for (i, s) in net.servers.iter().enumerate() {
            let reply = ask("who", Ipv4Addr::new(10, 77, 0, i as u8 + 1)).unwrap();
            assert_eq!((&reply[..1], reply.len()), (s.name.as_str(), 1601));
        }
        for s in &net.servers {
            let arp = net.client.run(|| fs::read_to_string("/proc/thread-self/net/arp")).unwrap();
            let mac = s.front_mac.map(|b| format!("{b:02x}")).join(":");
            assert!(arp.contains(&mac), "{arp}");
        }
        // whoever answers ARP for the service gets its clients
        let stop = || UdpSocket::bind((CLIENT, 0))?.send_to(b"stop", (SERVICE, 7));
        net.client.run(stop).unwrap();
        let end = std::time::Instant::now() + Duration::from_secs(3);
        let line = loop {
            let arp = net.client.run(|| fs::read_to_string("/proc/thread-self/net/arp")).unwrap();
            let found = arp.lines().find(|l| l.starts_with("10.77.0.100 ")).map(str::to_owned);
            match found {
                Some(line) if !line.contains("00:00:00:00:00:00") => break line,
                _ => assert!(std::time::Instant::now() < end, "{arp}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(line.contains("02:69:70:00:00:01"), "{line}");
    }

    #[test]
    fn the_back_network_carries_encapsulated_full_packets_and_the_kernel_sends_nothing_on_it() {
        for count in [2, 3] {
            let net = Net::new(count).unwrap();
            let mut wires: Vec<packet::Packet> =
                net.servers.iter().map(|s| s.card.run(|| packet::Packet::open(BACK_IF)).unwrap()).collect();
            let mut frame = vec![0u8; 1530];
            frame[..6].copy_from_slice(&net.servers[1].back_mac);
            frame[6..12].copy_from_slice(&net.servers[0].back_mac);
            frame[12..14].copy_from_slice(&[0x00, 0x07]);
            wires[0].send(&frame).unwrap();
            let mut got = Vec::new();
            let end = std::time::Instant::now() + Duration::from_secs(2);
            while !wires[1].receive(&mut got).unwrap() {
                assert!(std::time::Instant::now() < end, "{count} servers: nothing arrived");
                std::thread::sleep(Duration::from_millis(1));
            }
            assert_eq!(got, frame);
            assert!(!wires[0].receive(&mut got).unwrap());
        }
    }
}
