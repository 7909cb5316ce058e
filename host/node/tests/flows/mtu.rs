//! Interfaces whose MTU would make packets vanish are seen at the start.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd};

use ipos_abi::Port;
use ipos_abi::rx::RxMeta;
use ipos_device::{Device, DeviceError, Mtu, MtuError, Queue, Registers};
use ipos_node::{Addresses, KernelPort, Node, NodeConfig, NodeError, NodeHandle};
use ipos_sim::card::SimDevice;
use ipos_sim::model::{ModelCard, ModelConfig};

/// A card whose ports are plugged into interfaces, and the MTUs of these.
struct Plugged(SimDevice<ModelCard>, [Option<usize>; 2]);

impl Registers for Plugged {
    fn read32(&mut self, offset: u32) -> Result<u32, DeviceError> {
        self.0.read32(offset)
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), DeviceError> {
        self.0.write32(offset, value)
    }
}

impl Device for Plugged {
    fn transmit(&mut self, port: Port, frame: &[u8]) -> Result<bool, DeviceError> {
        self.0.transmit(port, frame)
    }

    fn receive(&mut self, queue: Queue, frame: &mut Vec<u8>) -> Result<Option<RxMeta>, DeviceError> {
        self.0.receive(queue, frame)
    }

    fn poll(&mut self) -> Result<bool, DeviceError> {
        self.0.poll()
    }

    fn wait_fds(&self) -> Vec<BorrowedFd<'_>> {
        self.0.wait_fds()
    }

    fn mtu(&self, port: Port) -> Option<Mtu> {
        let interface = ["front7", "back7"][port as usize].to_owned();
        self.1[port as usize].map(|bytes| Mtu { interface, bytes })
    }
}

/// A kernel's interface with an MTU and no frames.
struct Nothing(io::PipeReader, Option<usize>);

impl KernelPort for Nothing {
    fn deliver(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn collect(&mut self, _: &mut Vec<u8>) -> io::Result<bool> {
        Ok(false)
    }

    fn wait_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn mtu(&self) -> Option<Mtu> {
        self.1.map(|bytes| Mtu { interface: "kernel7".to_owned(), bytes })
    }
}

fn start(front: Option<usize>, kernel: Option<usize>, back: usize) -> Result<NodeHandle, NodeError> {
    spawn(front, kernel, Some(back), |_| ())
}

/// A node with nothing around it.
pub fn configured(tweak: impl Fn(&mut NodeConfig)) -> Result<NodeHandle, NodeError> {
    spawn(None, None, None, tweak)
}

fn spawn(
    front: Option<usize>,
    kernel: Option<usize>,
    back: Option<usize>,
    tweak: impl Fn(&mut NodeConfig),
) -> Result<NodeHandle, NodeError> {
    let back_ip = Ipv4Addr::new(10, 78, 0, 1);
    let addresses = Addresses { back_ip, front_mac: [2, 0, 0, 0, 0, 1], back_mac: [2, 0, 0, 0, 1, 1] };
    let mut config = NodeConfig::new("a", addresses);
    config.cluster_keys = vec![[7; 32]];
    tweak(&mut config);
    let (reader, _writer) = io::pipe().unwrap();
    let card = Plugged(SimDevice::new(ModelCard::new(ModelConfig::default())), [front, back]);
    Node::spawn(card, Box::new(Nothing(reader, kernel)), config, || Ok(()))
}

#[test]
fn a_narrow_back_network_is_refused_with_the_way_to_widen_it() {
    // 1,500 bytes of a client's packet behind another Ethernet and an ipOS header of 16: 30 bytes, less the 14 that an MTU does not count
    for (front, kernel, back, need) in [
        (None, None, 1515, Some(1516)),
        (None, None, 1516, None),
        (None, None, 9000, None),
        // no less than what a client behind a router may send
        (Some(1400), None, 1515, Some(1516)),
        (Some(1800), None, 1815, Some(1816)),
        (Some(1800), Some(1500), 1815, Some(1816)),
        (None, Some(1800), 1815, Some(1816)),
        (Some(1800), Some(1800), 1816, None),
    ] {
        let Some(need) = need else {
            start(front, kernel, back).unwrap();
            continue;
        };
        let error = start(front, kernel, back).unwrap_err();
        assert!(matches!(error, NodeError::Mtu(MtuError::Narrow { .. })), "{error}");
        assert!(error.to_string().contains(&format!("ip link set dev back7 mtu {need}")), "{error}");
    }
}

#[test]
fn packets_that_the_cards_do_not_carry_are_refused_with_the_way_to_shorten_them() {
    // 2,048 bytes of a card's buffer, less the 30 in front of an encapsulated packet
    for (front, kernel, cure) in [
        (Some(2018), Some(2018), None),
        (Some(2019), None, Some("front7 mtu 2018")),
        (None, Some(2019), Some("kernel7 mtu 2018")),
        (Some(9000), Some(9000), Some("front7 mtu 2018")),
        (Some(1500), Some(1501), Some("kernel7 mtu 1500")),
        (Some(1500), Some(1400), None),
    ] {
        match (start(front, kernel, 9000), cure) {
            (Ok(_), None) => {}
            (Err(error), Some(cure)) => {
                assert!(error.to_string().contains(&format!("`ip link set dev {cure}`")), "{error}");
            }
            (other, cure) => panic!("{front:?} {kernel:?} {cure:?}: {other:?}"),
        }
    }
}
