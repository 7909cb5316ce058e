//! QEMU, a kernel and a shell, as Debian packages unpacked under `target/vm`.
//!
//! `vfio-user-pci` came with QEMU 10.1, newer than what most machines have, so a private apt state fetches the
//! packages by name and `dpkg-deb -x` unpacks them: nothing is installed, no root is needed, and `cargo clean` removes it.

use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::tools;

/// Suite with a kernel of the 6.12 series and a static busybox, and the one with a new enough QEMU.
const SUITE: &str = "trixie";
const QEMU_SUITE: &str = "trixie-backports";
const QEMU: &str = "qemu-system-x86";
const BUSYBOX: &str = "busybox-static";
const KERNEL: &str = "linux-image-amd64";
const MIRROR: &str = "http://deb.debian.org/debian";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// Changes when what is fetched changes.
const STAMP: &str = "1: qemu-system-x86/trixie-backports linux-image-amd64/trixie busybox-static/trixie\n";

/// The unpacked packages.
pub struct Packages {
    /// Root of everything but the kernel.
    root: PathBuf,
    /// Root of the kernel's package.
    kernel: PathBuf,
}

impl Packages {
    /// The unpacked packages; fetches them when they are missing and `install` allows it.
    pub fn get(install: bool) -> Result<Self> {
        let dir = tools::workspace().join("target/vm");
        let stamp = dir.join("unpacked.txt");
        let packages = Packages { root: dir.join("root"), kernel: dir.join("kernel") };
        if fs::read_to_string(&stamp).is_ok_and(|have| have == STAMP) {
            return Ok(packages);
        }
        let what = format!("{QEMU}, {BUSYBOX} and {KERNEL} (about 150 MB, from Debian {SUITE}) in {}", dir.display());
        if !install {
            bail!("{what} are missing, and --no-install was given; without it they are fetched and unpacked there");
        }
        for program in ["apt-get", "apt-cache", "dpkg-deb"] {
            ensure!(on_path(program), "fetching {what} needs `{program}`, which this machine does not have");
        }
        ensure!(Path::new(KEYRING).exists(), "{KEYRING} is missing: Debian package debian-archive-keyring");
        eprintln!("vm: fetching {what}");
        for old in [&packages.root, &packages.kernel] {
            if old.exists() {
                fs::remove_dir_all(old)?;
            }
        }
        let apt = Apt::new(&dir.join("apt"))?;
        apt.get(&["update", "-qq"]).context("the package lists could not be fetched")?;
        // QEMU with everything it links to: the state knows no installed package, so all of it is downloaded
        apt.get(&["install", "-y", "-qq", "--download-only", "-t", QEMU_SUITE, QEMU])?;
        let kernel = apt.dependency(&format!("{KERNEL}/{SUITE}"), "linux-image-")?;
        apt.get(&["download", "-qq", &kernel, BUSYBOX])?;
        for entry in fs::read_dir(apt.archives())? {
            let archive = entry?.path();
            if archive.extension().is_none_or(|e| e != "deb") {
                continue;
            }
            let name = archive.file_name().unwrap_or_default().to_string_lossy();
            let into = if name.starts_with("linux-image-") { &packages.kernel } else { &packages.root };
            fs::create_dir_all(into)?;
            tools::run(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(into))?;
        }
        fs::remove_dir_all(apt.archives())?;
        fs::write(stamp, STAMP)?;
        Ok(packages)
    }

    /// QEMU, run by the loader and with the libraries of its own packages.
    pub fn qemu(&self) -> Command {
        let libraries = self.root.join("usr/lib/x86_64-linux-gnu");
        let mut command = Command::new(self.root.join("usr/lib64/ld-linux-x86-64.so.2"));
        command.arg("--library-path").arg(&libraries).arg(self.root.join("usr/bin/qemu-system-x86_64"));
        for data in ["usr/share/qemu", "usr/share/seabios"] {
            command.arg("-L").arg(self.root.join(data));
        }
        command.env("QEMU_MODULE_DIR", libraries.join("qemu"));
        command
    }

    /// A static busybox.
    pub fn busybox(&self) -> PathBuf {
        self.root.join("usr/bin/busybox")
    }

    /// The kernel's image.
    pub fn vmlinuz(&self) -> Result<PathBuf> {
        let boot = self.kernel.join("boot");
        let images = fs::read_dir(&boot).with_context(|| format!("reading {}", boot.display()))?;
        let mut images = images.filter_map(|e| Some(e.ok()?.path()));
        images
            .find(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("vmlinuz-")))
            .with_context(|| format!("no kernel in {}: remove target/vm and try again", boot.display()))
    }

    /// A kernel module's bytes, by its path below `kernel/` without `.ko.xz`.
    pub fn module(&self, path: &str) -> Result<Vec<u8>> {
        let modules = self.kernel.join("usr/lib/modules");
        let version = fs::read_dir(&modules)
            .with_context(|| format!("reading {}", modules.display()))?
            .next()
            .with_context(|| format!("{} is empty", modules.display()))??;
        let file = version.path().join("kernel").join(format!("{path}.ko.xz"));
        let unpacked = Command::new(self.busybox()).args(["xz", "-dc"]).arg(&file).output()?;
        ensure!(unpacked.status.success(), "unpacking {}: {}", file.display(), unpacked.status);
        Ok(unpacked.stdout)
    }
}

/// An apt that knows only this project's sources and folders.
struct Apt {
    dir: PathBuf,
}

impl Apt {
    fn new(dir: &Path) -> Result<Self> {
        for folder in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(dir.join(folder))?;
        }
        fs::write(dir.join("status"), "")?;
        let source = |suite: &str| format!("deb [signed-by={KEYRING} arch=amd64] {MIRROR} {suite} main\n");
        fs::write(dir.join("sources.list"), source(SUITE) + &source(QEMU_SUITE))?;
        Ok(Apt { dir: dir.to_owned() })
    }

    fn archives(&self) -> PathBuf {
        self.dir.join("cache/archives")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let dir = self.dir.display();
        for option in [
            format!("Dir::State={dir}"),
            format!("Dir::State::lists={dir}/lists"),
            format!("Dir::State::status={dir}/status"),
            format!("Dir::Cache={dir}/cache"),
            format!("Dir::Etc::sourcelist={dir}/sources.list"),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            "Dir::Etc::preferencesparts=/dev/null".to_owned(),
            "APT::Install-Recommends=false".to_owned(),
            "APT::Architecture=amd64".to_owned(),
            "APT::Sandbox::User=".to_owned(),
            "Debug::NoLocking=true".to_owned(),
        ] {
            command.args(["-o", &option]);
        }
        command.current_dir(self.archives());
        command
    }

    fn get(&self, args: &[&str]) -> Result<()> {
        tools::run(self.command("apt-get").args(args))
    }

    /// The first dependency of a package whose name begins with `prefix`.
    fn dependency(&self, package: &str, prefix: &str) -> Result<String> {
        let shown = self.command("apt-cache").args(["depends", package]).output()?;
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        text.lines()
            .filter_map(|l| l.trim().strip_prefix("Depends: "))
            .find(|name| name.starts_with(prefix))
            .map(str::to_owned)
            .with_context(|| format!("{package} depends on no {prefix}*: {text}"))
    }
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|d| d.join(program).is_file())
}
