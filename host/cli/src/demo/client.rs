//! The two clients: an unmodified curl, and an echo client that measures what a client sees of a move.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use ipos_sim::wire::netns::Netns;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use tokio::sync::oneshot;

use super::net::SERVICE;
use super::server::{ECHO_PORT, HTTP_PORT};

/// Bytes of one echo.
const ECHO_BYTES: usize = 64;
/// An echo that takes longer is taken for a dead connection.
const ECHO_PATIENCE: Duration = Duration::from_secs(30);

/// What curl brought home.
#[derive(Debug)]
pub struct Downloaded {
    /// BLAKE3 of what it printed.
    pub digest: blake3::Hash,
    /// Its exit code; `None`: a signal ended it.
    pub exit: Option<i32>,
    /// What it complained about.
    pub complaint: String,
}

/// A running curl; it is ended when this is dropped.
pub struct Curl {
    child: Arc<Mutex<Child>>,
    bytes: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    result: Option<oneshot::Receiver<anyhow::Result<Downloaded>>>,
}

impl Curl {
    /// Starts the download in the client's namespace.
    pub fn spawn(client: &Netns) -> anyhow::Result<Self> {
        let (started, is_started) = std::sync::mpsc::channel();
        let (finished, result) = oneshot::channel();
        let bytes = Arc::new(AtomicU64::new(0));
        let ended = Arc::new(AtomicBool::new(false));
        let (client, counter, end) = (client.try_clone()?, bytes.clone(), ended.clone());
        // the thread that starts curl must stay: curl is told to die with it
        thread::Builder::new().name("curl".into()).spawn(move || {
            let child = client.enter().and_then(|()| command().spawn());
            let child = child.map(|c| Arc::new(Mutex::new(c)));
            let ours = child.as_ref().ok().cloned();
            // the receivers are gone when the demo has given up
            let _ = started.send(child);
            if let Some(child) = ours {
                let _ = finished.send(collect(&child, &counter));
                end.store(true, Ordering::Release);
            }
        })?;
        let child =
            is_started.recv()?.context("starting curl (install it: the demo's client is an unmodified curl)")?;
        Ok(Curl { child, bytes, ended, result: Some(result) })
    }

    /// Bytes of the file that have arrived so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether it has printed all that it will.
    pub fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Waits for its end.
    pub async fn finish(&mut self) -> anyhow::Result<Downloaded> {
        let result = self.result.take().ok_or_else(|| anyhow!("curl has been waited for already"))?;
        result.await?
    }
}

impl Drop for Curl {
    fn drop(&mut self) {
        // it may have ended already
        let _ = lock(&self.child).kill();
    }
}

fn command() -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--disable", "--silent", "--show-error", "--fail", "--noproxy", "*", "--no-buffer"])
        .arg(format!("http://{SERVICE}:{HTTP_PORT}/file"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // SAFETY: one system call between fork and exec; nothing allocates.
    unsafe { curl.pre_exec(|| Ok(prctl::set_pdeathsig(Signal::SIGKILL)?)) };
    curl
}

fn collect(child: &Mutex<Child>, bytes: &AtomicU64) -> anyhow::Result<Downloaded> {
    let (stdout, stderr) = {
        let mut child = lock(child);
        (child.stdout.take(), child.stderr.take())
    };
    let (Some(mut stdout), Some(mut stderr)) = (stdout, stderr) else { bail!("curl has no output") };
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match stdout.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                hasher.update(&buffer[..n]);
                bytes.fetch_add(n as u64, Ordering::Relaxed);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e).context("reading curl's output"),
        }
    }
    let mut complaint = String::new();
    stderr.read_to_string(&mut complaint).context("reading curl's messages")?;
    let status = lock(child).wait().context("waiting for curl")?;
    Ok(Downloaded { digest: hasher.finalize(), exit: status.code(), complaint: complaint.trim().to_owned() })
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One echo.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When it was sent.
    pub sent: Instant,
    /// How long it took to come back.
    pub round_trip: Duration,
}

/// A running echo client.
pub struct EchoClient {
    stop: Arc<AtomicBool>,
    result: Option<oneshot::Receiver<anyhow::Result<Vec<Sample>>>>,
}

impl EchoClient {
    /// Connects in the client's namespace and echoes until stopped, with at least `interval` from one echo to the next.
    pub fn spawn(client: &Netns, interval: Duration) -> anyhow::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (finished, result) = oneshot::channel();
        let (client, stopped) = (client.try_clone()?, stop.clone());
        thread::Builder::new().name("echo client".into()).spawn(move || {
            // the receiver is gone when the demo has given up
            let _ = finished.send(echo(&client, interval, &stopped).context("the echo client"));
        })?;
        Ok(EchoClient { stop, result: Some(result) })
    }

    /// Ends the connection properly; all round trips.
    pub async fn finish(&mut self) -> anyhow::Result<Vec<Sample>> {
        self.stop.store(true, Ordering::Relaxed);
        let result = self.result.take().ok_or_else(|| anyhow!("the echo client has been stopped already"))?;
        result.await?
    }
}

impl Drop for EchoClient {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn echo(client: &Netns, interval: Duration, stop: &AtomicBool) -> anyhow::Result<Vec<Sample>> {
    client.enter()?;
    let mut stream = TcpStream::connect((SERVICE, ECHO_PORT)).context("connecting")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ECHO_PATIENCE))?;
    let mut samples = Vec::new();
    let mut reply = [0; ECHO_BYTES];
    for number in 0u64.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let mut request = [0; ECHO_BYTES];
        blake3::Hasher::new().update(&number.to_be_bytes()).finalize_xof().fill(&mut request);
        let sent = Instant::now();
        stream.write_all(&request).with_context(|| format!("sending number {number}"))?;
        stream.read_exact(&mut reply).with_context(|| format!("waiting for number {number}"))?;
        let round_trip = sent.elapsed();
        if reply != request {
            bail!("number {number} came back as something else");
        }
        samples.push(Sample { sent, round_trip });
        let rest = interval.saturating_sub(round_trip);
        if !rest.is_zero() {
            thread::sleep(rest);
        }
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest).context("waiting for the end")? {
        0 => Ok(samples),
        n => bail!("{n} bytes came that nobody asked for"),
    }
}
