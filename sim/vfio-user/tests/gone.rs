//! A card that leaves the bus: every read gives all ones, as a root complex answers for nobody (PCI Express base
//! specification 2.3.2). Its memory keeps what was written last. The host learns of it within one poll.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::thread;

use ipos_abi::regs::{MAGIC, card, tables};
use ipos_abi::table::{FlowKey, Protocol};
use ipos_abi::{ABI_VERSION, Port};
use ipos_device::vfio_user::{VfioUser, VfioUserDevice};
use ipos_device::{BAR0_SIZE, Device, DeviceError, Queue, Registers};
use ipos_nic::{Forward, Nic, NicError, RingConfig, Rings};
use vfio_bindings::bindings::vfio::{
    VFIO_IRQ_INFO_EVENTFD, VFIO_PCI_BAR0_REGION_INDEX as BAR0, VFIO_PCI_CONFIG_REGION_INDEX as CONFIG,
    VFIO_PCI_NUM_IRQS, VFIO_PCI_NUM_REGIONS, VFIO_REGION_INFO_FLAG_READ, VFIO_REGION_INFO_FLAG_WRITE, vfio_region_info,
};
use vfio_user::{DmaMapFlags, DmaUnmapFlags, IrqInfo, Server, ServerBackend, ServerRegion};

const KEY: FlowKey =
    FlowKey { protocol: Protocol::Tcp, src_ip: [10, 0, 0, 1], src_port: 1000, dst_ip: [192, 168, 7, 1], dst_port: 80 };

/// Registers that keep what is written, until so many reads have been answered.
struct Leaving {
    registers: Vec<u8>,
    reads: Arc<AtomicI64>,
}

impl ServerBackend for Leaving {
    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> io::Result<()> {
        if self.reads.fetch_sub(1, Ordering::SeqCst) <= 0 {
            data.fill(0xff);
        } else if region == BAR0 {
            data.copy_from_slice(&self.registers[offset as usize..][..data.len()]);
        } else {
            data.fill(0);
        }
        Ok(())
    }

    fn region_write(&mut self, region: u32, offset: u64, data: &[u8]) -> io::Result<()> {
        if region == BAR0 {
            self.registers[offset as usize..][..data.len()].copy_from_slice(data);
        }
        Ok(())
    }

    fn dma_map(&mut self, _: DmaMapFlags, _: u64, _: u64, _: u64, _: Option<File>) -> io::Result<()> {
        Ok(())
    }

    fn dma_unmap(&mut self, _: DmaUnmapFlags, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn set_irqs(&mut self, _: u32, _: u32, _: u32, _: u32, _: Vec<File>) -> io::Result<()> {
        Ok(())
    }
}

/// A card, and how many more reads it answers.
fn leaving() -> (VfioUserDevice, Arc<AtomicI64>) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("ipos-gone-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let socket: PathBuf = std::env::temp_dir().join(name);
    let regions = (0..VFIO_PCI_NUM_REGIONS).map(|index| {
        let size = match index {
            BAR0 => u64::from(BAR0_SIZE),
            CONFIG => 4096,
            _ => 0,
        };
        let flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE;
        let argsz = size_of::<vfio_region_info>() as u32;
        let region_info = vfio_region_info { argsz, index, size, flags, ..Default::default() };
        ServerRegion { region_info, sparse_areas: Vec::new(), mmap_fd: None }
    });
    let irqs = (0..VFIO_PCI_NUM_IRQS).map(|index| IrqInfo { index, flags: VFIO_IRQ_INFO_EVENTFD, count: 6 });
    let server = Server::new(&socket, true, irqs.collect(), regions.collect()).unwrap();
    let reads = Arc::new(AtomicI64::new(i64::MAX));
    let mut backend = Leaving { registers: vec![0; BAR0_SIZE as usize], reads: reads.clone() };
    for (offset, value) in
        [(card::MAGIC, MAGIC), (card::ABI, ABI_VERSION), (card::FORWARD_SLOTS, 4), (card::ENDPOINT_SLOTS, 4)]
    {
        backend.registers[offset as usize..][..4].copy_from_slice(&value.to_le_bytes());
    }
    thread::spawn(move || server.run(&mut backend));
    (VfioUser::connect(&socket).unwrap(), reads)
}

fn gone<T: std::fmt::Debug>(result: Result<T, DeviceError>) {
    assert!(matches!(result, Err(DeviceError::Gone)), "{result:?}");
}

#[test]
fn all_ones_are_a_value_of_a_card_that_is_there() {
    let (mut card, reads) = leaving();
    card.write32(tables::KEY0, u32::MAX).unwrap();
    assert_eq!(card.read32(tables::KEY0).unwrap(), u32::MAX);
    reads.store(0, Ordering::SeqCst);
    gone(card.read32(tables::KEY0));
    gone(card.read32(card::MAGIC));
}

#[test]
fn a_poll_learns_that_the_card_is_gone() {
    // with nothing under way, and with frames that will never be sent
    for frames in [0, 5] {
        let (card, reads) = leaving();
        let mut rings =
            Rings::open(card, &RingConfig { receive: 4, control: 3, event: 3, transmit: 3, moderation: 0 }).unwrap();
        for _ in 0..3 {
            assert!(!rings.poll().unwrap());
        }
        reads.store(0, Ordering::SeqCst);
        for _ in 0..frames {
            assert!(rings.transmit(Port::Front, &[0; 60]).unwrap());
        }
        // and the next ones say so too
        for _ in 0..3 {
            gone(rings.poll());
        }
        assert!(rings.receive(Queue::Receive, &mut Vec::new()).unwrap().is_none());
    }
}

#[test]
fn what_a_gone_card_counted_is_not_believed() {
    let open = || {
        let (card, reads) = leaving();
        let mut nic = Nic::open(card).unwrap();
        nic.forward_insert(&KEY, Forward::Drop).unwrap();
        (nic, reads)
    };
    let device_gone = |e: NicError| assert!(matches!(e, NicError::Device(DeviceError::Gone)), "{e:?}");
    // it leaves at any read of them
    for answered in 0..200 {
        let (mut nic, reads) = open();
        reads.store(answered, Ordering::SeqCst);
        match nic.counters() {
            Ok(_) => {
                assert!(answered > 60, "{answered} reads");
                break;
            }
            Err(e) => device_gone(e),
        }
    }
    for answered in 0..4 {
        let (mut nic, reads) = open();
        reads.store(answered, Ordering::SeqCst);
        device_gone(nic.carried(&KEY).unwrap_err());
        // nor is a change of the entry, which reads them first
        reads.store(answered, Ordering::SeqCst);
        device_gone(nic.forward_insert(&KEY, Forward::Host).unwrap_err());
        assert_eq!(nic.forward(&KEY), Some(Forward::Drop));
    }
}
