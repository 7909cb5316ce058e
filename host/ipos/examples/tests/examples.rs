//! The examples as processes without privileges, between two nodes.

#[path = "../../tests/rig/mod.rs"]
mod rig;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use rig::program::Program;
use rig::{ADDRESS, PORT, Rig, expect, run, runtime};

fn pair(rig: &Rig, program: &str) -> [Program; 2] {
    [0, 1].map(|server| {
        let mut command = Command::new(program);
        command.arg(ADDRESS.to_string());
        Program::start(rig, server, command)
    })
}

fn moved(rig: &Rig, server: usize) -> u64 {
    runtime().block_on(rig.cluster.nodes[server].stats()).unwrap().moved_in
}

fn wait_moved(rig: &Rig, server: usize, count: u64) {
    for _ in 0..2000 {
        if moved(rig, server) == count {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("{} of {count} moves", moved(rig, server));
}

/// The rig is under test here: a node that answers late must not be offered what nobody takes yet.
#[test]
fn a_program_has_started_when_its_node_knows_of_it() {
    let mut rig = Rig::new(1);
    run(rig.close(0));
    let port = format!(":{PORT:04X} 00000000:0000 0A");
    rig.serve_late(0, async move {
        // of the runtime's thread, in the server's namespace
        while !std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap().contains(&port) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // longer than it takes to see that the kernel has the port
        tokio::time::sleep(Duration::from_millis(300)).await;
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_echo"));
    command.arg(ADDRESS.to_string());
    let _program = Program::start(&rig, 0, command);
    assert!(rig.cluster.nodes[0].listens(PORT));
}

#[test]
fn echo_counts_on_wherever_it_is() {
    let rig = Rig::new(2);
    let _programs = pair(&rig, env!("CARGO_BIN_EXE_echo"));
    let mut client = rig.connect();
    expect(&mut client, b"one\ntw", b"1 one\n");
    expect(&mut client, b"o\n", b"2 two\n");
    // the half line behind the order to move goes along
    expect(&mut client, b"move b\nthr", b"");
    wait_moved(&rig, 1, 1);
    expect(&mut client, b"ee\n", b"3 three\n");
    expect(&mut client, b"move c\nfour\n", b"no peer is called \"c\"; the node knows [\"a\"]\n4 four\n");
    expect(&mut client, b"move a\nfive\n", b"5 five\n");
    assert_eq!((moved(&rig, 0), moved(&rig, 1)), (1, 1));
}

/// A member of the chat.
struct Member {
    line: BufReader<TcpStream>,
}

impl Member {
    fn join(rig: &Rig, name: &str) -> Self {
        let mut member = Member { line: BufReader::new(rig.connect()) };
        member.say(name);
        member.hear(&format!("* {name} is here"));
        member
    }

    fn say(&mut self, text: &str) {
        self.line.get_mut().write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    fn hear(&mut self, text: &str) {
        let mut line = String::new();
        self.line.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{text}\n"));
    }
}

#[test]
fn a_chat_room_moves_with_its_members_and_nobody_misses_a_line() {
    let rig = Rig::new(2);
    let _programs = pair(&rig, env!("CARGO_BIN_EXE_chat"));
    let mut members: Vec<Member> = Vec::new();
    for i in 0..5 {
        let joining = Member::join(&rig, &format!("m{i}"));
        for member in &mut members {
            member.hear(&format!("* m{i} is here"));
        }
        members.push(joining);
    }
    for round in 0..6 {
        let target = ["b", "a"][round % 2];
        members[round % 5].say(&format!("/move {target}"));
        // said while the room moves, by each
        for (i, member) in members.iter_mut().enumerate() {
            member.say(&format!("round {round} of {i}"));
        }
        // all hear all in the same order
        let mut heard: Vec<Vec<String>> = Vec::new();
        for member in &mut members {
            let mut lines = Vec::new();
            for _ in 0..5 {
                let mut line = String::new();
                member.line.read_line(&mut line).unwrap();
                lines.push(line);
            }
            heard.push(lines);
        }
        assert!(heard.windows(2).all(|w| w[0] == w[1]), "{heard:#?}");
        let mut sorted = heard[0].clone();
        sorted.sort();
        let expected: Vec<_> = (0..5).map(|i| format!("<m{i}> round {round} of {i}\n")).collect();
        assert_eq!(sorted, expected);
        wait_moved(&rig, 1 - round % 2, 5 * (round as u64 / 2 + 1));
    }
}

#[test]
fn a_server_that_is_terminated_leaves_its_clients_to_the_other() {
    let rig = Rig::new(2);
    let [mut a, _b] = pair(&rig, env!("CARGO_BIN_EXE_drain"));
    let mut clients: Vec<_> = (0..10).map(|_| rig.connect()).collect();
    for client in &mut clients {
        expect(client, b"before", b"before");
    }
    a.signal(Signal::SIGTERM);
    assert_eq!(a.0.wait().unwrap().code(), Some(0));
    assert_eq!(moved(&rig, 1), 10);
    for client in &mut clients {
        expect(client, b"after", b"after");
        client.shutdown(Shutdown::Write).unwrap();
        let mut rest = String::new();
        client.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, " 11", "the bytes of both servers");
    }
}
