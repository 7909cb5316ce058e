//! Random schedules, far beyond the depth that can be searched, and the record of what the cores do in them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use ipos_migrate::protocol::{Endpoint, Failure, Reason};
use ipos_migrate::transitions::TRANSITIONS;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::rare::rare;
use crate::record::{Rows, Taken, recorded};
use crate::search::Step;
use crate::world::{Budget, Content, Kind, World};

/// A random schedule.
#[derive(Clone, Copy)]
struct Schedule {
    seed: u64,
    deaths: bool,
    /// What moves; none: the seed says. Then the rules must hold: with peers of the plain format they can't always.
    kind: Option<Kind>,
}

impl Schedule {
    fn world(self, rng: &mut StdRng) -> World {
        let Schedule { seed, deaths, kind } = self;
        let mut up_to = |most: u8| rng.random_range(0..=most);
        let left = Budget {
            moves: 1 + up_to(5),
            packets: up_to(8),
            loss: up_to(8),
            repeat: up_to(8),
            early: up_to(20),
            crash: if deaths { up_to(2) } else { 0 },
            restart: up_to(1),
            fail: up_to(3),
            close: up_to(1),
            lag: up_to(3),
            audit: up_to(2),
            ahead: if seed % 2 == 1 { 6 } else { 0 },
            attack: up_to(4),
            late: false,
            reuse: up_to(1),
            forget: seed % 8 < 4,
            ordered: false,
        };
        let kind = kind.unwrap_or(if seed % 4 < 2 { Kind::Tcp } else { Kind::Udp });
        World::new(2 + usize::from(up_to(1)), kind, left)
    }

    /// Follows it to its end, or to a broken rule; shows each step before it is made. Returns the world and the number of steps.
    fn follow(self, mut show: impl FnMut(&World, Step)) -> (World, u64) {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut world = self.world(&mut rng);
        let (judged, most) = (self.kind.is_none(), if self.kind.is_none() { 10_000 } else { 1_000 });
        let mut length = 0;
        while world.broken.is_none() && length < most {
            if !judged && rng.random_bool(0.03) {
                stray(&mut world, &mut rng);
            }
            let steps = world.steps();
            // while something else can go on, misfortunes are drawn less often, so that they fall late, too
            let mild = |s: &Step| matches!(s, Step::Deliver(_) | Step::Timer(_) | Step::Kernel(_) | Step::Move(_));
            let some = steps.iter().any(mild) && rng.random_bool(0.7);
            let choice: Vec<_> = steps.into_iter().filter(|s| !some || mild(s)).collect();
            if choice.is_empty() {
                break;
            }
            let step = choice[rng.random_range(0..choice.len())];
            show(&world, step);
            world.step(step);
            length += 1;
            // while an owner that died is looked for, a packet may go round three nodes; cards bound how often
            if length % 1_000 == 0 {
                let round: Vec<_> = world.wire.extract_if(.., |f| matches!(f.content, Content::Forwarded(_))).collect();
                round.iter().for_each(|f| world.lost_with(f));
            }
            world.broken = world.broken.filter(|_| judged);
        }
        world.rule(length < most, "the schedule does not end");
        if world.broken.is_none() {
            world.settle();
            world.check_end();
            world.broken = world.broken.or_else(|| world.clone().probe());
        }
        (world, length)
    }

    /// Its length. Panics at a broken rule.
    fn judge(self) -> u64 {
        let (world, length) = self.follow(|_, _| {});
        if let Some(rule) = world.broken {
            let mut path = Vec::new();
            self.follow(|world, step| path.push(format!("{:?} {}", world.now, world.tell(step))));
            let path = path[path.len().saturating_sub(400)..].join("\n");
            panic!("seed {}: {rule}\n{path}\n{}", self.seed, world.nodes_text());
        }
        length
    }
}

/// What a shell should not say: answers that nobody has asked for, and the end of a connection that goes on.
fn stray(world: &mut World, rng: &mut StdRng) {
    let n = rng.random_range(0..world.nodes.len());
    let (now, flow, node) = (world.now, world.flow, &mut world.nodes[n]);
    let result = if rng.random_bool(0.5) { Ok(()) } else { Err(Reason::NoListener) };
    match (node.outgoing.or(node.reserved), rng.random_range(0..8)) {
        (Some(id), 0) => node.core.copied(id, [vec![1], Vec::new()]),
        (Some(id), 1) => node.core.frozen(id, Endpoint::Udp, Default::default(), now),
        (Some(id), 2) => node.core.handed_over(id, now),
        (Some(id), 3) => node.core.give_up(id, Failure::Local, now),
        (Some(id), 4) => node.core.give_up(id, Failure::Held, now),
        (Some(id), 5) => node.core.asked(id, result),
        (Some(id), 6) => node.core.reserved(id, result, now),
        (Some(id), _) => node.core.prepared(id, result, now),
        (None, 0) => node.core.released(flow, now),
        (None, _) => node.core.idle(flow, now),
    }
    world.act(n);
}

fn variable(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |v| v.parse().expect(name))
}

/// `IPOS_STEPS` steps from the schedules of seeds from `IPOS_SEED` on, with and without crashes.
#[test]
fn random_schedules() {
    let (steps, first) = (variable("IPOS_STEPS", 200_000), variable("IPOS_SEED", 1));
    let (mut done, mut seed, mut longest) = (0, first, 0);
    while done < steps {
        let length = Schedule { seed, deaths: seed % 2 == 1, kind: None }.judge();
        done += length;
        longest = length.max(longest);
        seed += 1;
    }
    eprintln!("{done} steps in the schedules of seeds {first} to {}, the longest has {longest}", seed - 1);
}

/// Schedules of one line of `digests.txt`, and how many lines there are, the last one excepted.
const BLOCK: u64 = 1_000;
const BLOCKS: u64 = 16;

/// The digest of the schedules of a block, by its number, and the rows of the table of transitions that they take. Of four blocks one obeys the rules. One is of peers of the plain format
/// alone, one of a cluster that has one of them.
fn block(number: u64) -> (blake3::Hash, Rows) {
    let rows = Taken::default();
    let hash = tracing::subscriber::with_default(rows.clone(), || {
        recorded(|| {
            for seed in number * BLOCK..(number + 1) * BLOCK {
                let kind = match (number % 4, seed % 2) {
                    (0, _) => None,
                    (1, 0) => Some(Kind::Tcp),
                    (1, _) => Some(Kind::Udp),
                    (2, _) => Some(Kind::Mixed),
                    (_, 0) => Some(Kind::PlainTcp),
                    (_, _) => Some(Kind::PlainUdp),
                };
                Schedule { seed, deaths: seed % 3 == 0, kind }.follow(|_, _| {});
            }
        })
    });
    (hash, rows.rows())
}

/// The cores of today do what those did whose digests stand in `digests.txt`. A change of the protocol makes other ones: the test
/// prints them. `IPOS_BLOCKS=1000` takes the million schedules of the last line.
#[test]
fn the_same_inputs_give_the_same_actions_as_ever() {
    let (blocks, next) = (variable("IPOS_BLOCKS", BLOCKS), AtomicU64::new(0));
    let work = || {
        let numbers = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < blocks));
        numbers.map(|number| (number, block(number))).collect::<Vec<_>>()
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let digests: BTreeMap<_, _> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let mut all = blake3::Hasher::new();
    let mut rows = Rows::new();
    for (digest, taken) in digests.values() {
        all.update(digest.as_bytes());
        rows.extend(taken);
    }
    let mut found: Vec<_> = digests.iter().take(BLOCKS as usize).map(|(n, (d, _))| format!("{d}  block {n}")).collect();
    if blocks > BLOCKS {
        found.push(format!("{}  blocks 0 to {}", all.finalize(), blocks - 1));
    }
    let known: Vec<_> = include_str!("digests.txt").lines().collect();
    let unknown = found.iter().any(|line| !known.contains(&line.as_str()));
    assert!(!unknown, "not in digests.txt:\n{}", found.join("\n"));
    let taken = Taken::default();
    tracing::subscriber::with_default(taken.clone(), rare);
    rows.extend(taken.rows());
    // a row that nothing takes is dead, or the schedules are too tame
    let dead: Vec<_> = TRANSITIONS.iter().enumerate().filter(|(row, _)| !rows.contains(row)).map(|(_, t)| t).collect();
    assert!(dead.is_empty(), "never taken: {dead:#?}");
}
