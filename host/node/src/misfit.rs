//! What comes over the back-side network and can't be used, because two nodes are configured differently. Its sender
//! hears nothing, so each kind is counted here and told once a minute, with what to compare.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use ipos_abi::wire::ext::{Body, Repr as Extension};
use ipos_abi::wire::{Mac, control};
use ipos_datapath::PeerAddress;
use ipos_migrate::codec::{DecodeError, Packet};
use ipos_migrate::protocol::Message;

use crate::config::NodeConfig;
use crate::stats::NodeStats;

/// Between two warnings of one kind.
const PAUSE: Duration = Duration::from_secs(60);
/// As many frames for others are an offer that was repeated to its end, rather than a switch that floods.
const MANY: u32 = 8;

/// What is wrong with it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Misfit {
    Malformed,
    Tag,
    Stranger,
    Owner,
    EtherType,
    Address,
}

/// When each was told last, and what was seen then.
#[derive(Debug, Default)]
pub(crate) struct Misfits {
    told: [Option<Instant>; 6],
    /// Frames for other MAC addresses, and control packets, at the last look.
    seen: (u32, u64),
}

impl Misfits {
    /// Whether it is to be told now.
    fn is_due(&mut self, misfit: Misfit) -> bool {
        let (now, told) = (Instant::now(), &mut self.told[misfit as usize]);
        let due = told.is_none_or(|t| now - t >= PAUSE);
        if due {
            *told = Some(now);
        }
        due
    }

    /// A control packet of a peer that can't be read.
    pub fn unread(
        &mut self,
        peer: usize,
        frame: &[u8],
        error: &DecodeError,
        config: &NodeConfig,
        stats: &mut NodeStats,
    ) {
        let (misfit, hint) = match error {
            // the tag covers the addresses, too
            DecodeError::Auth(_) => {
                if let Some(owner) = offered_to(frame, config.ethertype).filter(|ip| *ip != config.back_ip) {
                    return self.misaddressed(peer, owner, config, stats);
                }
                stats.control_unsigned += 1;
                (Misfit::Tag, ": compare cluster_keys of both nodes, and back_ip of the peer")
            }
            _ => (Misfit::Malformed, ""),
        };
        stats.control_bad += 1;
        if self.is_due(misfit) {
            let (name, peer) = (&config.name, &config.peers[peer]);
            let mac = Mac(peer.back_mac);
            tracing::warn!("node {name}: control packets of peer {} ({mac}) are dropped: {error}{hint}", peer.name);
        }
    }

    /// A control packet from nobody that is configured.
    pub fn stranger(&mut self, sender: PeerAddress, config: &NodeConfig, stats: &mut NodeStats) {
        stats.control_bad += 1;
        stats.control_strangers += 1;
        if self.is_due(Misfit::Stranger) {
            let known: Vec<_> = config.peers.iter().map(|p| format!("{} {}", p.name, Mac(p.back_mac))).collect();
            tracing::warn!(
                "node {}: control packets of {sender} are dropped, which is no peer's back_mac: compare back_mac of both nodes; \
                 this one knows {}",
                config.name,
                known.join(", ")
            );
        }
    }

    /// Whether a peer means this node: an offer names the address of who is to take it.
    pub fn is_meant(&mut self, peer: usize, packet: &Packet, config: &NodeConfig, stats: &mut NodeStats) -> bool {
        let owner = *packet.owner.ip();
        let meant = !matches!(packet.message, Message::Offer { .. }) || owner == config.back_ip;
        if !meant {
            self.misaddressed(peer, owner, config, stats);
        }
        meant
    }

    fn misaddressed(&mut self, peer: usize, owner: Ipv4Addr, config: &NodeConfig, stats: &mut NodeStats) {
        stats.control_bad += 1;
        stats.control_misaddressed += 1;
        if self.is_due(Misfit::Owner) {
            let (name, own, peer) = (&config.name, config.back_ip, &config.peers[peer].name);
            tracing::warn!(
                "node {name}: offers of peer {peer} are dropped: they are for back_ip {owner}, and this node's is {own}: compare \
                 back_ip of node {name} in both configurations"
            );
        }
    }

    /// A plain frame on the back port: worth a word if it is ipOS under another EtherType.
    pub fn foreign(&mut self, frame: &[u8], sender: PeerAddress, config: &NodeConfig, stats: &mut NodeStats) {
        let Some(&[high, low]) = frame.get(12..).and_then(|f| f.first_chunk::<2>()) else { return };
        let (found, own) = (u16::from_be_bytes([high, low]), config.ethertype);
        if found == own || control::parse(frame, found).is_err() {
            return;
        }
        stats.other_ethertype += 1;
        if self.is_due(Misfit::EtherType) {
            tracing::warn!(
                "node {}: control packets of {sender} come with EtherType {found:#06x}, and this node's is {own:#06x}: compare \
                 ethertype of both nodes",
                config.name
            );
        }
    }

    /// Frames for another MAC address end in the card. Many of them, and no control packet, are a peer that has the wrong one.
    pub fn look(&mut self, drops: u32, config: &NodeConfig, stats: &NodeStats) {
        let (seen, control) = self.seen;
        let more = drops.wrapping_sub(seen);
        if control != stats.control_in || more >= MANY {
            self.seen = (drops, stats.control_in);
        }
        if control == stats.control_in && more >= MANY && self.is_due(Misfit::Address) {
            tracing::warn!(
                "node {}: {more} frames on the back port were for other MAC addresses than back_mac {}, and no control packet \
                 came: compare back_mac of this node in both configurations",
                config.name,
                Mac(config.back_mac)
            );
        }
    }
}

/// Whom an offer is for.
fn offered_to(frame: &[u8], ethertype: u16) -> Option<Ipv4Addr> {
    let received = control::parse(frame, ethertype).ok()?;
    let offer = matches!(received.frame.message, control::Message::Ext(Extension { body: Body::Offer(_), .. }));
    offer.then_some(*received.frame.owner.ip())
}
