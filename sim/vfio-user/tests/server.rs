//! The server against the other end of the protocol, `vfio_user::Client`: what QEMU would see.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use ipos_abi::pci::config;
use ipos_abi::queue::{ERROR_VECTOR, QueueId, VECTORS};
use ipos_abi::regs::{MAGIC, card, dma, port, queue, queues};
use ipos_abi::{ABI_VERSION, pci};
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::pcie::plant::Plant;
use ipos_sim::pcie::rings::RingCard;
use ipos_vfio_user::CardServer;
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD, VFIO_IRQ_SET_DATA_NONE, VFIO_PCI_BAR0_REGION_INDEX as BAR0,
    VFIO_PCI_CONFIG_REGION_INDEX as CONFIG, VFIO_PCI_MSIX_IRQ_INDEX as MSIX,
};
use vfio_user::Client;

const COMMAND: u64 = 4;
const BUS_MASTER: [u8; 2] = 6u16.to_le_bytes();
/// Guest memory: bus addresses 0x100000 to 0x108000 are the file's bytes from 0x2000.
const IOVA: u64 = 0x10_0000;
const OFFSET: u64 = 0x2000;
const SIZE: u64 = 0x8000;

struct Bench {
    client: Client,
    memory: File,
    server: Option<JoinHandle<()>>,
}

impl Bench {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ipos-vfio-user-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let socket: PathBuf = std::env::temp_dir().join(name);
        let make = || ModelCard::new(ModelConfig::default());
        let make = move |bus| RingCard::new(make, bus);
        let mut card = CardServer::new(&socket, Plant::default(), make, |e| panic!("{e}")).unwrap();
        let server = std::thread::spawn(move || card.serve_one().unwrap());
        let mut client = Client::new(&socket).unwrap();
        // SAFETY: a new descriptor that nothing else owns.
        let memory = unsafe { File::from_raw_fd(libc::memfd_create(c"guest".as_ptr(), libc::MFD_CLOEXEC)) };
        memory.set_len(0x10_000).unwrap();
        client.dma_map(OFFSET, IOVA, SIZE, memory.as_raw_fd()).unwrap();
        Bench { client, memory, server: Some(server) }
    }

    fn read(&mut self, offset: u32) -> u32 {
        let mut data = [0; 4];
        self.client.region_read(BAR0, offset.into(), &mut data).unwrap();
        u32::from_le_bytes(data)
    }

    fn write(&mut self, offset: u32, value: u32) {
        self.client.region_write(BAR0, offset.into(), &value.to_le_bytes()).unwrap();
    }

    fn config<const N: usize>(&mut self, offset: u64) -> [u8; N] {
        let mut data = [0; N];
        self.client.region_read(CONFIG, offset, &mut data).unwrap();
        data
    }

    /// An eventfd on a vector.
    fn listen(&mut self) -> Vec<File> {
        let new = || {
            // SAFETY: a new descriptor that nothing else owns.
            unsafe { File::from_raw_fd(libc::eventfd(0, libc::EFD_CLOEXEC)) }
        };
        let files: Vec<File> = (0..VECTORS).map(|_| new()).collect();
        let fds: Vec<i32> = files.iter().map(AsRawFd::as_raw_fd).collect();
        let flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
        self.client.set_irqs(MSIX, flags, 0, VECTORS as u32, &fds).unwrap();
        files
    }

    /// Starts the front transmit queue with eight entries, descriptors first, completions 0x80 behind, and asks for
    /// one frame at `address`.
    fn send(&mut self, address: u64, length: u16) {
        let mut descriptor = [0; 16];
        descriptor[..8].copy_from_slice(&address.to_le_bytes());
        descriptor[8..10].copy_from_slice(&length.to_le_bytes());
        self.memory.write_all_at(&descriptor, OFFSET).unwrap();
        let q = QueueId::TransmitFront as usize;
        self.write(queue(q, queues::CONTROL), 0);
        self.write(queue(q, queues::DESCRIPTORS_LO), IOVA as u32);
        self.write(queue(q, queues::COMPLETIONS_LO), IOVA as u32 + 0x80);
        self.write(queue(q, queues::CONTROL), 3 << 8 | 1);
        self.write(queue(q, queues::TAIL), 1);
    }

    fn completion(&self) -> [u32; 4] {
        let mut entry = [0; 16];
        self.memory.read_exact_at(&mut entry, OFFSET + 0x80).unwrap();
        std::array::from_fn(|i| {
            u32::from_le_bytes([entry[4 * i], entry[4 * i + 1], entry[4 * i + 2], entry[4 * i + 3]])
        })
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.client.shutdown().unwrap();
        let ended = self.server.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

fn wait(eventfd: &mut File) -> u64 {
    let mut count = [0; 8];
    eventfd.read_exact(&mut count).unwrap();
    u64::from_ne_bytes(count)
}

#[test]
fn configuration_space_is_what_linux_expects() {
    let mut bench = Bench::new();
    assert_eq!(u32::from_le_bytes(bench.config(0)), u32::from(pci::DEVICE) << 16 | u32::from(pci::VENDOR));
    assert_eq!(bench.config::<3>(9), [0x00, 0x00, 0x02]);
    // the capability list ends, and holds MSI-X and PCI Express
    let (mut at, mut found) = (bench.config::<1>(0x34)[0], Vec::new());
    while at != 0 && found.len() < 48 {
        let [id, next] = bench.config(at.into());
        found.push(id);
        at = next;
    }
    assert_eq!(found, [0x01, 0x11, 0x10]);
    let [low, high] = bench.config::<2>(config::MSIX_CONTROL.into());
    assert_eq!(usize::from(u16::from_le_bytes([low, high])) + 1, VECTORS);
    // identity can't be written; the command register's defined bits can
    bench.client.region_write(CONFIG, 0, &[0; 4]).unwrap();
    bench.client.region_write(CONFIG, COMMAND, &[0xff, 0xff]).unwrap();
    assert_eq!(bench.config::<2>(0), pci::VENDOR.to_le_bytes());
    assert_eq!(bench.config::<2>(COMMAND), 0x0546u16.to_le_bytes());
    // beyond the end
    assert_eq!(bench.config::<8>(4092), [0; 8]);
}

/// The names of Linux' `pci_regs.h` (Debian's linux-libc-dev) and their values.
fn linux() -> HashMap<String, u32> {
    let text = std::fs::read_to_string("/usr/include/linux/pci_regs.h").expect("the header of linux-libc-dev");
    let value = |line: &str| {
        let mut words = line.strip_prefix("#define")?.split_whitespace();
        let (name, value) = (words.next()?, words.next()?);
        let value = match value.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => value.parse().ok()?,
        };
        Some((name.to_owned(), value))
    };
    text.lines().filter_map(value).collect()
}

#[test]
fn every_bit_that_software_may_write_is_linux_own_and_no_other() {
    let mut bench = Bench::new();
    let linux = linux();
    let named = |names: &str| names.split_whitespace().map(|n| linux[&format!("PCI_{n}")]).fold(0, |all, v| all | v);
    // where a capability begins, by its ID
    let mut capabilities = HashMap::new();
    let mut at = u32::from(bench.config::<1>(named("CAPABILITY_LIST").into())[0]);
    while at != 0 && capabilities.len() < 48 {
        let [id, next] = bench.config(at.into());
        capabilities.insert(u32::from(id), at);
        at = next.into();
    }
    let capability = |id: &str| capabilities[&named(id)];
    let (pm, msix, express) = (capability("CAP_ID_PM"), capability("CAP_ID_MSIX"), capability("CAP_ID_EXP"));
    let mut expected = vec![0u8; 256];
    let mut allow = |at: u32, mask: u32| {
        for (i, byte) in mask.to_le_bytes().into_iter().enumerate().filter(|(_, byte)| *byte != 0) {
            expected[at as usize + i] = byte;
        }
    };
    allow(named("COMMAND"), named("COMMAND_MEMORY COMMAND_MASTER COMMAND_PARITY COMMAND_SERR COMMAND_INTX_DISABLE"));
    allow(named("CACHE_LINE_SIZE"), 0xff);
    allow(named("INTERRUPT_LINE"), 0xff);
    allow(named("BASE_ADDRESS_0"), !0xffff); // 64 KiB
    allow(msix + named("MSIX_FLAGS"), named("MSIX_FLAGS_MASKALL MSIX_FLAGS_ENABLE"));
    let control = "EXP_DEVCTL_CERE EXP_DEVCTL_NFERE EXP_DEVCTL_FERE EXP_DEVCTL_URRE EXP_DEVCTL_RELAX_EN EXP_DEVCTL_PAYLOAD \
                   EXP_DEVCTL_NOSNOOP_EN EXP_DEVCTL_READRQ";
    allow(express + named("EXP_DEVCTL"), named(control));
    allow(express + named("EXP_LNKCTL"), named("EXP_LNKCTL_RCB EXP_LNKCTL_CCC EXP_LNKCTL_ES"));
    allow(express + named("EXP_DEVCTL2"), named("EXP_DEVCTL2_COMP_TIMEOUT EXP_DEVCTL2_COMP_TMOUT_DIS"));
    let reset_byte = u64::from(express + named("EXP_DEVCTL") + 1);
    for at in 0..256 {
        for bit in (0..8).map(|b| 1u8 << b) {
            if at == reset_byte && u32::from(bit) << 8 == named("EXP_DEVCTL_BCR_FLR") {
                continue;
            }
            let [old] = bench.config(at);
            bench.client.region_write(CONFIG, at, &[old ^ bit]).unwrap();
            let [new] = bench.config(at);
            bench.client.region_write(CONFIG, at, &[old]).unwrap();
            let changes = if expected[at as usize] & bit == 0 { 0 } else { bit };
            assert_eq!(new ^ old, changes, "bit {bit:#x} of byte {at:#x}");
            assert_eq!(bench.config::<1>(at), [old], "byte {at:#x} goes back");
        }
    }
    // the power state knows two of four; awake it answers, asleep nobody does
    let state = u64::from(pm + named("PM_CTRL"));
    assert_eq!(u32::from(bench.config::<1>(pm as u64 + u64::from(named("PM_PMC")))[0]) & named("PM_CAP_VER_MASK"), 3);
    for (written, found, magic) in [(3, 3, u32::MAX), (1, 3, u32::MAX), (2, 3, u32::MAX), (0, 0, MAGIC), (2, 0, MAGIC)]
    {
        bench.client.region_write(CONFIG, state, &[written]).unwrap();
        assert_eq!(u32::from(bench.config::<1>(state)[0]) & named("PM_CTRL_STATE_MASK"), found);
        assert_eq!(bench.read(card::MAGIC), magic, "state {written}");
    }
    let link = bench.config::<2>(u64::from(express + named("EXP_LNKSTA")));
    assert_eq!(u32::from(u16::from_le_bytes(link)) & named("EXP_LNKSTA_NLW"), named("EXP_LNKSTA_NLW_X1"));
}

#[test]
fn errors_stand_in_the_status_registers_until_they_are_cleared() {
    let mut bench = Bench::new();
    let linux = linux();
    let aborted = linux["PCI_STATUS_REC_MASTER_ABORT"] as u16;
    let status = |bench: &mut Bench| u16::from_le_bytes(bench.config(config::STATUS.into()));
    bench.client.region_write(CONFIG, COMMAND, &BUS_MASTER).unwrap();
    let mut vectors = bench.listen();
    assert_eq!(status(&mut bench), linux["PCI_STATUS_CAP_LIST"] as u16);
    for _ in 0..2 {
        bench.send(IOVA + SIZE, 64);
        wait(&mut vectors[QueueId::TransmitFront as usize]);
        assert_eq!(status(&mut bench), linux["PCI_STATUS_CAP_LIST"] as u16 | aborted);
        // what is written as zero stays
        bench.client.region_write(CONFIG, config::STATUS.into(), &(!aborted).to_le_bytes()).unwrap();
        assert_eq!(status(&mut bench) & aborted, aborted);
        bench.client.region_write(CONFIG, config::STATUS.into(), &aborted.to_le_bytes()).unwrap();
        assert_eq!(status(&mut bench) & aborted, 0);
    }
}

#[test]
fn registers_of_every_access_size() {
    let mut bench = Bench::new();
    assert_eq!(bench.read(card::MAGIC), MAGIC);
    assert_eq!(bench.read(card::ABI), ABI_VERSION);
    let mut wide = [0; 8];
    bench.client.region_read(BAR0, card::MAGIC.into(), &mut wide).unwrap();
    assert_eq!(u64::from_le_bytes(wide), u64::from(ABI_VERSION) << 32 | u64::from(MAGIC));
    let mut byte = [0; 1];
    bench.client.region_read(BAR0, u64::from(card::MAGIC) + 3, &mut byte).unwrap();
    assert_eq!(u32::from(byte[0]), MAGIC >> 24);
    bench.client.region_write(BAR0, port::FRONT_MAC_LO.into(), &0x1234_5678_9abc_def0u64.to_le_bytes()).unwrap();
    assert_eq!(bench.read(port::FRONT_MAC_LO), 0x9abc_def0);
    assert_eq!(bench.read(port::FRONT_MAC_HI) & 0xffff, 0x5678);
    // a part of a word is dropped, and so is what lies behind BAR0
    bench.client.region_write(BAR0, port::FRONT_MAC_LO.into(), &[1, 2]).unwrap();
    bench.client.region_write(BAR0, 0x1_0000, &[1, 2, 3, 4]).unwrap();
    bench.client.region_write(BAR0, u64::MAX - 3, &[1, 2, 3, 4]).unwrap();
    assert_eq!(bench.read(port::FRONT_MAC_LO), 0x9abc_def0);
    assert_eq!(bench.read(0xfffc), 0);
}

#[test]
fn a_frame_is_read_completed_and_announced() {
    let mut bench = Bench::new();
    bench.client.region_write(CONFIG, COMMAND, &BUS_MASTER).unwrap();
    let mut vectors = bench.listen();
    bench.send(IOVA + 0x1000, 60);
    assert_eq!(wait(&mut vectors[QueueId::TransmitFront as usize]), 1);
    assert_eq!(bench.completion(), [60, 0, 0, 1 << 31]);
    assert_eq!(bench.read(queue(QueueId::TransmitFront as usize, queues::HEAD)), 1);
}

#[test]
fn an_unmapped_address_is_reported() {
    let mut bench = Bench::new();
    bench.client.region_write(CONFIG, COMMAND, &BUS_MASTER).unwrap();
    let mut vectors = bench.listen();
    // begins inside the mapping, ends behind it
    bench.send(IOVA + SIZE - 32, 64);
    wait(&mut vectors[ERROR_VECTOR]);
    wait(&mut vectors[QueueId::TransmitFront as usize]);
    assert_eq!(bench.completion(), [64, 0, 0, 1 << 31 | 3 << 24]);
    assert_eq!(bench.read(dma::ERRORS), 1 << 3);
    // an unmapped ring: the descriptor can't be read, the queue stops
    bench.client.dma_unmap(IOVA, SIZE).unwrap();
    bench.write(dma::ERRORS, u32::MAX);
    bench.send(IOVA + 0x1000, 60);
    wait(&mut vectors[ERROR_VECTOR]);
    assert_eq!(bench.read(queue(QueueId::TransmitFront as usize, queues::STATUS)), 2 << 8);
    assert_eq!(bench.read(dma::ERRORS), 1 << 3 | 1 << 7);
}

#[test]
fn without_bus_mastering_nothing_moves_and_reset_clears_it() {
    let mut bench = Bench::new();
    let mut vectors = bench.listen();
    bench.send(IOVA + 0x1000, 60);
    let head = queue(QueueId::TransmitFront as usize, queues::HEAD);
    // each read waits for a slice of the card's work
    for _ in 0..100 {
        assert_eq!(bench.read(head), 0);
    }
    bench.client.region_write(CONFIG, COMMAND, &BUS_MASTER).unwrap();
    assert_eq!(wait(&mut vectors[QueueId::TransmitFront as usize]), 1);
    assert_eq!(bench.read(dma::LINK) & 1, 1);
    // the same by the reset command and by the bit in device control
    for by_config in [false, true] {
        bench.client.region_write(CONFIG, COMMAND, &BUS_MASTER).unwrap();
        bench.write(port::FRONT_MAC_LO, 7);
        if by_config {
            bench.client.region_write(CONFIG, 0x68, &0xa810u16.to_le_bytes()).unwrap();
        } else {
            bench.client.reset().unwrap();
        }
        assert_eq!(bench.config::<2>(COMMAND), [0, 0]);
        assert_eq!((bench.read(port::FRONT_MAC_LO), bench.read(head), bench.read(dma::LINK) & 1), (0, 0, 0));
    }
    // listeners outlive a reset: QEMU doesn't set them again
    bench.client.region_write(CONFIG, COMMAND, &BUS_MASTER).unwrap();
    bench.send(IOVA + 0x1000, 60);
    assert_eq!(wait(&mut vectors[QueueId::TransmitFront as usize]), 1);
    // and end with their removal
    bench.client.set_irqs(MSIX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0, &[]).unwrap();
    bench.send(IOVA + 0x1000, 60);
    while bench.read(head) == 0 {}
    vectors[QueueId::TransmitFront as usize].write_all(&1u64.to_ne_bytes()).unwrap();
    assert_eq!(wait(&mut vectors[QueueId::TransmitFront as usize]), 1, "only what the test wrote itself");
}
