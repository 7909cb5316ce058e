//! What outlives a process and what ends with it: forwarding, tables, holds, fences; restart, refusals, removal.

mod rig;

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ipos_abi::Port;
use ipos_abi::rx::Outcome;
use ipos_kernel::table::{Action, Entry, Limit, Peer};
use ipos_kernel::{Config, KernelCard, KernelError, Sizes};
use ipos_sim::wire::Wire;
use rig::{BACK_MAC, FRONT_MAC, PEER_MAC, Rig, answer, flow, forward, from_peer, segment, wait};

fn config(pins: &Path) -> Config {
    Config { pins: Some(pins.to_owned()), ..rig::config() }
}

fn heartbeat(fallback: Action) -> Limit {
    Limit { heartbeat: true, fallback, ..Limit::default() }
}

/// The entry of each action that a node may die after, by name.
fn entry(action: &str) -> Entry {
    let deadline = Some(KernelCard::now() + Duration::from_millis(700));
    match action {
        "forward" => forward(),
        "hold-at-owner" => Entry { action: Action::Host, limit: heartbeat(Action::Pass), ..Entry::default() },
        "hold-at-home" => Entry { action: Action::Host, limit: heartbeat(Action::Forward), ..forward() },
        "hold-until" => {
            Entry { action: Action::Host, limit: Limit { deadline, ..Limit::default() }, ..Entry::default() }
        }
        "drop-until" => Entry {
            action: Action::Drop,
            limit: Limit { deadline, fallback: Action::Forward, ..Limit::default() },
            ..forward()
        },
        "fence" => Entry { fence: true, limit: heartbeat(Action::Pass), ..Entry::default() },
        other => panic!("{other}"),
    }
}

/// The process that is killed: not a test, but run as one by [`after_a_kill`].
#[test]
fn child() {
    let (Ok(action), Ok(pins)) = (std::env::var("IPOS_CHILD"), std::env::var("IPOS_PINS")) else { return };
    let mut card = KernelCard::open_object(config(Path::new(&pins)), &rig::object()).unwrap();
    card.set_peer(0, Some(&Peer::Mac(PEER_MAC))).unwrap();
    card.heartbeat().unwrap();
    card.set(&flow(1), &entry(&action)).unwrap();
    println!("\nready");
    loop {
        std::thread::park();
    }
}

/// A process does `action` and is killed.
fn after_a_kill(action: &str, pins: &Path) {
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", "child", "--nocapture"]).env("IPOS_CHILD", action).env("IPOS_PINS", pins);
    // SAFETY: prctl is async-signal-safe and has no pointers here; a test that fails leaves no child.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|l| l == "ready"), "{action}: the child could not open a card");
    child.kill().unwrap();
    child.wait().unwrap();
    for end in ["front", "back"] {
        rig::command("ethtool", &["-K", end, "gro", "off"]);
    }
}

#[test]
fn a_dead_nodes_holds_and_fences_end_and_its_forwarding_goes_on() {
    if !rig::allowed() {
        return;
    }
    let question = segment(&flow(1), b"question");
    let encapsulated = [&PEER_MAC[..], &BACK_MAC, &from_peer(&flow(1), &question[14..])[12..]].concat();
    for action in ["forward", "hold-at-owner", "hold-at-home", "hold-until", "drop-until", "fence"] {
        let mut rig = Rig::new(FRONT_MAC, BACK_MAC);
        let (_mounted, pins) = rig::bpffs();
        after_a_kill(action, &pins);
        // the client goes on asking, as a client does
        let mut frame = Vec::new();
        let asked = std::time::Instant::now();
        wait(action, || {
            let (near, far, sent, expected) = match action {
                "hold-at-owner" | "hold-until" => (&mut rig.front, &mut rig.front_far, &question, &question),
                "fence" => (&mut rig.front_far, &mut rig.front, &answer(&flow(1), false), &answer(&flow(1), false)),
                _ => (&mut rig.back_far, &mut rig.front_far, &question, &encapsulated),
            };
            far.send(sent).unwrap();
            while near.receive(&mut frame).unwrap() {
                if frame == *expected {
                    return Some(());
                }
            }
            std::thread::sleep(Duration::from_millis(5)); // a client's pace, not a wait for the answer
            None
        });
        eprintln!("{action}: {:.0?} after the kill", asked.elapsed());
        ipos_kernel::detach(&pins).unwrap();
    }
}

#[test]
fn a_hold_holds_while_the_node_lives_and_fragments_come_to_it() {
    if !rig::allowed() {
        return;
    }
    let mut rig = Rig::new(FRONT_MAC, BACK_MAC);
    let mut card = rig.card(rig::config());
    card.set(&flow(1), &entry("hold-at-owner")).unwrap();
    let mut fragment = segment(&flow(1), b"question");
    fragment[20] |= 0x20; // more fragments
    let mut ip = etherparse::Ipv4Header::from_slice(&fragment[14..]).unwrap().0;
    ip.header_checksum = ip.calc_header_checksum();
    fragment[14..34].copy_from_slice(&ip.to_bytes());
    let mut frame = Vec::new();
    for sent in [&segment(&flow(1), b"question"), &fragment] {
        card.heartbeat().unwrap();
        rig.front_far.send(sent).unwrap();
        wait("the held frame", || card.receive(&mut frame));
        assert_eq!(frame, *sent);
    }
    // the node is silent: they are the stack's
    let last = wait("a fragment that passes", || {
        rig.front_far.send(&fragment).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        rig.front.receive(&mut frame).unwrap().then(|| frame.clone())
    });
    assert_eq!(last, fragment);
}

#[test]
fn a_restarted_node_finds_its_tables_and_no_frame_of_its_earlier_life() {
    if !rig::allowed() {
        return;
    }
    let mut rig = Rig::new(FRONT_MAC, BACK_MAC);
    let (_mounted, pins) = rig::bpffs();
    let mut card = rig.card(config(&pins));
    assert!(!card.resumed());
    card.set_peer(0, Some(&Peer::Mac(PEER_MAC))).unwrap();
    let entries = [
        (flow(1), Entry { epoch: 77, ..forward() }),
        (flow(2), entry("hold-at-home")),
        (flow(3), Entry { endpoint: Some(9), fence: true, ..Entry::default() }),
    ];
    for (key, entry) in &entries {
        card.set(key, entry).unwrap();
    }
    card.set(&flow(4), &forward()).unwrap();
    assert!(card.remove(&flow(4)).unwrap() && !card.remove(&flow(4)).unwrap());
    rig.front_far.send(&segment(&flow(1), b"one")).unwrap();
    rig::next(&mut rig.back_far, "a packet of the first life");
    card.heartbeat().unwrap();
    rig.front_far.send(&segment(&flow(2), b"held")).unwrap();
    wait("the held frame", || (card.counters().unwrap().outcome(Port::Front, Outcome::ToHost) == 1).then_some(()));
    drop(card);
    rig.front_far.send(&segment(&flow(1), b"two")).unwrap();
    rig::next(&mut rig.back_far, "a packet without a node");

    let mut card = rig.card(config(&pins));
    assert!(card.resumed());
    assert_eq!(card.len(), 3);
    let mut found = Vec::new();
    card.flows(|key, entry| found.push((key, entry))).unwrap();
    found.sort_by_key(|(key, _)| *key);
    assert_eq!(found, entries);
    assert_eq!(card.carried(&flow(1)).unwrap().unwrap().packets, 2);
    // a new flow gets a counter that no other has
    card.set(&flow(5), &forward()).unwrap();
    rig.front_far.send(&segment(&flow(5), b"three")).unwrap();
    rig::next(&mut rig.back_far, "a packet of a new flow");
    assert_eq!([1, 5].map(|n| card.carried(&flow(n)).unwrap().unwrap().packets), [2, 1]);
    let mut frame = Vec::new();
    assert_eq!(card.receive(&mut frame), None);
    assert_eq!(card.stale(), 1);
}

#[test]
fn no_packet_is_lost_while_programs_are_replaced() {
    if !rig::allowed() {
        return;
    }
    let mut rig = Rig::new(FRONT_MAC, BACK_MAC);
    let (_mounted, pins) = rig::bpffs();
    let mut card = rig.card(config(&pins));
    card.set_peer(0, Some(&Peer::Mac(PEER_MAC))).unwrap();
    card.set(&flow(1), &forward()).unwrap();
    let namespace = ipos_sim::wire::netns::Netns::current().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let sent = std::thread::scope(|scope| {
        scope.spawn(|| {
            namespace.enter().unwrap();
            for _ in 0..5 {
                drop(KernelCard::open_object(config(&pins), &rig::object()).unwrap());
            }
            done.store(true, std::sync::atomic::Ordering::Release);
        });
        let mut number = 0u32;
        while !done.load(std::sync::atomic::Ordering::Acquire) {
            rig.front_far.send(&segment(&flow(1), &number.to_be_bytes())).unwrap();
            let frame = rig::next(&mut rig.back_far, "a numbered packet");
            assert_eq!(frame[frame.len() - 4..], number.to_be_bytes());
            number += 1;
        }
        number
    });
    eprintln!("{sent} packets through 5 replacements");
    assert_eq!(card.carried(&flow(1)).unwrap().unwrap().packets, u64::from(sent));
}

#[test]
fn detaching_leaves_no_trace() {
    if !rig::allowed() {
        return;
    }
    let mut rig = Rig::new(FRONT_MAC, BACK_MAC);
    let (_mounted, pins) = rig::bpffs();
    let mut card = rig.card(config(&pins));
    card.set_peer(0, Some(&Peer::Mac(PEER_MAC))).unwrap();
    card.set(&flow(1), &forward()).unwrap();
    drop(card);
    let show =
        || String::from_utf8(Command::new("ip").args(["link", "show", "front"]).output().unwrap().stdout).unwrap();
    assert!(show().contains("xdp"), "{}", show());
    assert!(ipos_kernel::detach(&pins).unwrap());
    assert!(!ipos_kernel::detach(&pins).unwrap());
    assert!(!show().contains("xdp") && !pins.exists(), "{}", show());
    rig.front_far.send(&segment(&flow(1), b"plain")).unwrap();
    assert_eq!(rig::next(&mut rig.front, "the frame"), segment(&flow(1), b"plain"));
}

fn refusal(config: Config) -> String {
    KernelCard::open_object(config, &rig::object()).err().expect("a refusal").to_string()
}

#[test]
fn refusals_name_their_cure_and_leave_nothing_behind() {
    if !rig::allowed() {
        return;
    }
    let _rig = Rig::new(FRONT_MAC, BACK_MAC);
    let usual = rig::config;
    assert!(refusal(Config { front: "eth9".to_owned(), ..usual() }).contains("no interface `eth9`"));
    rig::ip("link set back mtu 1500");
    assert!(refusal(usual()).contains("`ip link set back mtu 1616`"));
    rig::ip("link set back mtu 2050 address 02:00:00:00:00:01");
    assert!(refusal(usual()).contains("same MAC"));
    rig::ip("link set back address 02:00:00:00:00:02");
    rig::command("ethtool", &["-K", "front", "gro", "on"]);
    assert!(refusal(Config { generic: true, ..usual() }).contains("`ethtool -K front gro off`"));
    rig::ip("link add plain type bridge");
    rig::ip("link set plain mtu 1600");
    assert!(refusal(Config { front: "plain".to_owned(), ..usual() }).contains("generic = true"));
    let card = KernelCard::open_object(usual(), &rig::object()).unwrap();
    assert!(refusal(usual()).contains("another XDP program is on `back`"));
    let (mounted, pins) = rig::bpffs();
    assert!(refusal(config(&pins)).contains("another XDP program is on `back`"));
    assert!(!pins.exists());
    drop(mounted);
    drop(card);
    let here = std::env::temp_dir().join("ipos-no-bpffs");
    assert!(refusal(Config { pins: Some(here), ..usual() }).contains("mount -t bpf bpf"));
    let (_mounted, pins) = rig::bpffs();
    drop(KernelCard::open_object(config(&pins), &rig::object()).unwrap());
    let sizes = Sizes { flows: 64, ..usual().sizes };
    assert!(refusal(Config { sizes, ..config(&pins) }).contains("another shape"));
    ipos_kernel::detach(&pins).unwrap();

    let mut card = KernelCard::open_object(Config { sizes, ..usual() }, &rig::object()).unwrap();
    let full = (0..100).find_map(|n| card.set(&flow(n), &forward()).err()).unwrap();
    assert!(matches!(full, KernelError::Full { entries: 64, .. }), "{full}");
    assert_eq!(card.len(), 64);
    assert!(card.remove(&flow(3)).unwrap());
    card.set(&flow(99), &forward()).unwrap();
    assert!(matches!(card.set_peer(1024, None), Err(KernelError::NoPeer(1024))));
    assert!(matches!(card.deliver(&[0; 13]), Err(KernelError::FrameLength(13))));
}
