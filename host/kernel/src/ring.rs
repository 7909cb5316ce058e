//! Frames and events that come up through the rings.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use ipos_abi::Port;
use ipos_abi::rx::{L3, Reason};
use ipos_abi::table::FlowKey;
use zerocopy::FromBytes;

use crate::error::{KernelError, during};
use crate::layout::{DECAPSULATED, EVENT_SENT, EventRecord, LATE, RecordHead, TAGGED};
use crate::sys::RingMemory;
use crate::table::flow;

/// The card's word on a frame from a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Number among the port's records, over both rings.
    pub sequence: u32,
    /// Why it is here.
    pub reason: Reason,
    /// Verdict on the IPv4 header.
    pub l3: L3,
    /// Where it arrived.
    pub port: Port,
    /// It arrived encapsulated.
    pub decapsulated: bool,
    /// It had passed XDP before its flow was held; the stack's receive offload may have merged several.
    pub late: bool,
    /// The tag that was taken out.
    pub vlan: Option<u16>,
    /// The sender, where it came over UDP.
    pub from: Option<SocketAddrV4>,
}

/// Something that happened to a flow's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The flow.
    pub key: FlowKey,
    /// Flags of the TCP header.
    pub tcp_flags: u8,
    /// `true`: this kernel sent it for a local endpoint; `false`: a forwarded packet had them.
    pub sent: bool,
}

/// A ring and whose records in it are read.
pub(crate) struct Ring {
    memory: RingMemory,
    generation: u32,
    /// Records of an earlier life, or of codes that this version does not know.
    pub stale: u64,
}

impl Ring {
    pub fn open(map: &OwnedFd, size: u32, generation: u32) -> Result<Self, KernelError> {
        let memory = RingMemory::new(map, size).map_err(during::<KernelError>("mapping a ring"))?;
        Ok(Ring { memory, generation, stale: 0 })
    }

    /// The next frame of this life.
    pub fn frame(&mut self, frame: &mut Vec<u8>) -> Option<Record> {
        loop {
            let generation = self.generation;
            let read = self.memory.take(|bytes| {
                let (head, data) = RecordHead::read_from_prefix(bytes).ok()?;
                let data = data.get(..head.length as usize)?;
                let record = record(&head).filter(|_| head.generation == generation)?;
                frame.clear();
                frame.extend_from_slice(data);
                Some(record)
            })?;
            match read {
                Some(record) => return Some(record),
                None => self.stale += 1,
            }
        }
    }

    /// The next event of this life.
    pub fn event(&mut self) -> Option<Event> {
        loop {
            let generation = self.generation;
            let read = self.memory.take(|bytes| {
                let (e, _) = EventRecord::read_from_prefix(bytes).ok().filter(|(e, _)| e.generation == generation)?;
                Some(Event { key: flow(&e.key)?, tcp_flags: e.tcp_flags, sent: e.kind == EVENT_SENT })
            })?;
            match read {
                Some(event) => return Some(event),
                None => self.stale += 1,
            }
        }
    }
}

fn record(head: &RecordHead) -> Option<Record> {
    let from = Ipv4Addr::from(head.from);
    Some(Record {
        sequence: head.sequence,
        reason: Reason::from_code(head.reason)?,
        l3: L3::from_code(head.l3)?,
        port: Port::ALL.into_iter().find(|p| *p as u8 == head.port)?,
        decapsulated: head.flags & DECAPSULATED != 0,
        late: head.flags & LATE != 0,
        vlan: (head.flags & TAGGED != 0).then_some(head.tci),
        from: (!from.is_unspecified()).then(|| SocketAddrV4::new(from, u16::from_be_bytes(head.from_port))),
    })
}
