//! What came out of a card in a round, and whether it is what was expected.

use std::collections::BTreeSet;
use std::fmt;

use ipos_abi::Port;
use ipos_abi::rx::RxMeta;
use ipos_device::Queue;
use zerocopy::IntoBytes;

use super::Mismatch;
use crate::card::Card;
use crate::traffic::{Input, Source};

/// Cycles between two looks at a card's outputs.
const STEP: u32 = 64;
/// Sources of frames on the back wire.
const SOURCES: usize = 3;

/// Where a frame comes out of a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Sent by a port.
    Wire(Port),
    /// Given to a host queue as from a port.
    Host(Queue, Port),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Wire(port) => write!(f, "{port:?} wire"),
            Place::Host(queue, port) => write!(f, "{queue:?} queue, {port:?} port"),
        }
    }
}

/// A frame as it came out; the verdict is the host's only.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Out {
    meta: Option<RxMeta>,
    frame: Vec<u8>,
}

impl fmt::Display for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meta.map(|meta| (meta, meta.info())) {
            Some((_, Ok(info))) => write!(f, "{info:?} ")?,
            Some((meta, Err(unknown))) => write!(f, "{} ({unknown}) ", hex(meta.as_bytes()))?,
            None => {}
        }
        f.write_str(&hex(&self.frame))
    }
}

/// Everything that came out of a card.
#[derive(Default)]
pub(super) struct Observed {
    wires: [Vec<Out>; 2],
    queues: [Vec<Out>; 2],
}

/// An input of the reference and what it came to.
pub(super) struct Expected<'a> {
    pub index: u64,
    pub input: &'a Input,
    pub observed: Observed,
}

impl Observed {
    /// Gives a card a frame, running it while it has no room. The error is the cycles spent in vain.
    pub fn feed(&mut self, card: &mut dyn Card, input: &Input, limit: u32) -> Result<(), u32> {
        for _ in 0..=limit / STEP {
            let taken = match input.source {
                Source::Wire { port, bad_fcs } => card.wire_in(port, &input.frame, bad_fcs),
                Source::Host { port, checksum } => card.host_in(port, &input.frame, checksum),
            };
            if taken {
                return Ok(());
            }
            card.run(STEP);
            self.drain(card);
        }
        Err(limit)
    }

    /// Runs a card until it is idle.
    pub fn settle(&mut self, card: &mut dyn Card, limit: u32) -> Result<(), u32> {
        for _ in 0..=limit / STEP {
            let busy = card.run(STEP);
            self.drain(card);
            if !busy {
                return Ok(());
            }
        }
        Err(limit)
    }

    fn drain(&mut self, card: &mut dyn Card) {
        let mut frame = Vec::new();
        for port in Port::ALL {
            while card.wire_out(port, &mut frame) {
                self.wires[port as usize].push(Out { meta: None, frame: std::mem::take(&mut frame) });
            }
        }
        for queue in [Queue::Receive, Queue::Control] {
            while let Some(meta) = card.host_out(queue, &mut frame) {
                self.queues[queue as usize].push(Out { meta: Some(meta), frame: std::mem::take(&mut frame) });
            }
        }
    }

    fn at(&self, place: Place) -> impl Iterator<Item = &Out> {
        let (outs, port) = match place {
            Place::Wire(port) => (&self.wires[port as usize], None),
            Place::Host(queue, port) => (&self.queues[queue as usize], Some(port)),
        };
        outs.iter().filter(move |out| port.is_none() || out.port() == port)
    }
}

impl Out {
    /// The port that the verdict names; a verdict that can't be read counts for the front, where
    /// it differs from every expected one.
    fn port(&self) -> Option<Port> {
        self.meta.map(|meta| meta.info().map_or(Port::Front, |info| info.port))
    }
}

/// Compares what a card made of a round with what each of its frames should have come to.
pub(super) fn check(seed: u64, expected: &[Expected<'_>], found: &Observed) -> Result<(), Mismatch> {
    let report = |place, wanted: Option<(&Expected<'_>, &Out)>, got: Option<&Out>| {
        let text = |out: Option<&Out>| out.map_or_else(|| "nothing".to_owned(), Out::to_string);
        let Some(to_blame) = wanted.map(|(e, _)| e).or(expected.last()) else { return Ok(()) };
        Err(Mismatch::Frame {
            seed,
            place,
            index: to_blame.index,
            source_: to_blame.input.source,
            input: hex(&to_blame.input.frame),
            expected: text(wanted.map(|(_, out)| out)),
            found: text(got),
        })
    };
    let wanted = |place| expected.iter().flat_map(move |e| e.observed.at(place).map(move |out| (e, out)));

    let ordered = [
        Place::Wire(Port::Front),
        Place::Host(Queue::Receive, Port::Front),
        Place::Host(Queue::Receive, Port::Back),
        Place::Host(Queue::Control, Port::Front),
        Place::Host(Queue::Control, Port::Back),
    ];
    for place in ordered {
        let (mut wanted, mut found) = (wanted(place), found.at(place));
        loop {
            match (wanted.next(), found.next()) {
                (None, None) => break,
                (Some((_, w)), Some(f)) if w == f => {}
                (w, f) => report(place, w, f)?,
            }
        }
    }

    let back = Place::Wire(Port::Back);
    let mut sequences: [Vec<_>; SOURCES] = Default::default();
    for (e, out) in wanted(back) {
        sequences[source(e.input)].push((e, out));
    }
    let found: Vec<_> = found.at(back).collect();
    match interleaved(&sequences.each_ref().map(|s| s.iter().map(|(_, out)| *out).collect::<Vec<_>>()), &found) {
        Ok(()) => Ok(()),
        Err(Stopped { at, reached }) => {
            let next = sequences.iter().zip(reached).find_map(|(s, n)| s.get(n).copied());
            report(back, next, found.get(at).copied())
        }
    }
}

fn source(input: &Input) -> usize {
    match input.source {
        Source::Wire { port, .. } => port as usize,
        Source::Host { .. } => 2,
    }
}

/// Where a sequence stopped being an interleaving.
#[derive(Debug, PartialEq, Eq)]
struct Stopped {
    /// Position in the sequence.
    at: usize,
    /// One way to have got there: positions in the sources.
    reached: [usize; SOURCES],
}

/// Whether `mixed` holds all sources' items, each source's in its order. Equal items of different
/// sources are told apart by trying all ways at once.
fn interleaved<T: PartialEq>(sources: &[Vec<T>; SOURCES], mixed: &[T]) -> Result<(), Stopped> {
    let mut states = BTreeSet::from([[0; SOURCES]]);
    for (at, item) in mixed.iter().enumerate() {
        let mut next = BTreeSet::new();
        for state in &states {
            for (i, source) in sources.iter().enumerate() {
                if source.get(state[i]) == Some(item) {
                    let mut advanced = *state;
                    advanced[i] += 1;
                    next.insert(advanced);
                }
            }
        }
        if next.is_empty() {
            return Err(Stopped { at, reached: states.pop_first().unwrap_or_default() });
        }
        states = next;
    }
    let total: usize = sources.iter().map(Vec::len).sum();
    if mixed.len() == total {
        Ok(())
    } else {
        Err(Stopped { at: mixed.len(), reached: states.pop_first().unwrap_or_default() })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixes(sources: [&str; 3], mixed: &str) -> Result<(), Stopped> {
        interleaved(&sources.map(|s| s.chars().collect()), &mixed.chars().collect::<Vec<_>>())
    }

    #[test]
    fn interleavings() {
        assert_eq!(mixes(["abc", "xy", "1"], "xa1byc"), Ok(()));
        assert_eq!(mixes(["ab", "ac", ""], "acab"), Ok(()), "the first a is the second source's");
        assert_eq!(mixes(["aab", "aac", ""], "aacaab"), Ok(()));
        assert_eq!(mixes(["", "", ""], ""), Ok(()));
        assert_eq!(mixes(["abc", "xy", ""], "xacby"), Err(Stopped { at: 2, reached: [1, 1, 0] }), "order");
        assert_eq!(mixes(["abc", "xy", ""], "abcx"), Err(Stopped { at: 4, reached: [3, 1, 0] }), "one is missing");
        assert_eq!(mixes(["ab", "", ""], "abb"), Err(Stopped { at: 2, reached: [2, 0, 0] }), "one too many");
    }
}
