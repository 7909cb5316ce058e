//! A card's registers through sysfs: to look at a card without opening it.
//!
//! VFIO resets a function that it opens; `resource0` does not. While another process drives the card it works on
//! kernels without CONFIG_IO_STRICT_DEVMEM, or booted with `iomem=relaxed`.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use ipos_abi::regs::card;
use memmap2::{MmapOptions, MmapRaw};

use super::{MAPPED, Machine, VfioError, check};
use crate::{DeviceError, Registers, answered};

/// A card's registers. Needs root.
#[derive(Debug)]
pub struct SysfsRegisters {
    memory: MmapRaw,
    /// Was written to switch memory decoding on, which is undone on drop.
    enabled: Option<PathBuf>,
}

impl SysfsRegisters {
    /// Maps the registers of a card of this machine, which nobody needs to have bound.
    pub fn open(address: &str) -> Result<Self, VfioError> {
        let machine = Machine::default();
        machine.card(address)?;
        let device = machine.device(address);
        let path = device.join("resource0");
        let refused = |path: &Path| {
            let path = path.to_owned();
            move |cause: io::Error| match cause.kind() {
                io::ErrorKind::PermissionDenied => VfioError::Permission { path },
                _ => VfioError::Sysfs { path, cause },
            }
        };
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(refused(&path))?;
        let memory = MmapOptions::new().len(MAPPED as usize).map_raw(&file).map_err(|e| match e.kind() {
            io::ErrorKind::InvalidInput => VfioError::InUse { address: address.to_owned() },
            _ => refused(&path)(e),
        })?;
        let enable = device.join("enable");
        let off = fs::read_to_string(&enable).map_err(refused(&enable))?.trim() == "0";
        if off {
            fs::write(&enable, "1").map_err(|e| match e.kind() {
                io::ErrorKind::ResourceBusy => VfioError::Asleep { address: address.to_owned() },
                _ => refused(&enable)(e),
            })?;
        }
        Ok(SysfsRegisters { memory, enabled: off.then_some(enable) })
    }

    fn word(&self, offset: u32) -> Result<&AtomicU32, DeviceError> {
        check(offset)?;
        // SAFETY: `check` keeps the offset aligned and inside the mapping; registers are reached as whole words only.
        Ok(unsafe { AtomicU32::from_ptr(self.memory.as_mut_ptr().add(offset as usize).cast()) })
    }
}

impl Registers for SysfsRegisters {
    fn read32(&mut self, offset: u32) -> Result<u32, DeviceError> {
        let read = |offset| Ok(u32::from_le(self.word(offset)?.load(Ordering::SeqCst)));
        answered(read(offset)?, || read(card::MAGIC))
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), DeviceError> {
        self.word(offset)?.store(value.to_le(), Ordering::SeqCst);
        Ok(())
    }
}

impl Drop for SysfsRegisters {
    fn drop(&mut self) {
        if let Some(enable) = &self.enabled {
            // the card works as well with its memory decoding on
            let _ = fs::write(enable, "0");
        }
    }
}
