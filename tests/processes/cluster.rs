//! Servers whose cards and nodes are processes, and the networks between them.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use ipos_lab::net::{BACK_IF, FRONT_IF, Net};
use ipos_sim::fault::Faults;
use ipos_sim::wire::netns::Netns;

use crate::role::{Place, Role};

/// How long a process gets to do what it is asked.
const LIMIT: Duration = Duration::from_secs(60);

/// A process that does not outlive this one's interest in it.
struct Process(Child);

impl Process {
    /// Runs `command` in a network namespace.
    fn spawn(command: &mut Command, inside: &Netns) -> Self {
        let fd = inside.as_raw_fd();
        // SAFETY: one system call between fork and exec, on a descriptor that is open until then.
        unsafe {
            command.pre_exec(move || {
                let entered = libc::setns(fd, libc::CLONE_NEWNET);
                if entered == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
            });
        }
        Process(command.spawn().unwrap())
    }

    /// `kill -9`.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A node's process.
pub struct NodeProcess {
    process: Process,
    input: ChildStdin,
    answers: Receiver<String>,
}

impl NodeProcess {
    /// Has a line read by the process.
    pub fn tell(&mut self, line: &str) {
        // one that has died is noticed by who waits for its answer
        let _ = writeln!(self.input, "{line}");
    }

    /// Its next answer; `None`: it is dead.
    pub fn answer(&self) -> Option<String> {
        self.answers.recv_timeout(LIMIT).ok()
    }

    /// Waits until it has died by SIGKILL.
    pub fn died(&mut self) -> bool {
        let end = Instant::now() + LIMIT;
        while Instant::now() < end {
            if let Some(status) = self.process.0.try_wait().unwrap() {
                return status.signal() == Some(libc::SIGKILL);
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// Servers and their client.
pub struct Cluster {
    nodes: Vec<Option<NodeProcess>>,
    cards: Vec<Process>,
    net: Net,
    places: Vec<Place>,
    folder: PathBuf,
}

impl Cluster {
    /// Two servers. `crash`: the step at which each node dies, see the node's `IPOS_CRASH`.
    pub fn new(faults: Option<(Faults, u64)>, crash: [Option<&str>; 2]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ipos-processes-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let net = match faults {
            Some((faults, seed)) => Net::with_faults(2, faults, seed).unwrap(),
            None => Net::new(2).unwrap(),
        };
        let place = |s: &ipos_lab::net::ServerNet| Place {
            name: s.name.clone(),
            front_mac: s.front_mac,
            back_mac: s.back_mac,
            back_ip: s.back_ip,
        };
        let places = net.servers.iter().map(place).collect();
        let cards = net.servers.iter().map(|s| {
            let socket = folder.join(&s.name);
            let mut command = Command::new(env!("CARGO_BIN_EXE_ipos"));
            command.args(["card", "serve", "--front", FRONT_IF, "--back", BACK_IF, "--socket"]).arg(&socket);
            let card = Process::spawn(command.stderr(Stdio::null()), &s.card);
            let end = Instant::now() + LIMIT;
            while !socket.exists() {
                assert!(Instant::now() < end, "no card");
                thread::sleep(Duration::from_millis(5));
            }
            card
        });
        let cards = cards.collect();
        let mut cluster = Cluster { nodes: vec![None, None], cards, net, places, folder };
        for (i, crash) in crash.into_iter().enumerate() {
            cluster.start(i, crash);
        }
        cluster
    }

    /// Starts a node, which must not run.
    pub fn start(&mut self, own: usize, crash: Option<&str>) {
        let server = &self.net.servers[own];
        let role = Role {
            servers: self.places.clone(),
            own,
            card: self.folder.join(&server.name).display().to_string(),
            kernel: format!("/proc/{}/fd/{}", std::process::id(), server.kernel.as_raw_fd()),
        };
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "a_node_of_another_test", "--nocapture", "--test-threads=1"]);
        command.env(Role::VARIABLE, serde_json::to_string(&role).unwrap());
        if let Some(step) = crash {
            command.env("IPOS_CRASH", step);
        }
        let mut process = Process::spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()), &server.card);
        let input = process.0.stdin.take().unwrap();
        let output = BufReader::new(process.0.stdout.take().unwrap());
        let (send, answers) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(answer) = line.strip_prefix("= ")
                    && send.send(answer.to_owned()).is_err()
                {
                    return;
                }
            }
        });
        let node = NodeProcess { process, input, answers };
        assert_eq!(node.answer().as_deref(), Some("ready"));
        self.nodes[own] = Some(node);
    }

    /// A node's process.
    pub fn node(&mut self, own: usize) -> &mut NodeProcess {
        self.nodes[own].as_mut().unwrap()
    }

    /// Names and process numbers of cards and nodes.
    pub fn processes(&self) -> Vec<(String, u32)> {
        let names = self.places.iter().map(|p| &p.name);
        let cards = names.clone().zip(&self.cards).map(|(n, card)| (format!("card {n}"), card.0.id()));
        let nodes = self.nodes.iter().map(|node| node.as_ref().unwrap().process.0.id());
        cards.chain(names.zip(nodes).map(|(n, id)| (format!("node {n}"), id))).collect()
    }

    /// What a node says of itself.
    pub fn stats(&mut self, own: usize) -> HashMap<String, i64> {
        self.node(own).tell("stats");
        serde_json::from_str(&self.node(own).answer().unwrap()).unwrap()
    }

    /// The client's namespace.
    pub fn client(&self) -> &Netns {
        &self.net.client
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.nodes.clear();
        // the cards still have their sockets open, which does not matter to the folder
        let _ = fs::remove_dir_all(&self.folder);
    }
}
