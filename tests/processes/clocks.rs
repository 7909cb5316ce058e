//! Real-time clocks that are an hour apart, and one that is set back between two moves while its node starts again.

use std::time::Duration;

use crate::client::Client;
use crate::cluster::Cluster;

const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn clocks_keep_no_connection_from_moving() {
    // a's node starts again with the machine's own clock: an hour back
    let mut cluster = Cluster::new(None, [Some(("IPOS_CLOCK", "3600")), Some(("IPOS_CLOCK", "-3600"))]);
    let mut client = Client::new(cluster.client());
    let mut at = 0;
    for round in 0..12 {
        assert!(client.goes_on(4 << 10, LIMIT), "round {round}: {:?}", client.seen());
        let target = ["b", "a"][at];
        cluster.moved(at, client.port, target, LIMIT);
        at = 1 - at;
        if round == 4 {
            // the connection is at b
            cluster.servers[0].node.kill();
            cluster.restart_node(0);
        }
    }
    assert!(client.finish(LIMIT), "{:?}", client.seen());
    assert!(client.seen().end.is_none(), "{:?}", client.seen());
}
