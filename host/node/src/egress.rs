//! Frames of the server's own kernel.

use ipos_abi::wire::tcp::Flags;
use ipos_datapath::Egress;
use ipos_migrate::protocol::{Flow, Tcb};

use crate::error::Result;
use crate::flows::FlowTable;
use crate::frame::Transport;
use crate::ports::Ports;

/// Sends on what the kernel sends. `late`: a connection that has just been frozen, whose earlier segments may still leave.
/// `true`: there may be more.
pub(crate) fn take(limit: usize, late: Option<(Flow, &Tcb)>, ports: &mut Ports, flows: &mut FlowTable) -> Result<bool> {
    let mut frame = std::mem::take(&mut ports.scratch);
    let more = pass(&mut frame, limit, late, ports, flows);
    ports.scratch = frame;
    more
}

fn pass(
    frame: &mut Vec<u8>,
    limit: usize,
    late: Option<(Flow, &Tcb)>,
    ports: &mut Ports,
    flows: &mut FlowTable,
) -> Result<bool> {
    for _ in 0..limit {
        if ports.is_full() {
            return Ok(true);
        }
        let Some(egress) = ports.collect(frame)? else { return Ok(false) };
        let mut fenced = false;
        if let Some(inner) = Transport::parse(frame) {
            let flow = inner.outbound();
            flows.watch.segment(&flow, &inner);
            flows.urgent.sent(flow, &inner);
            fenced = ports.is_fenced(&flow) && !late.is_some_and(|(f, tcb)| f == flow && precedes(&inner, tcb));
        }
        match egress {
            Egress::Waiting if fenced => ports.stats.fenced += 1,
            Egress::Waiting => ports.send_on(frame)?,
            Egress::Settled => {}
        }
    }
    Ok(true)
}

/// Whether a segment was sent before its connection was frozen: it tells the client nothing that
/// the control block does not contain.
fn precedes(tcp: &Transport, tcb: &Tcb) -> bool {
    let not_after = |a: u32, b: u32| b.wrapping_sub(a) < 1 << 31;
    // in CLOSE_WAIT the client's FIN has been acknowledged, one beyond rcv_nxt
    !tcp.has(Flags::SYN | Flags::FIN | Flags::RST)
        && not_after(tcp.seq.wrapping_add(tcp.length), tcb.snd_nxt)
        && not_after(tcp.ack, tcb.rcv_nxt.wrapping_add(1))
}
