//! What is neither a plain TCP move nor its refusal: UDP flows, ends that nobody tells of, restarts. The oracle is the
//! client's kernel and what it was promised.

#[path = "../common/mod.rs"]
mod common;
mod ends;
mod fence;
mod firewall;
mod forged;
mod fragments;
mod frames;
mod later;
mod mtu;
mod plain;
mod recorded;
mod restart;
mod tcp;
mod udp;
mod vlan;

/// Waits until `f` says so; not for ever.
async fn until(what: &str, mut f: impl AsyncFnMut() -> bool) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !f().await {
        assert!(std::time::Instant::now() < end, "{what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// A process that dies in the middle of its work: its socket vanishes and says nothing.
fn vanish(server: std::net::TcpStream) {
    use ipos_migrate::socket::{Diag, freeze, inspect};
    use std::os::fd::AsFd;
    let seen = inspect(server.as_fd(), &mut Diag::open().unwrap()).unwrap();
    freeze(server.into(), &seen, None, seen.room(), || ()).unwrap().close_silently();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}
