//! The borders of the card under the rules of AXI4-Stream, at both widths.

use ipos_abi::Port::{Back, Front};
use ipos_abi::rx::RxMeta;
use ipos_device::Queue;
use ipos_sim::card::Card;
use ipos_sim::rtl::{Data, Fabric, FabricCard, Narrow, Wide};
use ipos_sim::traffic::{Source, Traffic};

/// A beat that an output shows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Beat {
    bytes: Vec<u8>,
    keep: u64,
    last: bool,
    error: bool,
    meta: Option<RxMeta>,
}

/// What an output shows, and whether it is taken.
fn output<F: Fabric>(model: &F, stream: usize) -> (Option<Beat>, bool) {
    let (shown, ready) = model.shown(stream);
    let beat = shown.map(|(data, keep, last, error)| {
        let mut bytes = Vec::new();
        data.unpack(keep, &mut bytes);
        Beat { bytes, keep: keep.into(), last, error, meta: (stream >= 2).then(|| model.meta(stream)) }
    });
    (beat, ready)
}

fn hold<F: Fabric>() {
    let full = u64::MAX >> (64 - F::Data::BYTES);
    for (seed, rate) in [(1, 40), (2, 128), (3, 220)] {
        let mut card = FabricCard::<F>::with_seed(seed as u32).with_stalls(seed, rate);
        let mut traffic = Traffic::new(seed);
        let mut first: [Option<Option<RxMeta>>; 4] = [None; 4];
        let (mut waited, mut frame) = ([0u32; 4], Vec::new());
        for _ in 0..300 {
            let round = traffic.round(16, 3 << 10);
            for (offset, value) in round.writes {
                card.write32(offset, value);
            }
            let mut before = [(); 4].map(|()| (None, true)); // cycles of register accesses are not seen
            for input in &round.inputs {
                assert!(match input.source {
                    Source::Wire { port, bad_fcs } => card.wire_in(port, &input.frame, bad_fcs),
                    Source::Host { port, checksum } => card.host_in(port, &input.frame, checksum),
                });
            }
            while card.run(0) {
                let now: [_; 4] = card.tick_seen(|m| std::array::from_fn(|i| output(m, i)));
                for i in 0..4 {
                    let (shown, ready) = &now[i];
                    if let (Some(beat), false) = &before[i] {
                        assert_eq!(shown.as_ref(), Some(beat), "output {i} changed before it was taken, seed {seed}");
                        waited[i] += 1;
                    }
                    if let (Some(beat), true) = (shown, ready) {
                        assert!(beat.keep == full || beat.last, "output {i}: {beat:?}");
                        assert!(
                            beat.keep & 1 == 1 && (beat.keep & beat.keep.wrapping_add(1)) == 0,
                            "output {i}: {beat:?}"
                        );
                        assert!(beat.last || !beat.error, "output {i}: {beat:?}");
                        let first = &mut first[i];
                        assert_eq!(*first.get_or_insert(beat.meta), beat.meta, "output {i}: one frame, one meta");
                        if beat.last {
                            *first = None;
                        }
                    }
                }
                before = now;
                while card.wire_out(Front, &mut frame) || card.wire_out(Back, &mut frame) {}
                for queue in [Queue::Receive, Queue::Control] {
                    while card.host_out(queue, &mut frame).is_some() {}
                }
            }
        }
        println!("seed {seed}: beats that waited a cycle {waited:?}");
        assert!(waited.iter().all(|&n| n > 20), "{waited:?}");
    }
}

#[test]
fn outputs_hold_still_until_they_are_taken() {
    hold::<Narrow>();
}

#[test]
fn outputs_hold_still_until_they_are_taken_at_512_bits() {
    hold::<Wide>();
}
