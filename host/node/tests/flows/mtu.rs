//! A back-side network that is too narrow is seen at the start.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::RawFd;

use ipos_abi::Port;
use ipos_abi::rx::RxMeta;
use ipos_device::{Device, DeviceError, Mtu, Queue, Registers};
use ipos_node::{KernelPort, Node, NodeConfig, NodeError};
use ipos_sim::card::SimDevice;
use ipos_sim::model::{ModelCard, ModelConfig};

/// A card whose back port is plugged into an interface.
struct Plugged(SimDevice<ModelCard>, usize);

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

    fn wait_fds(&self) -> Vec<RawFd> {
        self.0.wait_fds()
    }

    fn mtu(&self, port: Port) -> Option<Mtu> {
        (port == Port::Back).then(|| Mtu { interface: "back7".to_owned(), bytes: self.1 })
    }
}

struct Nothing(io::PipeReader);

impl KernelPort for Nothing {
    fn deliver(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn collect(&mut self, _: &mut Vec<u8>) -> io::Result<bool> {
        Ok(false)
    }

    fn wait_fd(&self) -> RawFd {
        std::os::fd::AsRawFd::as_raw_fd(&self.0)
    }
}

#[test]
fn a_narrow_back_network_is_refused_with_the_way_to_widen_it() {
    // 1,500 bytes of a client's packet behind another Ethernet and an ipOS header of 16: 30 bytes, less the 14 that an MTU does not count
    for (bytes, enough) in [(1500, false), (1515, false), (1516, true), (9000, true)] {
        let config = NodeConfig {
            name: "a".to_owned(),
            back_ip: Ipv4Addr::new(10, 78, 0, 1),
            front_mac: [2, 0, 0, 0, 0, 1],
            back_mac: [2, 0, 0, 0, 1, 1],
            ethertype: NodeConfig::ETHERTYPE,
            peers: vec![],
            services: vec![],
            cluster_keys: vec![[7; 32]],
            hold_bytes: NodeConfig::HOLD_BYTES,
            move_bytes: NodeConfig::MOVE_BYTES,
            idle: NodeConfig::IDLE,
            state_dir: None,
        };
        let (reader, _writer) = io::pipe().unwrap();
        let card = Plugged(SimDevice::new(ModelCard::new(ModelConfig::default())), bytes);
        let node = Node::spawn(card, Box::new(Nothing(reader)), config, || Ok(()));
        if enough {
            node.unwrap();
            continue;
        }
        let error = node.unwrap_err();
        assert!(matches!(&error, NodeError::Mtu { need: 1516, .. }), "{error}");
        assert!(error.to_string().contains("ip link set dev back7 mtu 1516"), "{error}");
    }
}
