//! More conversations than there is room for, and silent ones: everybody else is served.

mod rig;

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use ipos::{Error, Refusal};
use ipos_control::message::{Reply, Request};
use ipos_control::{Channel, ChannelError};
use ipos_node::Limits;
use rig::users::{as_user, channel, knock, let_in};
use rig::{Rig, eventually, expect, run};
use tokio::io::AsyncWriteExt;

const CROWD: u32 = 54321;
const OTHER: u32 = 54322;
const LONG: Duration = Duration::from_secs(3600);

/// The node answers in this conversation.
async fn answered(channel: &Channel) -> Reply {
    channel.ask(&Request::Info, None).await.unwrap().0
}

fn limited(limits: Limits) -> Rig {
    let mut rig = Rig::new(2);
    let_in(&rig);
    rig.limits = limits;
    for server in 0..2 {
        run(rig.close(server));
        rig.serve(server);
    }
    rig
}

#[test]
fn one_user_can_not_have_all_conversations() {
    let rig = limited(Limits { total: 64, per_user: 24, reserve: 4, silence: LONG });
    run(async {
        let (mut a, mut b) = (rig.listen(0).await, rig.listen(1).await);
        let crowd = |n: usize| (0..n).map(|_| knock(&rig, 0)).collect::<Vec<OwnedFd>>();
        // twice as many as one may have
        let Some(idle) = as_user(&rig, 0, CROWD, || crowd(48)) else { return };
        let idle: Vec<_> = idle.into_iter().map(channel).collect();
        let mut refused = 0;
        for channel in &idle {
            refused += usize::from(answered(channel).await == Reply::Refused(Refusal::Crowded));
        }
        assert_eq!(refused, 24);
        // others ask, move and drain
        let other = channel(as_user(&rig, 0, OTHER, || knock(&rig, 0)).unwrap());
        assert!(matches!(answered(&other).await, Reply::Info(_)));
        let mut client = rig.connect();
        a.accept().await.unwrap().migrate("b", "").await.unwrap();
        b.accept().await.unwrap().write_all(b"moved").await.unwrap();
        expect(&mut client, b"", b"moved");
        assert!(!rig.client(0).stats().await.unwrap().is_empty());
        assert_eq!(rig.client(0).drain("b", 10).await.unwrap(), 0);
        // and when they are gone, so is what they took
        drop(idle);
        let again = async || {
            let one = channel(as_user(&rig, 0, CROWD, || knock(&rig, 0)).unwrap());
            matches!(answered(&one).await, Reply::Info(_))
        };
        while !again().await {}
    });
}

#[test]
fn roots_and_the_nodes_own_user_can_always_ask_and_drain() {
    let rig = limited(Limits { total: 8, per_user: 4, reserve: 2, silence: LONG });
    run(async {
        let mut a = rig.listen(0).await;
        let client = rig.connect();
        let stream = a.accept().await.unwrap();
        // this user's server has lost count: the listener's conversation and three idle ones
        let mut idle: Vec<_> = (0..3).map(|_| channel(knock(&rig, 0))).collect();
        for channel in &idle {
            answered(channel).await;
        }
        assert_eq!(rig.client(0).info().await.unwrap().name, "a");
        assert!(!rig.client(0).stats().await.unwrap().is_empty());
        assert_eq!(rig.client(0).drain("b", 0).await.unwrap(), 1);
        // what is left is for that alone
        let one = channel(knock(&rig, 0));
        let request = Request::Migrate { target: "b".into(), state: vec![], unread: vec![], unsent: vec![] };
        let refused = one.ask::<_, Reply>(&request, Some(stream.as_fd())).await.unwrap();
        assert_eq!(refused.0, Reply::Refused(Refusal::Crowded));
        drop(one);
        let error = rig.listen_error(0).await;
        assert!(matches!(error, Error::Refused(Refusal::Crowded)), "{error}");
        // a move waits for room, and goes on when there is some
        let moving = tokio::spawn(stream.migrate("b", ""));
        drop(idle.pop());
        let failed = moving.await.unwrap().unwrap_err();
        assert!(
            matches!(failed.error, Error::Refused(Refusal::Destination(_))),
            "nobody listens there: {}",
            failed.error
        );
        let mut stream = failed.stream.unwrap();
        stream.write_all(b"stays").await.unwrap();
        expect(&mut { client }, b"", b"stays");
    });
}

#[test]
fn a_silent_conversation_ends_and_a_silent_listener_does_not() {
    let silence = Duration::from_millis(300);
    let rig = limited(Limits { silence, ..Limits::default() });
    run(async {
        let (mut a, mut b) = (rig.listen(0).await, rig.listen(1).await);
        // at its beginning, and between two requests
        let (mute, paused) = (channel(knock(&rig, 1)), channel(knock(&rig, 1)));
        answered(&paused).await;
        for channel in [mute, paused] {
            assert_eq!(channel.receive::<Reply>().await.unwrap().0, Reply::Refused(Refusal::Silent(0)));
            assert!(matches!(channel.receive::<Reply>().await, Err(ChannelError::Ended)));
        }
        // one that asks and asks, and takes no answer
        let deaf = knock(&rig, 1);
        let request = ipos_control::message::encode(&Request::Stats).unwrap();
        let ended = || {
            rustix::net::send(&deaf, &request, rustix::net::SendFlags::NOSIGNAL).err() == Some(rustix::io::Errno::PIPE)
        };
        eventually("the node ends it", ended).await;
        let mut client = rig.connect();
        a.accept().await.unwrap().migrate("b", "").await.unwrap();
        b.accept().await.unwrap().write_all(b"moved").await.unwrap();
        expect(&mut client, b"", b"moved");
        assert_eq!(b.streams(), 0);
    });
}
