//! An application in a process of its own: this test program, run again in the server's namespace.
//!
//! It sends back what it gets, by the library. It is told by lines on standard input and answers by lines that begin with `=`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, BufRead};
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use ipos::{MoveReport, Node, Stream};
use ipos_lab::net::SERVICE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet, spawn_local};

/// The service that moves.
pub const PORT: u16 = 7000;
/// The variable that makes this program an application: the socket of its node.
pub const VARIABLE: &str = "IPOS_TEST_APPLICATION";
/// How long the node, and a move its connection, gets to be here.
const ARRIVES: Duration = Duration::from_secs(5);
/// What is read before it is sent back.
const CHUNK: usize = 4096;

/// Tells the task of a connection to give it away.
struct Departure {
    target: String,
    reply: oneshot::Sender<Result<MoveReport, String>>,
}

/// By the client's port.
type Connections = Rc<RefCell<HashMap<u16, mpsc::Sender<Departure>>>>;

/// Serves until standard input ends.
pub fn play(node: &str) {
    let (lines, commands) = mpsc::channel(64);
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            if lines.blocking_send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, serve(Node::new(node), commands));
}

async fn serve(node: Node, mut commands: mpsc::Receiver<String>) {
    let end = Instant::now() + ARRIVES;
    let mut listener = loop {
        match node.listen(SocketAddrV4::new(SERVICE, PORT)).await {
            Ok(listener) => break listener,
            // the node is just starting
            Err(e) => assert!(Instant::now() < end, "{e}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let connections = Connections::default();
    // the test program has begun this line
    println!("\n= ready");
    loop {
        tokio::select! {
            stream = listener.accept() => match stream {
                Ok(stream) => begin(&connections, stream),
                // the node is gone for now
                Err(e) => eprintln!("{e}"),
            },
            command = commands.recv() => {
                let Some(command) = command else { return };
                let words: Vec<&str> = command.split(' ').collect();
                let connections = connections.clone();
                match words[..] {
                    ["has", client] => {
                        let has = connections.borrow().contains_key(&client.parse().unwrap());
                        println!("= {has}");
                    }
                    ["move", "all", target] => drop(spawn_local(all_depart(connections, target.to_owned()))),
                    ["move", client, target] => {
                        let (client, target) = (client.parse().unwrap(), target.to_owned());
                        spawn_local(async move {
                            match depart(&connections, client, target).await {
                                Ok(report) => println!("= moved {} {}", report.freeze_us, report.queue_bytes),
                                Err(why) => println!("= failed: {why}"),
                            }
                        });
                    }
                    _ => panic!("{command}"),
                }
            }
        }
    }
}

fn begin(connections: &Connections, stream: Stream) {
    // it may have ended already
    let _ = stream.set_nodelay(true);
    let client = stream.peer_addr().port();
    let (departures, told) = mpsc::channel(1);
    connections.borrow_mut().insert(client, departures.clone());
    let connections = connections.clone();
    spawn_local(async move {
        // one that was reset is the client's to report
        let _ = echo(stream, told).await;
        // it may have come back meanwhile
        if connections.borrow().get(&client).is_some_and(|d| d.same_channel(&departures)) {
            connections.borrow_mut().remove(&client);
        }
    });
}

/// Sends back what comes until the client is done or the connection has gone to another server.
async fn echo(mut stream: Stream, mut departures: mpsc::Receiver<Departure>) -> io::Result<()> {
    let mut pending = stream.state().to_vec();
    let mut buffer = [0; CHUNK];
    loop {
        tokio::select! {
            biased;
            Some(Departure { target, reply }) = departures.recv() => {
                let outcome = stream.migrate(&target, pending.clone()).await;
                // who asked may have gone
                match outcome {
                    Ok(report) => {
                        let _ = reply.send(Ok(report));
                        return Ok(());
                    }
                    Err(failed) => {
                        let _ = reply.send(Err(failed.error.to_string()));
                        let Some(back) = failed.stream else { return Ok(()) };
                        stream = back;
                    }
                }
            }
            went = transfer(&mut stream, &pending, &mut buffer) => match went? {
                Went::Out(n) => drop(pending.drain(..n)),
                Went::In(0) => return Ok(()),
                Went::In(n) => pending.extend(&buffer[..n]),
            },
        }
    }
}

/// Bytes that went.
enum Went {
    In(usize),
    Out(usize),
}

/// Writes what is pending, or reads. Dropped before it is ready it has done nothing.
async fn transfer(stream: &mut Stream, pending: &[u8], buffer: &mut [u8]) -> io::Result<Went> {
    if pending.is_empty() {
        stream.read(buffer).await.map(Went::In)
    } else {
        stream.write(pending).await.map(Went::Out)
    }
}

async fn depart(connections: &Connections, client: u16, target: String) -> Result<MoveReport, String> {
    let gone = || format!("no connection of port {client} is here");
    let end = Instant::now() + ARRIVES;
    let connection = loop {
        let found = connections.borrow().get(&client).cloned();
        match found {
            Some(connection) => break connection,
            // the source's application hears of the move's success before this one gets the stream
            None if Instant::now() < end => tokio::time::sleep(Duration::from_millis(1)).await,
            None => return Err(gone()),
        }
    };
    let (reply, answer) = oneshot::channel();
    connection.send(Departure { target, reply }).await.map_err(|_| gone())?;
    answer.await.map_err(|_| gone())?
}

async fn all_depart(connections: Connections, target: String) {
    let all: Vec<u16> = connections.borrow().keys().copied().collect();
    let mut moves = JoinSet::new();
    for client in all {
        let (connections, target) = (connections.clone(), target.clone());
        moves.spawn_local(async move { depart(&connections, client, target).await });
    }
    let (moved, failed): (Vec<_>, Vec<_>) = moves.join_all().await.into_iter().partition(Result::is_ok);
    if let Some(Err(first)) = failed.first() {
        eprintln!("{first}");
    }
    println!("= moved {}, failed {}", moved.len(), failed.len());
}
