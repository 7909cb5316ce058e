//! Echoes lines, each with its number on the connection. The line `move NAME` moves the connection to that server.
//!
//! `cargo run -p ipos-examples --bin echo -- ADDRESS`

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).context("the address to listen on is missing")?;
    let mut listener = ipos::Node::default().listen(address.parse()?).await?;
    loop {
        let stream = listener.accept().await?;
        tokio::spawn(async {
            if let Err(e) = serve(stream).await {
                eprintln!("{e:#}");
            }
        });
    }
}

async fn serve(mut stream: ipos::Stream) -> anyhow::Result<()> {
    // what the other server gave along; a new connection has nothing
    let mut count = match stream.state() {
        [] => 0,
        state => u64::from_be_bytes(state.try_into().context("this is no state of mine")?),
    };
    let leaving = stream.leaving();
    tokio::pin!(leaving);
    let mut line = Vec::new();
    loop {
        let target = tokio::select! {
            target = &mut leaving => {
                // half a line may have been read
                stream.unread(&line);
                target
            }
            read = stream.read_until(b'\n', &mut line) => {
                if read? == 0 {
                    return Ok(());
                }
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                match text.strip_prefix("move ") {
                    Some(target) => target.to_owned(),
                    None => {
                        count += 1;
                        stream.write_all(format!("{count} {text}\n").as_bytes()).await?;
                        continue;
                    }
                }
            }
        };
        match stream.migrate(&target, count.to_be_bytes()).await {
            Ok(_) => return Ok(()),
            // it works on as before
            Err(failed) => {
                stream = failed.stream.with_context(|| failed.error.to_string())?;
                stream.write_all(format!("{}\n", failed.error).as_bytes()).await?;
            }
        }
    }
}
