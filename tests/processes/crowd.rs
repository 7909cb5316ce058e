//! Many clients, each with a connection over which it asks and is answered, again and again.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ipos_lab::net::SERVICE;
use ipos_sim::wire::netns::Netns;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::application::PORT;

/// Bytes of a question.
const QUESTION: usize = 64;

/// The clients, connected and at work.
pub struct Crowd {
    rounds: Arc<Vec<AtomicU64>>,
    stop: watch::Sender<bool>,
    thread: JoinHandle<Vec<io::Result<Duration>>>,
}

impl Crowd {
    /// Connects `count` clients; each asks again `pace` after it was answered.
    pub fn new(inside: &Netns, count: usize, pace: Duration) -> Self {
        let rounds: Arc<Vec<_>> = Arc::new((0..count).map(|_| AtomicU64::new(0)).collect());
        let (stop, stopped) = watch::channel(false);
        let (connected, all) = mpsc::channel();
        let (inside, of_thread) = (inside.try_clone().unwrap(), rounds.clone());
        let thread = thread::spawn(move || {
            inside.enter().unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut tasks = Vec::new();
                for i in 0..count {
                    let stream = TcpStream::connect((SERVICE, PORT)).await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    connected.send(()).unwrap();
                    tasks.push(tokio::spawn(ask(stream, i, of_thread.clone(), pace, stopped.clone())));
                }
                let mut ends = Vec::new();
                for task in tasks {
                    ends.push(task.await.unwrap());
                }
                ends
            })
        });
        assert_eq!(all.iter().take(count).count(), count);
        Crowd { rounds, stop, thread }
    }

    /// Waits until each has been answered `more` times from now. `false`: not within `limit`.
    pub fn all_go_on(&self, more: u64, limit: Duration) -> bool {
        let read = || self.rounds.iter().map(|r| r.load(Ordering::Relaxed));
        let goals: Vec<u64> = read().map(|r| r + more).collect();
        let end = Instant::now() + limit;
        while Instant::now() < end {
            if read().zip(&goals).all(|(now, goal)| now >= *goal) {
                return true;
            }
            thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// Has all of them close; the longest time that each waited for an answer, or what went wrong.
    pub fn finish(self) -> Vec<io::Result<Duration>> {
        self.stop.send_replace(true);
        self.thread.join().unwrap()
    }
}

async fn ask(
    mut stream: TcpStream,
    client: usize,
    rounds: Arc<Vec<AtomicU64>>,
    pace: Duration,
    mut stop: watch::Receiver<bool>,
) -> io::Result<Duration> {
    let mut longest = Duration::ZERO;
    let mut reply = [0; QUESTION];
    for round in 0u64.. {
        let mut question = [client as u8; QUESTION];
        question[..8].copy_from_slice(&round.to_be_bytes());
        question[8..16].copy_from_slice(&(client as u64).to_be_bytes());
        let begun = Instant::now();
        stream.write_all(&question).await?;
        stream.read_exact(&mut reply).await?;
        if reply != question {
            return Err(io::Error::other(format!("client {client}, round {round}: another answer")));
        }
        longest = longest.max(begun.elapsed());
        rounds[client].store(round + 1, Ordering::Relaxed);
        let told = tokio::time::timeout(pace, stop.wait_for(|stop| *stop)).await;
        if told.is_ok() {
            break;
        }
    }
    Ok(longest)
}
