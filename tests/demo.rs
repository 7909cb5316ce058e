//! The demo as a user runs it: the `ipos` command, its output, its exit code, what it leaves behind.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Moves of the short runs.
const MOVES: u64 = 10;
const SIZE: u64 = 2 << 20;

fn ipos(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipos"));
    command.arg("demo").args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a demo that must succeed; its JSON object.
fn report(args: &[&str]) -> Value {
    let output = ipos(args).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    assert_eq!(out.trim().lines().count(), 1, "one object on standard output: {out}");
    serde_json::from_str(&out).unwrap()
}

fn short(more: &[&str]) -> Value {
    let mut args = vec!["--card", "model", "--moves", "10", "--size", "2M", "--json"];
    args.extend(more);
    report(&args)
}

/// A folder that is removed at the end.
struct TempDir(PathBuf);

impl TempDir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ipos-demo-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        TempDir(path)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What must hold of a run with `moves` moves of a file of `size` bytes.
fn check(r: &Value, moves: u64, size: u64) {
    assert_eq!(r["problems"], Value::Array(vec![]));
    assert_eq!((r["bytes"].as_u64(), r["digest_ok"].as_bool()), (Some(size), Some(true)));
    assert_eq!((r["moves"].as_u64(), r["echo_moves"].as_u64()), (Some(moves), Some(moves)));
    assert_eq!(r["resets"].as_u64(), Some(0));
    let pause = |p: &str| r["pause_us"][p].as_u64().unwrap();
    assert!(0 < pause("max") && pause("p50") <= pause("p99") && pause("p99") <= pause("max"), "{}", r["pause_us"]);
    // what the client sent while b owned went through a's forward table and into b's endpoint table
    let forwarded = r["cards"]["a"]["front"]["outcomes"]["forwarded"].as_u64().unwrap();
    let back = &r["cards"]["b"]["back"];
    assert!(forwarded > moves, "{r}");
    assert!(back["received"].as_u64().unwrap() > forwarded, "control packets come on top: {r}");
    for card in ["a", "b"] {
        assert_eq!(r["cards"][card]["conserved"].as_bool(), Some(true));
    }
}

#[test]
fn a_download_moves_ten_times_and_the_client_gets_every_byte() {
    check(&short(&["--seed", "5"]), MOVES, SIZE);
}

#[test]
fn the_fabric_does_the_same_and_leaves_a_waveform_of_each_card() {
    check(&report(&["--card", "rtl", "--moves", "4", "--size", "1M", "--json"]), 4, 1 << 20);
    let dir = TempDir::new("fst");
    let traced = ["--card", "rtl", "--moves", "1", "--size", "32K", "--json", "--fst", dir.0.to_str().unwrap()];
    assert_eq!(report(&traced)["digest_ok"].as_bool(), Some(true));
    for name in ["a", "b"] {
        let waveform = fs::read(dir.0.join(format!("{name}.fst"))).unwrap();
        // the first block of an FST file is its header: type 0, 329 bytes
        assert_eq!(waveform.get(..9), Some(&[0, 0, 0, 0, 0, 0, 0, 1, 0x49][..]), "{name}");
    }
}

#[test]
fn captures_hold_every_packet_type_of_a_clean_move() {
    let dir = TempDir::new("pcap");
    let r = short(&["--pcap", dir.0.to_str().unwrap()]);
    for name in ["a-front", "a-back", "a-kernel", "b-front", "b-back", "b-kernel"] {
        assert!(dir.0.join(format!("{name}.pcap")).metadata().unwrap().len() > 24, "{name}");
    }
    if Command::new("tshark").arg("--version").output().is_err() {
        eprintln!("tshark is not installed: the captures were written but not read");
        return;
    }
    let types: BTreeSet<String> = tshark(&dir.0.join("a-back.pcap"), "ip_os", "ip_os.kind").into_iter().collect();
    for wanted in ["0x01", "0x02", "0x03", "0x80", "0x84", "0x85", "0x86", "0x88"] {
        assert!(types.contains(wanted), "{wanted} is not among {types:?}");
    }
    // each card counts what tshark counts on its wire
    for (card, mac) in [("a", "02:69:70:01:00:01"), ("b", "02:69:70:01:00:02")] {
        let back = &r["cards"][card]["back"];
        let on_wire = |filter: String| {
            let frames = tshark(&dir.0.join(format!("{card}-back.pcap")), &filter, "frame.number");
            frames.len() as u64
        };
        let control = back["outcomes"]["to_control"].as_u64().unwrap();
        assert_eq!(on_wire(format!("ip_os.eth.dst == {mac} && ip_os.kind != 2")), control, "{card}");
        assert_eq!(on_wire(format!("ip_os.eth.dst == {mac}")), back["received"].as_u64().unwrap(), "{card}");
        assert_eq!(on_wire(format!("ip_os.eth.src == {mac}")), back["sent"].as_u64().unwrap(), "{card}");
    }
    let forwarded = r["cards"]["a"]["front"]["outcomes"]["forwarded"].as_u64().unwrap();
    let sent =
        tshark(&dir.0.join("a-back.pcap"), "ip_os.eth.dst == 02:69:70:01:00:02 && ip_os.kind == 2", "frame.number");
    assert!(sent.len() as u64 >= forwarded, "held packets come on top: {} of {forwarded}", sent.len());
    assert_eq!(tshark(&dir.0.join("a-front.pcap"), "tcp.flags.reset == 1", "frame.number"), Vec::<String>::new());
    for wrong in ["_ws.malformed", "ip_os.checksum_ok == 0", "!ip_os"] {
        assert_eq!(tshark(&dir.0.join("a-back.pcap"), wrong, "frame.number"), Vec::<String>::new(), "{wrong}");
    }
}

/// The values of a field in the frames of a capture that pass a filter.
fn tshark(capture: &Path, filter: &str, field: &str) -> Vec<String> {
    let dissector = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/ipos.lua");
    let output = Command::new("tshark")
        .arg("-X")
        .arg(format!("lua_script:{}", dissector.display()))
        .arg("-r")
        .arg(capture)
        .args(["-Y", filter, "-T", "fields", "-e", field])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// A demo that would go on for minutes, in the middle of its transfer.
struct Running {
    child: Option<Child>,
    curl: i32,
    namespaces: BTreeSet<String>,
}

impl Running {
    fn start() -> Self {
        let child = ipos(&["--card", "model", "--moves", "1000", "--size", "4G", "--json"]).spawn().unwrap();
        let pid = child.id();
        let mut running = Running { child: Some(child), curl: 0, namespaces: BTreeSet::new() };
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(curl) = child_called(pid, "curl") {
                let own = fs::read_link("/proc/self/ns/net").unwrap().to_string_lossy().into_owned();
                let mut namespaces = namespaces_of(&pid.to_string());
                namespaces.remove(&own);
                // client, two kernels, two cards, switch
                if namespaces.len() >= 6 {
                    (running.curl, running.namespaces) = (curl, namespaces);
                    return running;
                }
            }
            assert!(Instant::now() < end, "the demo did not start curl");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends a signal and waits for the end.
    fn end(&mut self, signal: Signal) -> Output {
        let child = self.child.take().unwrap();
        kill(Pid::from_raw(child.id() as i32), signal).unwrap();
        let begun = Instant::now();
        let output = child.wait_with_output().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(60), "it took {:?} to end", begun.elapsed());
        output
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The process of that name among the children of all threads of a process.
fn child_called(pid: u32, name: &str) -> Option<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let children = tasks.flatten().filter_map(|t| fs::read_to_string(t.path().join("children")).ok());
    let all: Vec<i32> =
        children.flat_map(|c| c.split_whitespace().map(|p| p.parse().unwrap()).collect::<Vec<_>>()).collect();
    all.into_iter().find(|p| fs::read_to_string(format!("/proc/{p}/comm")).is_ok_and(|c| c.trim() == name))
}

/// Network namespaces that a process holds, by a thread or a descriptor.
fn namespaces_of(pid: &str) -> BTreeSet<String> {
    let dirs = |name: &str| fs::read_dir(format!("/proc/{pid}/{name}")).into_iter().flatten().flatten();
    let links = dirs("task").map(|t| t.path().join("ns/net")).chain(dirs("fd").map(|f| f.path()));
    let targets = links.filter_map(|l| fs::read_link(l).ok()).map(|t| t.to_string_lossy().into_owned());
    targets.filter(|t| t.starts_with("net:[")).collect()
}

/// Nobody holds any of the namespaces any more, and so the kernel has taken them down.
fn assert_gone(curl: i32, namespaces: &BTreeSet<String>) {
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let processes = fs::read_dir("/proc").unwrap().flatten().map(|e| e.file_name().to_string_lossy().into_owned());
        let held: Vec<_> = processes
            .filter(|p| p.parse::<u32>().is_ok())
            .map(|p| (namespaces_of(&p).intersection(namespaces).cloned().collect::<Vec<_>>(), p))
            .filter(|(n, _)| !n.is_empty())
            .collect();
        let curl_runs = fs::read_to_string(format!("/proc/{curl}/comm")).is_ok_and(|c| c.trim() == "curl");
        if held.is_empty() && !curl_runs {
            return;
        }
        assert!(Instant::now() < end, "still held: {held:?}, curl runs: {curl_runs}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn interfaces() -> String {
    let table = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    table.lines().skip(2).filter_map(|l| l.split(':').next()).collect::<Vec<_>>().join(",")
}

#[test]
fn signals_end_it_cleanly_and_nothing_stays() {
    let before = interfaces();
    for (signal, code) in [(Signal::SIGINT, Some(130)), (Signal::SIGTERM, Some(143)), (Signal::SIGKILL, None)] {
        let mut running = Running::start();
        let output = running.end(signal);
        let messages = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), code, "{signal}: {messages}");
        assert!(output.stdout.is_empty(), "{signal}");
        assert!(!messages.contains("panicked"), "{signal}: {messages}");
        assert_gone(running.curl, &running.namespaces);
    }
    assert_eq!(interfaces(), before);
}

#[test]
fn what_can_not_be_done_is_said() {
    let cases: [(&[&str], i32, &str); 6] = [
        (&["--moves", "many"], 2, "--moves"),
        (&["--size", "0"], 2, "out of range"),
        (&["--card", "paper"], 2, "model"),
        (&["--card", "model", "--size", "10", "--moves", "50"], 1, "--size at least 51"),
        (&["--card", "rtl", "--fst", "/proc/nonesuch"], 1, "/proc/nonesuch"),
        (&["--card", "model", "--fst", "/proc/nonesuch"], 1, "--card rtl has"),
    ];
    for (args, code, text) in cases {
        let output = ipos(args).output().unwrap();
        let messages = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {messages}");
        assert!(messages.contains(text), "{args:?}: {messages}");
    }
}
