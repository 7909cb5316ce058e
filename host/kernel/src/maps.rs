//! The maps: made, or found pinned.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use zerocopy::IntoBytes;

use crate::error::{KernelError, during};
use crate::layout::{
    self, COUNTERS, CarriedValue, Key, LAYOUT, LIVE, PEERS, Pair, PeerValue, Settings, Value, WORK_BYTES, WORKS,
};
use crate::sys;

const HASH: u32 = 1;
const ARRAY: u32 = 2;
const PERCPU_ARRAY: u32 = 6;
const RINGBUF: u32 = 27;
const NO_PREALLOC: u32 = 1;

/// Sizes that a user may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Flows at once.
    pub flows: u32,
    /// Bytes of the control ring; a power of two and a multiple of the page size, as the next two.
    pub control: u32,
    /// Bytes of the ring of held and unknown frames.
    pub frames: u32,
    /// Bytes of the event ring.
    pub events: u32,
}

impl Default for Sizes {
    fn default() -> Self {
        Sizes { flows: 1 << 20, control: 1 << 20, frames: 16 << 20, events: 1 << 18 }
    }
}

/// Name and shape (kind, bytes of key and value, entries, flags) of each map, as `bpf/maps.h` names them.
fn shapes(sizes: &Sizes) -> [(&'static str, [u32; 5]); 13] {
    let of = |kind, key: usize, value: usize, entries, flags| [kind, key as u32, value as u32, entries, flags];
    [
        ("flows", of(HASH, size_of::<Key>(), size_of::<Value>(), sizes.flows, NO_PREALLOC)),
        ("pairs", of(HASH, size_of::<Pair>(), 4, sizes.flows, NO_PREALLOC)),
        ("peers", of(ARRAY, 4, size_of::<PeerValue>(), PEERS, 0)),
        ("config", of(ARRAY, 4, size_of::<Settings>(), 1, 0)),
        ("live", of(ARRAY, 4, 8, LIVE, 0)),
        ("counters", of(PERCPU_ARRAY, 4, 8, 2 * COUNTERS, 0)),
        ("carried", of(ARRAY, 4, size_of::<CarriedValue>(), sizes.flows, 0)),
        ("sequences", of(ARRAY, 4, 4, 2, 0)),
        ("buckets", of(PERCPU_ARRAY, 4, 8, 1, 0)),
        ("work", of(PERCPU_ARRAY, 4, WORK_BYTES as usize, WORKS, 0)),
        ("control", of(RINGBUF, 0, 0, sizes.control, 0)),
        ("frames", of(RINGBUF, 0, 0, sizes.frames, 0)),
        ("events", of(RINGBUF, 0, 0, sizes.events, 0)),
    ]
}

/// All maps by name.
pub struct Maps(HashMap<&'static str, OwnedFd>);

impl Maps {
    /// Opens those that are pinned in `pins`, and makes the rest. `true`: they were there.
    pub fn open(pins: Option<&Path>, sizes: &Sizes) -> Result<(Self, bool), KernelError> {
        let mut found = HashMap::new();
        for (name, wanted) in shapes(sizes) {
            let Some(path) = pins else { break };
            let Some(map) = sys::pinned(&path.join(name)).map_err(during::<KernelError>(name))? else { continue };
            if name == "config" {
                check_layout(path, &map)?;
            }
            let shape = sys::map_shape(&map).map_err(during::<KernelError>(name))?;
            if shape != wanted {
                return Err(KernelError::Shape { path: path.to_owned(), name, found: shape, wanted });
            }
            found.insert(name, map);
        }
        let complete = found.len() == shapes(sizes).len();
        for (name, shape) in shapes(sizes) {
            if found.contains_key(name) {
                continue;
            }
            let map = sys::map_create(shape).map_err(during::<KernelError>(format!("making the map `{name}`")))?;
            if let Some(path) = pins {
                sys::pin(&map, &path.join(name)).map_err(during::<KernelError>(format!("pinning `{name}`")))?;
            }
            found.insert(name, map);
        }
        Ok((Maps(found), complete))
    }

    /// A map; the names are those of [`shapes`].
    pub fn get(&self, name: &str) -> &OwnedFd {
        &self.0[name]
    }

    /// The descriptor for a program's symbol.
    pub fn descriptor(&self, symbol: &str) -> Option<i32> {
        self.0.get(symbol).map(AsRawFd::as_raw_fd)
    }
}

/// Layout 0 is that of maps whose maker was killed before it used them.
fn check_layout(path: &Path, config: &OwnedFd) -> Result<(), KernelError> {
    let shape = sys::map_shape(config).map_err(during::<KernelError>("config"))?;
    let mut bytes = vec![0u8; shape[2] as usize];
    sys::lookup_bytes(config, 0u32.as_bytes(), &mut bytes).map_err(during::<KernelError>("config"))?;
    let found = bytes.first_chunk().map_or(0, |b| u32::from_le_bytes(*b));
    if found != LAYOUT && found != 0 {
        return Err(KernelError::Layout { path: path.to_owned(), found });
    }
    Ok(())
}

/// Files that a card pins beside its links.
pub fn names() -> impl Iterator<Item = &'static str> {
    shapes(&Sizes::default()).into_iter().map(|(name, _)| name)
}

const _: () = assert!(layout::LAYOUT != 0);
