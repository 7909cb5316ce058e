//! Every interleaving of a move with loss, repetition, reordering, delay, failures and crashes, up to
//! the budgets below.

mod rare;
mod record;
mod search;
mod shell;
mod walk;
mod world;

use search::Search;
use world::Kind::{self, PlainTcp, PlainUdp, Tcp, Udp};
use world::{Budget, World};

fn explore(name: &str, nodes: usize, kind: Kind, budget: Budget) {
    let search = move || Search::default().run(World::new(nodes, kind, budget));
    // a schedule is as deep as the stack
    let found = std::thread::Builder::new().stack_size(1 << 30).spawn(search).unwrap().join().unwrap();
    let (states, Search { transitions, ends, deepest, broken, .. }) = (found.states(), &found);
    eprintln!(
        "{name}: {nodes} nodes, {kind:?}, {budget:?}: {states} states, {transitions} steps, {ends} ends, depth {deepest}"
    );
    if let Some(broken) = broken {
        panic!("{name}: {broken}");
    }
}

/// More of something than a test run has the time for.
fn by_hand(variable: &str, usual: u8) -> u8 {
    std::env::var(variable).map_or(usual, |v| v.parse().expect(variable))
}

#[test]
fn two_nodes_every_loss_repetition_and_delay() {
    let b = Budget { moves: 1, packets: 1, loss: 1, repeat: 1, early: 1, ..Budget::default() };
    explore("one move", 2, Tcp, b);
}

#[test]
fn two_nodes_there_and_back() {
    let b = Budget { moves: 2, loss: 1, repeat: 1, early: 1, ..Budget::default() };
    explore("there and back", 2, Tcp, b);
}

#[test]
fn three_nodes_chains() {
    let b = Budget { moves: 2, packets: 1, early: 1, ..Budget::default() };
    explore("chains", 3, Tcp, b);
}

#[test]
fn the_kernel_lags_and_work_fails() {
    let b = Budget { moves: 1, packets: 2, lag: 1, fail: 2, early: 1, ..Budget::default() };
    explore("lag and failure", 2, Tcp, b);
}

#[test]
fn a_connection_ends_anywhere() {
    let b = Budget { moves: 2, close: 1, repeat: 1, ..Budget::default() };
    explore("end", 3, Tcp, b);
}

#[test]
fn an_audit_changes_nothing_that_is_right() {
    let b = Budget { moves: 2, audit: 1, loss: 1, ..Budget::default() };
    explore("audit", 3, Tcp, b);
}

#[test]
fn a_node_starts_again_and_applications_do_not() {
    // with 1, three million states and more than a minute
    let early = by_hand("IPOS_EARLY", 0);
    let b = Budget { moves: 2, restart: 1, loss: 1, early, packets: 1, ..Budget::default() };
    explore("restart", 2, Tcp, b);
    let b = Budget { moves: 2, restart: 1, packets: 1, ..Budget::default() };
    explore("restart among three", 3, Tcp, b);
}

#[test]
fn what_queues_have_goes_ahead() {
    let b = Budget { moves: 1, ahead: 1, packets: 1, loss: 1, repeat: 1, ..Budget::default() };
    explore("ahead", 2, Tcp, b);
    let b = Budget { moves: 1, ahead: 1, fail: 1, early: 1, ..Budget::default() };
    explore("ahead, and work fails", 2, Tcp, b);
}

#[test]
fn crashes() {
    let b = Budget { moves: 1, crash: 1, loss: 1, early: 1, packets: 1, ..Budget::default() };
    explore("crash", 2, Tcp, b);
}

#[test]
fn a_flow_with_every_loss_repetition_and_delay() {
    let packets = by_hand("IPOS_DATAGRAMS", 1);
    let b = Budget { moves: 1, packets, loss: 1, repeat: 1, early: 1, ..Budget::default() };
    explore("a flow", 2, Udp, b);
    let b = Budget { moves: 2, packets, loss: 1, repeat: 1, ..Budget::default() };
    explore("a flow there and back", 2, Udp, b);
    let b = Budget { moves: 2, packets, audit: 1, loss: 1, ..Budget::default() };
    explore("a flow and an audit", 2, Udp, b);
}

#[test]
fn flows_in_chains_and_their_ends() {
    let packets = by_hand("IPOS_DATAGRAMS", 1);
    let b = Budget { moves: 2, packets, early: 1, ..Budget::default() };
    explore("chains of a flow", 3, Udp, b);
    let b = Budget { moves: 2, packets, close: 1, repeat: 1, ..Budget::default() };
    explore("a flow ends", 3, Udp, b);
    let b = Budget { moves: by_hand("IPOS_MOVES", 2), packets, fail: 1, ..Budget::default() };
    explore("a flow comes back or does not", 3, Udp, b);
}

#[test]
fn no_datagram_overtakes_another_where_nothing_else_does() {
    let b = Budget { moves: 2, packets: 2, fail: 1, early: 1, ordered: true, ..Budget::default() };
    explore("a flow in order", 2, Udp, b);
    let b = Budget { moves: 1, packets: 2, lag: 1, fail: 2, early: 1, ..Budget::default() };
    explore("a flow, lag and failure", 2, Udp, b);
}

#[test]
fn a_flow_outlives_processes_but_not_its_owner() {
    let (packets, early) = (by_hand("IPOS_DATAGRAMS", 1), by_hand("IPOS_EARLY", 0));
    let b = Budget { moves: 2, restart: 1, loss: 1, early, packets, ..Budget::default() };
    explore("a flow and a restart", 2, Udp, b);
    let b = Budget { moves: 1, crash: 1, early: 1, packets, ..Budget::default() };
    explore("a flow and a crash", 2, Udp, b);
}

#[test]
fn peers_of_the_plain_format() {
    // what is repeated or late when the connection has moved on or ended can't be told from a new one
    for kind in [PlainTcp, PlainUdp] {
        let b = Budget { moves: 1, packets: 2, loss: 1, repeat: 1, early: 1, fail: 1, ..Budget::default() };
        explore("plain, one move", 2, kind, b);
        let b = Budget { moves: 2, packets: 2, loss: 1, lag: 1, ..Budget::default() };
        explore("plain, there and back", 2, kind, b);
        let b = Budget { moves: 2, packets: 2, lag: 1, close: 1, ..Budget::default() };
        explore("plain, to its end", 2, kind, b);
    }
    let b = Budget { moves: 2, packets: 2, loss: 1, early: 2, ordered: true, ..Budget::default() };
    explore("plain, there and back in order", 2, PlainTcp, b);
}

/// The attacker has every message that was ever sent, and no key.
#[test]
fn recordings_under_way_of_a_move() {
    for kind in [Tcp, Udp] {
        let b = Budget { moves: 1, packets: 1, attack: 2, ..Budget::default() };
        explore("attacked", 2, kind, b);
    }
    let b = Budget { moves: 1, attack: 2, ..Budget::default() };
    explore("attacked among three", 3, Tcp, b);
    let b = Budget { moves: 2, attack: 1, audit: 1, ..Budget::default() };
    explore("attacked in a chain", 3, Tcp, b);
    let b = Budget { moves: 1, fail: 1, attack: 1, ..Budget::default() };
    explore("attacked, and work fails", 2, Tcp, b);
}

#[test]
fn recordings_of_a_connection_whose_port_is_used_again() {
    for forget in [false, true] {
        let again = Budget { close: 1, reuse: 1, forget, ..Budget::default() };
        let b = Budget { moves: 1, attack: 5, late: true, ..again };
        explore("a whole move again", 2, Tcp, b);
        let b = Budget { moves: 2, attack: 2, late: true, ..again };
        explore("another move attacked", 2, Tcp, b);
        let b = Budget { moves: 2, attack: 2, late: true, ..again };
        explore("a chain again", 3, Tcp, b);
        let b = Budget { moves: 2, fail: 1, attack: 1, late: true, ..again };
        explore("a move given up, again", 2, Tcp, b);
    }
}
