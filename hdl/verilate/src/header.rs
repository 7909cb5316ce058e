//! What Verilator says about a model it made: ports, source files, dependencies.

use crate::Error;
use std::path::{Path, PathBuf};

/// Direction of a port, seen from the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Written by the user of the model.
    In,
    /// Read by the user of the model.
    Out,
}

/// A port of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Name in the design.
    pub name: String,
    /// Direction.
    pub direction: Direction,
    /// Width in bits.
    pub width: u32,
}

impl Port {
    /// 32-bit words that a port of more than 64 bits takes.
    pub fn words(&self) -> u32 {
        self.width.div_ceil(32)
    }

    /// The Rust type that lies at the port's address (CData, SData, IData, QData, VlWide).
    pub(crate) fn rust_type(&self) -> String {
        match self.width {
            0..=8 => "u8".into(),
            9..=16 => "u16".into(),
            17..=32 => "u32".into(),
            33..=64 => "u64".into(),
            _ => format!("[u32; {}]", self.words()),
        }
    }
}

/// Ports declared in the model's header: `VL_IN8(&name,msb,lsb);`, `VL_OUTW(&name,msb,lsb,words);`
pub(crate) fn ports(header: &str) -> Result<Vec<Port>, Error> {
    let declarations = header.lines().map(str::trim).filter(|l| l.starts_with("VL_IN") || l.starts_with("VL_OUT"));
    declarations.map(|line| port(line).ok_or_else(|| Error::Port(line.into()))).collect()
}

fn port(line: &str) -> Option<Port> {
    let (kind, rest) = line.split_once("(&")?;
    let direction = match kind.trim_end_matches(|c: char| c.is_ascii_digit() || c == 'W') {
        "VL_IN" => Direction::In,
        "VL_OUT" => Direction::Out,
        _ => return None,
    };
    let mut fields = rest.split_once(')')?.0.split(',');
    let name = fields.next()?.to_owned();
    let msb: u32 = fields.next()?.trim().parse().ok()?;
    let lsb: u32 = fields.next()?.trim().parse().ok()?;
    Some(Port { name, direction, width: msb.checked_sub(lsb)? + 1 })
}

/// The model's C++ files: those on the hot path, and set-up and tracing.
pub(crate) struct Sources {
    pub fast: Vec<PathBuf>,
    pub slow: Vec<PathBuf>,
}

impl Sources {
    /// From the lists in `V…_classes.mk`.
    pub fn from_makefile(makefile: &str, directory: &Path) -> Self {
        let list = |names: [&str; 2]| {
            let mut files = Vec::new();
            let mut wanted = false;
            for line in makefile.lines() {
                if let Some((name, _)) = line.split_once("+=") {
                    wanted = names.contains(&name.trim());
                } else if !line.starts_with(char::is_whitespace) {
                    wanted = false;
                } else if wanted
                    && let class = line.trim().trim_end_matches('\\').trim()
                    && !class.is_empty()
                {
                    files.push(directory.join(class).with_extension("cpp"));
                }
            }
            files
        };
        Sources {
            fast: list(["VM_CLASSES_FAST", "VM_SUPPORT_FAST"]),
            slow: list(["VM_CLASSES_SLOW", "VM_SUPPORT_SLOW"]),
        }
    }
}

/// Everything Verilator read, also through `include` and `-y`, from `V…__ver.d`.
pub(crate) fn dependencies(makefile: &str) -> impl Iterator<Item = &str> {
    makefile.split_once(" : ").map_or("", |(_, list)| list).split_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_declarations() {
        let header = "class Vt {\n    VL_IN8(&clock,0,0);\n    VL_OUT64(&w2,63,0);\n    VL_INW(&w,99,0,4);\n";
        let found = ports(header).expect("three ports");
        let described: Vec<_> = found.iter().map(|p| (p.name.as_str(), p.direction, p.width, p.rust_type())).collect();
        assert_eq!(
            described,
            [
                ("clock", Direction::In, 1, "u8".to_owned()),
                ("w2", Direction::Out, 64, "u64".into()),
                ("w", Direction::In, 100, "[u32; 4]".into()),
            ]
        );
        assert!(matches!(ports("VL_INOUT8(&pad,0,0);"), Err(Error::Port(_))));
        assert!(matches!(ports("VL_IN8(&pad,0);"), Err(Error::Port(_))));
    }

    #[test]
    fn source_lists() {
        let makefile = "VM_CLASSES_FAST += \\\n  Vt \\\n  Vt_root \\\n\nVM_CLASSES_SLOW += \\\n  Vt_slow \\\n\n\
                        VM_GLOBAL_FAST += \\\n  verilated \\\n\nVM_SUPPORT_FAST += \\\n  Vt_trace \\\n";
        let sources = Sources::from_makefile(makefile, Path::new("d"));
        assert_eq!(sources.fast, ["d/Vt.cpp", "d/Vt_root.cpp", "d/Vt_trace.cpp"].map(PathBuf::from));
        assert_eq!(sources.slow, [PathBuf::from("d/Vt_slow.cpp")]);
        assert_eq!(dependencies("a.cpp b.h  : tool x.sv y.sv ").collect::<Vec<_>>(), ["tool", "x.sv", "y.sv"]);
    }
}
