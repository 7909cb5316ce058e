//! Counts TCP resets on an interface, those sent and those received.

use std::io;
use std::mem::MaybeUninit;

use ipos_sim::wire::netns::Netns;
use nix::net::if_::if_nametoindex;
use socket2::{Domain, SockAddr, SockFilter, Socket, Type};

// classic BPF, linux/bpf_common.h
const LDH_ABS: u16 = 0x28;
const LDB_ABS: u16 = 0x30;
const LDB_IND: u16 = 0x50;
const LDX_IHL: u16 = 0xb1;
const JEQ: u16 = 0x15;
const JSET: u16 = 0x45;
const RET: u16 = 0x06;

/// Passes untagged Ethernet frames with an unfragmented IPv4 TCP segment that has RST set.
const RESETS: [SockFilter; 11] = [
    SockFilter::new(LDH_ABS, 0, 0, 12),
    SockFilter::new(JEQ, 0, 8, 0x0800),
    SockFilter::new(LDB_ABS, 0, 0, 14 + 9),
    SockFilter::new(JEQ, 0, 6, 6),
    SockFilter::new(LDH_ABS, 0, 0, 14 + 6),
    SockFilter::new(JSET, 4, 0, 0x1fff),
    SockFilter::new(LDX_IHL, 0, 0, 14),
    SockFilter::new(LDB_IND, 0, 0, 14 + 13),
    SockFilter::new(JSET, 0, 1, 0x04),
    SockFilter::new(RET, 0, 0, 64),
    SockFilter::new(RET, 0, 0, 0),
];

/// Counts from the moment it is made: the kernel queues nothing but resets.
pub struct Resets {
    socket: Socket,
    seen: u64,
}

impl Resets {
    /// Watches an interface of a namespace.
    pub fn watch(ns: &Netns, interface: &str) -> io::Result<Self> {
        let socket = ns.run(|| {
            // protocol 0: nothing is received until the filter is in place and the socket bound
            let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
            socket.set_nonblocking(true)?;
            socket.attach_filter(&RESETS)?;
            let index = if_nametoindex(interface)?;
            // SAFETY: the storage is large and aligned enough for any address, zeroed, and becomes
            // a `sockaddr_ll` of the length given.
            let ((), address) = unsafe {
                SockAddr::try_init(|storage, length| {
                    let link = storage.cast::<libc::sockaddr_ll>();
                    (*link).sll_family = libc::AF_PACKET as u16;
                    (*link).sll_protocol = (libc::ETH_P_ALL as u16).to_be();
                    (*link).sll_ifindex = index as i32;
                    *length = size_of::<libc::sockaddr_ll>() as u32;
                    Ok(())
                })
            }?;
            socket.bind(&address)?;
            Ok(socket)
        })?;
        Ok(Resets { socket, seen: 0 })
    }

    /// Resets so far.
    pub fn count(&mut self) -> io::Result<u64> {
        let mut frame = [MaybeUninit::uninit(); 64];
        loop {
            match self.socket.recv(&mut frame) {
                Ok(_) => self.seen += 1,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(self.seen),
                Err(e) => return Err(e),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    use ipos_lab::net::{CLIENT_IF, FRONT_IF, KERNEL_FAR_IF, Net};
    use ipos_lab::switch::Switch;
    use ipos_sim::wire::packet::Packet;

    #[test]
    fn a_refused_connection_is_one_reset_and_a_good_one_is_none() {
        let net = Net::new(2).unwrap();
        // a card that is a plain cable
        let wires = net.servers[0].card.run(|| Ok(vec![Packet::open(FRONT_IF)?, Packet::open(KERNEL_FAR_IF)?]));
        let _card = Switch::spawn(wires.unwrap()).unwrap();
        let mut resets = Resets::watch(&net.client, CLIENT_IF).unwrap();
        let listener = net.servers[0].kernel.run(|| TcpListener::bind(("10.77.0.1", 80))).unwrap();
        let connect = |port| net.client.run(|| TcpStream::connect(("10.77.0.1", port)));
        drop((connect(80).unwrap(), listener.accept().unwrap()));
        assert_eq!(resets.count().unwrap(), 0);
        assert!(connect(81).is_err());
        assert_eq!(resets.count().unwrap(), 1);
        assert!(connect(81).is_err());
        assert_eq!(resets.count().unwrap(), 2);
    }
}
