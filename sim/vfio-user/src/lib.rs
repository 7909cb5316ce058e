//! A simulated card as a PCI function that a virtual machine's kernel binds.
//!
//! QEMU's `vfio-user-pci` speaks to a socket; [`serve`] answers on it for any [`Function`]. [`config`] is the function's
//! configuration space, [`memory`] its way to the guest's memory, `backend` what joins them. The card has a thread of
//! its own and works in slices, between which it answers register accesses: an access waits for one slice at most.

mod backend;
pub mod config;
pub mod memory;

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use ipos_sim::card::{CYCLES_PER_POLL, FRAMES_PER_POLL};
use ipos_sim::pcie::device::Cable;
use ipos_sim::pcie::{Bus, Function};

use memory::GuestBus;

/// Something that the card's thread does with the card.
type Job = Box<dyn FnOnce(&mut dyn Function) + Send>;

/// How long an idle card sleeps when nobody asks anything of it.
const IDLE: Duration = Duration::from_millis(5);

/// Serves one connection on `socket`, which must not exist yet, to its end. `make` makes the card from its way to the
/// guest's memory. The card's ports are cabled to each other.
pub fn serve<F: Function + 'static>(
    socket: &Path,
    make: impl FnOnce(Box<dyn Bus>) -> F + Send + 'static,
) -> Result<(), vfio_user::Error> {
    let server = backend::server(socket)?;
    let bus = GuestBus::default();
    let (jobs, work) = channel();
    let of_card = bus.clone();
    let card = thread::spawn(move || run(make(Box::new(of_card)), &work));
    let mut backend = backend::Backend::new(bus.clone(), jobs);
    let result = server.run(&mut backend);
    drop(backend);
    if card.join().is_err() {
        tracing::error!("the card's thread has panicked");
    }
    tracing::info!(refused = bus.lock().refused(), "the connection has ended");
    result
}

/// The card's thread: work and answers in turn until nobody can ask any more.
fn run(mut card: impl Function, jobs: &Receiver<Job>) {
    let mut cable = Cable::default();
    let mut busy = true;
    loop {
        let wait = if busy { Duration::ZERO } else { IDLE };
        match jobs.recv_timeout(wait) {
            Ok(job) => {
                job(&mut card);
                // what was written may be a doorbell, and more may follow
                while let Ok(job) = jobs.try_recv() {
                    job(&mut card);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        busy = cable.carry(&mut card, FRAMES_PER_POLL) | card.run(CYCLES_PER_POLL);
    }
}
