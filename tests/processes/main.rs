//! Cards, nodes, applications and a client in processes of their own: what the client sees when they are killed, when frames are
//! lost between them, and when there are many.

mod application;
mod client;
mod clocks;
mod cluster;
mod crashes;
mod crowd;
mod disk;
mod faults;
mod full;
mod mass;
mod silent;
mod soak;

/// Not a test of its own: the others run this program again to be an application.
#[test]
fn an_application_of_another_test() {
    if let Ok(node) = std::env::var(application::VARIABLE) {
        application::play(&node);
    }
}
