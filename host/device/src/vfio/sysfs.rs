//! What sysfs knows about the cards of this machine, and which of it keeps VFIO from opening one.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use ipos_abi::pci;

use super::VfioError;

/// The driver that gives a function to user space.
pub const DRIVER: &str = "vfio-pci";

/// A machine's file system tree; tests make their own.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
}

/// A PCI function as sysfs shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Domain, bus, device, function: `0000:01:00.0`.
    pub address: String,
    /// The kernel driver that has it.
    pub driver: Option<String>,
    /// Its IOMMU group.
    pub group: Option<u32>,
}

impl Default for Machine {
    fn default() -> Self {
        Machine { root: PathBuf::from("/") }
    }
}

impl Machine {
    /// The machine whose `/sys` and `/dev` lie below `root`.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Machine { root: root.to_owned() }
    }

    /// All ipOS cards, by address.
    pub fn cards(&self) -> Result<Vec<Found>, VfioError> {
        let dir = self.root.join("sys/bus/pci/devices");
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            // a machine without PCI has no cards
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(VfioError::Sysfs { path: dir, cause }),
        };
        let mut found = Vec::new();
        for entry in entries.flatten() {
            let address = entry.file_name().to_string_lossy().into_owned();
            // a function that vanishes meanwhile is none
            if self.identity(&address).is_ok_and(|(vendor, device, _)| (vendor, device) == (pci::VENDOR, pci::DEVICE)) {
                found.push(self.function(&address));
            }
        }
        found.sort_by(|a, b| a.address.cmp(&b.address));
        Ok(found)
    }

    /// Looks a function up by its address and checks that it is a card.
    pub fn card(&self, address: &str) -> Result<Found, VfioError> {
        if !is_address(address) {
            return Err(VfioError::Address { given: address.to_owned() });
        }
        if !self.device(address).exists() {
            return Err(VfioError::NoDevice { address: address.to_owned() });
        }
        let (vendor, device, class) = self.identity(address)?;
        if (vendor, device, class) != (pci::VENDOR, pci::DEVICE, pci::CLASS) {
            return Err(VfioError::WrongDevice { address: address.to_owned(), vendor, device, class });
        }
        Ok(self.function(address))
    }

    /// Finds what would keep VFIO from opening a card; its IOMMU group when nothing does.
    pub fn ready(&self, address: &str) -> Result<u32, VfioError> {
        let found = self.card(address)?;
        let address = found.address;
        let Some(group) = found.group else { return Err(VfioError::NoIommuGroup { address }) };
        if found.driver.as_deref() != Some(DRIVER) {
            return Err(VfioError::NotBound { address, driver: found.driver });
        }
        let others = self.in_the_way(group, &address);
        if !others.is_empty() {
            return Err(VfioError::GroupNotViable { address, group, others });
        }
        for (path, module) in [("dev/vfio/vfio".to_owned(), "vfio"), (format!("dev/vfio/{group}"), DRIVER)] {
            let path = self.root.join(path);
            if !path.exists() {
                return Err(VfioError::NoVfio { path, module });
            }
            match OpenOptions::new().read(true).write(true).open(&path) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::PermissionDenied => return Err(VfioError::Permission { path }),
                Err(e) if e.kind() == io::ErrorKind::ResourceBusy => return Err(VfioError::Busy { address, group }),
                Err(cause) => return Err(VfioError::Sysfs { path, cause }),
            }
        }
        Ok(group)
    }

    /// Gives a card to [`DRIVER`], in place of the driver that has it.
    pub fn bind(&self, address: &str) -> Result<(), VfioError> {
        let found = self.card(address)?;
        if found.group.is_none() {
            return Err(VfioError::NoIommuGroup { address: address.to_owned() });
        }
        if found.driver.as_deref() == Some(DRIVER) {
            return Ok(());
        }
        if !self.root.join("sys/bus/pci/drivers").join(DRIVER).exists() {
            return Err(VfioError::NoVfio { path: self.root.join("sys/bus/pci/drivers/vfio-pci"), module: DRIVER });
        }
        self.change(address, DRIVER, found.driver.is_some())?;
        match self.function(address).driver {
            Some(driver) if driver == DRIVER => Ok(()),
            driver => Err(VfioError::NotBound { address: address.to_owned(), driver }),
        }
    }

    /// Takes a card from [`DRIVER`] and lets the kernel choose a driver as usual.
    pub fn unbind(&self, address: &str) -> Result<(), VfioError> {
        let found = self.card(address)?;
        match found.driver.as_deref() {
            Some(DRIVER) => self.change(address, "\n", true),
            _ => Ok(()),
        }
    }

    /// Path of a function's folder.
    pub(super) fn device(&self, address: &str) -> PathBuf {
        self.root.join("sys/bus/pci/devices").join(address)
    }

    fn change(&self, address: &str, driver: &str, bound: bool) -> Result<(), VfioError> {
        let device = self.device(address);
        write(&device.join("driver_override"), driver)?;
        if bound {
            write(&device.join("driver/unbind"), address)?;
        }
        write(&self.root.join("sys/bus/pci/drivers_probe"), address)
    }

    fn function(&self, address: &str) -> Found {
        let target = |link: &str| {
            let target = fs::read_link(self.device(address).join(link)).ok()?;
            Some(target.file_name()?.to_string_lossy().into_owned())
        };
        Found {
            address: address.to_owned(),
            driver: target("driver"),
            group: target("iommu_group").and_then(|g| g.parse().ok()),
        }
    }

    /// Members of a group that a kernel driver other than [`DRIVER`] has; bridges may keep theirs.
    fn in_the_way(&self, group: u32, address: &str) -> Vec<(String, String)> {
        let dir = self.root.join(format!("sys/kernel/iommu_groups/{group}/devices"));
        let members = fs::read_dir(dir).into_iter().flatten().flatten();
        let mut others: Vec<_> = members
            .map(|entry| self.function(&entry.file_name().to_string_lossy()))
            .filter(|f| f.address != address)
            .filter_map(|f| Some((f.address, f.driver?)))
            .filter(|(_, driver)| ![DRIVER, "pcieport", "pci-stub"].contains(&driver.as_str()))
            .collect();
        others.sort();
        others
    }

    /// Vendor, device, class.
    fn identity(&self, address: &str) -> Result<(u16, u16, u32), VfioError> {
        let number = |name: &str| {
            let path = self.device(address).join(name);
            let text = fs::read_to_string(&path).map_err(|cause| VfioError::Sysfs { path: path.clone(), cause })?;
            let digits = text.trim().trim_start_matches("0x");
            u32::from_str_radix(digits, 16)
                .map_err(|_| VfioError::Sysfs { path, cause: io::ErrorKind::InvalidData.into() })
        };
        Ok((number("vendor")? as u16, number("device")? as u16, number("class")?))
    }
}

fn write(path: &Path, text: &str) -> Result<(), VfioError> {
    OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
        .map_err(|cause| match cause.kind() {
            io::ErrorKind::PermissionDenied => VfioError::Permission { path: path.to_owned() },
            _ => VfioError::Sysfs { path: path.to_owned(), cause },
        })
}

/// `dddd:bb:dd.f`, hexadecimal.
fn is_address(text: &str) -> bool {
    let shape = "hhhh:hh:hh.o";
    text.len() == shape.len()
        && text.chars().zip(shape.chars()).all(|(c, s)| match s {
            'h' => c.is_ascii_hexdigit() && !c.is_ascii_uppercase(),
            'o' => ('0'..='7').contains(&c),
            other => c == other,
        })
}
