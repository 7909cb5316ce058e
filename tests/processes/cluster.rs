//! Servers of three processes each, card, node and application, and the networks between them.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use ipos_lab::net::{BACK_IF, CLIENT_IF, FRONT_IF, KERNEL_FAR_IF, Net, SERVICE, ServerNet};
use ipos_lab::ready::listens;
use ipos_sim::fault::Faults;
use ipos_sim::wire::netns::Netns;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::application::{PORT, VARIABLE};
use crate::disk::Disk;

/// How long a process gets to do what it is asked.
const LIMIT: Duration = Duration::from_secs(60);

/// Bytes of a line of a journal, of a connection of the tests': 47 to 72.
const LINE: u64 = 72;

/// A process that does not outlive this one's interest in it.
pub struct Process(Child);

impl Process {
    /// Runs `command` in a network namespace.
    fn spawn(command: &mut Command, inside: &Netns) -> Self {
        let fd = inside.as_raw_fd();
        // SAFETY: two system calls between fork and exec, one on a descriptor that is open until then.
        unsafe {
            command.pre_exec(move || {
                // a write beyond a limit fails, and does not kill
                libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
                let entered = libc::setns(fd, libc::CLONE_NEWNET);
                if entered == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
            });
        }
        Process(command.spawn().unwrap())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits until it has died by SIGKILL.
    pub fn died(&mut self) -> bool {
        until(|| self.0.try_wait().unwrap().is_some()) && self.0.wait().unwrap().signal() == Some(libc::SIGKILL)
    }

    /// Waits until it has died by SIGKILL, or something else has come.
    pub fn died_or<T>(&mut self, mut other: impl FnMut() -> Option<T>) -> Option<T> {
        let mut found = None;
        assert!(until(|| {
            found = other();
            found.is_some() || self.0.try_wait().unwrap().is_some()
        }));
        found
    }

    /// Tells it to end (SIGTERM).
    pub fn terminate(&self) {
        kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM).unwrap();
    }

    /// Waits until it has ended by itself; its exit code.
    pub fn ended(&mut self) -> Option<i32> {
        until(|| self.0.try_wait().unwrap().is_some()).then(|| self.0.wait().unwrap().code())?
    }

    /// Waits until it has stopped itself.
    pub fn halted(&self) -> bool {
        let state = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap_or_default();
            // proc_pid_stat(5): the state follows the name, which may hold anything
            stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next())
        };
        until(|| state() == Some('T'))
    }

    /// Lets it go on.
    pub fn go_on(&self) {
        kill(Pid::from_raw(self.0.id() as i32), Signal::SIGCONT).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for something, within [`LIMIT`].
fn until(mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + LIMIT;
    while Instant::now() < end {
        if done() {
            return true;
        }
        thread::sleep(Duration::from_millis(2));
    }
    false
}

/// An application's process.
pub struct Application {
    pub process: Process,
    input: ChildStdin,
    answers: Receiver<String>,
}

impl Application {
    /// Has a line read by the process.
    pub fn tell(&mut self, line: &str) {
        // one that has died is noticed by who waits for its answer
        let _ = writeln!(self.input, "{line}");
    }

    /// Its next answer, if there is one already.
    pub fn answered(&self) -> Option<String> {
        self.answers.try_recv().ok()
    }

    /// Its next answer; `None`: it is dead, or does not answer.
    pub fn answer(&self) -> Option<String> {
        self.answers.recv_timeout(LIMIT).ok()
    }
}

/// The processes of one server. What has been killed is still here until it is started again.
pub struct Server {
    pub card: Process,
    pub node: Process,
    pub application: Application,
    pub holder: Process,
}

/// Two servers and their client.
pub struct Cluster {
    pub servers: Vec<Server>,
    net: Net,
    folder: PathBuf,
    /// Where the nodes have their journals.
    states: [PathBuf; 2],
}

impl Cluster {
    /// Two servers, the first of which is the home. `environment`: of their nodes.
    pub fn new(faults: Option<(Faults, u64)>, environment: [Option<(&str, &str)>; 2]) -> Self {
        Self::build(faults, environment, None)
    }

    /// The same whose nodes have disks of their own.
    pub fn with_disks(disks: &[Disk; 2], environment: [Option<(&str, &str)>; 2]) -> Self {
        Self::build(None, environment, Some(disks.each_ref().map(|disk| disk.path().to_owned())))
    }

    fn build(
        faults: Option<(Faults, u64)>,
        environment: [Option<(&str, &str)>; 2],
        states: Option<[PathBuf; 2]>,
    ) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ipos-processes-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let net = match faults {
            Some((faults, seed)) => Net::with_faults(2, faults, seed).unwrap(),
            None => Net::new(2).unwrap(),
        };
        let states = states.unwrap_or_else(|| [folder.clone(), folder.clone()]);
        let mut cluster = Cluster { servers: Vec::new(), net, folder, states };
        for (own, environment) in environment.into_iter().enumerate() {
            let card = cluster.card(own);
            let holder = cluster.holder(own, &[]);
            let node = cluster.node(own, environment);
            let application = cluster.application(own);
            cluster.servers.push(Server { card, node, application, holder });
        }
        cluster
    }

    /// The application of a server.
    pub fn at(&mut self, own: usize) -> &mut Application {
        &mut self.servers[own].application
    }

    /// Moves the connection of a client to a peer of `at`; what its application says of it. A node or an application that has
    /// just started, or a busy machine, may need more than one try, each of which must leave the connection where it was.
    pub fn moved(&mut self, at: usize, client: u16, target: &str, limit: Duration) -> String {
        let begun = Instant::now();
        loop {
            self.at(at).tell(&format!("move {client} {target}"));
            let answer = self.at(at).answer().unwrap();
            if answer.starts_with("moved") {
                return answer;
            }
            let again = ["no listener", "did not answer", "longer than the client's packets"];
            assert!(again.iter().any(|why| answer.contains(why)) && begun.elapsed() < limit, "{answer}");
        }
    }

    /// Starts a server's node again.
    pub fn restart_node(&mut self, own: usize) {
        self.restart_node_with(own, None);
    }

    /// The same with something in its environment.
    pub fn restart_node_with(&mut self, own: usize, environment: Option<(&str, &str)>) {
        self.servers[own].node = self.node(own, environment);
    }

    /// Has a new holder take over from a server's; the old one has ended.
    pub fn replace_holder(&mut self, own: usize) {
        let new = self.holder(own, &["--replace"]);
        let mut old = std::mem::replace(&mut self.servers[own].holder, new);
        assert_eq!(old.ended(), Some(0));
    }

    /// Waits until the holder that a server's node has started is gone.
    pub fn holder_ends(&self, own: usize) -> bool {
        let socket = self.file(own, "holder");
        until(|| !socket.exists())
    }

    /// Starts a server's application again.
    pub fn restart_application(&mut self, own: usize) {
        self.servers[own].application = self.application(own);
    }

    /// The journal of a server's node.
    pub fn journal(&self, own: usize) -> PathBuf {
        self.states[own].join(format!("{}.connections", self.net.servers[own].name))
    }

    /// From now on the journal of a server's node takes so many lines more, until the node is started again.
    pub fn bound_journal(&self, own: usize, lines: u64) {
        let length = fs::metadata(self.journal(own)).unwrap().len();
        let soft = length + lines * LINE;
        let limit = libc::rlimit { rlim_cur: soft, rlim_max: libc::RLIM_INFINITY };
        let pid = self.servers[own].node.0.id() as libc::pid_t;
        // SAFETY: the limit is read before the call returns; nothing is written.
        let set = unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &limit, std::ptr::null_mut()) };
        assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
    }

    /// Gives the client the MAC address of the service's home for good.
    pub fn clients_know_the_home(&self) {
        let (address, mac) = (SERVICE.to_string(), self.net.servers[0].front_mac);
        let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
        let arguments = ["neigh", "replace", &address, "lladdr", &mac, "nud", "permanent", "dev", CLIENT_IF];
        let status = self.net.client.run(|| Command::new("ip").args(arguments).status()).unwrap();
        assert!(status.success(), "ip(8): {status}");
    }

    /// Gives each server's kernel a firewall that drops what belongs to no connection that it knows. `false`: nft(8) is missing.
    pub fn with_firewalls(&self) -> bool {
        const RULES: &str = "table ip stateful {
            chain in { type filter hook input priority 0; ct state invalid drop; tcp flags & (syn | ack) == ack ct state new drop; }
            chain out { type filter hook output priority 0; ct state invalid drop; }
        }";
        let install = || {
            let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn()?;
            nft.stdin.take().unwrap().write_all(RULES.as_bytes())?;
            nft.wait()
        };
        self.net.servers.iter().all(|server| match server.kernel.run(install) {
            Ok(status) => {
                assert!(status.success(), "nft: {status}");
                true
            }
            Err(e) if e.kind() == ErrorKind::NotFound => false,
            Err(e) => panic!("nft: {e}"),
        })
    }

    /// Beside the journal: a disk that is full takes no log either.
    fn log_file(&self, own: usize) -> PathBuf {
        self.journal(own).with_extension("log")
    }

    fn file(&self, own: usize, what: &str) -> PathBuf {
        self.folder.join(format!("{}.{what}", self.net.servers[own].name))
    }

    fn card(&self, own: usize) -> Process {
        let socket = self.file(own, "card");
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipos"));
        let kind = std::env::var("IPOS_CARD").unwrap_or_else(|_| "model".to_owned());
        command
            .args(["card", "serve", "--card", &kind, "--front", FRONT_IF, "--back", BACK_IF, "--socket"])
            .arg(&socket);
        let mut card = Process::spawn(command.stderr(Stdio::null()), &self.net.servers[own].card);
        assert!(listens(&socket, &mut card.0), "no card");
        card
    }

    /// It has said that it listens when this returns.
    fn holder(&self, own: usize, arguments: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipos"));
        command.arg("holder").args(arguments).arg("--socket").arg(self.file(own, "holder"));
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut holder = Process::spawn(&mut command, &self.net.servers[own].kernel);
        let mut line = String::new();
        BufReader::new(holder.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("listens"), "no holder");
        holder
    }

    fn node(&self, own: usize, environment: Option<(&str, &str)>) -> Process {
        let server = &self.net.servers[own];
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let peers = self.net.servers.iter().filter(|s| s.name != server.name);
        let peers: Vec<_> =
            peers.map(|s| json!({ "name": s.name, "back_ip": s.back_ip, "back_mac": hex(&s.back_mac) })).collect();
        let (file, socket) = (self.file(own, "json"), self.file(own, "node"));
        let config = json!({
            "name": server.name,
            "socket": socket,
            "card": format!("vfio-user:{}", self.file(own, "card").display()),
            "kernel": KERNEL_FAR_IF,
            "wires_namespace": format!("/proc/{}/fd/{}", std::process::id(), server.card.as_raw_fd()),
            "back_ip": server.back_ip,
            "front_mac": hex(&server.front_mac),
            "back_mac": hex(&server.back_mac),
            "cluster_keys": [hex(&[7; 32])],
            "state_dir": self.states[own],
            "holder": self.file(own, "holder"),
            "peers": peers,
            "services": [{ "address": SERVICE, "port": PORT, "home": self.net.servers[0].name }],
        });
        fs::write(&file, config.to_string()).unwrap();
        // one that was killed leaves it
        let _ = fs::remove_file(&socket);
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipos"));
        command.args(["node", "--config"]).arg(&file).envs(environment);
        let log = fs::File::create(self.log_file(own)).unwrap();
        let mut node = Process::spawn(command.stderr(log), &server.kernel);
        assert!(listens(&socket, &mut node.0), "no node");
        node
    }

    fn application(&self, own: usize) -> Application {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "an_application_of_another_test", "--nocapture", "--test-threads=1"]);
        command.env(VARIABLE, self.file(own, "node")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process::spawn(&mut command, &self.net.servers[own].kernel);
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
        let application = Application { process, input, answers };
        assert_eq!(application.answer().as_deref(), Some("ready"));
        application
    }

    /// How many servers' kernels have a connection of the client's port, frozen ones included.
    pub fn owners(&self, client: u16) -> usize {
        let has = |server: &ServerNet| {
            let sockets = server.kernel.run(|| fs::read_to_string("/proc/thread-self/net/tcp")).unwrap();
            // proc_pid_net(5): sl, local address, remote address, state; 01 is ESTABLISHED
            let port = format!(":{client:04X}");
            sockets.lines().any(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                matches!(words[..], [_, _, remote, "01", ..] if remote.ends_with(&port))
            })
        };
        self.net.servers.iter().filter(|server| has(server)).count()
    }

    /// Names and process numbers of cards, nodes and applications.
    pub fn processes(&self) -> Vec<(String, u32)> {
        let of_server = |(server, net): (&Server, &ServerNet)| {
            [("card", &server.card), ("node", &server.node), ("application", &server.application.process)]
                .map(|(what, process)| (format!("{what} {}", net.name), process.0.id()))
        };
        self.servers.iter().zip(&self.net.servers).flat_map(of_server).collect()
    }

    /// The namespaces of client, kernels and cards, as the links of their descriptors name them.
    pub fn namespaces(&self) -> Vec<PathBuf> {
        let servers = self.net.servers.iter().flat_map(|s| [&s.kernel, &s.card]);
        let link = |ns: &Netns| fs::read_link(format!("/proc/self/fd/{}", ns.as_raw_fd())).unwrap();
        servers.chain([&self.net.client]).map(link).collect()
    }

    /// What a node has written to standard error.
    pub fn log(&self, own: usize) -> String {
        fs::read_to_string(self.log_file(own)).unwrap()
    }

    /// What a node has counted.
    pub fn stats(&self, own: usize) -> HashMap<String, u64> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(ipos_control::Client::new(self.file(own, "node")).stats()).unwrap().into_iter().collect()
    }

    /// The client's namespace.
    pub fn client(&self) -> &Netns {
        &self.net.client
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.servers.clear();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
