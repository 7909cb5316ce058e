//! `ipos-vfio-user`: a simulated card on a socket, for QEMU's `vfio-user-pci`.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::pcie::rings::RingCard;
use ipos_sim::pcie::rtl::{Manners, RtlFunction};
use tracing_subscriber::EnvFilter;

/// Serves a simulated card to one virtual machine, its two ports cabled to each other
///
/// QEMU 10.1 or later: -device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"SOCKET"}}' and
/// memory-backend-memfd with share=on. `cargo xtask test-vm` is the whole of it.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Socket to listen on; it must not exist yet
    #[arg(long)]
    socket: PathBuf,
    /// Which card
    #[arg(long, value_enum, default_value_t = Card::Model)]
    card: Card,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Card {
    /// The reference model
    Model,
    /// The fabric itself, simulated cycle by cycle by Verilator
    Rtl,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let served = match args.card {
        Card::Model => {
            let make = || ModelCard::new(ModelConfig::default());
            ipos_vfio_user::serve(&args.socket, move |bus| RingCard::new(make, bus))
        }
        Card::Rtl => ipos_vfio_user::serve(&args.socket, |bus| RtlFunction::new(None, Manners::default(), bus)),
    };
    served.with_context(|| format!("serving {}", args.socket.display()))
}
