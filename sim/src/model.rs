//! The reference card: `docs/datapath.md` in plain Rust, byte by byte.
//!
//! It is the oracle for the fabric in differential runs ([`crate::compare`]) and the fast card of
//! the demo. It shares nothing with the fabric but the constants of `ipos_abi`, and it is written
//! to be read beside the document: the numbers in the comments are its steps.
//!
//! Two things differ from a board. The forward buffer never fills, so `DropForwardFull` means a total
//! length that no buffer holds, and frames on the wire are not padded to 60 bytes: padding is a MAC's
//! business, and a receiver never takes a length from the frame.
//!
//! Where the document leaves a choice, this is what it means here: the first frame to the host has
//! sequence number 0; an action code that `ipos_abi` does not define drops; on the forward path
//! the 30 bytes in front are sent before a late error is known, so a frame that ends in `DropError`
//! or `DropShort` at step 12.5 always counts as sent.

mod ipv4;
mod registers;

use std::collections::VecDeque;

use ipos_abi::Port;
use ipos_abi::queue::{Checksum, Event, MAX_CONTROL, MAX_FRAME, MAX_RECEIVED};
use ipos_abi::rx::{L3, L4, Outcome, Reason, RxInfo, RxMeta};
use ipos_abi::table::{Action, Protocol};
use ipos_device::Queue;

use crate::card::Card;
use ipv4::{Packet, sum};
use registers::{Place, Registers};

const ETHERNET: usize = 14;
const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_VLAN: u16 = 0x8100;
const IPOS: usize = 16;
const IPOS_CONNECTION: u8 = 0x01;
const IPOS_PACKET: u8 = 0x02;
const IPOS_ACKNOWLEDGEMENT: u8 = 0x03;

/// Events that wait for the host.
const EVENTS: usize = 64;

/// What is not in the registers.
#[derive(Clone, Copy, Debug)]
pub struct ModelConfig {
    /// Value of the BUILD register.
    pub build: u32,
    /// Bytes of frames that the host's receive and control queues hold, in this order.
    pub host_bytes: [usize; 2],
    /// Frames that a port takes before [`Card::run`] has to be called.
    pub input_frames: usize,
    /// Bytes of frames for each cycle that [`Card::run`] is told: the width of a data path. It bounds one call, and the model has no time.
    pub bytes_per_cycle: usize,
}

impl Default for ModelConfig {
    fn default() -> Self {
        ModelConfig { build: 0, host_bytes: [4 << 20, 1 << 20], input_frames: 1024, bytes_per_cycle: 8 }
    }
}

/// The reference card.
pub struct ModelCard {
    config: ModelConfig,
    registers: Registers,
    input: [VecDeque<(Vec<u8>, bool)>; 2],
    output: [VecDeque<Vec<u8>>; 2],
    queues: [HostQueue; 2],
    /// Frames given to the host, per port.
    sequence: [u32; 2],
    events: VecDeque<Event>,
    /// Buffers of frames that are gone, for those that come.
    spare: Vec<Vec<u8>>,
}

#[derive(Default)]
struct HostQueue {
    frames: VecDeque<(Vec<u8>, RxMeta)>,
    bytes: usize,
}

/// Where a frame goes; what is known only at its end (MAC error, room) comes after.
enum Way {
    Drop(Outcome),
    Host { queue: Queue, info: RxInfo },
    Forward { frame: Vec<u8>, short: bool, place: Place, total: usize, tcp_flags: u8 },
}

impl ModelCard {
    /// A card after reset.
    #[must_use]
    pub fn new(config: ModelConfig) -> Self {
        ModelCard {
            config,
            registers: Registers::new(config.build),
            input: Default::default(),
            output: Default::default(),
            queues: Default::default(),
            sequence: [0; 2],
            events: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    fn copy(&mut self, frame: &[u8]) -> Vec<u8> {
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(frame);
        buffer
    }

    fn frame(&mut self, port: Port, mut frame: Vec<u8>, error: bool) {
        self.registers.counters[port as usize].rx += 1;
        let outcome = match self.way(port, &mut frame) {
            Way::Drop(outcome) => outcome,
            Way::Forward { frame, short, place, total, tcp_flags } => {
                self.registers.counters[Port::Back as usize].tx += 1;
                if error {
                    Outcome::DropError
                } else if short {
                    Outcome::DropShort
                } else {
                    self.output[Port::Back as usize].push_back(frame);
                    self.registers.carried(place, total);
                    if tcp_flags & 7 != 0 && self.events.len() < EVENTS {
                        self.events.push_back(Event { slot: place.1 as u16, bank: place.0 as u8, tcp_flags });
                    }
                    Outcome::Forwarded
                }
            }
            // 13.
            Way::Host { .. } if error => Outcome::DropError,
            Way::Host { queue, info } => self.deliver(queue, frame, info),
        };
        self.registers.count(port, outcome);
    }

    fn deliver(&mut self, queue: Queue, frame: Vec<u8>, mut info: RxInfo) -> Outcome {
        let to = &mut self.queues[queue as usize];
        let longest = [MAX_RECEIVED, MAX_CONTROL][queue as usize];
        if frame.len() > longest || to.bytes + frame.len() > self.config.host_bytes[queue as usize] {
            return Outcome::DropHostFull;
        }
        let sequence = &mut self.sequence[info.port as usize];
        info.sequence = *sequence;
        info.length = frame.len() as u16;
        *sequence = sequence.wrapping_add(1);
        to.bytes += frame.len();
        to.frames.push_back((frame, info.into()));
        match queue {
            Queue::Receive => Outcome::ToHost,
            Queue::Control => Outcome::ToControl,
        }
    }

    /// Steps 1 to 12, as far as they don't need the frame's end; strips and decapsulates `frame`.
    fn way(&self, port: Port, frame: &mut Vec<u8>) -> Way {
        // 1. Runt.
        if frame.len() < ETHERNET {
            return Way::Drop(Outcome::DropRunt);
        }
        let mut info = RxInfo {
            length: 0,
            vlan: None,
            sequence: 0,
            endpoint: 0,
            reason: Reason::Miss,
            l3: L3::None,
            l4: L4::NotChecked,
            decapsulated: false,
            port,
        };
        // 2. VLAN.
        if ethertype(frame) == ETHERTYPE_VLAN {
            if frame.len() < ETHERNET + 4 {
                return Way::Drop(Outcome::DropRunt);
            }
            info.vlan = Some(u16::from_be_bytes([frame[14], frame[15]]));
            frame.drain(12..16);
        }
        // 3. MAC filter.
        let config = self.registers.port(port);
        let group = frame[0] & 1 == 1;
        if !group && !config.promiscuous && frame[..6] != config.mac {
            return Way::Drop(Outcome::DropMac);
        }
        // 4. ipOS on the front port.
        let ipos = ethertype(frame) == self.registers.ethertype();
        if ipos && port == Port::Front {
            return Way::Drop(Outcome::DropIposOnFront);
        }
        // 5. Group address.
        if group {
            return host(info, Reason::Group);
        }
        // 6. ipOS on the back port.
        if ipos {
            if frame.len() < ETHERNET + IPOS {
                info.l3 = L3::Truncated;
                return host(info, Reason::ShortIpos);
            }
            match frame[ETHERNET + 12] {
                IPOS_PACKET => {
                    if sum(&frame[ETHERNET..ETHERNET + IPOS]) != 0xffff {
                        return Way::Drop(Outcome::DropIposChecksum);
                    }
                    frame[..6].copy_from_slice(&self.registers.port(Port::Front).mac);
                    frame.drain(ETHERNET..ETHERNET + IPOS);
                    frame[12..14].copy_from_slice(&ETHERTYPE_IPV4.to_be_bytes());
                    info.decapsulated = true;
                }
                IPOS_CONNECTION | IPOS_ACKNOWLEDGEMENT | 0x80.. => {
                    info.l3 = control_verdict(&frame[ETHERNET..]);
                    info.reason = Reason::Control;
                    return Way::Host { queue: Queue::Control, info };
                }
                _ => return host(info, Reason::UnknownIpos),
            }
        }
        // 7. IPv4.
        if ethertype(frame) != ETHERTYPE_IPV4 {
            return host(info, Reason::NotIpv4);
        }
        let packet = Packet::parse(&frame[ETHERNET..]);
        info.l3 = packet.l3;
        info.l4 = packet.l4(&frame[ETHERNET..]);
        // 8. No key.
        let key = match packet.key {
            Ok(key) => key,
            Err(reason) => return host(info, reason),
        };
        // 9. Plain IPv4 on the back port.
        if port == Port::Back && !info.decapsulated {
            return host(info, Reason::Back);
        }
        // 10. VLAN match; a tag with ID 0 has a priority alone.
        if config.vlan != info.vlan.map_or(0, |tci| tci & 0xfff) {
            return host(info, Reason::Vlan);
        }
        // 11. Endpoint table.
        if info.decapsulated
            && let Some(reference) = self.registers.lookup_endpoint(&key)
        {
            info.endpoint = reference;
            return host(info, Reason::Endpoint);
        }
        // 12. Forward table.
        let Some((index, action, place)) = self.registers.lookup_forward(&key) else {
            return host(info, if info.decapsulated { Reason::EncapsulatedMiss } else { Reason::Miss });
        };
        match action {
            a if a == Action::Forward as u32 => {}
            a if a == Action::Host as u32 => return host(info, Reason::Action),
            _ => return Way::Drop(Outcome::DropTable),
        }
        // 12.1
        if packet.l3 == L3::BadChecksum {
            return Way::Drop(Outcome::DropHeader);
        }
        // 12.2
        let (destination, neighbour) = self.registers.destination(index);
        let Some(neighbour) = neighbour else { return Way::Drop(Outcome::DropNeighbour) };
        // 12.3
        if info.decapsulated && frame[6..12] == neighbour {
            return Way::Drop(Outcome::DropLoop);
        }
        // 12.4; the forward buffer itself never fills
        if ETHERNET + packet.total > MAX_FRAME {
            return Way::Drop(Outcome::DropForwardFull);
        }
        // 12.5, 12.6
        let mut ipos = [0u8; IPOS];
        ipos[0..4].copy_from_slice(&key.src_ip);
        ipos[4..6].copy_from_slice(&key.src_port.to_be_bytes());
        ipos[6..10].copy_from_slice(&destination.ip);
        ipos[10..12].copy_from_slice(&destination.port.to_be_bytes());
        ipos[12] = IPOS_PACKET;
        ipos[13] = match key.protocol {
            Protocol::Tcp => 1,
            Protocol::Udp => 2,
        };
        let checksum = !sum(&ipos);
        ipos[14..16].copy_from_slice(&checksum.to_be_bytes());
        let end = (ETHERNET + packet.total).min(frame.len());
        let back = self.registers.port(Port::Back).mac;
        let ethertype = self.registers.ethertype().to_be_bytes();
        let out = [&neighbour[..], &back, &ethertype, &ipos, &frame[ETHERNET..end]].concat();
        let header = usize::from(frame[ETHERNET] & 0xf) * 4;
        let tcp_flags = if key.protocol == Protocol::Tcp { frame[ETHERNET + header + 13] } else { 0 };
        Way::Forward { frame: out, short: packet.l3 == L3::Short, place, total: packet.total, tcp_flags }
    }
}

fn host(info: RxInfo, reason: Reason) -> Way {
    Way::Host { queue: Queue::Receive, info: RxInfo { reason, ..info } }
}

fn ethertype(frame: &[u8]) -> u16 {
    u16::from_be_bytes([frame[12], frame[13]])
}

/// The checksum of a control packet that begins at its ipOS header, where its type fixes how
/// much is covered.
fn control_verdict(packet: &[u8]) -> L3 {
    let covered = match (packet[12], packet[13]) {
        (IPOS_CONNECTION, 1) => IPOS + 146,
        (IPOS_CONNECTION, 2) => IPOS + 6,
        (IPOS_ACKNOWLEDGEMENT, _) => IPOS,
        _ => return L3::None,
    };
    match packet.get(..covered) {
        None => L3::Truncated,
        Some(covered) if sum(covered) == 0xffff => L3::Ok,
        Some(_) => L3::BadChecksum,
    }
}

impl Card for ModelCard {
    fn read32(&mut self, offset: u32) -> u32 {
        self.registers.read(offset)
    }

    fn write32(&mut self, offset: u32, value: u32) {
        self.registers.write(offset, value);
    }

    fn wire_in(&mut self, port: Port, frame: &[u8], bad_fcs: bool) -> bool {
        let room = self.input[port as usize].len() < self.config.input_frames;
        if room {
            let frame = self.copy(frame);
            self.input[port as usize].push_back((frame, bad_fcs));
        }
        room
    }

    fn wire_out(&mut self, port: Port, frame: &mut Vec<u8>) -> bool {
        frame.clear();
        let Some(sent) = self.output[port as usize].pop_front() else { return false };
        self.spare.push(std::mem::replace(frame, sent));
        true
    }

    fn host_in(&mut self, port: Port, frame: &[u8], checksum: Option<Checksum>) -> bool {
        let mut frame = self.copy(frame);
        if let Some(Checksum { start, offset }) = checksum {
            let summed = &frame[usize::from(start)..];
            let value = match !sum(summed) {
                0 => 0xffff, // zero means "none" in UDP
                value => value,
            };
            let place = usize::from(start) + usize::from(offset);
            frame[place..place + 2].copy_from_slice(&value.to_be_bytes());
        }
        self.registers.counters[port as usize].tx += 1;
        self.output[port as usize].push_back(frame);
        true
    }

    fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn host_out(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Option<RxMeta> {
        let queue = &mut self.queues[queue as usize];
        frame.clear();
        let (delivered, meta) = queue.frames.pop_front()?;
        queue.bytes -= delivered.len();
        self.spare.push(std::mem::replace(frame, delivered));
        Some(meta)
    }

    fn run(&mut self, cycles: u32) -> bool {
        let mut left = cycles as usize;
        while left > 0 && self.input.iter().any(|i| !i.is_empty()) {
            for port in Port::ALL {
                if let Some((frame, error)) = self.input[port as usize].pop_front() {
                    left = left.saturating_sub(frame.len().div_ceil(self.config.bytes_per_cycle));
                    self.frame(port, frame, error);
                }
            }
        }
        self.input.iter().any(|i| !i.is_empty())
    }
}
