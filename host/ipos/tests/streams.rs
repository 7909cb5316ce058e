//! Streams of the library move between two servers with real kernels. The oracle is the client: a plain TCP socket that
//! knows what it must read.

mod rig;

use std::io::Read;

use ipos::{Error, Origin, Refusal};
use ipos_control::message::{BUFFER_BYTES, STATE_BYTES};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use rig::{ADDRESS, Rig, eventually, expect, run};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

#[test]
fn what_was_read_ahead_and_what_was_not_written_yet_travel_with_the_state() {
    let rig = Rig::new(2);
    run(async {
        let (mut a, mut b) = (rig.listen(0).await, rig.listen(1).await);
        let mut client = rig.connect();
        let mut stream = a.accept().await.unwrap();
        assert_eq!((stream.origin(), stream.local_addr(), stream.state()), (Origin::Accepted, ADDRESS, &[][..]));
        std::io::Write::write_all(&mut client, b"one two three").unwrap();
        // taken from the kernel, but only "one " is consumed
        let mut seen = 0;
        while seen < 13 {
            seen = stream.fill_buf().await.unwrap().len();
            if seen < 13 {
                let part = stream.fill_buf().await.unwrap().to_vec();
                stream.consume(part.len());
                let mut rest = vec![0; 13 - seen];
                stream.read_exact(&mut rest).await.unwrap();
                stream.unread(&[part, rest].concat());
            }
        }
        stream.consume(4);
        // what another buffer had read comes in front of that
        stream.unread(b"zero ");
        stream.unsent(b"un");
        stream.unsent(b"sent ");
        let report = stream.migrate("b", "the state").await.unwrap();
        assert!(report.epoch > 0 && report.queue_bytes >= 14 + 7, "{report:?}");
        let mut stream = b.accept().await.unwrap();
        assert_eq!(
            (stream.origin(), stream.local_addr(), stream.state()),
            (Origin::Arrived, ADDRESS, &b"the state"[..])
        );
        assert_eq!(
            stream.peer_addr(),
            std::net::SocketAddrV4::new(*stream.peer_addr().ip(), client.local_addr().unwrap().port())
        );
        let mut got = [0; 14];
        stream.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"zero two three");
        stream.write_all(b"written").await.unwrap();
        expect(&mut client, b"four", b"unsent written");
        let mut got = [0; 4];
        stream.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"four");
        // unsent bytes of a stream that stays go out with the next write, and with a flush
        stream.unsent(b"first ");
        stream.write_all(b"second ").await.unwrap();
        stream.unsent(b"third");
        stream.flush().await.unwrap();
        expect(&mut client, b"", b"first second third");
        stream.unsent(b"last");
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"last");
    });
}

#[test]
fn the_largest_buffers_and_the_largest_state_travel_and_larger_ones_are_refused() {
    let rig = Rig::new(2);
    let mut bytes = vec![0; STATE_BYTES + 2 * BUFFER_BYTES];
    StdRng::seed_from_u64(3).fill_bytes(&mut bytes);
    let (state, buffers) = bytes.split_at(STATE_BYTES);
    let (unread, unsent) = buffers.split_at(BUFFER_BYTES);
    run(async {
        let (mut a, mut b) = (rig.listen(0).await, rig.listen(1).await);
        let mut client = rig.connect();
        let mut stream = a.accept().await.unwrap();
        // each limit by one byte, then all of them met
        for (what, extra) in [("state", [1, 0, 0]), ("consumed", [0, 1, 0]), ("sent", [0, 0, 1])] {
            stream.unread(&vec![7; extra[1]]);
            stream.unread(unread);
            stream.unsent(unsent);
            stream.unsent(&vec![7; extra[2]]);
            let failed = stream.migrate("b", vec![7; STATE_BYTES + extra[0]]).await.unwrap_err();
            assert!(
                matches!(&failed.error, Error::Refused(Refusal::TooLong { what: w, .. }) if w.contains(what)),
                "{}",
                failed.error
            );
            // as it was: everything can still be read and is still sent
            stream = failed.stream.unwrap();
            let mut got = vec![0; BUFFER_BYTES + extra[1]];
            stream.read_exact(&mut got).await.unwrap();
            assert!(got[..BUFFER_BYTES] == *unread);
            let reader = {
                let mut client = client.try_clone().unwrap();
                std::thread::spawn(move || {
                    let mut got = vec![0; BUFFER_BYTES + extra[2]];
                    client.read_exact(&mut got).unwrap();
                    got
                })
            };
            stream.flush().await.unwrap();
            assert!(reader.join().unwrap()[..BUFFER_BYTES] == *unsent);
        }
        stream.unread(unread);
        stream.unsent(unsent);
        stream.migrate("b", state).await.unwrap();
        let mut stream = b.accept().await.unwrap();
        assert!(stream.state() == state);
        let mut got = vec![0; BUFFER_BYTES];
        stream.read_exact(&mut got).await.unwrap();
        assert!(got == *unread);
        expect(&mut client, b"", unsent);
    });
}

#[test]
fn a_stream_that_can_not_move_is_handed_back_with_the_reason_and_works() {
    let rig = Rig::new(2);
    run(async {
        let mut a = rig.listen(0).await;
        let mut client = rig.connect();
        let mut stream = a.accept().await.unwrap();
        for (target, kind) in [("b", "no listener"), ("", "no listener"), ("elsewhere", "elsewhere")] {
            stream.unread(b"ahead ");
            let failed = stream.migrate(target, "state").await.unwrap_err();
            match &failed.error {
                Error::Refused(Refusal::Destination(reason)) => assert_eq!(reason, kind),
                Error::Refused(Refusal::UnknownPeer { asked, known }) => {
                    assert_eq!((asked.as_str(), &known[..]), (kind, &["b".to_owned()][..]));
                }
                other => panic!("{other}"),
            }
            stream = failed.stream.unwrap();
            std::io::Write::write_all(&mut client, b"and more").unwrap();
            let mut got = [0; 14];
            stream.read_exact(&mut got).await.unwrap();
            assert_eq!(&got, b"ahead and more");
            stream.write_all(b"yes").await.unwrap();
            expect(&mut client, b"", b"yes");
        }
        // without a node at all
        let missing = rig.client(7).info().await.unwrap_err();
        assert!(matches!(missing, Error::Unreachable { .. }), "{missing}");
    });
}

#[test]
fn a_dropped_move_goes_on_and_what_could_not_move_comes_back_through_the_listener() {
    let rig = Rig::new(2);
    run(async {
        let mut a = rig.listen(0).await;
        // no listener there: dropped before it is polled, while it runs, and after it has failed
        for i in 0..3 {
            let mut client = rig.connect();
            let stream = a.accept().await.unwrap();
            assert_eq!(stream.origin(), Origin::Accepted);
            let failed = async || rig.cluster.nodes[0].stats().await.unwrap().failed;
            let before = failed().await;
            let mut migration = stream.migrate("b", [i]);
            match i {
                0 => {}
                1 => {
                    // another thread may have been quicker than this one
                    while let Some(outcome) = futures_poll(&mut migration).await {
                        migration = outcome.unwrap_err().stream.unwrap().migrate("b", [i]);
                    }
                }
                _ => {
                    while failed().await == before {
                        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
            drop(migration);
            let mut stream = a.accept().await.unwrap();
            assert_eq!((stream.origin(), stream.state()), (Origin::Returned, &[i][..]));
            stream.write_all(b"still here").await.unwrap();
            expect(&mut client, b"", b"still here");
            drop(stream);
        }
        // a listener there: it arrives although nobody waits
        let mut b = rig.listen(1).await;
        let mut client = rig.connect();
        drop(a.accept().await.unwrap().migrate("b", "gone"));
        let mut stream = b.accept().await.unwrap();
        assert_eq!((stream.origin(), stream.state()), (Origin::Arrived, &b"gone"[..]));
        stream.write_all(b"there").await.unwrap();
        expect(&mut client, b"", b"there");
        eventually("streams are counted", || a.streams() == 0).await;
        assert_eq!(b.streams(), 1);
    });
}

/// Polls once.
async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| {
        let polled = std::pin::Pin::new(&mut *future).poll(cx);
        std::task::Poll::Ready(match polled {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

#[test]
fn an_accept_that_is_dropped_loses_no_connection() {
    let rig = Rig::new(2);
    run(async {
        let (mut a, mut b) = (rig.listen(0).await, rig.listen(1).await);
        let mut clients = Vec::new();
        let mut streams = Vec::new();
        for i in 0..20u8 {
            clients.push(rig.connect());
            // dropped again and again, at whatever point it has come to
            let stream = loop {
                if let Some(stream) = futures_poll(&mut Box::pin(a.accept())).await {
                    break stream.unwrap();
                }
                tokio::task::yield_now().await;
            };
            drop(stream.migrate("b", [i]));
        }
        while streams.len() < 20 {
            if let Some(stream) = futures_poll(&mut Box::pin(b.accept())).await {
                streams.push(stream.unwrap());
            }
            tokio::task::yield_now().await;
        }
        for mut stream in streams {
            let client = &mut clients[usize::from(stream.state()[0])];
            stream.write_all(b"once").await.unwrap();
            expect(client, b"", b"once");
        }
    });
}

#[test]
fn a_stream_moves_back_and_forth_while_data_flows() {
    let rig = Rig::new(2);
    let mut data = vec![0; 2 << 20];
    StdRng::seed_from_u64(5).fill_bytes(&mut data);
    run(async {
        let mut listeners = [rig.listen(0).await, rig.listen(1).await];
        let client = rig.connect();
        let (sent, expected) = (data.clone(), data);
        let mut writer = client.try_clone().unwrap();
        let writing = std::thread::spawn(move || {
            std::io::Write::write_all(&mut writer, &sent).unwrap();
            writer.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let mut reader = client;
        let reading = std::thread::spawn(move || {
            let mut got = Vec::new();
            reader.read_to_end(&mut got).unwrap();
            got
        });
        let mut stream = listeners[0].accept().await.unwrap();
        let (mut at, mut echoed, mut moves) = (0, 0, 0);
        loop {
            let bytes = stream.fill_buf().await.unwrap().to_vec();
            if bytes.is_empty() {
                break;
            }
            // part of what was read is written, part of that left to the buffer, part of the rest put back
            let (now, later) = bytes.split_at(bytes.len().div_ceil(2));
            stream.consume(bytes.len());
            stream.write_all(now).await.unwrap();
            let (queued, back) = later.split_at(later.len() / 2);
            stream.unsent(queued);
            stream.unread(back);
            echoed += now.len() + queued.len();
            // the client closes its side at the end: in CLOSE_WAIT it moves too
            if echoed * 20 > moves * expected.len() {
                moves += 1;
                stream.migrate(["b", "a"][at], echoed.to_be_bytes()).await.unwrap();
                at = 1 - at;
                stream = listeners[at].accept().await.unwrap();
                assert_eq!(stream.state(), echoed.to_be_bytes());
            }
        }
        stream.shutdown().await.unwrap();
        writing.join().unwrap();
        let got = reading.join().unwrap();
        assert!(got == expected, "{} of {} bytes came back, or others", got.len(), expected.len());
        assert!(moves >= 20, "{moves}");
    });
}
