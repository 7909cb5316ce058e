//! The flow table and what is kept beside it: pairs of hosts, counters of entries, and how many entries a program must look at.

use std::time::Duration;

use ipos_abi::table::FlowKey;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::error::{KernelError, during};
use crate::layout::{
    ACTION_HOST, ACTION_NONE, CarriedValue, ENDPOINT, FENCE, Key, LIVE_HEARTBEAT, LIVE_HOLDS, LIVE_WATCHED, Value,
};
use crate::maps::Maps;
use crate::sys;
use crate::table::{Entry, flow, key, pair};

/// What entries make the programs do beside XDP.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Live {
    watched: u64,
    holds: u64,
}

impl Live {
    fn of(v: &Value) -> Self {
        Live { watched: (v.flags & (ENDPOINT | FENCE) != 0).into(), holds: (v.action == ACTION_HOST).into() }
    }
}

/// Flows, with one writer: this process.
pub(crate) struct Flows {
    capacity: u32,
    used: u32,
    live: Live,
    /// Counters that no entry has; from `next` on none has been given out.
    spare: Vec<u32>,
    next: u32,
}

pub(crate) fn read<V: FromBytes>(
    maps: &Maps,
    map: &str,
    key: &(impl IntoBytes + Immutable),
) -> Result<Option<V>, KernelError> {
    sys::lookup(maps.get(map), key.as_bytes()).map_err(during(format!("reading `{map}`")))
}

pub(crate) fn write(
    maps: &Maps,
    map: &str,
    key: &(impl IntoBytes + Immutable),
    value: &(impl IntoBytes + Immutable),
) -> Result<(), KernelError> {
    sys::update(maps.get(map), key.as_bytes(), value.as_bytes()).map_err(during(format!("writing `{map}`")))
}

impl Flows {
    /// Reads what an earlier process left.
    pub fn open(maps: &Maps, capacity: u32) -> Result<Self, KernelError> {
        let mut taken = vec![false; capacity as usize];
        let mut flows = Flows { capacity, used: 0, live: Live::default(), spare: Vec::new(), next: 0 };
        let see = |_: Key, v: Value| {
            flows.used += 1;
            flows.add(&v);
            if let Some(taken) = taken.get_mut(v.counter as usize) {
                *taken = true;
                flows.next = flows.next.max(v.counter + 1);
            }
        };
        sys::entries(maps.get("flows"), see).map_err(during::<KernelError>("reading `flows`"))?;
        flows.spare = (0..flows.next).filter(|i| !taken[*i as usize]).collect();
        flows.write_live(maps)?;
        Ok(flows)
    }

    pub fn len(&self) -> u32 {
        self.used
    }

    pub fn get(&self, maps: &Maps, wanted: &FlowKey) -> Result<Option<Entry>, KernelError> {
        Ok(read::<Value>(maps, "flows", &key(wanted))?.map(|v| Entry::from(&v)))
    }

    /// Packets and bytes that a flow's entry has forwarded.
    pub fn carried(&self, maps: &Maps, wanted: &FlowKey) -> Result<Option<CarriedValue>, KernelError> {
        let Some(v) = read::<Value>(maps, "flows", &key(wanted))? else { return Ok(None) };
        read(maps, "carried", &v.counter)
    }

    pub fn all(&self, maps: &Maps, mut each: impl FnMut(FlowKey, Entry)) -> Result<(), KernelError> {
        let see = |k: Key, v: Value| {
            if let Some(key) = flow(&k) {
                each(key, Entry::from(&v));
            }
        };
        sys::entries(maps.get("flows"), see).map_err(during("reading `flows`"))
    }

    /// Adds an entry or replaces it whole; its counters go on.
    pub fn set(&mut self, maps: &Maps, wanted: &FlowKey, entry: &Entry) -> Result<(), KernelError> {
        let old = read::<Value>(maps, "flows", &key(wanted))?;
        let counter = match &old {
            Some(old) => old.counter,
            None => self.counter(maps)?,
        };
        let value = entry.value(counter);
        // the programs look for a fence or a hold before there is one, never after
        self.add(&value);
        let mut result = self.write_live(maps);
        if old.is_none() && result.is_ok() {
            result = self.pair(maps, wanted, 1);
        }
        let result = result.and_then(|()| {
            sys::update(maps.get("flows"), key(wanted).as_bytes(), value.as_bytes()).map_err(|e| {
                match e.raw_os_error() {
                    Some(libc::E2BIG | libc::ENOMEM) => self.full(),
                    _ => during("writing `flows`")(e),
                }
            })
        });
        match (&result, old) {
            (Ok(()), Some(old)) => self.subtract(&old),
            (Ok(()), None) => self.used += 1,
            (Err(_), old) => {
                self.subtract(&value);
                if old.is_none() {
                    self.spare.push(counter);
                    self.pair(maps, wanted, -1)?;
                }
            }
        }
        self.write_live(maps)?;
        result
    }

    /// Removes an entry; `false`: there was none.
    pub fn remove(&mut self, maps: &Maps, wanted: &FlowKey) -> Result<bool, KernelError> {
        let Some(old) = read::<Value>(maps, "flows", &key(wanted))? else { return Ok(false) };
        sys::delete(maps.get("flows"), key(wanted).as_bytes()).map_err(during::<KernelError>("removing a flow"))?;
        self.pair(maps, wanted, -1)?;
        self.spare.push(old.counter);
        self.used -= 1;
        self.subtract(&old);
        self.write_live(maps)?;
        Ok(true)
    }

    /// Says that the node lives.
    pub fn heartbeat(&self, maps: &Maps, now: Duration) -> Result<(), KernelError> {
        write(maps, "live", &LIVE_HEARTBEAT, &(now.as_nanos() as u64))
    }

    /// A counter at zero.
    fn counter(&mut self, maps: &Maps) -> Result<u32, KernelError> {
        let counter = match self.spare.pop() {
            Some(counter) => counter,
            None if self.next < self.capacity => {
                self.next += 1;
                self.next - 1
            }
            None => return Err(self.full()),
        };
        write(maps, "carried", &counter, &CarriedValue::default())?;
        Ok(counter)
    }

    fn full(&self) -> KernelError {
        KernelError::Full { table: "flow table", entries: self.capacity }
    }

    /// Entries of a pair of hosts: whose fragments are the node's.
    fn pair(&self, maps: &Maps, wanted: &FlowKey, change: i32) -> Result<(), KernelError> {
        let pair = pair(wanted);
        let count = read::<u32>(maps, "pairs", &pair)?.unwrap_or(0).saturating_add_signed(change);
        if count == 0 {
            return sys::delete(maps.get("pairs"), pair.as_bytes()).map(drop).map_err(during("removing a pair"));
        }
        write(maps, "pairs", &pair, &count)
    }

    fn add(&mut self, v: &Value) {
        let Live { watched, holds } = Live::of(v);
        self.live = Live { watched: self.live.watched + watched, holds: self.live.holds + holds };
    }

    fn subtract(&mut self, v: &Value) {
        let Live { watched, holds } = Live::of(v);
        self.live = Live { watched: self.live.watched - watched, holds: self.live.holds - holds };
    }

    fn write_live(&self, maps: &Maps) -> Result<(), KernelError> {
        write(maps, "live", &LIVE_WATCHED, &self.live.watched)?;
        write(maps, "live", &LIVE_HOLDS, &self.live.holds)
    }
}

const _: () = assert!(ACTION_NONE == 0, "a fallback that nobody named passes");
