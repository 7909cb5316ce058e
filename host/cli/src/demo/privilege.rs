//! Gets the right to make network namespaces.
//!
//! An unprivileged user namespace is enough and leaves the rest of the machine out of reach. Where
//! the machine does not allow one, root does it without.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

/// Where the right comes from.
#[derive(Debug)]
pub enum Privilege {
    /// A user namespace of our own.
    UserNamespace,
    /// The user is root, and a user namespace was not to be had.
    Root {
        /// Why not.
        why: String,
    },
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Privilege::UserNamespace => write!(f, "network namespaces inside an unprivileged user namespace"),
            Privilege::Root { why } => write!(f, "network namespaces as root (no user namespace here: {why})"),
        }
    }
}

/// Enters a user namespace where the machine allows one. The process must still have one thread.
pub fn acquire() -> anyhow::Result<Privilege> {
    let (uid, gid) = (geteuid(), getegid());
    if let Err(why) = probe() {
        if uid.is_root() {
            return Ok(Privilege::Root { why });
        }
        bail!(
            "this machine allows no unprivileged user namespaces ({why}): run as root, or allow them \
             (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
        );
    }
    unshare(CloneFlags::CLONE_NEWUSER).context("entering a user namespace")?;
    // user_namespaces(7): an unprivileged process maps itself alone, and only without setgroups
    fs::write("/proc/self/setgroups", "deny").context("giving up setgroups")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1")).context("mapping the user")?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1")).context("mapping the group")?;
    Ok(Privilege::UserNamespace)
}

/// Tries it in a child: some machines grant the user namespace and then nothing inside it, and
/// there is no way back. The error says why not.
fn probe() -> Result<(), String> {
    let mut child = Command::new("/proc/self/exe");
    child.arg("--version").stdout(Stdio::null());
    // SAFETY: two system calls between fork and exec; nothing allocates.
    unsafe {
        child.pre_exec(|| {
            unshare(CloneFlags::CLONE_NEWUSER)?;
            unshare(CloneFlags::CLONE_NEWNET)?;
            Ok(())
        });
    }
    match child.status() {
        Ok(_) => Ok(()),
        // user_namespaces(7): the limit, not a disk
        Err(e) if e.raw_os_error() == Some(libc::ENOSPC) => Err("user.max_user_namespaces is used up".to_owned()),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Err("not permitted by this machine".to_owned()),
        Err(e) => Err(e.to_string()),
    }
}
