//! `ipos card`: looks at a card, tests it, binds it.
//!
//! [`show`] prints what registers say; [`selftest`] drives the card by its queues ([`ring`], [`traffic`]) as a driver would;
//! [`serve`] is a simulated card for other processes.

mod ring;
mod selftest;
#[cfg(feature = "sim")]
mod serve;
mod show;
mod traffic;
mod wait;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Subcommand;
use ipos_device::vfio::{Machine, SysfsRegisters, VfioDevice};
use ipos_device::vfio_user::VfioUser;
use ipos_device::{DmaDevice, Registers};

use crate::simulated;

/// Looks at a card, tests it, gives it to this program
///
/// Cards are named by PCI address (0000:01:00.0); with one card in the machine the address can be left out. One that
/// `ipos card serve` runs is vfio-user:SOCKET; while it has a host, another one waits.
/// `--sim` takes a simulated card inside this process instead, its two ports cabled to each other.
#[derive(clap::Args, Debug)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
info, stats, tables and regs read registers through sysfs (root) and do not reset the card. While a process drives it
most kernels refuse, unless booted with iomem=relaxed; a driver that reads counters at the same time shares one latch.
selftest opens the card by VFIO and resets it: connections that it forwards are cut.

Exit codes:
  0  done, and what was tested is right
  1  it could not be done, or something tested is wrong
  2  wrong usage";

#[derive(Subcommand, Debug)]
enum Command {
    /// Lists the cards of this machine, their drivers and what keeps them from being opened
    List {
        #[command(flatten)]
        output: Output,
        /// Lists a simulated card
        #[arg(long)]
        sim: bool,
    },
    /// Says what the card is: versions, ports, table sizes, clock
    Info(Look),
    /// Prints the counters of both ports
    Stats {
        #[command(flatten)]
        look: Look,
        /// Prints again and again, every so many seconds, until interrupted
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1")]
        watch: Option<f64>,
    },
    /// Prints table sizes and the forward entries that have counted packets
    Tables(Look),
    /// Prints all registers by name
    Regs {
        #[command(flatten)]
        look: Look,
        /// Prints offsets and values alone, one a line, write-only registers left out
        #[arg(long, conflicts_with = "json")]
        dump: bool,
    },
    /// Tests the card from registers to frames; resets it before and after
    Selftest {
        #[command(flatten)]
        look: Look,
        /// Frames each way between the ports, which must be cabled to each other; 0: the ports are not tested
        #[arg(long, value_name = "N", default_value_t = 1000)]
        frames: u32,
        /// Decides lengths and contents of the frames
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
    },
    /// Runs a simulated card for another process, which it outlives as a board would
    #[cfg(feature = "sim")]
    Serve(serve::Args),
    /// Runs a simulated card for another process; not in this build
    #[cfg(not(feature = "sim"))]
    Serve(crate::absent::Args),
    /// Gives the card to vfio-pci, in place of the driver that has it (root)
    Bind(Which),
    /// Takes the card from vfio-pci (root)
    Unbind(Which),
}

#[derive(clap::Args, Debug)]
struct Which {
    /// The card's PCI address, or vfio-user:SOCKET [default: the only card]
    address: Option<String>,
    /// A simulated card in this process
    #[arg(long, conflicts_with = "address")]
    sim: bool,
}

#[derive(clap::Args, Debug)]
struct Output {
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Look {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    output: Output,
}

/// Does what was asked. `false`: a test failed, and its output has said so.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    match &args.command {
        Command::List { output, sim } => {
            show::list(&if *sim { Vec::new() } else { Machine::default().cards()? }, *sim, output.json)
        }
        Command::Info(look) => show::info(&mut *registers(&look.which)?, look.output.json)?,
        Command::Stats { look, watch } => {
            let mut card = registers(&look.which)?;
            show::stats(&mut *card, look.output.json)?;
            if let Some(seconds) = watch {
                let pause = Duration::try_from_secs_f64(*seconds).context("--watch")?;
                loop {
                    std::thread::sleep(pause);
                    show::stats(&mut *card, look.output.json)?;
                }
            }
        }
        Command::Tables(look) => show::tables(&mut *registers(&look.which)?, look.output.json)?,
        Command::Regs { look, dump } => show::regs(&mut *registers(&look.which)?, look.output.json, *dump)?,
        Command::Selftest { look, frames, seed } => {
            let mut card = open(&look.which)?;
            return selftest::run(&mut *card, *frames, *seed, look.output.json);
        }
        #[cfg(feature = "sim")]
        Command::Serve(args) => serve::run(args)?,
        #[cfg(not(feature = "sim"))]
        Command::Serve(_) => return Err(crate::absent::feature("`ipos card serve`", "sim")),
        Command::Bind(which) | Command::Unbind(which) if which.sim => {
            println!("a simulated card has no driver: nothing to bind or unbind");
        }
        Command::Bind(which) => {
            let address = address(which)?;
            Machine::default().bind(&address)?;
            println!("{address} is bound to vfio-pci");
        }
        Command::Unbind(which) => {
            let address = address(which)?;
            Machine::default().unbind(&address)?;
            println!("{address} is not bound to vfio-pci");
        }
    }
    Ok(true)
}

/// A card to look at.
fn registers(which: &Which) -> anyhow::Result<Box<dyn Registers>> {
    Ok(match served(which) {
        Some(socket) => Box::new(VfioUser::connect(socket)?),
        None if which.sim => simulated::cabled()?,
        None => Box::new(SysfsRegisters::open(&address(which)?)?),
    })
}

/// A card to drive.
fn open(which: &Which) -> anyhow::Result<Box<dyn DmaDevice>> {
    Ok(match served(which) {
        Some(socket) => Box::new(VfioUser::connect(socket)?),
        None if which.sim => simulated::cabled()?,
        None => Box::new(VfioDevice::open(&address(which)?)?),
    })
}

/// The socket of a card that another process simulates.
fn served(which: &Which) -> Option<&Path> {
    which.address.as_deref()?.strip_prefix("vfio-user:").map(Path::new)
}

fn address(which: &Which) -> anyhow::Result<String> {
    if let Some(address) = &which.address {
        return Ok(address.clone());
    }
    let mut cards = Machine::default().cards()?;
    match cards.len() {
        1 => Ok(cards.remove(0).address),
        0 => bail!("this machine has no ipOS card; `--sim` takes a simulated one"),
        n => bail!(
            "this machine has {n} ipOS cards; name one: {}",
            cards.iter().map(|c| c.address.as_str()).collect::<Vec<_>>().join(", ")
        ),
    }
}
