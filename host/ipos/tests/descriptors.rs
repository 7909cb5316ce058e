//! A node that is out of descriptors loses no connection. The limit is this whole process's: this is the only test here.

mod rig;

use std::time::Duration;

use ipos::{Error, Refusal};
use rig::full::Full;
use rig::{Rig, expect, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn a_node_that_can_not_take_a_socket_says_so_and_the_stream_stays() {
    let rig = Rig::new(2);
    run(async {
        let (mut a, mut b) = (rig.listen(0).await, rig.listen(1).await);
        let mut client = rig.connect();
        let mut stream = a.accept().await.unwrap();
        let mut full = Full::new();
        // none for the conversation; then two for its ends and none for the socket
        for (free, node_answers) in [(0, false), (2, true)] {
            full.free(free);
            let failed = stream.migrate("b", "state").await.unwrap_err();
            match &failed.error {
                Error::Refused(Refusal::NoDescriptors) => assert!(node_answers),
                Error::Io { .. } => assert!(!node_answers),
                other => panic!("{other}"),
            }
            stream = failed.stream.expect("it is handed back");
            expect(&mut client, b"there", b"");
            let mut got = [0; 5];
            stream.read_exact(&mut got).await.unwrap();
            stream.write_all(&got).await.unwrap();
            expect(&mut client, b"", b"there");
        }
        // one, for the library's end: the node can't take the conversation, which waits until it can
        assert!(full.take());
        let mut moving = tokio::spawn(stream.migrate("b", "state"));
        let waiting = tokio::time::timeout(Duration::from_millis(300), &mut moving).await;
        assert!(waiting.is_err(), "{waiting:?}");
        full.free(32);
        moving.await.unwrap().unwrap();
        let mut stream = b.accept().await.unwrap();
        stream.write_all(b"moved").await.unwrap();
        expect(&mut client, b"", b"moved");
    });
}
