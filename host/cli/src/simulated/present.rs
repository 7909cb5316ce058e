//! Makes the cards.

use std::path::Path;

use anyhow::bail;
use ipos_abi::Port;
use ipos_device::{Device, DmaDevice};
use ipos_nic::{RingConfig, Rings};
use ipos_sim::model::{ModelCard, ModelConfig};
use ipos_sim::pcie::device::CabledFunction;
use ipos_sim::pcie::rings::RingCard;
use ipos_sim::pcie::rtl::{Manners, RtlFunction};
use ipos_sim::pcie::{Bus, Function};
use ipos_wire::Wire;

use super::CardKind;

/// The reference card as a PCI function, its two ports cabled to each other.
pub fn cabled() -> anyhow::Result<Box<dyn DmaDevice>> {
    Ok(Box::new(CabledFunction::new(|bus| RingCard::new(|| ModelCard::new(ModelConfig::default()), bus))))
}

/// A card between two wires; its waveform goes to `fst`.
pub fn card(
    kind: CardKind,
    front: Box<dyn Wire>,
    back: Box<dyn Wire>,
    fst: Option<&Path>,
) -> anyhow::Result<Box<dyn Device>> {
    fn plugged<F: Function + 'static>(
        make: impl FnOnce(Box<dyn Bus>) -> anyhow::Result<F>,
        front: Box<dyn Wire>,
        back: Box<dyn Wire>,
    ) -> anyhow::Result<Box<dyn Device>> {
        let device = CabledFunction::try_new(make)?.with_wire(Port::Front, front).with_wire(Port::Back, back);
        Ok(Box::new(Rings::open(device, &RingConfig::default())?))
    }
    match (kind, fst) {
        (CardKind::Rtl, None) => plugged(|bus| Ok(RtlFunction::new(None, Manners::default(), bus)), front, back),
        (CardKind::Rtl, Some(path)) => {
            plugged(|bus| Ok(RtlFunction::traced(path, Manners::default(), bus)?), front, back)
        }
        (CardKind::Model, None) => {
            // what bounds a poll is the number of frames
            let config = ModelConfig { bytes_per_cycle: 512, ..ModelConfig::default() };
            plugged(|bus| Ok(RingCard::new(move || ModelCard::new(config), bus)), front, back)
        }
        (CardKind::Model, Some(_)) => bail!("the reference model has no waveforms: use --fst with --card rtl"),
    }
}
