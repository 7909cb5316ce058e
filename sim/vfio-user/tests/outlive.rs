//! A card outlives its hosts: what they left in its tables goes on working, and the next host finds it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ipos_abi::Port;
use ipos_abi::queue::QueueId;
use ipos_abi::regs::{mac_words, port, queue, queues};
use ipos_abi::table::{FlowKey, Protocol};
use ipos_device::vfio_user::{VfioUser, VfioUserDevice, VfioUserError};
use ipos_device::{Device, DmaDevice, Queue, Registers};
use ipos_nic::{Destination, Forward, Nic, PortConfig, RingConfig, Rings};
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::pcie::plant::Plant;
use ipos_sim::pcie::rings::RingCard;
use ipos_sim::wire::Wire;
use ipos_sim::wire::memory::{Memory, pair};
use ipos_socket::ListenError;
use ipos_vfio_user::{CardServer, ServeError};

const FRONT: [u8; 6] = [2, 0, 0, 0, 0, 1];
const BACK: [u8; 6] = [2, 0, 0, 0, 0, 2];
const PEER: [u8; 6] = [2, 0, 0, 0, 0, 0xb1];
const KEY: FlowKey =
    FlowKey { protocol: Protocol::Tcp, src_ip: [10, 0, 0, 1], src_port: 1000, dst_ip: [192, 168, 7, 1], dst_port: 80 };
/// 10.0.0.1:1000 → 192.168.7.1:80, four bytes of data, and the ipOS header in front of it to 172.16.0.3:5000; computed by hand.
const PACKET: &str = "4500002c12344000400656ee0a000001c0a8070103e80050112233445566778850182000e3ca000061626364";
const HEADER: &str = "0a00000103e8ac10000313880201307a";
const OWNER: Destination = Destination { ip: [172, 16, 0, 3], port: 5000, mac: PEER };

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

fn from_client() -> Vec<u8> {
    [&FRONT[..], &[2, 0, 0, 0, 0, 0xc1], &[0x08, 0x00], &bytes(PACKET)].concat()
}

fn to_owner() -> Vec<u8> {
    [&PEER[..], &BACK, &[0x00, 0x07], &bytes(HEADER), &bytes(PACKET)].concat()
}

/// A card in a thread, its socket and the far ends of its wires.
struct Bench {
    socket: PathBuf,
    front: Memory,
    back: Memory,
    server: JoinHandle<()>,
}

impl Bench {
    /// Serves so many hosts, one after the other.
    fn new(hosts: u32) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ipos-card-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let socket = std::env::temp_dir().join(name);
        let mut plant = Plant::default();
        let [front, back] = Port::ALL.map(|port| {
            let (near, far) = pair().unwrap();
            plant.plug(port, Box::new(near));
            far
        });
        let make = |bus| RingCard::new(|| ModelCard::new(ModelConfig::default()), bus);
        let mut card = CardServer::new(&socket, plant, make, |e| panic!("{e}")).unwrap();
        let server = thread::spawn(move || (0..hosts).for_each(|_| card.serve_one().unwrap()));
        Bench { socket, front, back, server }
    }

    fn connect(&self) -> VfioUserDevice {
        VfioUser::connect(&self.socket).unwrap()
    }

    /// A packet of the client comes out of the back port, encapsulated.
    fn forwards(&mut self) {
        self.front.send(&from_client()).unwrap();
        assert_eq!(expect(&mut self.back), to_owner());
    }
}

fn expect(wire: &mut impl Wire) -> Vec<u8> {
    let (mut frame, end) = (Vec::new(), Instant::now() + Duration::from_secs(10));
    while !wire.receive(&mut frame).unwrap() {
        assert!(Instant::now() < end, "nothing came out");
        thread::sleep(Duration::from_millis(1));
    }
    frame
}

fn received(card: &mut impl Device) -> Vec<u8> {
    let (mut frame, end) = (Vec::new(), Instant::now() + Duration::from_secs(10));
    while card.receive(Queue::Receive, &mut frame).unwrap().is_none() {
        assert!(Instant::now() < end, "nothing was received");
        card.poll().unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    frame
}

fn set_up(card: &mut Nic<Rings<VfioUserDevice>>) {
    for (port, mac) in [(Port::Front, FRONT), (Port::Back, BACK)] {
        card.set_port(port, &PortConfig { mac, promiscuous: false, vlan: None }).unwrap();
    }
    card.set_ethertype(0x0007).unwrap();
}

#[test]
fn the_card_forwards_before_during_and_after_its_host() {
    let mut bench = Bench::new(3);
    let mut card = Nic::open(Rings::open(bench.connect(), &RingConfig::default()).unwrap()).unwrap();
    set_up(&mut card);
    // a miss comes to the host, through memory that the two share
    bench.front.send(&from_client()).unwrap();
    assert_eq!(received(card.device_mut()), from_client());
    // and the host's frames go out
    assert!(card.device_mut().transmit(Port::Front, &[0xaa; 60]).unwrap());
    card.device_mut().poll().unwrap();
    assert_eq!(expect(&mut bench.front), [0xaa; 60]);
    card.forward_insert(&KEY, Forward::To(OWNER)).unwrap();
    bench.forwards();
    let before = card.carried(&KEY).unwrap().unwrap().packets;
    assert_eq!(before, 1);

    drop(card);
    bench.forwards();

    // the next host finds queues that are off, and ports and tables as they were
    let mut device = bench.connect();
    bench.forwards();
    for &id in QueueId::ALL {
        assert_eq!(device.read32(queue(id as usize, queues::STATUS)).unwrap(), 0);
    }
    let mut rings = Rings::open(device, &RingConfig::default()).unwrap();
    bench.forwards();
    // another destination port: a miss
    let mut other = from_client();
    other[36..38].copy_from_slice(&[0, 81]);
    bench.front.send(&other).unwrap();
    assert_eq!(received(&mut rings), other);

    // a reset is for who asks for it
    drop(rings);
    let mut device = bench.connect();
    assert_eq!(device.read32(port::FRONT_MAC_LO).unwrap(), mac_words(FRONT).0);
    device.reset().unwrap();
    assert_eq!(device.read32(port::FRONT_MAC_LO).unwrap(), 0);
    drop(device);
    bench.server.join().unwrap();
}

#[test]
fn only_one_server_has_a_socket_and_what_a_dead_one_left_is_replaced() {
    let bench = Bench::new(1);
    let make = |bus| RingCard::new(|| ModelCard::new(ModelConfig::default()), bus);
    let second = CardServer::new(&bench.socket, Plant::default(), make, |e| panic!("{e}"));
    assert!(matches!(second, Err(ServeError::Listen(ListenError::InUse(_)))));
    drop(bench.connect());
    bench.server.join().unwrap();
    assert!(!bench.socket.exists());
    let refused = VfioUser::connect(&bench.socket).err().unwrap();
    assert!(matches!(refused, VfioUserError::Connect { .. }) && refused.to_string().contains("ipos card serve"));
    // a killed server leaves its socket
    drop(std::os::unix::net::UnixListener::bind(&bench.socket).unwrap());
    let server = CardServer::new(&bench.socket, Plant::default(), make, |e| panic!("{e}")).unwrap();
    drop(server);
    assert!(!bench.socket.exists());
    // and what is no socket stays
    std::fs::write(&bench.socket, "a key").unwrap();
    let refused = CardServer::new(&bench.socket, Plant::default(), make, |e| panic!("{e}"));
    assert!(matches!(refused, Err(ServeError::Listen(ListenError::Foreign(_)))));
    assert_eq!(std::fs::read(&bench.socket).unwrap(), b"a key");
    std::fs::remove_file(&bench.socket).unwrap();
}

/// What the protocol's crate does not check: the capabilities are no string that ends. vfio-user: header of 16 bytes, command 1.
#[test]
fn a_client_that_sends_nonsense_does_not_take_the_card_with_it() {
    let bench = Bench::new(2);
    let mut client = std::os::unix::net::UnixStream::connect(&bench.socket).unwrap();
    let (command, size) = (1u16.to_le_bytes(), 24u32.to_le_bytes());
    let message = [&[0, 0], &command[..], &size, &[0; 8], &[0; 4], b"1234"].concat();
    std::io::Write::write_all(&mut client, &message).unwrap();
    assert_eq!(std::io::Read::read(&mut client, &mut [0]).unwrap(), 0, "it is closed");
    drop(bench.connect());
    bench.server.join().unwrap();
}
