//! `cargo xtask test-vm`: a Linux kernel in a virtual machine finds the simulated card on its PCI bus and binds it.
//!
//! QEMU emulates the processor (no KVM is needed), an IOMMU and a PCIe root port; behind the port its `vfio-user-pci` speaks to
//! `ipos card serve`. The guest runs the very `ipos` binary that was built here. [`packages`] fetches QEMU and
//! a kernel, [`initrd`] makes the guest's file system.

mod initrd;
mod packages;

use anyhow::{Context, Result, bail, ensure};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::{cargo, tools};
use packages::Packages;

/// What the guest runs and how each must end: a self-test needs a card that is bound, counters one that is awake.
const STEPS: &[(&str, u8)] = &[
    ("ipos card list", 0),
    ("ipos card selftest", 1),
    ("ipos card info", 0),
    ("ipos card bind", 0),
    ("ipos card list", 0),
    ("ipos card selftest --frames FRAMES", 0),
    ("ipos card stats", 1),
    ("stats_in_use", 0),
    ("power_cycles", 0),
    ("ipos card unbind", 0),
    ("ipos card selftest", 1),
];
/// The whole run. An emulated boot takes 5 s on an idle machine and 35 s on a loaded one.
const LIMIT: Duration = Duration::from_secs(900);
/// Exit code of a test that could not be run, as automake has it.
const NOT_RUN: u8 = 77;

/// Which card, and how much.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The simulated card
    #[arg(long, default_value = "model", value_parser = ["model", "rtl"])]
    card: String,
    /// Frames of the self-test
    #[arg(long, value_name = "N", default_value_t = 10000)]
    frames: u32,
    /// Power cycles of the card
    #[arg(long, value_name = "N", default_value_t = 10)]
    cycles: u32,
}

/// Runs the virtual machine; `args` are the command's.
pub fn test(args: &Args, install: bool) -> Result<ExitCode> {
    let (card, frames, cycles) = (&args.card, args.frames.to_string(), args.cycles.to_string());
    let packages = match Packages::get(install) {
        Ok(packages) => packages,
        Err(e) => {
            eprintln!("test-vm: NOT RUN: {e:#}");
            return Ok(ExitCode::from(NOT_RUN));
        }
    };
    tools::run(&mut cargo(&["build", "--package", "ipos-cli"]))?;
    let dir = tools::workspace().join("target/vm");
    let built = tools::workspace().join("target/debug");
    let initrd = dir.join("initrd");
    initrd::write(&packages, &built.join("ipos"), &script(&frames, &cycles), &initrd)?;

    let socket = dir.join(format!("card-{}.sock", std::process::id()));
    let log = dir.join("server.log");
    let server = Command::new(built.join("ipos"))
        .args(["-v", "card", "serve", "--once", "--card", card, "--socket"])
        .arg(&socket)
        .stderr(File::create(&log)?)
        .spawn()
        .context("starting the card")?;
    let mut server = Reaped(server);
    let end = Instant::now() + LIMIT;
    // the socket is there before it listens
    while !fs::read_to_string(&log)?.contains("answers on") {
        ensure!(
            server.0.try_wait()?.is_none() && Instant::now() < end,
            "the server has ended: see target/vm/server.log"
        );
        thread::sleep(Duration::from_millis(20));
    }
    let begin = Instant::now();
    let lines = console(&mut machine(&packages, &socket, &initrd)?, &dir.join("console.log"), end)?;
    judge(&lines)?;
    let took = begin.elapsed().as_secs_f64();
    println!("test-vm: {} steps right, {frames} frames each way, {cycles} power cycles, {took:.0} s", STEPS.len());
    Ok(ExitCode::SUCCESS)
}

/// The guest's first process.
fn script(frames: &str, cycles: &str) -> String {
    let mut text = String::from(
        "#!/bin/busybox sh\n\
         /bin/busybox --install -s /bin\n\
         mount -t devtmpfs none /dev; mount -t proc none /proc; mount -t sysfs none /sys\n\
         for module in /modules/*.ko; do insmod $module || echo \"insmod $module failed\"; done\n\
         step() { echo \"STEP $*\"; \"$@\" 2>&1; echo \"ENDED $? $*\"; }\n",
    );
    text += "stats_in_use() {\n\
             ipos card selftest --frames FRAMES > /dev/null &\n\
             until ipos card stats 2> /tmp/why; do kill -0 $! || return 1; sleep 0.1; done\n\
             wait $!\n}\n";
    // unopened, vfio-pci puts the card into D3hot; opening it wakes and resets it, and the self-test resets it in traffic
    text += "power_cycles() {\n\
             state=$(dirname /sys/bus/pci/drivers/vfio-pci/*/power_state)/power_state; n=0\n\
             while [ $n -lt CYCLES ]; do\n\
             tries=0; until [ $(cat $state) = D3hot ]; do [ $((tries += 1)) -lt 600 ] || return 1; sleep 0.1; done\n\
             ipos card selftest --frames 50 > /tmp/cycle 2>&1 || { cat /tmp/cycle; return 1; }\n\
             n=$((n + 1)); done\n\
             echo $n times from D3hot to D0 and back, each with resets in traffic\n}\n";
    for (command, _) in STEPS {
        text += &format!("step {command}\n");
    }
    text += "dmesg | grep -iE 'vfio|dmar:|fault|1209' | tail\npoweroff -f\n";
    text.replace("FRAMES", frames).replace("CYCLES", cycles)
}

fn machine(packages: &Packages, socket: &Path, initrd: &Path) -> Result<Command> {
    let mut qemu = packages.qemu();
    // a reply that comes later than x-msg-timeout (5 s by default) would be taken for the answer to the next question
    let card = format!(
        r#"{{"driver":"vfio-user-pci","bus":"rp0","socket":{{"type":"unix","path":"{}"}},"x-msg-timeout":60000}}"#,
        socket.display()
    );
    qemu.args(["-M", "q35,accel=tcg,memory-backend=mem,kernel-irqchip=split", "-cpu", "max", "-smp", "1", "-m", "512"])
        .args(["-object", "memory-backend-memfd,id=mem,size=512M,share=on"])
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"])
        .args(["-device", "intel-iommu,intremap=on,caching-mode=on"])
        .args(["-device", "pcie-root-port,id=rp0,chassis=1", "-device", &card])
        .arg("-kernel")
        .arg(packages.vmlinuz()?)
        .arg("-initrd")
        .arg(initrd)
        .args(["-append", "console=ttyS0 panic=-1 quiet intel_iommu=on iomem=relaxed"]);
    Ok(qemu)
}

/// Runs a machine to its end, shows its console and keeps it in `log`.
fn console(machine: &mut Command, log: &Path, end: Instant) -> Result<Vec<String>> {
    let mut log = File::create(log).with_context(|| format!("writing {}", log.display()))?;
    let machine = machine.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("starting QEMU")?;
    let mut machine = Reaped(machine);
    let mut out = BufReader::new(machine.0.stdout.take().context("QEMU has no standard output")?);
    let (send, receive) = channel();
    thread::spawn(move || {
        let mut line = Vec::new();
        while out.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            if send.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    let mut lines = Vec::new();
    loop {
        match receive.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                println!("  | {line}");
                writeln!(log, "{line}")?;
                lines.push(line);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => bail!("the virtual machine did not end within {} s", LIMIT.as_secs()),
        }
    }
    let status = machine.0.wait()?;
    ensure!(status.success(), "QEMU: {status}");
    Ok(lines)
}

/// Compares the exit codes on the console with what [`STEPS`] wants.
fn judge(lines: &[String]) -> Result<()> {
    let ended: Vec<&str> = lines.iter().filter_map(|l| l.strip_prefix("ENDED ")).collect();
    for (i, (command, expected)) in STEPS.iter().enumerate() {
        let code =
            ended.get(i).and_then(|l| l.split(' ').next()).context(format!("the guest did not get to `{command}`"))?;
        ensure!(
            code == expected.to_string(),
            "`{command}` ended with {code} instead of {expected}: see target/vm/console.log"
        );
    }
    Ok(())
}

/// A child that does not outlive this process's interest in it.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
