//! Why the kernel could not be used as a card.

use std::io;
use std::path::PathBuf;

use crate::elf::ObjectError;
use crate::layout::LAYOUT;

/// Why an operation on a [`KernelCard`](crate::KernelCard) failed. Each says what would help.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// No such interface in this network namespace.
    #[error("no interface `{0}` in this network namespace: `ip link` lists them")]
    NoInterface(String),
    /// The process may not load programs.
    #[error(
        "this process may not {0}: it needs CAP_BPF and CAP_NET_ADMIN in the first user namespace; run as root, or \
         `setcap cap_bpf,cap_net_admin+ep` on the program"
    )]
    Rights(&'static str),
    /// The kernel is older than its TCX hooks.
    #[error("Linux {found} has no TCX hooks: 6.6 or later is needed")]
    OldKernel {
        /// Its release.
        found: String,
    },
    /// The driver has no XDP of its own.
    #[error("the driver of `{0}` has no native XDP: set `generic = true` (slower), or use another interface")]
    NoNative(String),
    /// Another XDP program is there.
    #[error("another XDP program is on `{0}`: `ip link show {0}` names it, `ip link set {0} xdp off` removes it")]
    Foreign(String),
    /// An offload would merge or alter frames before they are forwarded.
    #[error("{offload} is on at `{interface}`: `ethtool -K {interface} {switch} off`")]
    Offload {
        /// The interface.
        interface: String,
        /// The offload.
        offload: &'static str,
        /// Its name for ethtool.
        switch: &'static str,
    },
    /// Full packets of the front would not fit the back.
    #[error("the MTU of `{back}` is {found}, and {needed} is needed: `ip link set {back} mtu {needed}`")]
    Mtu {
        /// The back's interface.
        back: String,
        /// Its MTU.
        found: u32,
        /// The least that carries a full packet of the front.
        needed: u32,
    },
    /// Front and back can't be told apart by their addresses.
    #[error("`{front}` and `{back}` have the same MAC address: set another one, or name one interface as both")]
    SameMac {
        /// The front's interface.
        front: String,
        /// The back's interface.
        back: String,
    },
    /// Pins need a BPF file system.
    #[error("{} is on no BPF file system: `mount -t bpf bpf {}`", .0.display(), .0.display())]
    NoBpffs(PathBuf),
    /// Pinned tables are another version's.
    #[error(
        "the tables pinned in {} have layout {found}, this version reads {LAYOUT}: detach them (forwarding ends), or run the version that made them",
        path.display()
    )]
    Layout {
        /// Where they are pinned.
        path: PathBuf,
        /// Their version.
        found: u32,
    },
    /// Pinned tables have other sizes.
    #[error("the table `{name}` pinned in {} has another shape ({found:?}, not {wanted:?}): detach first, or keep the sizes", path.display())]
    Shape {
        /// Where it is pinned.
        path: PathBuf,
        /// The map.
        name: &'static str,
        /// Kind, bytes of key and value, entries, flags.
        found: [u32; 5],
        /// The same, as asked for.
        wanted: [u32; 5],
    },
    /// A table has no room.
    #[error("the {table} is full ({entries} entries): remove some, or start with a larger one")]
    Full {
        /// Which.
        table: &'static str,
        /// Its size.
        entries: u32,
    },
    /// A peer's index beyond the table.
    #[error("peer {0}: there are {max}, from 0 on", max = crate::layout::PEERS)]
    NoPeer(u16),
    /// A frame that can't be delivered.
    #[error("a frame of {0} bytes: 14 to {max} can be delivered", max = crate::layout::MAX_DELIVERED)]
    FrameLength(usize),
    /// The kernel's verifier does not take a program.
    #[error("the kernel does not take the program `{program}`: {cause}\n{log}")]
    Verifier {
        /// Which.
        program: &'static str,
        /// The kernel's answer.
        cause: io::Error,
        /// The last lines of its log.
        log: String,
    },
    /// The object file is damaged.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// Anything else that the kernel refused.
    #[error("{what}: {cause}")]
    Kernel {
        /// The step.
        what: String,
        /// Its answer.
        cause: io::Error,
    },
}

/// Names the step that failed.
pub(crate) fn during<E>(what: impl Into<String>) -> impl FnOnce(io::Error) -> E
where
    E: From<KernelError>,
{
    move |cause| {
        let error = match cause.raw_os_error() {
            Some(libc::EPERM) => KernelError::Rights("use bpf(2)"),
            _ => KernelError::Kernel { what: what.into(), cause },
        };
        error.into()
    }
}
