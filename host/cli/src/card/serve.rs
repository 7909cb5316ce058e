//! `ipos card serve`: a simulated card in a process of its own.

use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use anyhow::Context;
use ipos_abi::Port;
use ipos_device::check_mtus;
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::pcie::plant::Plant;
use ipos_sim::pcie::rings::RingCard;
use ipos_sim::pcie::rtl::{Manners, RtlFunction};
use ipos_vfio_user::{CardServer, ServeError};
use nix::sys::signal::{SigSet, Signal};

use crate::simulated::CardKind;
use crate::wires;

/// A card for one host at a time
///
/// A node drives it through the socket (`card = "vfio-user:SOCKET"`), or QEMU, 10.1 or later, does for a virtual machine
/// (-device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"SOCKET"}}' and memory-backend-memfd with share=on).
/// When the host goes, however it does, the card's queues stop and it goes on forwarding with the tables that it has; the
/// next host finds them so.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Socket to listen on; one that a killed server left is replaced
    #[arg(long, value_name = "SOCKET")]
    socket: PathBuf,
    /// Which card
    #[arg(long, value_enum, default_value_t = CardKind::Model)]
    card: CardKind,
    /// What the front port is plugged into: an interface that is up, or tap:NAME for a new one; without, a cable to the back port
    #[arg(long, value_name = "INTERFACE", requires = "back")]
    front: Option<String>,
    /// What the back port is plugged into
    #[arg(long, value_name = "INTERFACE", requires = "front")]
    back: Option<String>,
    /// Ends when its first host goes
    #[arg(long)]
    once: bool,
}

/// How serving ends.
enum End {
    Signal(Signal),
    Served(Result<(), ServeError>),
    WireGone(std::io::Error),
}

/// Serves until SIGINT or SIGTERM.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    // every thread inherits it: the signals wait for the one that takes them
    signals.thread_block().context("blocking signals")?;
    let mut plant = Plant::default();
    for (port, interface) in [(Port::Front, &args.front), (Port::Back, &args.back)] {
        if let Some(interface) = interface {
            plant.plug(port, wires::open(interface)?);
        }
    }
    check_mtus(plant.mtu(Port::Front), None, plant.mtu(Port::Back))?;
    let (ended, end) = mpsc::channel();
    let gone = {
        let ended = ended.clone();
        // who no longer listens has ended already
        move |e| drop(ended.send(End::WireGone(e)))
    };
    let mut server = match args.card {
        CardKind::Model => {
            let make = |bus| RingCard::new(|| ModelCard::new(ModelConfig::default()), bus);
            CardServer::new(&args.socket, plant, make, gone)
        }
        CardKind::Rtl => {
            CardServer::new(&args.socket, plant, |bus| RtlFunction::new(None, Manners::default(), bus), gone)
        }
    }?;
    // removed however this ends: the server may still wait for a client
    let _path = server.path();
    eprintln!("A card ({}) answers on {}; Ctrl-C ends it.", args.card, args.socket.display());
    let (signalled, once) = (ended.clone(), args.once);
    thread::spawn(move || signals.wait().map(|signal| signalled.send(End::Signal(signal))));
    thread::spawn(move || {
        let mut result = server.serve_one();
        while result.is_ok() && !once {
            result = server.serve_one();
        }
        drop(server);
        ended.send(End::Served(result))
    });
    match end.recv()? {
        End::Signal(signal) => {
            tracing::info!("{signal}");
            Ok(())
        }
        End::Served(result) => Ok(result?),
        End::WireGone(e) => Err(e).context("the card has stopped"),
    }
}
