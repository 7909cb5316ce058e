//! The parts of a round. Each moves connections between a and b and leaves none behind.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use socket2::SockRef;
use tokio::net::TcpStream as AsyncStream;
use tokio::task::JoinSet;

use super::cluster::{Cluster, Move};
use crate::demo::client::{EchoClient, Sample};
use crate::demo::echo::Echo;
use crate::demo::session::Session;

/// Bytes that travel unread with a connection of short queues.
const SHORT: usize = 64;
/// Silence after which a client is taken for cut off.
const PATIENCE: Duration = Duration::from_secs(10);
/// Before moves are measured, what set them up comes to rest.
const SETTLE: Duration = Duration::from_millis(50);

/// What an echo client saw, and when its connection moved.
pub struct Echoes {
    /// All its round trips.
    pub samples: Vec<Sample>,
    /// Before this it was left alone.
    pub first_move: Instant,
    /// Its moves.
    pub moves: Vec<Move>,
}

/// An idle connection with a few bytes unread goes to and fro.
pub async fn short(cluster: &mut Cluster, moves: usize) -> anyhow::Result<Vec<Move>> {
    let (mut client, server) = cluster.connect()?;
    client.write_all(&[7; SHORT])?;
    let (moved, mut server) = shuttle(cluster, server, moves).await?;
    let mut unread = [0; SHORT];
    server.read_exact(&mut unread)?;
    ensure!(unread == [7; SHORT], "the bytes that travelled are not those that were sent");
    Ok(moved)
}

/// The same with queues of about `bytes` at the server, half received and half to be sent.
pub async fn long(cluster: &mut Cluster, moves: usize, bytes: usize) -> anyhow::Result<Vec<Move>> {
    let (mut client, mut server) = cluster.connect()?;
    // no more than this of what is to be sent leaves the server
    SockRef::from(&client).set_recv_buffer_size(16 << 10)?;
    // a buffer counts its overhead too
    SockRef::from(&server).set_recv_buffer_size(2 * bytes)?;
    SockRef::from(&server).set_send_buffer_size(2 * bytes)?;
    let data: Vec<u8> = (0..bytes / 2).map(|i| (i ^ i >> 8 ^ i >> 16) as u8).collect();
    for socket in [&client, &server] {
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_read_timeout(Some(PATIENCE))?;
    }
    client.write_all(&data).context("filling the receive queue")?;
    server.write_all(&data).context("filling the send queue")?;
    let mut got = vec![0; data.len()];
    let end = Instant::now() + PATIENCE;
    while server.peek(&mut got)? < data.len() {
        ensure!(Instant::now() < end, "the server's receive queue does not take {} bytes", data.len());
        tokio::time::sleep(SETTLE).await;
    }
    let (moved, mut server) = shuttle(cluster, server, moves).await?;
    server.read_exact(&mut got)?;
    let mut back = vec![0; data.len()];
    client.read_exact(&mut back)?;
    ensure!(got == data && back == data, "the bytes that travelled are not those that were sent");
    Ok(moved)
}

/// A client with Nagle whose second small write waits for the acknowledgement of the first, which the server delays when its
/// connection moves: how long until the application has it.
pub async fn nagle(cluster: &mut Cluster, moves: usize) -> anyhow::Result<Vec<Duration>> {
    let (mut client, mut server) = cluster.connect()?;
    client.set_nodelay(false)?;
    server.set_read_timeout(Some(PATIENCE))?;
    let mut waits = Vec::with_capacity(moves);
    let mut byte = [0];
    for n in 0..moves {
        // as between questions and answers
        SockRef::from(&server).set_tcp_quickack(false)?;
        client.write_all(&[1])?;
        server.read_exact(&mut byte)?;
        client.write_all(&[2])?;
        let waiting = Instant::now();
        let (arrival, _) = cluster.relocate(server.into(), Vec::new(), n % 2).await?;
        server = arrival.fd.into();
        server.set_nonblocking(false)?;
        server.set_read_timeout(Some(PATIENCE))?;
        server.read_exact(&mut byte)?;
        waits.push(waiting.elapsed());
        ensure!(byte == [2], "the bytes that travelled are not those that were sent");
    }
    Ok(waits)
}

/// Moves a connection again and again; it comes back blocking, at a if `moves` is even.
async fn shuttle(cluster: &mut Cluster, server: TcpStream, moves: usize) -> anyhow::Result<(Vec<Move>, TcpStream)> {
    let mut fd = OwnedFd::from(server);
    let mut moved = Vec::with_capacity(moves);
    tokio::time::sleep(SETTLE).await;
    for n in 0..moves {
        let (arrival, times) = cluster.relocate(fd, Vec::new(), n % 2).await?;
        fd = arrival.fd;
        moved.push(times);
    }
    let server = TcpStream::from(fd);
    server.set_nonblocking(false)?;
    server.set_read_timeout(Some(PATIENCE))?;
    Ok((moved, server))
}

/// An echo client that never rests: first undisturbed, then with moves, `echoes` before each.
pub async fn echoes(cluster: &mut Cluster, moves: usize, echoes: usize) -> anyhow::Result<Echoes> {
    let mut client = EchoClient::spawn(cluster.client(), Duration::ZERO)?;
    let mut stream = cluster.accept()?;
    let mut echo = Echo::default();
    let mut moved = Vec::with_capacity(moves);
    stream = serve(stream, &mut echo, moves * echoes).await?;
    let first_move = Instant::now();
    for n in 0..moves {
        stream = serve(stream, &mut echo, echoes).await?;
        let (arrival, times) = cluster.relocate(stream.into(), echo.state(), n % 2).await?;
        (stream, echo) = (arrival.fd.into(), Echo::resume(arrival.state));
        moved.push(times);
    }
    // closed as soon as it has ended: the client waits for that
    let rest = async { serve(stream, &mut echo, usize::MAX).await.map(drop) };
    let (samples, ()) = tokio::try_join!(client.finish(), rest)?;
    Ok(Echoes { samples, first_move, moves: moved })
}

/// Echoes so many times, or until the client has ended.
async fn serve(stream: TcpStream, echo: &mut Echo, echoes: usize) -> anyhow::Result<TcpStream> {
    stream.set_nonblocking(true)?;
    let stream = AsyncStream::from_std(stream)?;
    stream.set_nodelay(true)?;
    let mut sent = 0;
    while sent < echoes {
        let owed = !echo.state().is_empty();
        let more = tokio::time::timeout(PATIENCE, echo.step(&stream)).await.context("the echo client is cut off")??;
        if !more {
            break;
        }
        sent += usize::from(owed && echo.state().is_empty());
    }
    Ok(stream.into_std()?)
}

/// Many connections at a go to b and back, `window` of them at once: moves per second of each way.
pub async fn many(cluster: &mut Cluster, connections: usize, window: usize) -> anyhow::Result<[f64; 2]> {
    let mut clients = Vec::with_capacity(connections);
    let mut servers = Vec::with_capacity(connections);
    for _ in 0..connections {
        let (client, server) = cluster.connect()?;
        clients.push(client);
        servers.push(OwnedFd::from(server));
    }
    let mut rates = [0.0; 2];
    for (from, rate) in rates.iter_mut().enumerate() {
        tokio::time::sleep(SETTLE).await;
        let begun = Instant::now();
        let (node, target) = (cluster.node(from).clone(), cluster.name(1 - from).to_owned());
        let mut moving = JoinSet::new();
        let mut landed = Vec::with_capacity(connections);
        while landed.len() < connections {
            while moving.len() < window
                && let Some(fd) = servers.pop()
            {
                let (node, target) = (node.clone(), target.clone());
                moving.spawn(async move { node.migrate(fd, Vec::new(), &target).await });
            }
            tokio::select! {
                arrival = cluster.arrival(1 - from) => landed.push(arrival?.fd),
                Some(report) = moving.join_next() => drop(report??),
            }
        }
        while let Some(report) = moving.join_next().await {
            report??;
        }
        *rate = connections as f64 / begun.elapsed().as_secs_f64();
        servers = landed;
    }
    for client in &mut clients {
        client.set_read_timeout(Some(PATIENCE))?;
        client.write_all(&client.local_addr()?.port().to_be_bytes())?;
    }
    for server in servers {
        let mut server = TcpStream::from(server);
        server.set_nonblocking(false)?;
        server.set_read_timeout(Some(PATIENCE))?;
        let mut port = [0; 2];
        server.read_exact(&mut port)?;
        ensure!(server.peer_addr()?.port() == u16::from_be_bytes(port), "a connection got the bytes of another");
    }
    Ok(rates)
}
