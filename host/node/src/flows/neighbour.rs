//! The way to a client on the front network: the MAC address of the next hop, as the server's kernel knows it (rtnetlink(7)).

use std::io::{self, ErrorKind, Read};
use std::net::Ipv4Addr;

use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use socket2::{Domain, Protocol, Socket, Type};

/// `AF_NETLINK` and `NETLINK_ROUTE` (linux/netlink.h).
const AF_NETLINK: i32 = 16;
const NETLINK_ROUTE: i32 = 0;
/// The longest answer to a question about one route or neighbour.
const ANSWER: usize = 8192;

/// A way to ask, for the network namespace that it was opened in.
#[derive(Debug)]
pub(crate) struct Neighbours {
    socket: Socket,
    sequence: u32,
}

impl Neighbours {
    /// Opens it for the calling thread's network namespace.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new(Domain::from(AF_NETLINK), Type::RAW, Some(Protocol::from(NETLINK_ROUTE)))?;
        Ok(Neighbours { socket, sequence: 0 })
    }

    /// The MAC address that packets to `client` go to. `None`: the kernel does not know it yet, and has begun to ask for it.
    pub fn next_hop(&mut self, client: Ipv4Addr) -> io::Result<Option<[u8; 6]>> {
        let mut route = RouteMessage::default();
        route.header.address_family = AddressFamily::Inet;
        route.header.destination_prefix_length = 32;
        route.attributes.push(RouteAttribute::Destination(RouteAddress::Inet(client)));
        let answer = self.ask(RouteNetlinkMessage::GetRoute(route), NLM_F_REQUEST)?;
        let Some(RouteNetlinkMessage::NewRoute(route)) = answer else { return Err(unexpected()) };
        let interface = route.attributes.iter().find_map(|a| match a {
            RouteAttribute::Oif(index) => Some(*index),
            _ => None,
        });
        let gateway = route.attributes.iter().find_map(|a| match a {
            RouteAttribute::Gateway(RouteAddress::Inet(gateway)) => Some(*gateway),
            _ => None,
        });
        let mut neighbour = NeighbourMessage::default();
        neighbour.header.family = AddressFamily::Inet;
        neighbour.header.ifindex = interface.ok_or_else(unexpected)?;
        let hop = NeighbourAddress::Inet(gateway.unwrap_or(client));
        neighbour.attributes.push(NeighbourAttribute::Destination(hop));
        match self.ask(RouteNetlinkMessage::GetNeighbour(neighbour.clone()), NLM_F_REQUEST) {
            Ok(Some(RouteNetlinkMessage::NewNeighbour(found))) if is_valid(found.header.state) => {
                let mac = found.attributes.iter().find_map(|a| match a {
                    NeighbourAttribute::LinkLayerAddress(bytes) => bytes[..].try_into().ok(),
                    _ => None,
                });
                if mac.is_some() {
                    return Ok(mac);
                }
            }
            Ok(_) => {}
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        neighbour.header.flags = NeighbourFlags::Use;
        self.ask(RouteNetlinkMessage::NewNeighbour(neighbour), NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE)?;
        Ok(None)
    }

    /// `None`: done.
    fn ask(&mut self, question: RouteNetlinkMessage, flags: u16) -> io::Result<Option<RouteNetlinkMessage>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut message = NetlinkMessage::from(question);
        message.header.flags = flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes)?;
        // answers are queued before send returns; an old one would belong to a failed call
        loop {
            let mut bytes = vec![0; ANSWER];
            let length = (&self.socket).read(&mut bytes)?;
            let answer = NetlinkMessage::deserialize(&bytes[..length])
                .map_err(|e| io::Error::new(ErrorKind::InvalidData, e.to_string()))?;
            if answer.header.sequence_number == self.sequence {
                return match answer.payload {
                    NetlinkPayload::InnerMessage(answer) => Ok(Some(answer)),
                    NetlinkPayload::Error(e) if e.code.is_some() => Err(e.to_io()),
                    NetlinkPayload::Error(_) => Ok(None),
                    _ => Err(unexpected()),
                };
            }
        }
    }
}

fn is_valid(state: NeighbourState) -> bool {
    use NeighbourState::{Delay, Permanent, Probe, Reachable, Stale};
    matches!(state, Delay | Permanent | Probe | Reachable | Stale)
}

fn unexpected() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "another answer of rtnetlink than one to the question")
}
