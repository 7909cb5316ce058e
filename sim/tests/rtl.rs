//! The fabric against the reference card, on random tables and frames, with and without stalls, at both widths.

use ipos_sim::compare::{CompareConfig, run};
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::rtl::{BUILD, Fabric, FabricCard, RtlCard, WideCard};
use ipos_sim::traffic::Traffic;

fn number(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok().and_then(|s| s.parse().ok()).unwrap_or(default);
    println!("{name}={value}");
    value
}

fn differential<F: Fabric>(card: impl Fn(u32) -> FabricCard<F>, stall_rate: u8, frames: u64) {
    let seed = number("IPOS_SEED", 1);
    let frames = number("IPOS_FRAMES", frames);
    let mut fabric = card(seed as u32);
    if stall_rate > 0 {
        fabric = fabric.with_stalls(seed, stall_rate);
    }
    let mut model = ModelCard::new(ModelConfig { build: BUILD, ..ModelConfig::default() });
    // to pin a wrong counter to its frame: one frame a round, registers compared after each
    let config = match number("IPOS_EXACT", 0) {
        0 => CompareConfig::default(),
        _ => CompareConfig { frames_per_round: 1, rounds_per_check: 1, ..CompareConfig::default() },
    };
    let report =
        run(&mut model, &mut fabric, &mut Traffic::new(seed), frames, &config).unwrap_or_else(|e| panic!("{e}"));
    println!("{} frames, {} rounds, {} cycles", report.frames, report.rounds, fabric.cycles());
}

#[test]
fn fabric_agrees_with_the_reference_card() {
    differential(RtlCard::with_seed, 0, 60_000);
}

#[test]
fn fabric_agrees_with_the_reference_card_under_stalls() {
    differential(RtlCard::with_seed, 80, 100_000);
}

#[test]
fn fabric_of_512_bits_agrees_with_the_reference_card() {
    differential(WideCard::with_seed, 0, 30_000);
}

#[test]
fn fabric_of_512_bits_agrees_with_the_reference_card_under_stalls() {
    differential(WideCard::with_seed, 80, 50_000);
}
