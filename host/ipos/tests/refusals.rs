//! Connections that can't move: a clear error, and the connection as it was.

mod rig;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;

use ipos::{Error, Refusal, Stream, Unmovable};
use ipos_control::message::{MESSAGE_BYTES, Request, encode};
use rig::{ADDRESS, Rig, expect, run};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The move is refused for this reason, by these words; bytes still go both ways.
async fn refused(stream: Stream, client: &mut TcpStream, reason: Unmovable, about: &str) -> Stream {
    let failed = stream.migrate("b", "state").await.unwrap_err();
    match &failed.error {
        Error::Refused(Refusal::Unmovable { kind, detail }) => {
            assert_eq!(*kind, reason, "{detail}");
            assert!(detail.contains(about), "{detail}");
        }
        other => panic!("{other}"),
    }
    let mut stream = failed.stream.expect("it is handed back");
    client.write_all(b"there").unwrap();
    let mut got = [0; 5];
    stream.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"there");
    stream.write_all(b"and back").await.unwrap();
    expect(client, b"", b"and back");
    stream
}

#[test]
fn urgent_data_is_refused_until_it_is_read() {
    let rig = Rig::new(2);
    run(async {
        let (mut a, mut b) = (rig.listen(0).await, rig.listen(1).await);
        let mut client = rig.connect();
        let stream = a.accept().await.unwrap();
        SockRef::from(&client).send_out_of_band(b"!").unwrap();
        let urgent = |stream: &Stream| {
            let mut byte = [std::mem::MaybeUninit::uninit()];
            SockRef::from(&stream.as_fd()).recv_with_flags(&mut byte, libc::MSG_OOB | libc::MSG_PEEK).is_ok()
        };
        while !urgent(&stream) {
            tokio::task::yield_now().await;
        }
        let failed = stream.migrate("b", "").await.unwrap_err();
        let stream = failed.stream.unwrap();
        assert!(urgent(&stream), "it is still there");
        let stream = refused(stream, &mut client, Unmovable::Urgent, "urgent data").await;
        // read past it, and nothing is in the way any more
        assert!(!urgent(&stream));
        stream.migrate("b", "").await.unwrap();
        let mut stream = b.accept().await.unwrap();
        stream.write_all(b"moved").await.unwrap();
        expect(&mut client, b"", b"moved");
    });
}

#[test]
fn mptcp_is_refused_and_a_plain_client_of_the_same_listener_moves() {
    let rig = Rig::new(2);
    let mptcp = || Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::from(libc::IPPROTO_MPTCP)));
    if let Err(e) = mptcp() {
        eprintln!("this kernel has no MPTCP ({e}); its refusal was not tried");
        return;
    }
    run(async {
        let listening = rig.cluster.kernels[0].run(|| {
            let socket = mptcp()?;
            socket.bind(&SocketAddr::from(ADDRESS).into())?;
            socket.listen(16)?;
            Ok(TcpListener::from(socket))
        });
        let mut a = rig.node(0).listen_on(listening.unwrap()).await.unwrap();
        let mut b = rig.listen(1).await;
        let client = rig.cluster.client.run(|| {
            let socket = mptcp()?;
            socket.connect(&SocketAddr::from(ADDRESS).into())?;
            Ok(TcpStream::from(socket))
        });
        let mut client = client.unwrap();
        let stream = a.accept().await.unwrap();
        let protocol = SockRef::from(&stream.as_fd()).protocol().unwrap();
        assert_eq!(protocol.map(i32::from), Some(libc::IPPROTO_MPTCP), "both ends speak it");
        let stream = refused(stream, &mut client, Unmovable::Mptcp, "MPTCP").await;
        drop(stream);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);

        let mut client = rig.connect();
        a.accept().await.unwrap().migrate("b", "").await.unwrap();
        let mut stream = b.accept().await.unwrap();
        stream.write_all(b"moved").await.unwrap();
        expect(&mut client, b"", b"moved");
    });
}

#[test]
fn kernel_tls_is_refused() {
    let rig = Rig::new(2);
    run(async {
        let (mut a, _b) = (rig.listen(0).await, rig.listen(1).await);
        let mut client = rig.connect();
        let stream = a.accept().await.unwrap();
        // without keys the bytes still go as they are
        match tls(&stream) {
            Ok(()) => drop(refused(stream, &mut client, Unmovable::UpperLayer, "tls").await),
            Err(e) => eprintln!("this kernel has no kernel TLS ({e}); its refusal was not tried"),
        }
    });
}

/// Gives a socket to kernel TLS.
fn tls(stream: &Stream) -> std::io::Result<()> {
    let fd = std::os::fd::AsRawFd::as_raw_fd(&stream.as_fd());
    // SAFETY: three bytes are read.
    let result = unsafe { libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_ULP, b"tls".as_ptr().cast(), 3) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[test]
fn a_stream_that_the_server_has_ended_is_refused() {
    let rig = Rig::new(2);
    run(async {
        let (mut a, _b) = (rig.listen(0).await, rig.listen(1).await);
        let mut client = rig.connect();
        let mut stream = a.accept().await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        let failed = stream.migrate("b", "").await.unwrap_err();
        assert!(matches!(&failed.error, Error::Refused(Refusal::Unmovable { kind: Unmovable::State, .. })), "{failed}");
        client.write_all(b"still").unwrap();
        let mut got = [0; 5];
        failed.stream.unwrap().read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"still");
    });
}

#[test]
fn a_name_as_long_as_a_request_is_unknown_like_any_other() {
    let rig = Rig::new(2);
    run(async {
        let mut a = rig.listen(0).await;
        let mut client = rig.connect();
        let stream = a.accept().await.unwrap();
        let nothing =
            Request::Migrate { target: String::new(), state: Vec::new(), unread: Vec::new(), unsent: Vec::new() };
        // its length takes two bytes more than that of an empty one
        let room = MESSAGE_BYTES - encode(&nothing).unwrap().len() - 2;
        let unknown = |e: &Error| match e {
            Error::Refused(Refusal::UnknownPeer { asked, known }) => {
                assert!(asked.starts_with("ü") && known == &["b"], "{e}");
            }
            other => panic!("{other}"),
        };
        for name in ["ü".repeat(room / 2), "ü".repeat(200), format!("ü{}", "b".repeat(room - 2))] {
            unknown(&rig.client(0).drain(&name, 0).await.unwrap_err());
        }
        let failed = stream.migrate(&"ü".repeat(room / 2), "").await.unwrap_err();
        unknown(&failed.error);
        failed.stream.expect("it is handed back").write_all(b"here").await.unwrap();
        expect(&mut client, b"", b"here");
    });
}
