//! redis-cli, against a tiny server whose whole database is a connection's.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

use ipos::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::LocalSet;

use crate::rig::{ADDRESS, PORT, Rig, runtime};
use crate::{leave, moves, serve};

type Database = BTreeMap<String, i64>;

/// A line of `bytes` from `at` that begins with `mark` and says a number; the number and where the line ends.
fn number(bytes: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
    let length = bytes.get(at..)?.windows(2).position(|w| w == b"\r\n")?;
    let text = std::str::from_utf8(&bytes[at..at + length]).unwrap();
    assert_eq!(text.as_bytes()[0], mark, "{text}");
    Some((text[1..].parse().unwrap(), at + length + 2))
}

/// A command of the RESP protocol at the beginning of `bytes`, an array of bulk strings, and its length.
fn command(bytes: &[u8]) -> Option<(Vec<String>, usize)> {
    let (count, mut at) = number(bytes, 0, b'*')?;
    let mut words = Vec::new();
    for _ in 0..count {
        let (length, start) = number(bytes, at, b'$')?;
        at = start + length + 2;
        let word = &bytes.get(start..at)?[..length];
        words.push(String::from_utf8_lossy(word).into_owned());
    }
    Some((words, at))
}

fn answer(database: &mut Database, words: &[&str]) -> String {
    match words {
        ["PING"] => "+PONG\r\n".to_owned(),
        ["SET", key, value] => {
            database.insert((*key).to_owned(), value.parse().unwrap());
            "+OK\r\n".to_owned()
        }
        ["INCR", key] => {
            let value = database.entry((*key).to_owned()).or_default();
            *value += 1;
            format!(":{value}\r\n")
        }
        ["GET", key] => {
            let value = database.get(*key).map(i64::to_string);
            value.map_or("$-1\r\n".to_owned(), |v| format!("${}\r\n{v}\r\n", v.len()))
        }
        other => format!("-ERR unknown command {other:?}\r\n"),
    }
}

/// Moves after every third command.
async fn session(mut stream: Stream) -> std::io::Result<()> {
    let mut database: Database = serde_json::from_slice(stream.state()).unwrap_or_default();
    let (mut bytes, mut count) = (Vec::new(), 0);
    loop {
        while let Some((words, length)) = command(&bytes) {
            bytes.drain(..length);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            stream.write_all(answer(&mut database, &words).as_bytes()).await?;
            count += 1;
            if count % 3 == 0 {
                return leave(stream, &bytes, &serde_json::to_vec(&database)?).await;
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
}

#[test]
fn redis_cli_keeps_its_session() {
    let rig = Rig::new(2);
    let (mut script, mut expected) = (String::from("PING\nSET x 40\n"), String::from("PONG\nOK\n"));
    for i in 0..100 {
        script += "INCR x\nGET y\nINCR y\n";
        expected += &format!("{}\n{}\n{}\n", 41 + i, if i == 0 { String::new() } else { i.to_string() }, i + 1);
    }
    LocalSet::new().block_on(&runtime(), async {
        let opened = serve([rig.listen(0).await, rig.listen(1).await], session);
        let mut command = Command::new("redis-cli");
        command.args(["-h", &ADDRESS.ip().to_string(), "-p", &PORT.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = rig.cluster.client.run(|| command.spawn());
        let mut child = child.unwrap_or_else(|e| panic!("redis-cli: {e}; `cargo xtask setup` installs it"));
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
        assert_eq!(opened.load(Ordering::Relaxed), 1, "it never connected again");
        assert!(moves(&rig).await >= 100, "{}", moves(&rig).await);
    });
}
