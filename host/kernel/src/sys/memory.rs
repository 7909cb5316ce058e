//! The memory of a BPF ring buffer, shared with the kernel.

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The reader's side of a BPF ring buffer (`Documentation/bpf/ringbuf.rst`).
pub struct RingMemory {
    consumer: *mut c_void,
    producer: *mut c_void,
    /// Bytes of records; a power of two.
    size: usize,
    page: usize,
}

// SAFETY: the memory belongs to this value alone among the process's; the kernel's side is reached by atomics.
unsafe impl Send for RingMemory {}

impl RingMemory {
    /// Maps the ring of `size` bytes.
    pub fn new(map: &OwnedFd, size: u32) -> io::Result<Self> {
        // SAFETY: no pointers.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let size = size as usize;
        let part = |bytes, protection, offset: usize| {
            // SAFETY: a new mapping at an address of the kernel's choice.
            let at = unsafe {
                libc::mmap(
                    std::ptr::null_mut(),
                    bytes,
                    protection,
                    libc::MAP_SHARED,
                    map.as_raw_fd(),
                    offset as libc::off_t,
                )
            };
            if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(at) }
        };
        let consumer = part(page, libc::PROT_READ | libc::PROT_WRITE, 0)?;
        match part(page + 2 * size, libc::PROT_READ, page) {
            Ok(producer) => Ok(RingMemory { consumer, producer, size, page }),
            Err(e) => {
                // SAFETY: the mapping that was just made; nobody has a reference into it.
                unsafe { libc::munmap(consumer, page) };
                Err(e)
            }
        }
    }

    /// Calls `read` with the next record, which is then the kernel's again; `None`: there is none.
    pub fn take<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
        const BUSY: u32 = 1 << 31;
        const DISCARDED: u32 = 1 << 30;
        // SAFETY: the first word of each page is its position, aligned, mapped for as long as `self` is.
        let (consumed, produced) =
            unsafe { (&*self.consumer.cast::<AtomicU64>(), &*self.producer.cast::<AtomicU64>()) };
        let mut read = Some(read);
        loop {
            let at = consumed.load(Ordering::Relaxed);
            if at >= produced.load(Ordering::Acquire) {
                return None;
            }
            let offset = at as usize & (self.size - 1);
            // SAFETY: below `size`, and a multiple of 8: within the mapping, whose records lie twice in a row.
            let record = unsafe { self.producer.cast::<u8>().add(self.page + offset) };
            // SAFETY: a record begins with its length, which the producer sets last.
            let head = unsafe { &*record.cast::<AtomicU32>() }.load(Ordering::Acquire);
            if head & BUSY != 0 {
                return None;
            }
            let length = (head & !DISCARDED) as usize;
            let result = (head & DISCARDED == 0).then(|| {
                // SAFETY: the kernel has submitted these bytes and leaves them alone until the position below passes them.
                read.take().map(|read| read(unsafe { std::slice::from_raw_parts(record.add(8), length) }))
            });
            consumed.store(at + (length as u64 + 8).next_multiple_of(8), Ordering::Release);
            if let Some(Some(result)) = result {
                return Some(result);
            }
        }
    }
}

impl Drop for RingMemory {
    fn drop(&mut self) {
        // SAFETY: the two mappings of `new`; no reference into them outlives `take`.
        unsafe {
            libc::munmap(self.consumer, self.page);
            libc::munmap(self.producer, self.page + 2 * self.size);
        }
    }
}
