//! What is said about a card that can't be opened, against made-up trees of `/sys` and `/dev`.
//!
//! The trees have the shape that the kernel documents in Documentation/ABI/testing/sysfs-bus-pci and sysfs-kernel-iommu_groups.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use ipos_device::vfio::{Machine, VfioError};

const CARD: &str = "0000:01:00.0";
const OTHER: &str = "0000:01:00.1";

/// A machine with one card in group 7, bound to vfio-pci, its files in place.
struct Tree {
    root: PathBuf,
}

impl Tree {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ipos-sysfs-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let tree = Tree { root: std::env::temp_dir().join(name) };
        for dir in [
            "sys/bus/pci/drivers/vfio-pci",
            "sys/bus/pci/drivers/e1000e",
            "sys/bus/pci/drivers/pcieport",
            "sys/bus/pci/devices",
            "dev/vfio",
        ] {
            fs::create_dir_all(tree.root.join(dir)).unwrap();
        }
        tree.file("sys/bus/pci/drivers_probe", "");
        tree.file("dev/vfio/vfio", "");
        tree.file("dev/vfio/7", "");
        tree.function(CARD, ["0x1209", "0xf09a", "0x020000"], Some("vfio-pci"), Some(7));
        tree
    }

    fn function(&self, address: &str, identity: [&str; 3], driver: Option<&str>, group: Option<u32>) {
        let dir = self.root.join("sys/bus/pci/devices").join(address);
        fs::create_dir_all(&dir).unwrap();
        for (name, value) in ["vendor", "device", "class"].into_iter().zip(identity) {
            fs::write(dir.join(name), format!("{value}\n")).unwrap();
        }
        fs::write(dir.join("driver_override"), "(null)\n").unwrap();
        if let Some(driver) = driver {
            symlink(self.root.join("sys/bus/pci/drivers").join(driver), dir.join("driver")).unwrap();
            self.file(&format!("sys/bus/pci/drivers/{driver}/unbind"), "");
        }
        if let Some(group) = group {
            let members = self.root.join(format!("sys/kernel/iommu_groups/{group}/devices"));
            fs::create_dir_all(&members).unwrap();
            symlink(&dir, members.join(address)).unwrap();
            symlink(members.parent().unwrap(), dir.join("iommu_group")).unwrap();
        }
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.root.join(path)).unwrap();
    }

    fn file(&self, path: &str, text: &str) {
        fs::write(self.root.join(path), text).unwrap();
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap()
    }

    fn machine(&self) -> Machine {
        Machine::below(&self.root)
    }

    fn refusal(&self, address: &str) -> VfioError {
        self.machine().ready(address).unwrap_err()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn a_card_that_is_ready() {
    let tree = Tree::new();
    tree.function("0000:02:00.0", ["0x8086", "0x10d3", "0x020000"], Some("e1000e"), Some(8));
    assert_eq!(tree.machine().ready(CARD).unwrap(), 7);
    let cards = tree.machine().cards().unwrap();
    assert_eq!(cards.len(), 1, "another vendor's card is not listed");
    assert_eq!(
        (cards[0].address.as_str(), cards[0].driver.as_deref(), cards[0].group),
        (CARD, Some("vfio-pci"), Some(7))
    );
}

#[test]
fn addresses_are_checked_before_they_become_paths() {
    let tree = Tree::new();
    for bad in ["", "01:00.0", "../../etc", "0000:01:00.8", "0000:0G:00.0", "0000:01:00.0 ", "0000:0A:00.0"] {
        assert!(matches!(tree.refusal(bad), VfioError::Address { given } if given == bad), "{bad}");
    }
    assert!(matches!(tree.refusal("0000:09:00.0"), VfioError::NoDevice { .. }));
}

#[test]
fn another_device_is_not_touched() {
    let tree = Tree::new();
    for (i, identity) in
        [["0x8086", "0xf09a", "0x020000"], ["0x1209", "0x0001", "0x020000"], ["0x1209", "0xf09a", "0x010802"]]
            .iter()
            .enumerate()
    {
        let address = format!("0000:0{}:00.0", i + 2);
        tree.function(&address, *identity, Some("e1000e"), Some(9));
        assert!(matches!(tree.refusal(&address), VfioError::WrongDevice { .. }), "{identity:?}");
        assert!(matches!(tree.machine().bind(&address), Err(VfioError::WrongDevice { .. })));
        assert_eq!(tree.text(&format!("sys/bus/pci/devices/{address}/driver_override")), "(null)\n");
    }
    let text = tree.refusal("0000:02:00.0").to_string();
    assert!(text.contains("8086:f09a") && text.contains("1209:f09a"), "{text}");
}

#[test]
fn no_iommu() {
    let tree = Tree::new();
    tree.remove(&format!("sys/bus/pci/devices/{CARD}/iommu_group"));
    let refusal = tree.refusal(CARD);
    assert!(matches!(refusal, VfioError::NoIommuGroup { .. }));
    assert!(refusal.to_string().contains("intel_iommu=on"));
}

#[test]
fn another_driver_or_none() {
    let tree = Tree::new();
    tree.remove(&format!("sys/bus/pci/devices/{CARD}/driver"));
    let refusal = tree.refusal(CARD);
    assert!(matches!(&refusal, VfioError::NotBound { driver: None, .. }));
    assert!(refusal.to_string().contains("ipos card bind 0000:01:00.0"), "{refusal}");
    symlink(tree.root.join("sys/bus/pci/drivers/e1000e"), tree.root.join(format!("sys/bus/pci/devices/{CARD}/driver")))
        .unwrap();
    assert!(matches!(tree.refusal(CARD), VfioError::NotBound { driver: Some(d), .. } if d == "e1000e"));
}

#[test]
fn a_group_that_others_use() {
    let tree = Tree::new();
    tree.function("0000:00:01.0", ["0x8086", "0x3420", "0x060400"], Some("pcieport"), Some(7));
    tree.function(OTHER, ["0x1209", "0xf09a", "0x020000"], None, Some(7));
    assert_eq!(tree.machine().ready(CARD).unwrap(), 7, "a bridge, and a function without a driver, may stay");
    symlink(
        tree.root.join("sys/bus/pci/drivers/e1000e"),
        tree.root.join(format!("sys/bus/pci/devices/{OTHER}/driver")),
    )
    .unwrap();
    let refusal = tree.refusal(CARD);
    assert!(matches!(&refusal, VfioError::GroupNotViable { group: 7, others, .. } if others.len() == 1));
    assert!(refusal.to_string().contains("0000:01:00.1 (e1000e)"), "{refusal}");
}

#[test]
fn vfio_not_loaded() {
    for (file, module) in [("dev/vfio/vfio", "modprobe vfio`"), ("dev/vfio/7", "modprobe vfio-pci`")] {
        let tree = Tree::new();
        tree.remove(file);
        let refusal = tree.refusal(CARD);
        assert!(matches!(&refusal, VfioError::NoVfio { path, .. } if path.ends_with(file)));
        assert!(refusal.to_string().contains(module), "{refusal}");
    }
}

#[test]
fn no_permission() {
    // root may open anything: then there is nothing to refuse
    let tree = Tree::new();
    fs::set_permissions(tree.root.join("dev/vfio/7"), fs::Permissions::from_mode(0o000)).unwrap();
    match tree.machine().ready(CARD) {
        Err(VfioError::Permission { path }) => assert!(path.ends_with("dev/vfio/7")),
        Ok(7) => assert!(fs::File::open(tree.root.join("dev/vfio/7")).is_ok()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn binding_writes_what_the_kernel_documents() {
    let tree = Tree::new();
    let device = format!("sys/bus/pci/devices/{CARD}");
    tree.remove(&format!("{device}/driver"));
    symlink(tree.root.join("sys/bus/pci/drivers/e1000e"), tree.root.join(format!("{device}/driver"))).unwrap();
    tree.file("sys/bus/pci/drivers/e1000e/unbind", "");
    // no kernel acts on the files: the driver stays, and that is reported
    assert!(matches!(tree.machine().bind(CARD), Err(VfioError::NotBound { driver: Some(d), .. }) if d == "e1000e"));
    assert_eq!(tree.text("sys/bus/pci/drivers/e1000e/unbind"), CARD);
    assert!(tree.text(&format!("{device}/driver_override")).starts_with("vfio-pci"));
    assert_eq!(tree.text("sys/bus/pci/drivers_probe"), CARD);
}

#[test]
fn unbinding_gives_the_card_back() {
    let tree = Tree::new();
    tree.machine().unbind(CARD).unwrap();
    assert_eq!(tree.text("sys/bus/pci/drivers/vfio-pci/unbind"), CARD);
    assert!(tree.text(&format!("sys/bus/pci/devices/{CARD}/driver_override")).starts_with('\n'));
    assert_eq!(tree.text("sys/bus/pci/drivers_probe"), CARD);
    // bound twice is bound
    tree.machine().bind(CARD).unwrap();
}

#[test]
fn a_machine_without_pci_has_no_cards() {
    assert!(Machine::below(&std::env::temp_dir().join("ipos-no-such-tree")).cards().unwrap().is_empty());
}
