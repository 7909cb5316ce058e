//! `ipos node` and `ipos drain`: runs a server's node, asks a running one.
//!
//! [`config`] is the file, [`run`] the daemon, [`show`] what a running node says.

mod config;
mod parts;
mod run;
mod show;

use std::path::PathBuf;

use clap::Subcommand;
use ipos_control::Client;

use config::Card;

use crate::ending::Ending;

/// Runs this server's node, or asks it something
///
/// The node stands between the card, the server's kernel and the servers that use the ipos library. It needs
/// CAP_NET_ADMIN and CAP_NET_RAW in the network namespace of the server's connections; the servers need nothing but
/// to open its Unix socket. SIGTERM and SIGINT stop it: moves that have not been committed are given up first.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_long_help = AFTER_HELP)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The configuration, TOML or (by its name, *.json) JSON
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// model, rtl, vfio:ADDRESS or vfio-user:SOCKET, in place of the configuration's card
    #[arg(long)]
    card: Option<Card>,
    /// Where servers find the node, in place of the configuration's socket
    #[arg(long, value_name = "SOCKET")]
    socket: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
The socket has the permissions that the configuration's socket_mode says, 0660 by default: whoever may write to it can
listen on the ports that they have and move the connections that they have. Draining is for root and the node's user.

Exit codes:
  0  stopped by a signal; or what was asked has been printed
  1  the node could not start, or its card or kernel failed; or there is no node to ask
  2  wrong usage";

#[derive(Subcommand, Debug)]
enum Command {
    /// Prints the counters of the running node and of its card
    Stats(Ask),
    /// Lists the connections that moved here, live elsewhere, or are moving
    Connections(Ask),
}

#[derive(clap::Args, Debug)]
struct Ask {
    #[command(flatten)]
    which: Which,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args, Debug)]
struct Which {
    /// The node's Unix socket [default: $IPOS_SOCKET, or /run/ipos/node.sock]
    #[arg(long, value_name = "SOCKET")]
    socket: Option<PathBuf>,
    /// The node's configuration, which names its socket
    #[arg(long, value_name = "FILE", conflicts_with = "socket")]
    config: Option<PathBuf>,
}

impl Which {
    fn client(&self) -> anyhow::Result<Client> {
        Ok(match (&self.socket, &self.config) {
            (Some(socket), _) => Client::new(socket),
            (None, Some(file)) => Client::new(config::Config::read(file)?.daemon.socket),
            (None, None) => Client::default(),
        })
    }
}

/// Moves all connections of library servers off this server
///
/// Every listener of the ipos library is told: its connections leave for the peer, those that clients still open
/// included, and none moves here any more, until the node is started again. Root and the node's user may.
#[derive(clap::Args, Debug)]
#[command(after_long_help = "\
Exit codes:
  0  no connection is left
  1  some are, or it could not be done
  2  wrong usage")]
pub struct Drain {
    /// The peer that takes them [default: any that does, in turn]
    #[arg(long, value_name = "PEER")]
    to: Option<String>,
    /// How long to wait for the last one
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u32,
    #[command(flatten)]
    which: Which,
}

/// Runs a node until it is told to stop, or asks one.
pub fn run(args: Args) -> anyhow::Result<Ending> {
    match (args.command, args.config) {
        (Some(Command::Stats(ask)), _) => show::stats(&ask.which.client()?, ask.json)?,
        (Some(Command::Connections(ask)), _) => show::connections(&ask.which.client()?, ask.json)?,
        (None, Some(file)) => {
            let mut config = config::Config::read(&file)?;
            if let Some(card) = args.card {
                config.daemon.card = config::Text(card);
            }
            if let Some(socket) = args.socket {
                config.daemon.socket = socket;
            }
            run::run(&config)?;
        }
        (None, None) => anyhow::bail!("--config is missing"),
    }
    Ok(Ending::Good)
}

/// Drains this server.
pub fn drain(args: &Drain) -> anyhow::Result<Ending> {
    let left = show::ask(args.which.client()?.drain(args.to.as_deref().unwrap_or_default(), args.seconds))?;
    match left {
        0 => println!("No connection of a library server is left here."),
        n => println!("{n} listeners still have connections after {} s.", args.seconds),
    }
    Ok(if left == 0 { Ending::Good } else { Ending::Bad })
}
