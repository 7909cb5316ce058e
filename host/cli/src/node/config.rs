//! The configuration file of a node.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, anyhow, bail};
use ipos_abi::wire::Mac;
use ipos_node::NodeConfig;
use serde::Deserialize;

use super::parts::Part;

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

/// The daemon's keys of the file; docs/operations.md says what each means. The others are the node's.
#[derive(Clone, Debug, Deserialize)]
pub struct Daemon {
    #[serde(default = "default_socket")]
    pub socket: PathBuf,
    #[serde(default = "default_mode")]
    pub socket_mode: Text<Mode>,
    pub card: Text<Card>,
    pub kernel: String,
    pub front: Option<String>,
    pub back: Option<String>,
    pub wires_namespace: Option<PathBuf>,
    pub holder: Option<PathBuf>,
}

/// The file.
#[derive(Clone, Debug)]
pub struct Config {
    pub daemon: Daemon,
    pub node: NodeConfig,
}

fn default_socket() -> PathBuf {
    ipos_control::Client::SOCKET.into()
}

fn default_mode() -> Text<Mode> {
    Text(Mode(0o660))
}

impl Config {
    /// Reads a file; TOML, unless its name ends in `.json`.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let json = path.extension().is_some_and(|e| e == "json");
        let config: Self = if json { Self::from_json(&text) } else { Self::from_toml(&text) }
            .with_context(|| path.display().to_string())?;
        config.check(path)?;
        Ok(config)
    }

    /// Where the holder listens: beside the node's socket, unless it is named; `None`: there is to be none.
    pub fn holder(&self) -> Option<PathBuf> {
        let beside = || {
            let mut path = self.daemon.socket.clone().into_os_string();
            path.push(".holder");
            path.into()
        };
        let path = self.daemon.holder.clone().unwrap_or_else(beside);
        (path.as_os_str() != "none").then_some(path)
    }

    fn check(&self, path: &Path) -> anyhow::Result<()> {
        // in this process
        let Config { daemon: Daemon { card, front, back, .. }, node } = self;
        let simulated = matches!(card.0, Card::Model | Card::Rtl);
        if simulated && (front.is_none() || back.is_none()) {
            bail!(
                "{}: a simulated card needs `front` and `back`, the interfaces that it is plugged into",
                path.display()
            );
        }
        if !simulated && (front.is_some() || back.is_some()) {
            bail!("{}: `front` and `back` are for `model` and `rtl`; this card has its own wires", path.display());
        }
        if node.front_mac == node.back_mac && (front.is_none() || front != back) {
            let mac = Mac(node.front_mac);
            bail!(
                "{}: front_mac and back_mac are both {mac}; each port has its own, unless `front` and `back` are one interface",
                path.display()
            );
        }
        node.check().with_context(|| path.display().to_string())?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path)?.permissions());
        if !node.cluster_keys.is_empty() && mode & 0o044 != 0 {
            tracing::warn!("{} holds the cluster's keys and others may read it: chmod 600", path.display());
        }
        Ok(())
    }

    fn from_toml(text: &str) -> anyhow::Result<Self> {
        Self::both(toml::from_str(text), toml::from_str(text)).map_err(|e| anyhow!("{e}"))
    }

    fn from_json(text: &str) -> anyhow::Result<Self> {
        Ok(Self::both(serde_json::from_str(text), serde_json::from_str(text))?)
    }

    fn both<E>(daemon: Read<Daemon, NodeConfig, E>, node: Read<NodeConfig, Daemon, E>) -> Result<Self, E> {
        Ok(Config { daemon: daemon?.0, node: node?.0 })
    }
}

/// What a format made of the keys of one of the two.
type Read<T, Other, E> = Result<Part<T, Other>, E>;

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
        let Config { daemon, node } = Config::from_toml(TOML).unwrap();
        let value: serde_json::Value = toml::from_str(TOML).unwrap();
        let json = Config::from_json(&value.to_string()).unwrap();
        assert_eq!((&node, &daemon.kernel), (&json.node, &json.daemon.kernel));
        assert_eq!(node.front_mac, [2, 0x69, 0x70, 0, 0, 1]);
        assert_eq!(node.back_mac, [2, 0x69, 0x70, 1, 0, 1]);
        assert_eq!(node.cluster_keys[0][..4], [0, 1, 2, 3]);
        assert_eq!((node.peers.len(), node.services[0].port, node.ethertype, node.front_vlan), (1, 80, 7, Some(77)));
        let holder = |with: &str| Config::from_toml(&TOML.replacen("name =", with, 1)).unwrap().holder();
        assert_eq!(holder("name ="), Some("/run/ipos/node.sock.holder".into()));
        assert_eq!(holder("holder = \"/run/h\"\nname ="), Some("/run/h".into()));
        assert_eq!(holder("holder = \"none\"\nname ="), None);
        assert_eq!((daemon.socket_mode.0.0, daemon.card.0), (0o660, Card::Model));
    }

    #[test]
    fn the_example_says_what_its_comments_do() {
        let Config { daemon, mut node } = Config::from_toml(include_str!("../../node.example.toml")).unwrap();
        assert_eq!(daemon.card.0, Card::Vfio("0000:01:00.0".to_owned()));
        assert_eq!((node.peers.len(), node.services.len(), node.cluster_keys.len()), (1, 1, 1));
        // its key is everybody's, and that alone is wrong with it
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
            // the keys of both, whichever it was to be
            ("front_vlan =", "front_vlam =", "`front_vlam`, expected one of `socket`, `socket_mode`"),
            ("front_vlan =", "front_vlam =", "`front_vlan`"),
            ("port = 80", "port = 80\nhone = 2", "hone"),
            ("port = 80", "port = 80000", "80000"),
            ("front_vlan = 77", "front_vlan = 70000", "70000"),
            ("name = \"a\"", "name = \"a\"\nsocket_mode = \"0888\"", "0888"),
        ] {
            let text = TOML.replacen(from, to, 1);
            let error = Config::from_toml(&text).unwrap_err().to_string();
            assert!(error.contains(about), "{about}: {error}");
            let line = 1 + text.lines().position(|l| l.contains(to.lines().last().unwrap())).unwrap();
            assert!(error.contains(&format!("line {line}, column")), "{line}: {error}");
        }
    }
}
