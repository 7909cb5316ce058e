//! Cards, nodes and a client in processes of their own: what the client sees when they are killed, and when frames are lost
//! between them.

mod client;
mod cluster;
mod crashes;
mod crowd;
mod faults;
mod mass;
mod role;
mod soak;

/// Not a test of its own: the others run this program again to be a node.
#[test]
fn a_node_of_another_test() {
    if let Ok(text) = std::env::var(role::Role::VARIABLE) {
        serde_json::from_str::<role::Role>(&text).unwrap().play();
    }
}
