//! Refuses, in a build without the simulators.

use std::path::Path;

use ipos_device::{Device, DmaDevice};
use ipos_wire::Wire;

use super::CardKind;
use crate::absent;

/// Refuses.
pub fn cabled() -> anyhow::Result<Box<dyn DmaDevice>> {
    Err(absent::feature("a simulated card", "sim"))
}

/// Refuses.
pub fn card(
    kind: CardKind,
    _front: Box<dyn Wire>,
    _back: Box<dyn Wire>,
    _fst: Option<&Path>,
) -> anyhow::Result<Box<dyn Device>> {
    Err(absent::feature(&format!("a simulated card ({kind})"), "sim"))
}
