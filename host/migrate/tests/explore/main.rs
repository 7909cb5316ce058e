//! Every interleaving of a move with loss, repetition, reordering, delay, failures and crashes, up to
//! the budgets below.

mod search;
mod shell;
mod walk;
mod world;

use search::Search;
use world::{Budget, World};

fn explore(name: &str, nodes: usize, budget: Budget) {
    let search = move || Search::default().run(World::new(nodes, budget));
    // a schedule is as deep as the stack
    let found = std::thread::Builder::new().stack_size(1 << 30).spawn(search).unwrap().join().unwrap();
    let (states, Search { transitions, ends, deepest, broken, .. }) = (found.states(), &found);
    eprintln!("{name}: {nodes} nodes, {budget:?}: {states} states, {transitions} steps, {ends} ends, depth {deepest}");
    if let Some(broken) = broken {
        panic!("{name}: {broken}");
    }
}

#[test]
fn two_nodes_every_loss_repetition_and_delay() {
    let b = Budget { moves: 1, packets: 1, loss: 1, repeat: 1, early: 1, ..Budget::default() };
    explore("one move", 2, b);
}

#[test]
fn two_nodes_there_and_back() {
    let b = Budget { moves: 2, loss: 1, repeat: 1, early: 1, ..Budget::default() };
    explore("there and back", 2, b);
}

#[test]
fn three_nodes_chains() {
    let b = Budget { moves: 2, packets: 1, early: 1, ..Budget::default() };
    explore("chains", 3, b);
}

#[test]
fn the_kernel_lags_and_work_fails() {
    let b = Budget { moves: 1, packets: 2, lag: 1, fail: 2, early: 1, ..Budget::default() };
    explore("lag and failure", 2, b);
}

#[test]
fn a_connection_ends_anywhere() {
    let b = Budget { moves: 2, close: 1, repeat: 1, ..Budget::default() };
    explore("end", 3, b);
}

#[test]
fn an_audit_changes_nothing_that_is_right() {
    let b = Budget { moves: 2, audit: 1, loss: 1, ..Budget::default() };
    explore("audit", 3, b);
}

#[test]
fn a_node_starts_again_and_applications_do_not() {
    // with 1, two million states and more than a minute
    let early = std::env::var("IPOS_EARLY").map_or(0, |v| v.parse().expect("IPOS_EARLY"));
    let b = Budget { moves: 2, restart: 1, loss: 1, early, packets: 1, ..Budget::default() };
    explore("restart", 2, b);
    let b = Budget { moves: 2, restart: 1, packets: 1, ..Budget::default() };
    explore("restart among three", 3, b);
}

#[test]
fn what_queues_have_goes_ahead() {
    let b = Budget { moves: 1, ahead: 1, packets: 1, loss: 1, repeat: 1, ..Budget::default() };
    explore("ahead", 2, b);
    let b = Budget { moves: 1, ahead: 1, fail: 1, early: 1, ..Budget::default() };
    explore("ahead, and work fails", 2, b);
}

#[test]
fn crashes() {
    let b = Budget { moves: 1, crash: 1, loss: 1, early: 1, packets: 1, ..Budget::default() };
    explore("crash", 2, b);
}
