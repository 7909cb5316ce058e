//! The client's memory as the card reaches it: DMA maps, bus mastering, interrupts.
//!
//! A client announces its mappings one by one, each as a range of a file (QEMU: of the guest's memory); a file is mapped
//! into this process once, for as long as a mapping needs it. What no mapping covers is answered as a root complex would: a read is refused, a
//! write vanishes. A write to the interrupt window is an MSI-X message and becomes a write to the vector's eventfd.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipos_abi::queue::VECTORS;
use ipos_sim::pcie::{Bus, Unmapped};
use memmap2::{MmapOptions, MmapRaw};

/// Where MSI-X messages go: the window of x86's local interrupt controllers. The message's data is the vector.
pub const INTERRUPT_WINDOW: u64 = 0xfee0_0000;

/// The largest write of completion entries, in bytes.
const LINE: usize = 64;

/// What one mapping allows, and where its bytes are in this process.
struct Mapping {
    size: u64,
    file: (u64, u64),
    offset: u64,
    writable: bool,
}

/// What the card and the server's two threads share.
#[derive(Default)]
pub struct GuestMemory {
    files: HashMap<(u64, u64), MmapRaw>,
    maps: BTreeMap<u64, Mapping>,
    vectors: [Option<File>; VECTORS],
    bus_master: bool,
    refused: u64,
}

/// A handle on the client's memory: the card's way to it.
#[derive(Clone, Default)]
pub struct GuestBus(Arc<Mutex<GuestMemory>>);

impl GuestBus {
    /// The state behind the handle.
    pub fn lock(&self) -> MutexGuard<'_, GuestMemory> {
        // no invariant spans a panic: each field is valid by itself
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GuestMemory {
    /// Adds a mapping of `size` bytes at bus address `iova`, which are the bytes from `offset` of `file`.
    /// Without a file (a ROM, another device's registers) the range stays unreachable.
    pub fn map(&mut self, iova: u64, size: u64, offset: u64, file: Option<File>, writable: bool) -> io::Result<()> {
        let Some(file) = file else { return Ok(()) };
        let metadata = file.metadata()?;
        let inside = offset.checked_add(size).is_some_and(|end| end <= metadata.len());
        let free = iova.checked_add(size).is_some_and(|end| {
            size > 0 && self.maps.range(..end).next_back().is_none_or(|(base, m)| base + m.size <= iova)
        });
        if !inside || !free {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "can't map {size:#x} bytes at {iova:#x}: {}",
                    if free { "they lie outside the file" } else { "empty, or mapped already" }
                ),
            ));
        }
        let key = (metadata.dev(), metadata.ino());
        if let Entry::Vacant(new) = self.files.entry(key) {
            let length = usize::try_from(metadata.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
            new.insert(MmapOptions::new().len(length).map_raw(&file)?);
        }
        self.maps.insert(iova, Mapping { size, file: key, offset, writable });
        Ok(())
    }

    /// Removes the mappings that touch a range.
    pub fn unmap(&mut self, iova: u64, size: u64) {
        let end = iova.saturating_add(size);
        self.maps.retain(|base, m| base + m.size <= iova || *base >= end);
        self.files.retain(|file, _| self.maps.values().any(|m| m.file == *file));
    }

    /// Removes all mappings.
    pub fn unmap_all(&mut self) {
        self.maps.clear();
        self.files.clear();
    }

    /// Forgets everything of a client that has gone.
    pub fn let_go(&mut self) {
        self.unmap_all();
        self.bus_master = false;
        self.vectors = Default::default();
    }

    /// Whether the card may send requests.
    pub fn set_bus_master(&mut self, on: bool) {
        self.bus_master = on;
    }

    /// Sets the eventfd of an interrupt vector; one that does not exist is ignored.
    pub fn set_vector(&mut self, vector: usize, eventfd: Option<File>) {
        if let Some(slot) = self.vectors.get_mut(vector) {
            *slot = eventfd;
        }
    }

    /// Which vectors someone listens to.
    #[must_use]
    pub fn vectors_enabled(&self) -> [bool; VECTORS] {
        std::array::from_fn(|v| self.vectors[v].is_some())
    }

    /// Requests refused so far: not mapped, read-only, or without bus mastering.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Calls `f(pointer, length)` for each contiguous piece of a range, after all of it was found mapped.
    fn pieces(
        &mut self,
        address: u64,
        length: usize,
        write: bool,
        mut f: impl FnMut(*mut u8, usize),
    ) -> Result<(), Unmapped> {
        let mut found = Vec::with_capacity(2);
        let (mut at, mut left) = (address, length as u64);
        while left > 0 {
            let hit = self
                .maps
                .range(..=at)
                .next_back()
                .filter(|(base, m)| self.bus_master && at - **base < m.size && (m.writable || !write));
            let Some((base, m)) = hit else {
                self.refused += 1;
                tracing::debug!(
                    address = at,
                    length,
                    write,
                    bus_master = self.bus_master,
                    "refused a request of the card"
                );
                return Err(Unmapped);
            };
            let n = left.min(m.size - (at - base));
            let offset = (m.offset + (at - base)) as usize;
            // `map` has checked that the mapping lies inside the file, hence inside its memory map
            found.push((self.files[&m.file].as_mut_ptr().wrapping_add(offset), n as usize));
            at += n;
            left -= n;
        }
        found.into_iter().for_each(|(pointer, n)| f(pointer, n));
        Ok(())
    }

    fn interrupt(&mut self, message: &[u8]) {
        let vector = message.try_into().map(u32::from_le_bytes);
        let eventfd = vector.ok().and_then(|v| self.vectors.get_mut(v as usize)?.as_mut());
        match eventfd {
            Some(eventfd) if self.bus_master => {
                // an eventfd refuses only when its count would overflow, and then it is readable anyway
                let _ = eventfd.write(&1u64.to_ne_bytes());
            }
            _ => {
                self.refused += 1;
                tracing::warn!(?message, "an interrupt that nobody listens to");
            }
        }
    }
}

impl Bus for GuestBus {
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<(), Unmapped> {
        let mut done = 0;
        self.lock().pieces(address, data.len(), false, |from, n| {
            // SAFETY: `pieces` gives ranges inside a live memory map, which the lock keeps; `data` is this process's
            // own and not part of it. The guest may write meanwhile: bytes have no invalid value, and none is relied on.
            unsafe { std::ptr::copy_nonoverlapping(from, data[done..].as_mut_ptr(), n) };
            done += n;
        })
    }

    fn write(&mut self, address: u64, data: &[u8]) {
        let mut memory = self.lock();
        if address == INTERRUPT_WINDOW {
            return memory.interrupt(data);
        }
        let mut done = 0;
        // a posted write has no answer: what is refused is counted there
        let _ = memory.pieces(address, data.len(), true, |to, n| {
            let from = &data[done..done + n];
            if n <= LINE && n.is_multiple_of(8) && to.addr().is_multiple_of(8) {
                // a completion entry's last word says that the entry is there, so words become visible in order
                for (i, word) in from.chunks_exact(8).enumerate() {
                    let value = word.iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte));
                    // SAFETY: as in `read`; the pointer is aligned.
                    unsafe { AtomicU64::from_ptr(to.cast::<u64>().add(i)) }.store(value.to_le(), Ordering::Release);
                }
            } else {
                // SAFETY: as in `read`.
                unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, n) };
            }
            done += n;
        });
    }
}
