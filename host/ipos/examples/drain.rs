//! A server that can be stopped without a client noticing: on SIGTERM its connections move to the other servers, then it
//! ends. It echoes and counts bytes. `ipos drain` empties it too, without ending it.
//!
//! `cargo run -p ipos-examples --bin drain -- ADDRESS`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};

/// How long the connections get.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let address = std::env::args().nth(1).context("the address to listen on is missing")?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut listener = ipos::Node::default().listen(address.parse()?).await?;
    loop {
        tokio::select! {
            stream = listener.accept() => {
                let stream = stream?;
                tokio::spawn(async {
                    if let Err(e) = serve(stream).await {
                        eprintln!("{e:#}");
                    }
                });
            }
            _ = terminate.recv() => {
                let drained = tokio::time::timeout(PATIENCE, listener.drain("")).await;
                eprintln!("{} connections are left", listener.streams());
                return Ok(if drained.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
            }
        }
    }
}

async fn serve(mut stream: ipos::Stream) -> anyhow::Result<()> {
    let mut count = match stream.state() {
        [] => 0,
        state => u64::from_be_bytes(state.try_into().context("this is no state of mine")?),
    };
    let mut bytes = [0; 4096];
    loop {
        let leaving = stream.leaving();
        tokio::select! {
            read = stream.read(&mut bytes) => match read? {
                0 => return Ok(stream.write_all(format!(" {count}").as_bytes()).await?),
                n => {
                    count += n as u64;
                    stream.write_all(&bytes[..n]).await?;
                }
            },
            target = leaving => match stream.migrate(&target, count.to_be_bytes()).await {
                Ok(_) => return Ok(()),
                Err(failed) => {
                    eprintln!("{failed}");
                    stream = failed.stream.context("and it is lost")?;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            },
        }
    }
}
