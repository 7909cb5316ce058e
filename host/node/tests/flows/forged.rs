//! Data frames of a TCP move are nobody's: whoever reaches the back network can write some. What comes of it is a move that
//! fails; the connection stays where it was, and no byte of it is another.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ipos_abi::Port;
use ipos_abi::rx::RxMeta;
use ipos_abi::wire::control::{Frame, Message, parse};
use ipos_abi::wire::ethernet;
use ipos_abi::wire::ext::{Body, Repr};
use ipos_device::{Device, DeviceError, Queue, Registers};
use ipos_migrate::protocol::{Failure, Reason};
use ipos_node::{MoveError, NodeConfig};

use crate::common::{Cluster, PORT, SERVICE, name};

#[derive(Clone, Default)]
struct Forger {
    armed: Arc<AtomicBool>,
    forged: Arc<AtomicUsize>,
}

/// A card in whose control queue somebody else's data frames come instead of the peer's.
struct Forged<D> {
    device: D,
    forger: Forger,
}

/// The same frame with other data, made without the cluster's key.
fn forge(bytes: &mut [u8]) -> bool {
    let original = bytes.to_vec();
    let Ok(received) = parse(&original, NodeConfig::ETHERTYPE) else { return false };
    let Message::Ext(Repr { body: Body::Data { stream, offset, bytes: data }, epoch, service, answer }) =
        received.frame.message
    else {
        return false;
    };
    // none at all are signed: the answer to 88
    let Some(first) = data.first() else { return false };
    let data = vec![!first; data.len()];
    let body = Body::Data { stream, offset, bytes: &data };
    let frame = Frame { message: Message::Ext(Repr { epoch, service, answer, body }), ..received.frame };
    assert_eq!(received.frame.link.ethertype, ethernet::IPOS);
    frame.emit(bytes, None).unwrap();
    true
}

impl<D: Registers> Registers for Forged<D> {
    fn read32(&mut self, offset: u32) -> Result<u32, DeviceError> {
        self.device.read32(offset)
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), DeviceError> {
        self.device.write32(offset, value)
    }
}

impl<D: Device> Device for Forged<D> {
    fn transmit(&mut self, port: Port, frame: &[u8]) -> Result<bool, DeviceError> {
        self.device.transmit(port, frame)
    }

    fn receive(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Result<Option<RxMeta>, DeviceError> {
        let meta = self.device.receive(queue, frame)?;
        if meta.is_some() && queue == Queue::Control && self.forger.armed.load(Ordering::Relaxed) && forge(frame) {
            self.forger.forged.fetch_add(1, Ordering::Relaxed);
        }
        Ok(meta)
    }

    fn poll(&mut self) -> Result<bool, DeviceError> {
        self.device.poll()
    }

    fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        self.device.wait_fds()
    }
}

#[test]
fn forged_data_make_a_move_fail_and_nothing_else() {
    forged(12_345);
}

/// Queues of this length are copied and sent ahead of the freeze.
#[test]
fn forged_data_sent_ahead_do_no_more() {
    forged(300_000);
}

fn forged(length: usize) {
    let data: Vec<u8> = (0..length).map(|i| (i ^ i >> 8) as u8).collect();
    let forger = Forger::default();
    let wrapped = forger.clone();
    let cluster = Cluster::with(
        2,
        move |_, device| Forged { device, forger: wrapped.clone() },
        |config: &mut NodeConfig| {
            assert!(!config.cluster_keys.is_empty(), "control packets are signed");
        },
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut arrivals: Vec<_> = cluster.nodes.iter().map(|n| n.listen(PORT).unwrap()).collect();
    let listener = cluster.kernels[0].run(|| TcpListener::bind((SERVICE, PORT))).unwrap();
    let mut client = cluster.client.run(|| TcpStream::connect((SERVICE, PORT))).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (server, _) = listener.accept().unwrap();
    socket2::SockRef::from(&server).set_recv_buffer_size(2 * length).unwrap();
    client.write_all(&data).unwrap();
    let mut got = vec![0; length];
    while server.peek(&mut got).unwrap() < length {}

    let mut fd = server.into();
    for round in 1..=3 {
        forger.armed.store(true, Ordering::Relaxed);
        let failed = runtime.block_on(cluster.nodes[0].migrate(fd, vec![], &name(1))).unwrap_err();
        assert!(matches!(failed.error, MoveError::Protocol(Failure::Refused(Reason::Damaged))), "{:?}", failed.error);
        assert!(forger.forged.load(Ordering::Relaxed) >= round * length.div_ceil(1400), "nothing was forged");
        // it lives where it was
        let mut server = TcpStream::from(failed.fd.unwrap());
        server.set_nonblocking(false).unwrap();
        server.write_all(b"still here").unwrap();
        let mut answer = [0; 10];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"still here");
        fd = server.into();
    }
    forger.armed.store(false, Ordering::Relaxed);
    runtime.block_on(cluster.nodes[0].migrate(fd, vec![], &name(1))).unwrap();
    let arrival = runtime.block_on(arrivals[1].recv()).unwrap();
    let mut server = TcpStream::from(arrival.fd);
    server.set_nonblocking(false).unwrap();
    server.read_exact(&mut got).unwrap();
    assert!(got == data, "the client's bytes, each once");
    let stats = runtime.block_on(cluster.nodes[1].stats()).unwrap();
    assert_eq!((stats.control_bad, stats.moved_in), (0, 1));
}
