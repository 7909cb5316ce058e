//! bpf(2), here, the interface ioctls and a ring's shared memory, below: all that is unsafe in this crate.
//!
//! The union of bpf(2) is written as 64-bit words (`include/uapi/linux/bpf.h`): the kernel takes any size whose tail is zero.

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use zerocopy::{FromBytes, IntoBytes};

mod interface;
mod memory;

pub use interface::Interface;
pub use memory::RingMemory;

const MAP_CREATE: u32 = 0;
const MAP_LOOKUP: u32 = 1;
const MAP_UPDATE: u32 = 2;
const MAP_DELETE: u32 = 3;
const PROG_LOAD: u32 = 5;
const OBJ_PIN: u32 = 6;
const OBJ_GET: u32 = 7;
const PROG_TEST_RUN: u32 = 10;
const OBJ_GET_INFO: u32 = 15;
const MAP_LOOKUP_BATCH: u32 = 24;
const LINK_CREATE: u32 = 28;
const LINK_UPDATE: u32 = 29;
const ENABLE_STATS: u32 = 32;
const LINK_DETACH: u32 = 34;

/// `BPF_F_TEST_XDP_LIVE_FRAMES`.
const LIVE_FRAMES: u32 = 2;
/// `BPF_F_XDP_HAS_FRAGS`.
pub const XDP_FRAGS: u32 = 1 << 5;
/// `f_type` of a bpffs.
const BPF_FS_MAGIC: i64 = 0xcafe_4a11;

fn bpf(command: u32, words: &[u64]) -> io::Result<i32> {
    // SAFETY: the kernel reads `words` for its size; each caller's pointers inside outlive the call.
    let r = unsafe { libc::syscall(libc::SYS_bpf, command, words.as_ptr(), size_of_val(words)) };
    if r < 0 { Err(io::Error::last_os_error()) } else { Ok(r as i32) }
}

fn owned(fd: i32) -> OwnedFd {
    // SAFETY: a descriptor that bpf(2) has just made and that nothing else owns.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

fn number(fd: &OwnedFd) -> u32 {
    fd.as_raw_fd() as u32
}

/// Makes a map: kind, bytes of key and value, entries, flags.
pub fn map_create([kind, key, value, entries, flags]: [u32; 5]) -> io::Result<OwnedFd> {
    bpf(MAP_CREATE, &[pair(kind, key), pair(value, entries), pair(flags, 0), 0]).map(owned)
}

/// A map's kind, bytes of key and value, entries and flags.
pub fn map_shape(map: &OwnedFd) -> io::Result<[u32; 5]> {
    let info = info::<[u32; 6]>(map)?;
    Ok([info[0], info[2], info[3], info[4], info[5]])
}

/// What the kernel says about a map, program or link, from its structure's start.
fn info<T: FromBytes + IntoBytes>(fd: &OwnedFd) -> io::Result<T> {
    let mut out = T::new_zeroed();
    bpf(OBJ_GET_INFO, &[pair(number(fd), size_of::<T>() as u32), (&raw mut out) as u64])?;
    Ok(out)
}

/// Reads the value of a key; `None`: it has none.
pub fn lookup<V: FromBytes>(map: &OwnedFd, key: &[u8]) -> io::Result<Option<V>> {
    let mut value = V::new_zeroed();
    absent(bpf(MAP_LOOKUP, &[number(map).into(), key.as_ptr() as u64, (&raw mut value) as u64, 0]))
        .map(|found| found.then_some(value))
}

/// Reads a value of any size; it stays zero where the key has none.
pub fn lookup_bytes(map: &OwnedFd, key: &[u8], value: &mut [u8]) -> io::Result<()> {
    absent(bpf(MAP_LOOKUP, &[number(map).into(), key.as_ptr() as u64, value.as_mut_ptr() as u64, 0])).map(drop)
}

/// The values of all processors.
pub fn lookup_each(map: &OwnedFd, index: u32, processors: usize) -> io::Result<Vec<u64>> {
    let mut values = vec![0u64; processors];
    bpf(MAP_LOOKUP, &[number(map).into(), (&raw const index) as u64, values.as_mut_ptr() as u64, 0])?;
    Ok(values)
}

/// Writes a value whole.
pub fn update(map: &OwnedFd, key: &[u8], value: &[u8]) -> io::Result<()> {
    bpf(MAP_UPDATE, &[number(map).into(), key.as_ptr() as u64, value.as_ptr() as u64, 0]).map(drop)
}

/// Removes a key; `false`: it was not there.
pub fn delete(map: &OwnedFd, key: &[u8]) -> io::Result<bool> {
    absent(bpf(MAP_DELETE, &[number(map).into(), key.as_ptr() as u64, 0, 0]))
}

fn absent(result: io::Result<i32>) -> io::Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(e) => Err(e),
    }
}

/// Calls `each` with all entries of a hash map.
pub fn entries<K, V>(map: &OwnedFd, mut each: impl FnMut(K, V)) -> io::Result<()>
where
    K: FromBytes + IntoBytes + Copy,
    V: FromBytes + IntoBytes + Copy,
{
    let mut room = 4096usize;
    let (mut place, mut next, mut first) = (0u64, 0u64, true);
    loop {
        let (mut keys, mut values) = (vec![K::new_zeroed(); room], vec![V::new_zeroed(); room]);
        let from = if first { 0 } else { (&raw const place) as u64 };
        let mut words = [
            from,
            (&raw mut next) as u64,
            keys.as_mut_ptr() as u64,
            values.as_mut_ptr() as u64,
            pair(room as u32, number(map)),
            0,
            0,
        ];
        // SAFETY: the kernel writes the number of entries back into the union, and entries into vectors of that many.
        let r = unsafe { libc::syscall(libc::SYS_bpf, MAP_LOOKUP_BATCH, words.as_mut_ptr(), size_of_val(&words)) };
        let error = (r < 0).then(io::Error::last_os_error);
        let code = error.as_ref().and_then(io::Error::raw_os_error);
        if code == Some(libc::ENOSPC) {
            room *= 2; // a bucket holds more
            continue;
        }
        if error.is_some() && code != Some(libc::ENOENT) {
            return Err(error.unwrap_or_else(io::Error::last_os_error));
        }
        let found = words[4] as u32 as usize;
        keys.iter().zip(&values).take(found).for_each(|(&k, &v)| each(k, v));
        if error.is_some() {
            return Ok(());
        }
        (place, first) = (next, false);
    }
}

/// Loads a program. The error comes with the verifier's last lines.
pub fn load(kind: u32, code: &[u8], attach: u32, flags: u32, log: &mut String) -> io::Result<OwnedFd> {
    let mut words = [0u64; 9];
    words[0] = pair(kind, code.len() as u32 / 8);
    words[1] = code.as_ptr() as u64;
    words[2] = c"Dual MIT/GPL".as_ptr() as u64;
    words[5] = pair(0, flags);
    words[8] = pair(0, attach);
    bpf(PROG_LOAD, &words).map(owned).or_else(|first| {
        let mut text = vec![0u8; 1 << 24];
        words[3] = pair(1, text.len() as u32);
        words[4] = text.as_mut_ptr() as u64;
        bpf(PROG_LOAD, &words).map(owned).map_err(|_| {
            // behind the end stands what a longer log has left
            let end = text.iter().position(|&b| b == 0).unwrap_or(text.len());
            let text = String::from_utf8_lossy(&text[..end]);
            let lines: Vec<_> = text.lines().collect();
            *log = lines[lines.len().saturating_sub(12)..].join("\n");
            first
        })
    })
}

fn path_words(path: &Path) -> io::Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

/// Pins a map, program or link in a bpffs.
pub fn pin(fd: &OwnedFd, path: &Path) -> io::Result<()> {
    let path = path_words(path)?;
    bpf(OBJ_PIN, &[path.as_ptr() as u64, number(fd).into()]).map(drop)
}

/// Opens a pinned object; `None`: nothing is there.
pub fn pinned(path: &Path) -> io::Result<Option<OwnedFd>> {
    let path = path_words(path)?;
    match bpf(OBJ_GET, &[path.as_ptr() as u64, 0]) {
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        other => other.map(|fd| Some(owned(fd))),
    }
}

/// Whether a directory lies on a bpffs.
pub fn is_bpffs(path: &Path) -> io::Result<bool> {
    let path = path_words(path)?;
    let mut out = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: a C string and room for the structure, both of which outlive the call.
    if unsafe { libc::statfs(path.as_ptr(), out.as_mut_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: statfs has succeeded and filled it in.
    Ok(unsafe { out.assume_init() }.f_type == BPF_FS_MAGIC)
}

/// Attaches a program to an interface.
pub fn link(program: &OwnedFd, interface: u32, attach: u32, flags: u32) -> io::Result<OwnedFd> {
    bpf(LINK_CREATE, &[pair(number(program), interface), pair(attach, flags), 0, 0]).map(owned)
}

/// Puts another program into a link.
pub fn link_update(link: &OwnedFd, program: &OwnedFd) -> io::Result<()> {
    bpf(LINK_UPDATE, &[pair(number(link), number(program)), 0]).map(drop)
}

/// Takes a link's program off its interface.
pub fn link_detach(link: &OwnedFd) -> io::Result<()> {
    bpf(LINK_DETACH, &[number(link).into()]).map(drop)
}

/// Interface index of an XDP or TCX link; zero: its interface is gone.
pub fn link_interface(link: &OwnedFd) -> io::Result<u32> {
    Ok(info::<[u32; 6]>(link)?[4])
}

/// Nanoseconds that a program has run, and how often, while [`statistics`] were on.
pub fn run_time(program: &OwnedFd) -> io::Result<(u64, u64)> {
    // struct bpf_prog_info: run_time_ns at 192, run_cnt at 200
    let info = info::<[u64; 26]>(program)?;
    Ok((info[24], info[25]))
}

/// Has the kernel measure programs until the descriptor is closed.
pub fn statistics() -> io::Result<OwnedFd> {
    bpf(ENABLE_STATS, &[0]).map(owned)
}

/// Runs an XDP program on a frame as if it had come from `interface`, and does what it says.
pub fn run_live(program: &OwnedFd, frame: &[u8], interface: u32) -> io::Result<()> {
    // struct xdp_md: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex
    let context = [0, frame.len() as u32, 0, interface, 0, 0];
    let size = size_of_val(&context) as u32;
    let words = [
        pair(number(program), 0),
        pair(frame.len() as u32, 0),
        frame.as_ptr() as u64,
        0,
        pair(1, 0),
        pair(size, 0),
        (&raw const context) as u64,
        0,
        pair(LIVE_FRAMES, 0),
        pair(1, 0),
    ];
    bpf(PROG_TEST_RUN, &words).map(drop)
}

/// Time since boot, as `bpf_ktime_get_boot_ns` has it.
#[must_use]
pub fn since_boot() -> Duration {
    let mut now = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: room for the structure, all zero is a valid value; the clock is there since Linux 2.6.39.
    let now = unsafe {
        libc::clock_gettime(libc::CLOCK_BOOTTIME, now.as_mut_ptr());
        now.assume_init()
    };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Processors that a per-processor value has room for.
pub fn processors() -> io::Result<usize> {
    // as libbpf: the kernel sizes them by what may ever be plugged in
    let text = std::fs::read_to_string("/sys/devices/system/cpu/possible")?;
    let last = text.trim().rsplit(['-', ',']).next().and_then(|n| n.parse::<usize>().ok());
    last.map(|n| n + 1).ok_or_else(|| io::Error::other(format!("/sys/devices/system/cpu/possible reads {text:?}")))
}
