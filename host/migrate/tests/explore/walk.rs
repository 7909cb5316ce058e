//! Random schedules, far beyond the depth that can be searched.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::search::Step;
use crate::world::{Budget, Content, Kind, World};

/// Follows one schedule to its end; returns its length. Panics at a broken rule.
fn walk(seed: u64, deaths: bool) -> u64 {
    let mut rng = StdRng::seed_from_u64(seed);
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
    let kind = if seed % 4 < 2 { Kind::Tcp } else { Kind::Udp };
    let mut world = World::new(2 + usize::from(up_to(1)), kind, left);
    let (mut path, mut length) = (Vec::new(), 0);
    while world.broken.is_none() {
        let steps = world.steps();
        // while something else can go on, misfortunes are drawn less often, so that they fall late, too
        let mild = |s: &Step| matches!(s, Step::Deliver(_) | Step::Timer(_) | Step::Kernel(_) | Step::Move(_));
        let some = steps.iter().any(mild) && rng.random_bool(0.7);
        let choice: Vec<_> = steps.into_iter().filter(|s| !some || mild(s)).collect();
        if choice.is_empty() {
            break;
        }
        let step = choice[rng.random_range(0..choice.len())];
        path.push((world.now, step, world.tell(step)));
        world.step(step);
        length += 1;
        // while an owner that died is looked for, a packet may go round three nodes; cards bound how often
        if length % 1_000 == 0 {
            let round: Vec<_> = world.wire.extract_if(.., |f| matches!(f.content, Content::Forwarded(_))).collect();
            round.iter().for_each(|f| world.lost_with(f));
        }
        world.rule(length < 10_000, "the schedule does not end");
    }
    if world.broken.is_none() {
        world.settle();
        world.check_end();
        world.broken = world.broken.or_else(|| world.clone().probe());
    }
    if let Some(rule) = world.broken {
        let path: Vec<_> = path.iter().map(|(now, _, text)| format!("{now:?} {text}")).collect();
        panic!("seed {seed}: {rule}\n{}\n{}", path[path.len().saturating_sub(400)..].join("\n"), world.nodes_text());
    }
    length
}

/// `IPOS_STEPS` steps from the schedules of seeds from `IPOS_SEED` on, with and without crashes.
#[test]
fn random_schedules() {
    let variable = |name, default| std::env::var(name).map_or(default, |v| v.parse().expect(name));
    let (steps, first) = (variable("IPOS_STEPS", 200_000), variable("IPOS_SEED", 1));
    let (mut done, mut seed, mut longest) = (0, first, 0);
    while done < steps {
        let length = walk(seed, seed % 2 == 1);
        done += length;
        longest = length.max(longest);
        seed += 1;
    }
    eprintln!("{done} steps in the schedules of seeds {first} to {}, the longest has {longest}", seed - 1);
}
