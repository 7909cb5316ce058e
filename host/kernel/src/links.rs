//! Programs on their hooks, and their pins.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use crate::elf::Object;
use crate::error::{KernelError, during};
use crate::maps::{self, Maps};
use crate::sys;

const SCHED_CLS: u32 = 3;
const XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
const ATTACH_TCX_INGRESS: u32 = 46;
const ATTACH_TCX_EGRESS: u32 = 47;
const XDP_GENERIC: u32 = 1 << 1;
const XDP_NATIVE: u32 = 1 << 2;
/// `BPF_F_BEFORE` without another program: first of all.
const FIRST: u32 = 1 << 3;

/// A program's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// XDP on the front.
    Front,
    /// XDP on the back.
    Back,
    /// TCX egress of the front.
    Fence,
    /// TCX ingress of the back.
    In,
    /// TCX ingress of the front.
    Later,
}

impl Hook {
    /// All, in the order in which they are attached: the stack's side is ready before frames come.
    pub const ALL: [Hook; 5] = [Hook::Fence, Hook::Later, Hook::In, Hook::Back, Hook::Front];

    /// The program's name, and that of the link's pin behind `link_`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Hook::Front => "front",
            Hook::Back => "back",
            Hook::Fence => "fence",
            Hook::In => "in",
            Hook::Later => "later",
        }
    }

    const fn is_xdp(self) -> bool {
        matches!(self, Hook::Front | Hook::Back)
    }

    /// Whether it is on the back's interface.
    #[must_use]
    pub const fn is_back(self) -> bool {
        matches!(self, Hook::Back | Hook::In)
    }

    const fn attach(self) -> u32 {
        match self {
            Hook::Front | Hook::Back => ATTACH_XDP,
            Hook::Fence => ATTACH_TCX_EGRESS,
            Hook::In | Hook::Later => ATTACH_TCX_INGRESS,
        }
    }

    fn pin(self) -> String {
        format!("link_{}", self.name())
    }
}

/// Loads the program of a hook.
pub fn load(object: &Object, maps: &Maps, hook: Hook) -> Result<OwnedFd, KernelError> {
    load_named(object, maps, hook.name(), hook.is_xdp(), if hook.is_xdp() { ATTACH_XDP } else { 0 })
}

/// Loads the program that the node runs on frames of its own.
pub fn load_deliver(object: &Object, maps: &Maps) -> Result<OwnedFd, KernelError> {
    load_named(object, maps, "deliver", true, ATTACH_XDP)
}

fn load_named(
    object: &Object,
    maps: &Maps,
    name: &'static str,
    xdp: bool,
    attach: u32,
) -> Result<OwnedFd, KernelError> {
    let code = object.program(name, |symbol| maps.descriptor(symbol))?;
    let mut log = String::new();
    let (kind, flags) = if xdp { (XDP, sys::XDP_FRAGS) } else { (SCHED_CLS, 0) };
    sys::load(kind, &code, attach, flags, &mut log).map_err(|cause| match cause.raw_os_error() {
        Some(libc::EPERM) => KernelError::Rights("load programs"),
        _ => KernelError::Verifier { program: name, cause, log },
    })
}

/// Puts a program into its pinned link, or makes the link. An interface that has gone took its link's program with it.
pub fn attach(
    program: &OwnedFd,
    hook: Hook,
    (name, index): (&str, u32),
    generic: bool,
    pins: Option<&Path>,
) -> Result<OwnedFd, KernelError> {
    let pin = pins.map(|p| p.join(hook.pin()));
    if let Some(pin) = &pin
        && let Some(link) = sys::pinned(pin).map_err(during::<KernelError>(hook.pin()))?
    {
        if sys::link_interface(&link).is_ok_and(|i| i == index) {
            let replaced = sys::link_update(&link, program);
            return replaced.map(|()| link).map_err(during(format!("replacing the program `{}`", hook.name())));
        }
        fs::remove_file(pin).map_err(during::<KernelError>(format!("{}", pin.display())))?;
    }
    let flags = match (hook.is_xdp(), generic) {
        (true, true) => XDP_GENERIC,
        (true, false) => XDP_NATIVE,
        (false, _) => FIRST,
    };
    let link = sys::link(program, index, hook.attach(), flags).map_err(|cause| match cause.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST) if hook.is_xdp() => KernelError::Foreign(name.to_owned()),
        Some(libc::EOPNOTSUPP) if hook.is_xdp() => KernelError::NoNative(name.to_owned()),
        Some(libc::EPERM) => KernelError::Rights("attach programs"),
        Some(libc::EINVAL) if !hook.is_xdp() => KernelError::OldKernel { found: release() },
        _ => KernelError::Kernel { what: format!("attaching `{}` to `{name}`", hook.name()), cause },
    })?;
    if let Some(pin) = &pin {
        sys::pin(&link, pin).map_err(during::<KernelError>(format!("pinning {}", pin.display())))?;
    }
    Ok(link)
}

fn release() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").map_or_else(|_| "?".to_owned(), |r| r.trim().to_owned())
}

/// Takes the programs pinned in a directory off their interfaces and forgets their tables. `false`: nothing was there.
pub fn detach(pins: &Path) -> Result<bool, KernelError> {
    let mut found = false;
    // frames stop coming before the stack's side goes
    for hook in Hook::ALL.into_iter().rev() {
        let pin = pins.join(hook.pin());
        if let Some(link) = sys::pinned(&pin).map_err(during::<KernelError>(hook.pin()))? {
            match sys::link_detach(&link) {
                // its interface is gone
                Err(e) if e.raw_os_error() != Some(libc::ENOLINK) => return Err(during(hook.pin())(e)),
                _ => {}
            }
            remove(&pin)?;
            found = true;
        }
    }
    for name in maps::names() {
        found |= remove(&pins.join(name))?;
    }
    match fs::remove_dir(pins) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(during(format!("{}", pins.display()))(e)),
        _ => Ok(found),
    }
}

fn remove(path: &Path) -> Result<bool, KernelError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(during(format!("{}", path.display()))(e)),
    }
}
