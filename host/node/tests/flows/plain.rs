//! Two nodes that take each other for peers of the plain format.

use std::time::Duration;

use ipos_migrate::StartError;
use ipos_node::{MoveError, NodeConfig};

use super::runtime;
use super::tcp::{Bench, echoes};

#[test]
fn a_connection_without_queues_moves_there_and_back_in_the_plain_format() {
    let mut bench = Bench::tweaked(2, |config| {
        config.peers.iter_mut().for_each(|p| p.plain = true);
        config.idle = NodeConfig::IDLE;
    });
    runtime().block_on(async {
        let (mut client, mut server) = bench.connect();
        for (from, to) in [(0, 1), (1, 0), (0, 1)] {
            echoes(&mut client, &mut server);
            server = loop {
                let failed =
                    match bench.cluster.nodes[from].migrate(server.into(), vec![], &super::common::name(to)).await {
                        Ok(_) => break bench.arrival(to).await,
                        Err(failed) => failed,
                    };
                // the client has not acknowledged the last answer yet
                assert!(matches!(failed.error, MoveError::Start(StartError::Plain)), "{failed}");
                server = failed.fd.unwrap().into();
                tokio::time::sleep(Duration::from_millis(5)).await;
            };
            assert_eq!(bench.forwarded().await, to);
        }
        echoes(&mut client, &mut server);
        // not with state
        let failed = bench.cluster.nodes[1].migrate(server.into(), vec![1], "a").await.unwrap_err();
        assert!(matches!(failed.error, MoveError::Start(StartError::Plain)), "{failed}");
    });
}
