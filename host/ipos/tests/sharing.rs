//! Who gets what moves to an address when several processes ask for it. The oracle for who may listen where is the kernel's
//! bind(2).

mod rig;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::AsFd;

use ipos::{Error, Refusal};
use ipos_control::message::{Reply, Request};
use ipos_control::{Channel, ChannelError};
use rig::users::{as_user, channel, knock, let_in, listening, listening_when_free};
use rig::{ADDRESS, PORT, Rig, expect, run};
use tokio::io::AsyncWriteExt;

const THIEF: u32 = 54321;
const ANY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT);
const LOOPBACK: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, PORT);

/// What the node says to a process that shows a socket.
async fn show(channel: &Channel, socket: &TcpListener) -> Reply {
    let port = socket.local_addr().unwrap().port();
    channel.ask(&Request::Listen { port }, Some(socket.as_fd())).await.unwrap().0
}

async fn hear(channel: &Channel) -> Reply {
    channel.receive().await.unwrap().0
}

/// A new connection moves to b, and the application on b proves that it has it.
async fn moves_to(a: &mut ipos::Listener, b: &mut ipos::Listener, rig: &Rig) {
    let mut client = rig.connect();
    a.accept().await.unwrap().migrate("b", "state").await.unwrap();
    let mut stream = b.accept().await.unwrap();
    assert_eq!(stream.state(), b"state");
    stream.write_all(b"here").await.unwrap();
    expect(&mut client, b"", b"here");
}

#[test]
fn another_address_with_the_same_port_gets_nothing() {
    let rig = Rig::new(2);
    let_in(&rig);
    run(async {
        let (mut a, mut b) = (rig.listen(0).await, rig.listen(1).await);
        // the same user: what counts is the address
        let own = rig.cluster.kernels[1].run(|| listening(LOOPBACK, false)).unwrap();
        let mine = channel(knock(&rig, 1));
        assert_eq!(show(&mine, &own).await, Reply::Listening);
        moves_to(&mut a, &mut b, &rig).await;
        drop((own, mine));
        let Some((fd, socket)) = as_user(&rig, 1, THIEF, || (knock(&rig, 1), listening(LOOPBACK, false).unwrap()))
        else {
            return;
        };
        let thief = channel(fd);
        assert_eq!(show(&thief, &socket).await, Reply::Listening, "it is the thief's own address");
        moves_to(&mut a, &mut b, &rig).await;
    });
}

#[test]
fn another_user_gets_neither_the_address_nor_what_it_is_part_of() {
    let rig = Rig::new(2);
    let_in(&rig);
    run(async {
        for own in [ADDRESS, ANY] {
            let socket = rig.cluster.kernels[1].run(|| listening(own, true)).unwrap();
            let shown = socket.try_clone().unwrap();
            let (mut a, node) = (rig.listen(0).await, rig.node(1));
            let mut b = rig.at(1, async move { node.listen_on(socket).await.unwrap() }).await;
            for address in [ADDRESS, ANY] {
                // the kernel gives it to nobody else
                let Some(bound) = as_user(&rig, 1, THIEF, || listening(address, true)) else { return };
                assert_eq!(bound.unwrap_err().kind(), ErrorKind::AddrInUse);
            }
            // and a descriptor that got there, such as one inherited, is not enough
            let thief = channel(as_user(&rig, 1, THIEF, || knock(&rig, 1)).unwrap());
            assert_eq!(show(&thief, &shown).await, Reply::Refused(Refusal::Held(own)));
            moves_to(&mut a, &mut b, &rig).await;
            drop(b);
            drop(shown);
        }
    });
}

#[test]
fn a_socket_that_hears_one_interface_shows_nothing() {
    let rig = Rig::new(2);
    let_in(&rig);
    run(async {
        // the kernel lets it listen while nobody else does
        let bound = as_user(&rig, 1, THIEF, || {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
            socket.bind_device(Some(b"lo"))?;
            socket.bind(&std::net::SocketAddr::from(ANY).into())?;
            socket.listen(1)?;
            std::io::Result::Ok((knock(&rig, 1), TcpListener::from(socket)))
        });
        let Some(bound) = bound else { return };
        let (fd, socket) = bound.unwrap();
        assert_eq!(show(&channel(fd), &socket).await, Reply::Refused(Refusal::NotListening(PORT)));
        drop(socket);
        let (mut a, mut b) = (rig.listen(0).await, rig.listen(1).await);
        moves_to(&mut a, &mut b, &rig).await;
    });
}

#[test]
fn a_registration_without_its_socket_does_not_keep_the_address() {
    let rig = Rig::new(2);
    let_in(&rig);
    run(async {
        let mut a = rig.listen(0).await;
        for address in [ADDRESS, ANY] {
            // while nobody listens there anybody may, and asks; then the port is free again
            let Some((fd, socket)) = as_user(&rig, 1, THIEF, || (knock(&rig, 1), listening_when_free(address))) else {
                return;
            };
            let thief = channel(fd);
            assert_eq!(show(&thief, &socket).await, Reply::Listening);
            drop(socket);
            // a third user's, who has no right over the thief's
            let (fd, socket) = as_user(&rig, 1, THIEF + 1, || (knock(&rig, 1), listening_when_free(address))).unwrap();
            let honest = channel(fd);
            assert_eq!(show(&honest, &socket).await, Reply::Listening);
            assert_eq!(hear(&thief).await, Reply::Refused(Refusal::Held(address)), "it is told");
            assert!(matches!(thief.receive::<Reply>().await, Err(ChannelError::Ended)));
            drop(socket);
            let mut b = rig.listen(1).await;
            assert_eq!(hear(&honest).await, Reply::Refused(Refusal::Held(address)));
            moves_to(&mut a, &mut b, &rig).await;
        }
    });
}

/// A rolling restart with `SO_REUSEPORT`: the latest gets what arrives; when it dies, the one before does, and with that what
/// the latest had been sent and had not said that it has.
#[test]
fn the_latest_of_one_user_takes_over_and_what_it_leaves_goes_back() {
    let rig = Rig::new(2);
    run(async {
        let mut a = rig.listen(0).await;
        let old = rig.cluster.kernels[1].run(|| listening(ADDRESS, true)).unwrap();
        let new = rig.cluster.kernels[1].run(|| listening(ADDRESS, true)).unwrap();
        let (first, second) = (channel(knock(&rig, 1)), channel(knock(&rig, 1)));
        assert_eq!(show(&first, &old).await, Reply::Listening);
        assert_eq!(show(&second, &new).await, Reply::Listening);
        assert_eq!(hear(&first).await, Reply::Replaced);
        let mut clients = Vec::new();
        for i in 0..3 {
            clients.push(rig.connect());
            a.accept().await.unwrap().migrate("b", [i]).await.unwrap();
        }
        // one has been sent, two wait for the word that it has come
        let (reply, fd) = second.receive::<Reply>().await.unwrap();
        assert!(matches!(&reply, Reply::Arrived { state, .. } if state == &[0]), "{reply:?}");
        drop((fd, second));
        assert_eq!(hear(&first).await, Reply::Listening);
        for i in 0..3 {
            let (reply, fd) = first.receive::<Reply>().await.unwrap();
            assert!(matches!(&reply, Reply::Arrived { state, .. } if state == &[i]), "{reply:?}");
            // sent again as often as it is asked for, one at a time
            first.send(&Request::Again, None).await.unwrap();
            assert_eq!(first.receive::<Reply>().await.unwrap().0, reply);
            first.send(&Request::Taken, None).await.unwrap();
            rustix::net::send(fd.unwrap(), b"kept", rustix::net::SendFlags::NOSIGNAL).unwrap();
            expect(&mut clients[i as usize], b"", b"kept");
        }
        // and the whole of it by the library: the second of two servers is stopped
        drop((first, old, new));
        let listen = async || {
            let socket = rig.cluster.kernels[1].run(|| listening(ADDRESS, true)).unwrap();
            let node = rig.node(1);
            rig.at(1, async move { node.listen_on(socket).await.unwrap() }).await
        };
        let (mut old, mut new) = (listen().await, listen().await);
        moves_to(&mut a, &mut new, &rig).await;
        new.drain("a").await;
        drop(new);
        moves_to(&mut a, &mut old, &rig).await;
    });
}

#[test]
fn who_listens_on_all_addresses_gets_what_nobody_listens_for_alone() {
    let rig = Rig::new(2);
    run(async {
        let mut a = rig.listen(0).await;
        let listen = async |address| {
            let (node, socket) = (rig.node(1), rig.cluster.kernels[1].run(|| listening(address, true)).unwrap());
            rig.at(1, async move { node.listen_on(socket).await.unwrap() }).await
        };
        let mut any = listen(ANY).await;
        moves_to(&mut a, &mut any, &rig).await;
        let mut one = listen(ADDRESS).await;
        moves_to(&mut a, &mut one, &rig).await;
        let mut again = listen(ANY).await;
        moves_to(&mut a, &mut one, &rig).await;
        // what arrives while the node finds out is refused, and stays
        drop(one);
        let mut client = rig.connect();
        let mut stream = a.accept().await.unwrap();
        loop {
            match stream.migrate("b", "").await {
                Ok(_) => break,
                Err(failed) => {
                    assert!(matches!(failed.error, Error::Refused(Refusal::Destination(_))), "{}", failed.error);
                    stream = failed.stream.unwrap();
                }
            }
        }
        let mut stream = again.accept().await.unwrap();
        stream.write_all(b"any").await.unwrap();
        expect(&mut client, b"", b"any");
    });
}
