//! The configuration file of a node.

use std::fmt;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use ipos_node::{NodeConfig, PeerConfig, ServiceConfig};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Which card a node drives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Card {
    /// The reference card, in the node's process.
    Model,
    /// The fabric, simulated in the node's process.
    Rtl,
    /// A card on PCIe, by its address.
    Vfio(String),
    /// A card in a process of its own, by its socket: `ipos card serve`.
    VfioUser(PathBuf),
}

impl FromStr for Card {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s.split_once(':').unwrap_or((s, "")) {
            ("model", "") => Ok(Card::Model),
            ("rtl", "") => Ok(Card::Rtl),
            ("vfio", address) if !address.is_empty() => Ok(Card::Vfio(address.to_owned())),
            ("vfio-user", socket) if !socket.is_empty() => Ok(Card::VfioUser(socket.into())),
            _ => Err(format!("no card {s:?}: model, rtl, vfio:ADDRESS or vfio-user:SOCKET")),
        }
    }
}

/// A value that is written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<T>(pub T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Text).map_err(serde::de::Error::custom)
    }
}

/// Bytes in hexadecimal digits, with colons or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> FromStr for Hex<N> {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let digits: Vec<u8> = s.bytes().filter(|b| *b != b':').collect();
        let wrong = || format!("{N} bytes in hexadecimal digits are wanted");
        if digits.len() != 2 * N || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(wrong());
        }
        let mut bytes = [0; N];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok()).ok_or_else(wrong)?;
        }
        Ok(Hex(bytes))
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: Vec<_> = self.0.iter().map(|b| format!("{b:02x}")).collect();
        f.write_str(&digits.join(":"))
    }
}

/// Permissions in octal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub u32);

impl FromStr for Mode {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match u32::from_str_radix(s, 8) {
            Ok(mode) if mode <= 0o777 => Ok(Mode(mode)),
            _ => Err(format!("{s:?} are no permissions such as \"0660\"")),
        }
    }
}

/// The file, field by field; docs/operations.md says what each means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub name: String,
    #[serde(default = "default_socket")]
    pub socket: PathBuf,
    #[serde(default = "default_mode")]
    pub socket_mode: Text<Mode>,
    pub card: Text<Card>,
    pub kernel: String,
    pub front: Option<String>,
    pub back: Option<String>,
    pub wires_namespace: Option<PathBuf>,
    pub back_ip: Ipv4Addr,
    pub front_mac: Text<Hex<6>>,
    pub back_mac: Text<Hex<6>>,
    pub front_vlan: Option<u16>,
    #[serde(default = "default_ethertype")]
    pub ethertype: u16,
    #[serde(default)]
    pub cluster_keys: Vec<Text<Hex<32>>>,
    #[serde(default = "default_hold_bytes")]
    pub hold_bytes: usize,
    #[serde(default = "default_move_bytes")]
    pub move_bytes: usize,
    #[serde(default = "default_idle")]
    pub idle_seconds: u64,
    pub state_dir: Option<PathBuf>,
    #[serde(default)]
    pub peers: Vec<Peer>,
    #[serde(default)]
    pub services: Vec<Service>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    pub name: String,
    pub back_ip: Ipv4Addr,
    pub back_mac: Text<Hex<6>>,
    #[serde(default)]
    pub plain: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    pub address: Ipv4Addr,
    pub port: u16,
    pub home: String,
}

fn default_socket() -> PathBuf {
    ipos::Node::SOCKET.into()
}

fn default_mode() -> Text<Mode> {
    Text(Mode(0o660))
}

fn default_ethertype() -> u16 {
    NodeConfig::ETHERTYPE
}

fn default_hold_bytes() -> usize {
    NodeConfig::HOLD_BYTES
}

fn default_idle() -> u64 {
    NodeConfig::IDLE.as_secs()
}

fn default_move_bytes() -> usize {
    NodeConfig::MOVE_BYTES
}

impl Config {
    /// Reads a file; TOML, unless its name ends in `.json`.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let json = path.extension().is_some_and(|e| e == "json");
        let config: Self =
            if json { from_json(&text) } else { from_toml(&text) }.with_context(|| path.display().to_string())?;
        config.check(path)?;
        Ok(config)
    }

    fn check(&self, path: &Path) -> anyhow::Result<()> {
        // in this process
        let simulated = matches!(self.card.0, Card::Model | Card::Rtl);
        if simulated && (self.front.is_none() || self.back.is_none()) {
            bail!(
                "{}: a simulated card needs `front` and `back`, the interfaces that it is plugged into",
                path.display()
            );
        }
        if !simulated && (self.front.is_some() || self.back.is_some()) {
            bail!("{}: `front` and `back` are for `model` and `rtl`; this card has its own wires", path.display());
        }
        if self.front_mac == self.back_mac && (self.front.is_none() || self.front != self.back) {
            let mac = self.front_mac.0;
            bail!(
                "{}: front_mac and back_mac are both {mac}; each port has its own, unless `front` and `back` are one interface",
                path.display()
            );
        }
        self.node().check().with_context(|| path.display().to_string())?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path)?.permissions());
        if !self.cluster_keys.is_empty() && mode & 0o044 != 0 {
            tracing::warn!("{} holds the cluster's keys and others may read it: chmod 600", path.display());
        }
        Ok(())
    }

    /// What the node itself must know.
    pub fn node(&self) -> NodeConfig {
        let peer = |p: &Peer| PeerConfig {
            name: p.name.clone(),
            back_ip: p.back_ip,
            back_mac: p.back_mac.0.0,
            plain: p.plain,
        };
        let service = |s: &Service| ServiceConfig { address: s.address, port: s.port, home: s.home.clone() };
        NodeConfig {
            name: self.name.clone(),
            back_ip: self.back_ip,
            front_mac: self.front_mac.0.0,
            back_mac: self.back_mac.0.0,
            front_vlan: self.front_vlan,
            ethertype: self.ethertype,
            peers: self.peers.iter().map(peer).collect(),
            services: self.services.iter().map(service).collect(),
            cluster_keys: self.cluster_keys.iter().map(|k| k.0.0).collect(),
            hold_bytes: self.hold_bytes,
            move_bytes: self.move_bytes,
            idle: Duration::from_secs(self.idle_seconds),
            state_dir: self.state_dir.clone(),
        }
    }
}

fn from_json<T: DeserializeOwned>(text: &str) -> anyhow::Result<T> {
    Ok(serde_json::from_str(text)?)
}

fn from_toml<T: DeserializeOwned>(text: &str) -> anyhow::Result<T> {
    toml::from_str(text).map_err(|e| anyhow!("{e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = r#"
        name = "a"
        card = "model"
        kernel = "nic0c"
        front = "front"
        back = "back"
        back_ip = "10.78.0.1"
        front_mac = "02:69:70:00:00:01"
        back_mac = "026970010001"
        front_vlan = 77
        cluster_keys = ["000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"]

        [[peers]]
        name = "b"
        back_ip = "10.78.0.2"
        back_mac = "02:69:70:01:00:02"

        [[services]]
        address = "10.77.0.100"
        port = 80
        home = "a"
    "#;

    #[test]
    fn toml_and_json_say_the_same() {
        let toml: Config = from_toml(TOML).unwrap();
        let value: serde_json::Value = from_toml(TOML).unwrap();
        let json: Config = from_json(&value.to_string()).unwrap();
        assert_eq!(toml.node(), json.node());
        let node = toml.node();
        assert_eq!(node.front_mac, [2, 0x69, 0x70, 0, 0, 1]);
        assert_eq!(node.back_mac, [2, 0x69, 0x70, 1, 0, 1]);
        assert_eq!(node.cluster_keys[0][..4], [0, 1, 2, 3]);
        assert_eq!((node.peers.len(), node.services[0].port, node.ethertype, node.front_vlan), (1, 80, 7, Some(77)));
        assert_eq!((toml.socket_mode.0.0, toml.card.0), (0o660, Card::Model));
    }

    #[test]
    fn the_example_says_what_its_comments_do() {
        let config: Config = from_toml(include_str!("../../node.example.toml")).unwrap();
        assert_eq!(config.card.0, Card::Vfio("0000:01:00.0".to_owned()));
        assert_eq!((config.peers.len(), config.services.len(), config.cluster_keys.len()), (1, 1, 1));
        // its key is everybody's, and that alone is wrong with it
        let mut node = config.node();
        let problem = node.check().unwrap_err().to_string();
        assert!(problem.contains("cluster_keys"), "{problem}");
        node.cluster_keys = vec![[7; 32]];
        node.check().unwrap();
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, about) in [
            ("card = \"model\"", "card = \"paper\"", "no card \"paper\""),
            ("card = \"model\"", "card = \"vfio:\"", "no card \"vfio:\""),
            ("026970010001", "0269700100", "6 bytes"),
            ("026970010001", "02697001000x", "6 bytes"),
            ("1e1f", "1e", "32 bytes"),
            ("10.78.0.1", "10.78.0", "IPv4"),
            ("kernel =", "kernal =", "kernal"),
            ("port = 80", "port = 80000", "80000"),
            ("front_vlan = 77", "front_vlan = 70000", "70000"),
            ("name = \"a\"", "name = \"a\"\nsocket_mode = \"0888\"", "0888"),
        ] {
            let text = TOML.replacen(from, to, 1);
            let error = from_toml::<Config>(&text).unwrap_err().to_string();
            assert!(error.contains(about), "{about}: {error}");
        }
    }
}
