//! What a configuration must not say. Each problem names the field, what it says and what to do.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use ipos_abi::table::NEIGHBOURS;
use ipos_abi::wire::{Mac, ethernet};

use super::{NodeConfig, PeerConfig};
use crate::error::NodeError;

/// Longest name in bytes: it is part of the name of a file in `state_dir`.
const NAME: usize = 64;
/// Longest frame of an untagged network of 1,500 bytes.
const FRAME: usize = 1514;
/// Longest [`NodeConfig::idle`]: a year.
const IDLE: Duration = Duration::from_secs(365 * 24 * 3600);

/// EtherTypes of other protocols that Linux knows (linux/if_ether.h), but for those of experiments.
const TAKEN: &[u16] = &[
    0x0600, 0x0800, 0x0805, 0x0806, 0x08ff, 0x0a00, 0x0a01, 0x22eb, 0x22f0, 0x4305, 0x6000, 0x6001, 0x6002, 0x6003,
    0x6004, 0x6005, 0x6006, 0x6007, 0x6558, 0x8035, 0x809b, 0x80f3, 0x8100, 0x8137, 0x86dd, 0x8808, 0x8809, 0x883e,
    0x8847, 0x8848, 0x884c, 0x8863, 0x8864, 0x886c, 0x8884, 0x888e, 0x8892, 0x8899, 0x88a2, 0x88a4, 0x88a8, 0x88be,
    0x88c7, 0x88ca, 0x88cc, 0x88e3, 0x88e5, 0x88e7, 0x88f5, 0x88f7, 0x88f8, 0x88fb, 0x8902, 0x8906, 0x890d, 0x8914,
    0x8915, 0x8917, 0x892f, 0x894f, 0x9000, 0x9100, 0x9200, 0x9300, 0xdada, 0xdadb, 0xe001, 0xed3e, 0xfbfb,
];

impl NodeConfig {
    /// Refuses what can't be meant, as [`Node::spawn`](crate::Node::spawn) does: the field, what it says, what to do.
    pub fn check(&self) -> Result<(), NodeError> {
        check(self).map_err(|problem| NodeError::Config { name: self.name.clone(), problem })
    }
}

/// The first problem of a configuration.
fn check(config: &NodeConfig) -> Result<(), String> {
    name("name", &config.name)?;
    mac("front_mac", config.front_mac)?;
    mac("back_mac", config.back_mac)?;
    address("back_ip", config.back_ip)?;
    ethertype(config.ethertype)?;
    if let Some(id) = config.front_vlan.filter(|id| !(1..=4094).contains(id)) {
        return Err(format!(
            "front_vlan is {id}: a VLAN has an ID from 1 to 4094; leave it out where clients' frames are untagged"
        ));
    }
    if config.cluster_keys.contains(&[0; 32]) {
        return Err("cluster_keys has a key of zeros, which everybody knows: make one with `openssl rand -hex 32` \
                    and give it to all nodes"
            .to_owned());
    }
    let least = |field: &str, found: usize, least: usize, default: usize| {
        let problem = || format!("{field} is {found}, which is too little: at least {least}; {default} is the default");
        if found < least { Err(problem()) } else { Ok(()) }
    };
    least("hold_bytes", config.hold_bytes, FRAME, NodeConfig::HOLD_BYTES)?;
    least("move_bytes", config.move_bytes, 1, NodeConfig::MOVE_BYTES)?;
    if config.idle.is_zero() || config.idle > IDLE {
        let (found, default) = (config.idle.as_secs(), NodeConfig::IDLE.as_secs());
        return Err(format!("idle_seconds is {found}: from 1 to {}, a year; {default} is the default", IDLE.as_secs()));
    }
    peers(config)?;
    services(config)
}

fn peers(config: &NodeConfig) -> Result<(), String> {
    if config.peers.len() > NEIGHBOURS {
        return Err(format!("{} peers; a card knows at most {NEIGHBOURS} neighbours", config.peers.len()));
    }
    let own = "this node";
    let mut names = HashMap::from([(config.name.as_str(), own)]);
    let mut macs = HashMap::from([(config.front_mac, own), (config.back_mac, own)]);
    let mut ips = HashMap::from([(config.back_ip, own)]);
    for PeerConfig { name: peer, back_ip, back_mac, .. } in &config.peers {
        name("name of a peer", peer)?;
        mac(&format!("back_mac of peer {peer}"), *back_mac)?;
        address(&format!("back_ip of peer {peer}"), *back_ip)?;
        let twice = |what: String, whose: Option<&str>| match whose {
            Some(whose) => Err(format!("peer {peer} has the {what} of {whose}: each node has its own")),
            None => Ok(()),
        };
        twice(format!("name {peer}"), names.insert(peer, peer))?;
        twice(format!("MAC address {}", Mac(*back_mac)), macs.insert(*back_mac, peer))?;
        twice(format!("back_ip {back_ip}"), ips.insert(*back_ip, peer))?;
    }
    Ok(())
}

fn services(config: &NodeConfig) -> Result<(), String> {
    let mut seen = HashSet::new();
    for service in &config.services {
        let what = format!("service {}:{}", service.address, service.port);
        address(&what, service.address)?;
        if service.port == 0 {
            return Err(format!(
                "{what} has port 0, to which no client connects: write the port that the server listens on"
            ));
        }
        if !seen.insert((service.address, service.port)) {
            return Err(format!("{what} is there twice: a service has one home, the same on all nodes; remove one"));
        }
        if service.home != config.name && config.peers.iter().all(|p| p.name != service.home) {
            let known: Vec<&str> = config.peers.iter().map(|p| p.name.as_str()).chain([config.name.as_str()]).collect();
            return Err(format!("{what} has the unknown home {:?}: one of {known:?}", service.home));
        }
    }
    Ok(())
}

/// Names are parts of file names and arguments of commands.
fn name(field: &str, name: &str) -> Result<(), String> {
    let odd = name.is_empty() || name.len() > NAME || name.starts_with('.');
    if odd || name.chars().any(|c| c == '/' || c.is_control()) {
        return Err(format!(
            "{field} is {name:?}: 1 to {NAME} bytes without `/` and control characters, and no dot in front, such as \"a\""
        ));
    }
    Ok(())
}

fn mac(field: &str, mac: [u8; 6]) -> Result<(), String> {
    if mac == [0; 6] || mac[0] & 1 == 1 {
        let what = if mac == [0; 6] { "nobody's" } else { "a group's" };
        return Err(format!("{field} is {}, {what} address: write the port's own", Mac(mac)));
    }
    Ok(())
}

fn address(field: &str, address: Ipv4Addr) -> Result<(), String> {
    if address.is_unspecified() || address.is_multicast() || address.is_broadcast() || address.is_loopback() {
        return Err(format!("{field}: {address} is no address of one server on a network"));
    }
    Ok(())
}

fn ethertype(found: u16) -> Result<(), String> {
    let why = match found {
        ethernet::IPOS => return Ok(()),
        0..0x0600 => "which is the length of an 802.3 frame",
        _ if TAKEN.contains(&found) => "which is another protocol's",
        _ => return Ok(()),
    };
    Err(format!(
        "ethertype is {found:#06x}, {why}: {:#06x} (the default), {:#06x}, or another that nobody has, the same on all nodes",
        ethernet::IPOS,
        ethernet::IPOS_EXPERIMENTAL
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Addresses, ServiceConfig};

    fn good() -> NodeConfig {
        let addresses = Addresses {
            back_ip: Ipv4Addr::new(10, 78, 0, 1),
            front_mac: [2, 0, 0, 0, 0, 1],
            back_mac: [2, 0, 0, 0, 1, 1],
        };
        NodeConfig {
            peers: vec![PeerConfig::new("b", Ipv4Addr::new(10, 78, 0, 2), [2, 0, 0, 0, 1, 2])],
            services: vec![service(80, "a")],
            cluster_keys: vec![[7; 32]],
            ..NodeConfig::new("a", addresses)
        }
    }

    fn service(port: u16, home: &str) -> ServiceConfig {
        ServiceConfig { address: Ipv4Addr::new(10, 77, 0, 100), port, home: home.to_owned() }
    }

    #[test]
    fn each_problem_is_named_with_what_to_do() {
        assert_eq!(check(&good()), Ok(()));
        type Spoil = fn(&mut NodeConfig);
        let cases: &[(Spoil, &[&str])] = &[
            (|c| c.cluster_keys.push([0; 32]), &["cluster_keys", "zeros", "openssl rand -hex 32"]),
            (|c| c.services.push(service(80, "b")), &["10.77.0.100:80", "twice", "one home"]),
            (|c| c.services.push(service(80, "a")), &["10.77.0.100:80", "twice"]),
            (|c| c.services.push(service(0, "a")), &["10.77.0.100:0", "port 0"]),
            (|c| c.services.push(service(81, "c")), &["10.77.0.100:81", "home \"c\"", "\"b\", \"a\""]),
            (|c| c.services[0].address = Ipv4Addr::UNSPECIFIED, &["0.0.0.0:80", "no address"]),
            (|c| c.ethertype = 0x0800, &["ethertype", "0x0800", "0x88b5"]),
            (|c| c.front_vlan = Some(0), &["front_vlan is 0", "4094"]),
            (|c| c.ethertype = 0x0806, &["ethertype", "0x0806", "0x0007"]),
            (|c| c.ethertype = 0x0100, &["ethertype", "0x0100", "length"]),
            (|c| c.front_mac = [0; 6], &["front_mac", "00:00:00:00:00:00"]),
            (|c| c.back_mac = [0xff; 6], &["back_mac", "ff:ff:ff:ff:ff:ff", "group"]),
            (|c| c.peers[0].back_mac = [1, 0, 0x5e, 0, 0, 1], &["back_mac of peer b", "01:00:5e:00:00:01"]),
            (|c| c.peers[0].back_mac = c.back_mac, &["peer b", "02:00:00:00:01:01", "this node"]),
            (|c| c.peers[0].back_mac = c.front_mac, &["peer b", "02:00:00:00:00:01", "this node"]),
            (|c| c.peers[0].back_ip = c.back_ip, &["peer b", "10.78.0.1", "this node"]),
            (|c| c.peers[0].name = "a".to_owned(), &["name a", "this node"]),
            (|c| c.peers[0].name.clear(), &["name of a peer", "\"\""]),
            (|c| c.back_ip = Ipv4Addr::new(224, 0, 0, 1), &["back_ip", "224.0.0.1"]),
            (|c| c.hold_bytes = 0, &["hold_bytes is 0", "4194304"]),
            (|c| c.move_bytes = 0, &["move_bytes is 0", "67108864"]),
            (|c| c.idle = Duration::ZERO, &["idle_seconds is 0", "120"]),
            (|c| c.idle = Duration::MAX, &["idle_seconds", "31536000"]),
            (|c| c.name = "../../etc/cron.d/a".to_owned(), &["name", "../../etc", "without `/`"]),
            (|c| c.name = "..".to_owned(), &["name", "\"..\""]),
            (|c| c.name = "a\nb".to_owned(), &["name", "a\\nb"]),
            (|c| c.name = "a".repeat(65), &["name", "64"]),
        ];
        for (i, (spoil, about)) in cases.iter().enumerate() {
            let mut config = good();
            spoil(&mut config);
            let problem = check(&config).expect_err(&format!("case {i} is taken"));
            assert!(about.iter().all(|a| problem.contains(a)), "{about:?}: {problem}");
        }
    }

    /// The oracle is Linux: the types that its headers name, and those that the running kernel takes.
    #[test]
    fn no_type_that_linux_takes_is_ours() {
        let header = std::fs::read_to_string("/usr/include/linux/if_ether.h").unwrap_or_default();
        let named = header.lines().filter(|l| l.starts_with("#define ETH_P_")).filter_map(|line| {
            let value = line.split_whitespace().nth(2)?.strip_prefix("0x")?;
            u16::from_str_radix(value, 16).ok()
        });
        let running = std::fs::read_to_string("/proc/net/ptype").unwrap();
        let running = running.lines().filter_map(|l| u16::from_str_radix(l.split_whitespace().next()?, 16).ok());
        // below 0x0600 they are Linux's own numbers, never on a wire; two are for experiments (IEEE 802)
        let all = named.chain(running).filter(|t| *t >= 0x0600 && ![0x88b5, 0x88b6].contains(t));
        let mut count = 0;
        for taken in all {
            assert!(ethertype(taken).is_err(), "{taken:#06x}");
            count += 1;
        }
        assert!(count > 0);
        for ours in [0x0007, 0x88b5, 0x88b6, 0x7777] {
            assert_eq!(ethertype(ours), Ok(()));
        }
    }
}
