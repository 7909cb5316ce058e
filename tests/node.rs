//! `ipos node` as a user runs it: two daemons over cards in processes of their own or in theirs, a server on the library
//! between them, and what the command says.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use ipos_lab::net::{BACK_IF, FRONT_IF, KERNEL_FAR_IF, Net, SERVICE};
use ipos_lab::ready::listens;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PORT: u16 = 7000;
const ADDRESS: SocketAddrV4 = SocketAddrV4::new(SERVICE, PORT);

/// A process that is killed when this is dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ipos(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipos"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Two servers.
struct Servers {
    nodes: Vec<Process>,
    _cards: Vec<Process>,
    net: Net,
    directory: TempDir,
}

impl Servers {
    /// `card`: in the nodes' processes, or without, in processes of their own.
    fn new(card: Option<&str>) -> Self {
        Self::with(card, |_, _| ())
    }

    /// `tweak` may change how the node of a server is started.
    fn with(card: Option<&str>, tweak: impl Fn(usize, &mut Command)) -> Self {
        Self::start(card, |_, _| (), tweak)
    }

    /// `change` may change a node's configuration.
    fn configured(card: Option<&str>, change: impl Fn(usize, &mut Value)) -> Self {
        Self::start(card, change, |_, _| ())
    }

    fn start(card: Option<&str>, change: impl Fn(usize, &mut Value), tweak: impl Fn(usize, &mut Command)) -> Self {
        let net = Net::new(2).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut servers = Servers { nodes: Vec::new(), _cards: Vec::new(), net, directory };
        for i in 0..2 {
            let server = &servers.net.servers[i];
            let socket = servers.directory.path().join(format!("card-{}", server.name));
            if card.is_none() {
                let mut command = ipos(&["card", "serve", "--front", FRONT_IF, "--back", BACK_IF, "--socket"]);
                command.arg(&socket).stderr(Stdio::null());
                let mut card = Process(server.card.run(|| command.spawn()).unwrap());
                assert!(listens(&socket, &mut card.0), "no card");
                servers._cards.push(card);
            }
            let mut config =
                servers.config(i, card.map_or_else(|| format!("vfio-user:{}", socket.display()), str::to_owned));
            change(i, &mut config);
            // one is told in JSON, one in TOML
            let file = servers.file(i);
            let text = if i == 0 { config.to_string() } else { toml::to_string(&config).unwrap() };
            fs::write(&file, text).unwrap();
            let mut command = ipos(&["node", "--config"]);
            command.arg(&file).stderr(fs::File::create(servers.file(i).with_extension("log")).unwrap());
            tweak(i, &mut command);
            servers.nodes.push(Process(server.kernel.run(|| command.spawn()).unwrap()));
        }
        for i in 0..2 {
            let socket = servers.socket(i);
            assert!(listens(&socket, &mut servers.nodes[i].0), "no node: {}", servers.log(i));
        }
        servers
    }

    fn config(&self, own: usize, card: String) -> Value {
        let servers = &self.net.servers;
        let mac = |m: [u8; 6]| m.map(|b| format!("{b:02x}")).join(":");
        let peers = servers.iter().filter(|s| s.name != servers[own].name);
        let peers = peers.map(|s| json!({"name": s.name, "back_ip": s.back_ip, "back_mac": mac(s.back_mac)}));
        let mut config = json!({
            "name": servers[own].name,
            "socket": self.socket(own),
            "socket_mode": "0600",
            "kernel": KERNEL_FAR_IF,
            "wires_namespace": format!("/proc/{}/fd/{}", std::process::id(), servers[own].card.as_raw_fd()),
            "back_ip": servers[own].back_ip,
            "front_mac": mac(servers[own].front_mac),
            "back_mac": mac(servers[own].back_mac),
            "cluster_keys": ["07".repeat(32)],
            "services": [{"address": SERVICE, "port": PORT, "home": servers[0].name}],
            "peers": peers.collect::<Value>(),
        });
        if !card.starts_with("vfio") {
            config["front"] = FRONT_IF.into();
            config["back"] = BACK_IF.into();
        }
        config["card"] = card.into();
        config
    }

    fn file(&self, server: usize) -> PathBuf {
        let name = &self.net.servers[server].name;
        self.directory.path().join(format!("node-{name}.{}", ["json", "toml"][server]))
    }

    /// What a node has written to standard error.
    fn log(&self, server: usize) -> String {
        fs::read_to_string(self.file(server).with_extension("log")).unwrap()
    }

    fn socket(&self, server: usize) -> PathBuf {
        self.directory.path().join(&self.net.servers[server].name).join("node.sock")
    }

    /// Asks a running node.
    fn ask(&self, server: usize, arguments: &[&str]) -> Output {
        ipos(arguments).arg("--socket").arg(self.socket(server)).output().unwrap()
    }

    fn json(&self, server: usize, question: &str) -> Value {
        let output = self.ask(server, &["node", question, "--json"]);
        assert!(output.status.success(), "{:?}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Echo servers on the library, which move when they are to.
    fn serve(&self) -> Vec<tokio::runtime::Runtime> {
        let run = |i: usize| {
            let kernel = self.net.servers[i].kernel.try_clone().unwrap();
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .on_thread_start(move || kernel.enter().unwrap())
                .enable_all()
                .build()
                .unwrap();
            let node = ipos::Node::new(self.socket(i));
            let (ready, is_ready) = std::sync::mpsc::channel();
            runtime.spawn(async move {
                let mut listener = node.listen(ADDRESS).await.unwrap();
                ready.send(()).unwrap();
                loop {
                    tokio::spawn(echo(listener.accept().await.unwrap()));
                }
            });
            is_ready.recv().unwrap();
            runtime
        };
        (0..2).map(run).collect()
    }
}

async fn echo(mut stream: ipos::Stream) {
    let leaving = stream.leaving();
    tokio::pin!(leaving);
    let (mut bytes, mut told) = ([0; 1024], false);
    loop {
        tokio::select! {
            target = &mut leaving, if !told => match stream.migrate(&target, "").await {
                Ok(_) => return,
                Err(failed) => (stream, told) = (failed.stream.unwrap(), true),
            },
            read = stream.read(&mut bytes) => match read {
                Ok(n) if n > 0 => stream.write_all(&bytes[..n]).await.unwrap(),
                _ => return,
            },
        }
    }
}

fn expect(client: &mut TcpStream, text: &str) {
    client.write_all(text.as_bytes()).unwrap();
    let mut got = vec![0; text.len()];
    client.read_exact(&mut got).unwrap();
    assert_eq!(String::from_utf8_lossy(&got), text);
}

/// Connections of a client go from a to b when a is drained; then both nodes are told to stop.
fn drain_and_stop(card: Option<&str>) {
    let mut servers = Servers::new(card);
    let runtimes = servers.serve();
    let mut clients: Vec<_> = (0..5)
        .map(|_| {
            let client = servers.net.client.run(|| TcpStream::connect(ADDRESS)).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            client
        })
        .collect();
    for client in &mut clients {
        expect(client, "before");
    }
    assert_eq!(servers.json(0, "connections"), json!([]));
    let drained = servers.ask(0, &["drain", "--to", "b", "--seconds", "30"]);
    assert!(drained.status.success(), "{:?}", said(&drained));
    assert!(said(&drained).0.contains("No connection of a library server is left"), "{:?}", said(&drained));
    for client in &mut clients {
        expect(client, "after");
    }
    for (i, (out, came, place)) in [(5, 0, "at b"), (0, 5, "here")].into_iter().enumerate() {
        let stats = servers.json(i, "stats");
        assert_eq!((stats["moved_out"].as_u64(), stats["moved_in"].as_u64()), (Some(out), Some(came)), "{stats}");
        let connections = servers.json(i, "connections");
        let all = connections.as_array().unwrap();
        assert_eq!(all.len(), 5);
        for (connection, client) in all
            .iter()
            .flat_map(|c| clients.iter().map(move |k| (c, k)))
            .filter(|(c, k)| c["client"] == k.local_addr().unwrap().to_string())
        {
            assert_eq!(
                (connection["place"].as_str(), connection["service"].as_str()),
                (Some(place), Some(&*ADDRESS.to_string())),
                "{client:?}"
            );
        }
    }
    let table = said(&servers.ask(1, &["node", "connections"])).0;
    assert_eq!(table.lines().filter(|l| l.contains("here")).count(), 5, "{table}");
    let table = said(&servers.ask(1, &["node", "stats"])).0;
    for about in ["moved_in", "Connections that moved here.", "DropMac", "for another destination MAC"] {
        assert!(table.contains(about), "{table}");
    }
    // the card has no other host while a node has it
    let stats = servers.json(0, "stats");
    assert!(stats["front.received"].as_u64() >= stats["front.ToHost"].as_u64() && stats["back.sent"] != 0, "{stats}");
    let by_config = ipos(&["node", "connections", "--config"]).arg(servers.file(0)).output().unwrap();
    assert!(by_config.status.success() && said(&by_config).0.contains("at b"), "{:?}", said(&by_config));
    // b's connections have nowhere to go: a takes nothing any more
    let left = servers.ask(1, &["drain", "--to", "a", "--seconds", "1"]);
    assert_eq!(left.status.code(), Some(1), "{:?}", said(&left));
    for (node, signal) in servers.nodes.iter_mut().zip([Signal::SIGTERM, Signal::SIGINT]) {
        kill(Pid::from_raw(node.0.id() as i32), signal).unwrap();
        assert_eq!(node.0.wait().unwrap().code(), Some(0));
    }
    for i in 0..2 {
        assert!(!servers.socket(i).exists());
        let output = servers.ask(i, &["node", "stats"]);
        assert!(output.status.code() == Some(1) && said(&output).1.contains("no node at"), "{:?}", said(&output));
    }
    for runtime in runtimes {
        runtime.shutdown_background();
    }
}

#[test]
fn nodes_over_cards_in_processes_of_their_own() {
    drain_and_stop(None);
}

#[test]
fn nodes_with_the_reference_card_inside() {
    drain_and_stop(Some("model"));
}

/// b's configuration differs from what a has of it, in one thing: a is told what to compare, and b's log what it is.
#[test]
fn nodes_that_differ_say_so() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str, &str, u64); 5] = [
        (|b| b["cluster_keys"] = json!(["08".repeat(32)]), "compare cluster_keys", "control_unsigned", 1),
        (|b| b["back_mac"] = "02:00:00:00:77:77".into(), "than back_mac 02:00:00:00:77:77", "back.DropMac", 8),
        (|b| b["peers"][0]["back_mac"] = "02:00:00:00:77:77".into(), "no peer's back_mac", "control_strangers", 1),
        (|b| b["back_ip"] = "10.78.0.77".into(), "this node's is 10.78.0.77", "control_misaddressed", 1),
        (|b| b["ethertype"] = 0x88b5.into(), "EtherType 0x0007", "other_ethertype", 1),
    ];
    std::thread::scope(|s| {
        for (change, about, counter, least) in cases {
            s.spawn(move || {
                let servers = Servers::configured(Some("model"), |i, config| {
                    if i == 1 {
                        change(config);
                    }
                });
                let kernel = servers.net.servers[0].kernel.try_clone().unwrap();
                let node = ipos::Node::new(servers.socket(0));
                let client = servers.net.client.try_clone().unwrap();
                let moving = std::thread::spawn(move || {
                    kernel.enter().unwrap();
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(async {
                        let mut listener = node.listen(ADDRESS).await.unwrap();
                        let _client = client.run(|| TcpStream::connect(ADDRESS)).unwrap();
                        let stream = listener.accept().await.unwrap();
                        stream.migrate("b", "").await.unwrap_err().to_string()
                    })
                });
                let error = moving.join().unwrap();
                for what in ["did not answer the offer", "cluster_keys", "ethertype", "back_mac", "back_ip", "log"] {
                    assert!(error.contains(what), "{what}: {error}");
                }
                let end = std::time::Instant::now() + Duration::from_secs(60);
                loop {
                    let (count, log) = (servers.json(1, "stats")[counter].as_u64().unwrap(), servers.log(1));
                    if count >= least && log.contains(about) {
                        // once a minute
                        assert_eq!(log.matches(about).count(), 1, "{log}");
                        return;
                    }
                    assert!(std::time::Instant::now() < end, "{counter} is {count}: {log}");
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
        }
    });
}

#[test]
fn what_can_not_be_meant_is_refused_at_start() {
    let net = Net::new(1).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("node.json");
    let server = &net.servers[0];
    let good = json!({
        "name": "a", "socket": directory.path().join("socket"), "card": "model", "front": FRONT_IF, "back": BACK_IF,
        "kernel": KERNEL_FAR_IF, "back_ip": server.back_ip, "cluster_keys": ["07".repeat(32)],
        "wires_namespace": format!("/proc/{}/fd/{}", std::process::id(), server.card.as_raw_fd()),
        "front_mac": server.front_mac.map(|b| format!("{b:02x}")).join(":"), "back_mac": "02:00:00:00:01:01",
    });
    type Change = fn(&mut Value);
    let cases: [(Change, &[&str]); 12] = [
        (|c| c["cluster_keys"] = json!(["00".repeat(32)]), &["cluster_keys", "openssl rand -hex 32"]),
        (
            |c| c["services"] = ["a", "b"].map(|home| json!({"address": SERVICE, "port": 80, "home": home})).into(),
            &["10.77.0.100:80", "twice"],
        ),
        (|c| c["services"] = json!([{"address": SERVICE, "port": 0, "home": "a"}]), &["10.77.0.100:0", "port 0"]),
        (|c| c["services"] = json!([{"address": SERVICE, "port": 1, "home": "a", "hime": "a"}]), &["hime"]),
        (|c| c["ethertype"] = 0x0800.into(), &["ethertype", "0x0800", "0x88b5"]),
        (|c| c["back_mac"] = c["front_mac"].clone(), &["front_mac and back_mac", "one interface"]),
        (|c| c["back_mac"] = "00:00:00:00:00:00".into(), &["back_mac", "00:00:00:00:00:00"]),
        (|c| c["hold_bytes"] = 0.into(), &["hold_bytes", "4194304"]),
        (|c| c["name"] = "../a".into(), &["name", "../a", "without `/`"]),
        (|c| c["idle_seconds"] = u64::MAX.into(), &["idle_seconds", "31536000"]),
        (|c| c["holdbytes"] = 1.into(), &["holdbytes"]),
        // the interface's own is another one
        (|c| c["front_mac"] = "02:00:00:00:00:99".into(), &["front_mac", "02:00:00:00:00:99", "ip link set"]),
    ];
    for (change, about) in cases {
        let mut config = good.clone();
        change(&mut config);
        fs::write(&file, config.to_string()).unwrap();
        let mut command = ipos(&["node", "--config"]);
        command.arg(&file).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = server.kernel.run(|| command.output()).unwrap();
        let (_, text) = said(&output);
        assert_eq!(output.status.code(), Some(1), "{about:?}: {text}");
        assert!(about.iter().all(|a| text.contains(a)), "{about:?}: {text}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("node.toml");
    let good = format!(
        "name = \"a\"\nsocket = \"{}\"\ncard = \"model\"\nkernel = \"nonesuch0\"\nfront = \"f\"\nback = \"b\"\n\
         back_ip = \"10.0.0.1\"\nfront_mac = \"02:00:00:00:00:01\"\nback_mac = \"02:00:00:00:00:02\"\n",
        directory.path().join("socket").display()
    );
    let cases: [(&str, &str, &str); 6] = [
        ("", "", "nonesuch0"),
        ("front = \"f\"\n", "", "needs `front` and `back`"),
        ("card = \"model\"", "card = \"vfio:0000:01:00.0\"", "has its own wires"),
        ("card = \"model\"", "card = \"paper\"", "no card \"paper\""),
        ("name = \"a\"\n", "", "name"),
        ("back_ip", "back_op", "back_op"),
    ];
    for (from, to, about) in cases {
        fs::write(&file, good.replacen(from, to, 1)).unwrap();
        let output = ipos(&["node", "--config"]).arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).1.contains(about), "{about}: {:?}", said(&output));
        assert!(said(&output).1.matches("(os error").count() <= 1, "{:?}", said(&output));
        assert!(!directory.path().join("socket").exists());
    }
    for (arguments, code, about) in [
        (&["node"][..], 2, "--config"),
        (&["node", "--config", "x", "--card", "paper"], 2, "no card"),
        (&["node", "--config", "/nonexistent"], 1, "/nonexistent"),
        (&["drain", "--seconds", "soon"], 2, "soon"),
        (&["drain", "--socket", "/nonexistent"], 1, "no node at /nonexistent"),
        (&["card", "stats", "vfio-user:/nonexistent"], 1, "no card answers on /nonexistent"),
        (&["card", "serve", "--socket", "/nonexistent/card"], 1, "can't listen there: /nonexistent/card"),
    ] {
        let output = ipos(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(said(&output).1.contains(about), "{about}: {:?}", said(&output));
        // the system's own words, once
        assert!(said(&output).1.matches("(os error").count() <= 1, "{:?}", said(&output));
    }
}

/// The limit is the kernel's, hard and soft.
fn limit_descriptors(command: &mut Command, most: u64) {
    // SAFETY: one system call between fork and exec.
    unsafe { command.pre_exec(move || Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)) };
}

#[test]
fn a_node_with_few_descriptors_loses_no_client() {
    let servers = Servers::with(Some("model"), |i, command| {
        if i == 0 {
            limit_descriptors(command, 64);
        }
    });
    let runtimes = servers.serve();
    let mut clients: Vec<_> = (0..100)
        .map(|_| {
            let client = servers.net.client.run(|| TcpStream::connect(ADDRESS)).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            client
        })
        .collect();
    for client in &mut clients {
        expect(client, "before");
    }
    // all at once; who could not go stays
    let drained = servers.ask(0, &["drain", "--to", "b", "--seconds", "30"]);
    for client in &mut clients {
        expect(client, "after");
    }
    let moved = servers.json(0, "stats")["moved_out"].as_u64().unwrap();
    assert_eq!(drained.status.success(), moved == 100, "{moved} of 100: {:?}", said(&drained));
    assert!(moved > 0, "none of 100: {:?}", said(&drained));
    for runtime in runtimes {
        runtime.shutdown_background();
    }
}

#[test]
fn a_file_at_the_path_of_a_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (key, file) = (directory.path().join("key"), directory.path().join("node.toml"));
    fs::write(&key, "secret").unwrap();
    let config = format!(
        "name = \"a\"\nsocket = {key:?}\ncard = \"model\"\nkernel = \"lo\"\nfront = \"lo\"\nback = \"lo\"\n\
         back_ip = \"10.0.0.1\"\nfront_mac = \"02:00:00:00:00:01\"\nback_mac = \"02:00:00:00:00:02\"\n"
    );
    fs::write(&file, config).unwrap();
    let path = key.to_str().unwrap();
    for arguments in [&["node", "--config", file.to_str().unwrap()][..], &["card", "serve", "--socket", path]] {
        let output = ipos(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{:?}", said(&output));
        assert!(said(&output).1.contains(path), "{:?}", said(&output));
        assert_eq!(fs::read(&key).unwrap(), b"secret");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "nothing was left beside it");
    }
}

/// What a process says on its standard error, until a line has `about` in it.
fn hears(lines: &mut impl Iterator<Item = std::io::Result<String>>, about: &str) -> String {
    let mut others = Vec::new();
    for line in lines.map(Result::unwrap) {
        if line.contains(about) {
            return line;
        }
        others.push(line);
    }
    panic!("nothing about {about:?}, but {others:#?}")
}

/// A process ends by itself, with this code.
fn ends(process: &mut Child, code: i32) {
    for _ in 0..6000 {
        if let Some(status) = process.try_wait().unwrap() {
            assert_eq!(status.code(), Some(code));
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it does not end");
}

#[test]
fn a_node_that_waits_for_its_card_says_so_and_ends_when_it_is_told() {
    let servers = Servers::new(None);
    let start = |socket: &str, card: PathBuf, ready: Option<&std::path::Path>| {
        let server = &servers.net.servers[1];
        let mut config = servers.config(1, format!("vfio-user:{}", card.display()));
        config["socket"] = servers.directory.path().join(socket).to_str().unwrap().into();
        let file = servers.directory.path().join(format!("{socket}.json"));
        fs::write(&file, config.to_string()).unwrap();
        let mut command = ipos(&["node", "--config"]);
        command.arg(&file).stderr(Stdio::piped());
        ready.map(|path| command.env("NOTIFY_SOCKET", path));
        let mut node = Process(server.kernel.run(|| command.spawn()).unwrap());
        let lines = BufReader::new(node.0.stderr.take().unwrap()).lines();
        (node, lines, servers.directory.path().join(socket))
    };
    let terminate = |process: &Child| kill(Pid::from_raw(process.id() as i32), Signal::SIGTERM).unwrap();
    // another node has the card; it is not there
    let taken = servers.directory.path().join(format!("card-{}", servers.net.servers[1].name));
    for card in [taken, servers.directory.path().join("nonesuch")] {
        let (mut node, mut lines, socket) = start("second", card, None);
        hears(&mut lines, "waits for its card");
        terminate(&node.0);
        ends(&mut node.0, 0);
        assert!(!socket.exists());
    }
    // it comes
    let (path, card) = (servers.directory.path().join("notify"), servers.directory.path().join("late"));
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let (mut node, mut lines, _) = start("third", card.clone(), Some(&path));
    hears(&mut lines, "waits for its card");
    let late = Process(ipos(&["card", "serve", "--socket"]).arg(&card).stderr(Stdio::null()).spawn().unwrap());
    hears(&mut lines, "serves on");
    let told = || {
        let mut bytes = [0; 64];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    assert_eq!(told(), "READY=1");
    // it stands still, and goes on
    let signal = |process: &Process, signal| kill(Pid::from_raw(process.0.id() as i32), signal).unwrap();
    signal(&late, Signal::SIGSTOP);
    hears(&mut lines, "does not answer");
    signal(&late, Signal::SIGCONT);
    hears(&mut lines, "goes on");
    signal(&late, Signal::SIGSTOP);
    terminate(&node.0);
    assert_eq!(told(), "STOPPING=1");
    ends(&mut node.0, 0);
    // it dies while the node has nothing to do
    signal(&late, Signal::SIGCONT);
    let (mut node, mut lines, _) = start("fourth", card, None);
    hears(&mut lines, "serves on");
    signal(&late, Signal::SIGKILL);
    hears(&mut lines, "stopped: the card failed");
    ends(&mut node.0, 1);
}
