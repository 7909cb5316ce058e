//! The guest's file system: busybox, kernel modules, the project's own command, and what it links to.

use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::packages::Packages;

/// In the order in which they are loaded.
const MODULES: &[&str] = &[
    "virt/lib/irqbypass",
    "drivers/vfio/vfio",
    "drivers/vfio/vfio_iommu_type1",
    "drivers/vfio/pci/vfio-pci-core",
    "drivers/vfio/pci/vfio-pci",
];

const DIRECTORY: u32 = 0o40_755;
const EXECUTABLE: u32 = 0o100_755;
const CHARACTER_DEVICE: u32 = 0o20_600;

/// Writes an initial RAM file system that runs `script` with `program` as `/bin/ipos`.
pub fn write(packages: &Packages, program: &Path, script: &str, to: &Path) -> Result<()> {
    let mut archive = Archive::default();
    for dir in ["dev", "proc", "sys", "bin", "modules", "tmp"] {
        archive.add(dir, DIRECTORY, &[], (0, 0));
    }
    archive.add("dev/console", CHARACTER_DEVICE, &[], (5, 1));
    archive.file("bin/busybox", &fs::read(packages.busybox())?);
    for (i, module) in MODULES.iter().enumerate() {
        // numbered, so that the guest loads them in the order of their names
        archive.file(&format!("modules/{i}.ko"), &packages.module(module)?);
    }
    let stripped = to.with_extension("ipos");
    let status = Command::new("strip").arg("-o").arg(&stripped).arg(program).status().context("starting strip")?;
    ensure!(status.success(), "strip {}: {status}", program.display());
    archive.file("bin/ipos", &fs::read(&stripped)?);
    let mut folders = BTreeSet::new();
    for library in libraries(program)? {
        let name = library.to_string_lossy().trim_start_matches('/').to_owned();
        for folder in Path::new(&name).ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
            let folder = folder.to_string_lossy().into_owned();
            if !folder.is_empty() && folders.insert(folder.clone()) {
                archive.add(&folder, DIRECTORY, &[], (0, 0));
            }
        }
        archive.file(&name, &fs::read(&library)?);
    }
    archive.file("init", script.as_bytes());
    fs::write(to, archive.end()).with_context(|| format!("writing {}", to.display()))
}

/// The shared libraries that a program loads, the loader among them: the guest runs the very binary that was built
/// for this machine, so no second build is needed.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let shown = Command::new("ldd").arg(program).output().context("starting ldd")?;
    ensure!(shown.status.success(), "ldd {}: {}", program.display(), shown.status);
    // "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)" or "/lib64/ld-linux-x86-64.so.2 (0x…)"
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    Ok(text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}

/// A cpio archive in the "newc" form that the kernel unpacks (Documentation/driver-api/early-userspace/buffer-format.rst).
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn file(&mut self, name: &str, data: &[u8]) {
        self.add(name, EXECUTABLE, data, (0, 0));
    }

    fn add(&mut self, name: &str, mode: u32, data: &[u8], device: (u32, u32)) {
        self.entries += 1;
        let size = u32::try_from(data.len()).expect("a guest's file is small");
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, device.0, device.1, name.len() as u32 + 1, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(data);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn end(mut self) -> Vec<u8> {
        self.add("TRAILER!!!", 0, &[], (0, 0));
        self.bytes
    }
}
