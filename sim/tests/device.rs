//! A card behind the host's device trait: checks, wires and the bounds of a poll.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use ipos_abi::Port;
use ipos_abi::regs::{self, card, counters, port};
use ipos_abi::rx::{Outcome, Reason};
use ipos_device::{Device, DeviceError, MAX_FRAME, Queue, Registers};
use ipos_sim::card::{FRAMES_PER_POLL, SimDevice};
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::wire::Wire;

/// Frames on a wire.
#[derive(Default)]
struct Frames {
    to_card: VecDeque<Vec<u8>>,
    from_card: Vec<Vec<u8>>,
}

/// Stands for the descriptor of a wire.
static NULL: LazyLock<File> = LazyLock::new(|| File::open("/dev/null").unwrap());

/// What the test holds of a wire.
#[derive(Clone, Default)]
struct Ends(Arc<Mutex<Frames>>);

impl Ends {
    fn frames(&self) -> MutexGuard<'_, Frames> {
        self.0.lock().unwrap()
    }
}

impl Wire for Ends {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.frames().from_card.push(frame.to_vec());
        Ok(())
    }

    fn receive(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        frame.clear();
        let next = self.frames().to_card.pop_front();
        Ok(next.inspect(|next| frame.extend_from_slice(next)).is_some())
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(NULL.as_fd())
    }
}

/// A wire that is gone.
struct Cut;

impl Wire for Cut {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::NotConnected.into())
    }

    fn receive(&mut self, _: &mut Vec<u8>) -> io::Result<bool> {
        Err(io::ErrorKind::NotConnected.into())
    }
}

fn device(config: ModelConfig) -> (SimDevice<ModelCard>, Ends) {
    let ends = Ends::default();
    let mut device = SimDevice::new(ModelCard::new(config)).with_wire(Port::Front, Box::new(ends.clone()));
    device.write32(port::FRONT_MAC_HI, regs::ENABLE).unwrap();
    (device, ends)
}

/// A frame of another EtherType, told apart by its number.
fn numbered(n: u16) -> Vec<u8> {
    [&[2; 12][..], &[0x88, 0xcc], &n.to_be_bytes()].concat()
}

#[test]
fn registers_and_frames_are_checked() {
    let (mut device, _) = device(ModelConfig { build: 0xb111d, ..ModelConfig::default() });
    assert_eq!(device.read32(card::BUILD).unwrap(), 0xb111d);
    for offset in [1, 2, 0x1_0000, u32::MAX - 3] {
        for result in [device.read32(offset).map(drop), device.write32(offset, 0)] {
            assert!(matches!(result, Err(DeviceError::Register { offset: o, size: 0x1_0000 }) if o == offset));
        }
    }
    for length in [0, 13, MAX_FRAME + 1] {
        let refused = device.transmit(Port::Front, &vec![0; length]);
        assert!(matches!(refused, Err(DeviceError::FrameLength { length: l, max: MAX_FRAME }) if l == length));
    }
    for length in [14, MAX_FRAME] {
        assert!(device.transmit(Port::Front, &vec![0; length]).unwrap());
    }
}

#[test]
fn frames_go_from_the_wire_to_the_host_and_back() {
    let (mut device, ends) = device(ModelConfig::default());
    let waited: Vec<_> = device.wait_fds().iter().map(AsRawFd::as_raw_fd).collect();
    assert_eq!(waited, [NULL.as_raw_fd()]);
    assert!(!device.poll().unwrap(), "nothing to do");
    ends.frames().to_card.push_back(numbered(7));
    while device.poll().unwrap() {}
    let mut frame = vec![1, 2, 3];
    let info = device.receive(Queue::Receive, &mut frame).unwrap().unwrap().info().unwrap();
    assert_eq!((info.reason, frame.clone()), (Reason::NotIpv4, numbered(7)));
    assert!(device.receive(Queue::Receive, &mut frame).unwrap().is_none());
    assert!(device.transmit(Port::Front, &numbered(8)).unwrap());
    assert!(device.transmit(Port::Back, &numbered(9)).unwrap(), "an unplugged port sends into the void");
    while device.poll().unwrap() {}
    assert_eq!(ends.frames().from_card, [numbered(8)]);
    assert_eq!(device.read32(counters::BACK_TX).unwrap(), 1);
}

#[test]
fn one_poll_is_bounded_and_nothing_is_lost_or_reordered() {
    // two frames of room: most frames wait between wire and card
    let (mut device, ends) = device(ModelConfig { input_frames: 2, ..ModelConfig::default() });
    ends.frames().to_card.extend((0..500).map(numbered));
    assert!(device.poll().unwrap(), "more is waiting");
    assert!(ends.frames().to_card.len() >= 500 - FRAMES_PER_POLL, "a bounded number is taken");
    while device.poll().unwrap() {}
    let mut frame = Vec::new();
    for n in 0..500 {
        assert!(device.receive(Queue::Receive, &mut frame).unwrap().is_some());
        assert_eq!(frame, numbered(n));
    }
}

#[test]
fn a_frame_that_no_mac_carries_counts_as_an_error() {
    let (mut device, ends) = device(ModelConfig::default());
    let long = [&numbered(1)[..], &[0; MAX_FRAME]].concat();
    ends.frames().to_card.extend([long[..MAX_FRAME + 1].to_vec(), vec![], long[..MAX_FRAME].to_vec()]);
    while device.poll().unwrap() {}
    let mut frame = Vec::new();
    assert!(device.receive(Queue::Receive, &mut frame).unwrap().is_some());
    assert_eq!(frame.len(), MAX_FRAME);
    assert_eq!(device.read32(regs::outcome(Port::Front, Outcome::DropError)).unwrap(), 1);
    assert_eq!(device.read32(counters::FRONT_RX).unwrap(), 2, "an empty frame is none");
}

#[test]
fn a_wire_that_is_gone_is_an_error() {
    let mut device = SimDevice::new(ModelCard::new(ModelConfig::default())).with_wire(Port::Back, Box::new(Cut));
    assert!(matches!(device.poll(), Err(DeviceError::Io(e)) if e.kind() == io::ErrorKind::NotConnected));
}
