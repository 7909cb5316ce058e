//! The generated C header, read by a C compiler: what it says of layouts and offsets is what Rust has.

use std::mem::{offset_of, size_of};
use std::path::Path;
use std::process::Command;

use ipos_abi::queue::{Completion, ReceiveDescriptor, TransmitDescriptor};
use ipos_abi::regs::BLOCKS;

#[test]
fn a_c_compiler_sees_the_same_layouts_and_offsets() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut source = String::from("#include <stddef.h>\n#include \"ipos_regs.h\"\n");
    let mut check = |what: String, value: usize| {
        source += &format!("_Static_assert({what} == {value}, \"{what}\");\n", what = what);
    };
    check("sizeof(struct ipos_receive_descriptor)".into(), size_of::<ReceiveDescriptor>());
    check("sizeof(struct ipos_transmit_descriptor)".into(), size_of::<TransmitDescriptor>());
    check("sizeof(struct ipos_completion)".into(), size_of::<Completion>());
    macro_rules! fields {
        ($c:literal $t:ty: $($f:ident)*) => {
            $(check(format!("offsetof(struct {}, {})", $c, stringify!($f)), offset_of!($t, $f));)*
        };
    }
    fields!("ipos_receive_descriptor" ReceiveDescriptor: address length reserved);
    fields!("ipos_transmit_descriptor" TransmitDescriptor: address length flags start offset);
    fields!("ipos_completion" Completion: words flags);
    for block in BLOCKS {
        for reg in block.regs {
            check(format!("IPOS_{}_{}", block.name.to_uppercase(), reg.name), reg.offset as usize);
        }
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("header.c");
    std::fs::write(&file, source).expect("the test's folder");
    let output = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I"])
        .arg(root.join("host/include"))
        .arg(&file)
        .output()
        .expect("cc, which the simulator needs too");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
