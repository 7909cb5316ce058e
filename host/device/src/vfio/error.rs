//! Why a card can't be opened, in words that a person can act on.

use std::io;
use std::path::PathBuf;

/// Why a card on PCIe can't be opened, bound or unbound.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say what the fields are
#[non_exhaustive]
pub enum VfioError {
    /// The address has another form.
    #[error("`{given}` is not a PCI address; it looks like 0000:01:00.0 (`ipos card list` shows what there is)")]
    Address { given: String },
    /// Nothing is at the address.
    #[error("there is no PCI device {address}; `ipos card list` shows what there is, `lspci` all of PCI")]
    NoDevice { address: String },
    /// Something else is at the address.
    #[error(
        "{address} is {vendor:04x}:{device:04x}, class {class:06x}; an ipOS card is {:04x}:{:04x}, class {:06x}",
        ipos_abi::pci::VENDOR,
        ipos_abi::pci::DEVICE,
        ipos_abi::pci::CLASS
    )]
    WrongDevice { address: String, vendor: u16, device: u16, class: u32 },
    /// The machine's IOMMU is off.
    #[error(
        "{address} is in no IOMMU group: switch the IOMMU on in the firmware (VT-d, AMD-Vi) and boot with \
         intel_iommu=on (Intel) or amd_iommu=on; VFIO without one is not supported"
    )]
    NoIommuGroup { address: String },
    /// Another driver, or none, has the card.
    #[error("{address} is bound to {}, not to vfio-pci: run `ipos card bind {address}` as root", driver.as_deref().unwrap_or("no driver"))]
    NotBound { address: String, driver: Option<String> },
    /// A kernel driver has another function of the group.
    #[error(
        "IOMMU group {group} of {address} has functions that kernel drivers use: {}; unbind them or move the card \
         to a slot with a group of its own", others.iter().map(|(a, d)| format!("{a} ({d})")).collect::<Vec<_>>().join(", ")
    )]
    GroupNotViable { address: String, group: u32, others: Vec<(String, String)> },
    /// The kernel's VFIO is not loaded.
    #[error("{} does not exist: `modprobe {module}` as root", path.display())]
    NoVfio { path: PathBuf, module: &'static str },
    /// The file belongs to someone else.
    #[error("no permission for {}: run as root, or see \"VFIO without root\" in docs/operations.md", path.display())]
    Permission { path: PathBuf },
    /// Another process has the card.
    #[error("{address} (IOMMU group {group}) is in use by another process; `fuser -v /dev/vfio/{group}` names it")]
    Busy { address: String, group: u32 },
    /// Bound to vfio-pci and not open: the kernel keeps it powered down.
    #[error(
        "{address} is asleep: vfio-pci has it and no process has it open, so its registers can't be read (and it was reset when \
         it was closed); `ipos card unbind {address}` to look at it, or `ipos card selftest {address}`"
    )]
    Asleep { address: String },
    /// The kernel keeps a card's registers to the process that drives it.
    #[error(
        "the kernel does not show the registers of {address} while a process drives it (CONFIG_IO_STRICT_DEVMEM); \
         a kernel booted with iomem=relaxed does"
    )]
    InUse { address: String },
    /// The card has fewer vectors than its driver needs.
    #[error("{address} has {found} MSI-X vectors, the driver needs {needed}: another bitstream?")]
    Vectors { address: String, found: usize, needed: usize },
    /// The card's BAR0 is missing or has another size.
    #[error("BAR0 of {address} has {found:#x} bytes, an ipOS card has {needed:#x}: another bitstream?")]
    Bar { address: String, found: u64, needed: u64 },
    /// sysfs or /dev/vfio refused, for a reason that is its own.
    #[error("{}: {cause}", path.display())]
    Sysfs { path: PathBuf, cause: io::Error },
    /// VFIO refused a card that looked ready.
    #[error("VFIO refused {address} at {step}: {cause}; the kernel's log may say more (`dmesg`)")]
    Open { address: String, step: &'static str, cause: io::Error },
}
