//! Nonsense on the Unix socket, from either end: a typed error each time, the node goes on, and no descriptor stays.

mod rig;

use std::fs::File;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ipos_control::message::{MESSAGE_BYTES, MessageError, Reply, Request, VERSION, decode, encode};
use ipos_control::{Channel, ChannelError, Client, Error, Gate, Refusal};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use rig::{Rig, eventually, expect, run};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use tokio::io::AsyncWriteExt;

/// The other end of a conversation, without manners.
fn raw(rig: &Rig, server: usize) -> OwnedFd {
    let fd = rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::SEQPACKET, None).unwrap();
    rustix::net::connect(&fd, &rustix::net::SocketAddrUnix::new(rig.socket(server)).unwrap()).unwrap();
    rustix::net::sockopt::set_socket_timeout(
        &fd,
        rustix::net::sockopt::Timeout::Recv,
        Some(std::time::Duration::from_secs(20)),
    )
    .unwrap();
    fd
}

fn say(fd: &OwnedFd, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(descriptors.is_empty() || control.push(SendAncillaryMessage::ScmRights(descriptors)));
    // the other side may have ended it
    let _ = rustix::net::sendmsg(fd, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL);
}

/// What the node says, or `None` if it has ended the conversation.
fn hear(fd: &OwnedFd) -> Option<Reply> {
    let mut bytes = vec![0; MESSAGE_BYTES];
    let (length, _) = rustix::net::recv(fd, &mut bytes[..], rustix::net::RecvFlags::empty()).unwrap_or_default();
    (length > 0).then(|| decode(&bytes[..length]).expect("what a node says is well formed"))
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_node_survives_whatever_is_sent_to_it() {
    let seed = std::env::var("IPOS_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(11);
    eprintln!("IPOS_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let rig = Rig::new(2);
    let null = File::open("/dev/null").unwrap();
    let valid: Vec<Vec<u8>> = [
        Request::Listen { port: 7000 },
        Request::Unlisten,
        Request::Drained,
        Request::Migrate { target: "b".into(), state: vec![1; 300], unread: vec![2; 40], unsent: vec![3; 4] },
        Request::Info,
        Request::Stats,
        Request::Connections,
        Request::Drain { target: "nobody".into(), seconds: 0 },
        Request::Closed,
        Request::Taken,
        Request::Again,
    ]
    .iter()
    .map(|r| encode(r).unwrap())
    .collect();
    run(async {
        let (mut a, mut b) = (rig.listen(0).await, rig.listen(1).await);
        let before = open_descriptors();
        for round in 0..3000 {
            let fd = raw(&rig, 0);
            let mut bytes = valid[rng.random_range(0..valid.len())].clone();
            match round % 4 {
                // as it is, but perhaps with descriptors that do not belong to it
                0 => {}
                1 => {
                    for _ in 0..rng.random_range(1..4) {
                        let at = rng.random_range(0..bytes.len());
                        bytes[at] = rng.random();
                    }
                    // a drain that is understood would empty the server
                    if matches!(decode(&bytes), Ok(Request::Drain { .. })) {
                        continue;
                    }
                }
                2 => bytes.truncate(rng.random_range(1..=bytes.len())),
                _ => {
                    bytes = vec![0; rng.random_range(1..4000)];
                    rng.fill_bytes(&mut bytes);
                }
            }
            let count = [0, 0, 1, 1, 2, 253][rng.random_range(0..6)];
            say(&fd, &bytes, &vec![null.as_fd(); count]);
            // an answer, or the end; what is not read makes no difference
            if rng.random() {
                hear(&fd);
            }
        }
        eventually("descriptors are closed", || open_descriptors() <= before).await;
        // and everything still works
        let mut client = rig.connect();
        a.accept().await.unwrap().migrate("b", "fine").await.unwrap();
        b.accept().await.unwrap().write_all(b"fine").await.unwrap();
        expect(&mut client, b"", b"fine");
        assert_eq!(rig.cluster.nodes[0].stats().await.unwrap().moved_out, 1);
    });
}

#[test]
fn each_mistake_has_its_answer() {
    let rig = Rig::new(2);
    let null = File::open("/dev/null").unwrap();
    let malformed = |reply: Option<Reply>, about: &str| match reply {
        Some(Reply::Refused(Refusal::Malformed(text))) => assert!(text.contains(about), "{text}"),
        other => panic!("{other:?} in place of {about}"),
    };
    let info = encode(&Request::Info).unwrap();
    let migrate =
        encode(&Request::Migrate { target: "b".into(), state: Vec::new(), unread: Vec::new(), unsent: Vec::new() })
            .unwrap();
    let mut old = info.clone();
    old[0] = 9;
    let cases: [(&[u8], usize, &str); 7] = [
        (&old, 0, "version 9"),
        (&[&info[..], b"x"].concat(), 0, "1 bytes behind"),
        (&info[..1], 0, "malformed"),
        (&vec![0; MESSAGE_BYTES + 1], 0, "at most"),
        (&info, 1, "1 descriptors"),
        (&migrate, 0, "0 descriptors"),
        (&migrate, 2, "2 descriptors"),
    ];
    for (bytes, count, about) in cases {
        let fd = raw(&rig, 0);
        say(&fd, bytes, &vec![null.as_fd(); count]);
        malformed(hear(&fd), about);
        assert_eq!(hear(&fd), None, "{about}: the conversation is over");
    }
    // understood, but not there; the conversation goes on
    let fd = raw(&rig, 0);
    say(&fd, &encode(&Request::Unlisten).unwrap(), &[]);
    assert!(matches!(hear(&fd), Some(Reply::Refused(Refusal::OutOfPlace(_)))));
    // something that is no socket is not taken
    say(&fd, &migrate, &[null.as_fd()]);
    assert!(matches!(hear(&fd), Some(Reply::Stayed(Refusal::Unmovable { .. }))));
    say(&fd, &info, &[]);
    assert!(matches!(hear(&fd), Some(Reply::Info(_))));
}

/// A node that answers one packet with another, and ends the conversation.
async fn bad_node(answer: Vec<u8>) -> (tempfile::TempDir, ipos::Node) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node");
    let gate = Gate::bind(&path, 0o600).unwrap();
    tokio::spawn(async move {
        while let Ok(channel) = gate.accept().await {
            let _ = channel.receive::<Request>().await;
            if !answer.is_empty() {
                channel.send_packet(&answer, None).await.unwrap();
            }
        }
    });
    (directory, ipos::Node::new(path))
}

/// Whether an error is the one that is wanted.
type Expected = fn(&Error) -> bool;

#[test]
fn an_application_survives_whatever_its_node_says() {
    run(async {
        let right = encode(&Reply::Listening).unwrap();
        let cases: [(Vec<u8>, Expected); 6] = [
            (Vec::new(), |e| matches!(e, Error::Channel(ChannelError::Ended))),
            (vec![7, 7, 7], |e| matches!(e, Error::Channel(ChannelError::Message(MessageError::Version { found: 7 })))),
            (vec![VERSION, 200], |e| matches!(e, Error::Channel(ChannelError::Message(MessageError::Malformed(_))))),
            (vec![VERSION; MESSAGE_BYTES + 1], |e| {
                matches!(e, Error::Channel(ChannelError::Message(MessageError::Long(_))))
            }),
            (encode(&Reply::Unlistened).unwrap(), |e| matches!(e, Error::Unexpected(_))),
            (right, |e| matches!(e, Error::Unexpected(_))),
        ];
        for (answer, expected) in cases {
            let (_directory, node) = bad_node(answer.clone()).await;
            let client = Client::new(node.path());
            for error in [
                client.info().await.map(drop).unwrap_err(),
                client.stats().await.map(drop).unwrap_err(),
                client.connections().await.map(drop).unwrap_err(),
                client.drain("", 0).await.map(drop).unwrap_err(),
            ] {
                assert!(expected(&error), "{error} after {answer:02x?}");
            }
            // a listener of a node that ends every conversation is still a listener of clients
            if answer == encode(&Reply::Listening).unwrap() {
                let mut listener = node.listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
                let _client = std::net::TcpStream::connect(listener.local_addr()).unwrap();
                let stream = listener.accept().await.unwrap();
                let failed = stream.migrate("b", "").await.unwrap_err();
                assert!(matches!(failed.error, Error::Unexpected(_)), "{failed}");
                assert!(failed.stream.is_some(), "the node did not say that it took it");
            } else {
                let error = node.listen("127.0.0.1:0".parse().unwrap()).await.unwrap_err();
                assert!(expected(&error), "{error}");
            }
        }
    });
}

#[test]
fn two_nodes_can_not_have_one_socket_and_a_dead_one_leaves_it() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("node");
        let gate = Gate::bind(&path, 0o640).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o640);
        assert!(matches!(Gate::bind(&path, 0o640), Err(ipos_control::ListenError::InUse(p)) if p == path));
        let (client, _server) = tokio::join!(Channel::connect(&path), gate.accept());
        client.unwrap();
        // what a killed node leaves
        let dead = directory.path().join("dead");
        drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
        assert!(dead.exists());
        let _gate = Gate::bind(&dead, 0o600).unwrap();
        drop(gate);
        assert!(!path.exists());
    });
}
