//! The two sides of a model's binding: a C++ shim and the Rust module over it.
//!
//! A model without and one with waveforms have the same ports, so one Rust type serves both; which
//! one it is, is decided when it is made.

use crate::header::{Direction, Port};
use crate::model::traced;
use std::fmt::Write;

/// The C++ side: makes a model, hands out the addresses of its ports, evaluates it, deletes it.
pub(crate) fn cpp(name: &str, ports: &[Port], fst: bool) -> String {
    let mut addresses = String::new();
    for (i, port) in ports.iter().enumerate() {
        writeln!(addresses, "    ports[{i}] = &m->top.{};", port.name).expect("writing to a String");
        if port.direction == Direction::In {
            // random contents are for registers; what nobody sets must not change from seed to seed
            writeln!(addresses, "    std::memset(&m->top.{0}, 0, sizeof m->top.{0});", port.name)
                .expect("writing to a String");
        }
    }
    let (include, trace_member, trace_on, trace) = if fst {
        (
            "#include \"verilated_fst_c.h\"\n",
            "    VerilatedFstC fst;\n",
            "    c->traceEverOn(true);\n",
            format!(
                r#"void {name}_open(void* p, const char* path) {{
    auto* m = static_cast<Instance*>(p);
    m->top.trace(&m->fst, 99);
    m->fst.open(path);
}}
void {name}_dump(void* p, uint64_t time) {{ static_cast<Instance*>(p)->fst.dump(time); }}
"#
            ),
        )
    } else {
        ("", "", "", String::new())
    };
    let close = if fst { "    if (m->fst.isOpen()) m->fst.close();\n" } else { "" };
    format!(
        r#"#include "V{name}.h"
#include "verilated.h"
#include <cstring>
#if VM_COVERAGE
#include "verilated_cov.h"
#include <atomic>
#include <cstdlib>
#include <string>
#include <unistd.h>
#endif
{include}
namespace {{
VerilatedContext* configured(VerilatedContext* c, bool random, uint32_t seed) {{
    c->threads(1);
    c->randReset(random ? 2 : 0);
    c->randSeed(static_cast<int>(seed % 0x7fffffff) + 1);  // 0 would mean the clock
{trace_on}    return c;
}}
struct Instance {{
    VerilatedContext context;
    V{name} top;
{trace_member}    Instance(bool random, uint32_t seed) : top{{configured(&context, random, seed), "TOP"}} {{}}
}};
}}
#pragma GCC visibility push(default)
extern "C" {{
void* {name}_new(int random, uint32_t seed, void** ports) {{
    auto* m = new Instance(random != 0, seed);
{addresses}    return m;
}}
void {name}_eval(void* p) {{ static_cast<Instance*>(p)->top.eval(); }}
void {name}_delete(void* p) {{
    auto* m = static_cast<Instance*>(p);
    m->top.final();
#if VM_COVERAGE
    static std::atomic<unsigned> number{{0}};
    if (const char* directory = std::getenv("IPOS_COVERAGE")) {{
        const std::string file = "/{name}-" + std::to_string(getpid()) + "-" + std::to_string(number++) + ".dat";
        m->context.coveragep()->write(directory + file);
    }}
#endif
{close}    delete m;
}}
{trace}}}
#pragma GCC visibility pop
"#
    )
}

/// The Rust side.
pub(crate) fn rust(name: &str, ports: &[Port], fst: bool) -> String {
    let n = ports.len();
    let mut externs = externs(name);
    let mut traced_body = format!(
        "        let _ = seed;\n        Err(TraceError::NotBuilt {{ model: \"{name}\", path: path.to_owned() }})"
    );
    let mut dump = String::new();
    if fst {
        let name = traced(name);
        externs += &self::externs(&name);
        write!(
            externs,
            "    fn {name}_open(model: *mut c_void, path: *const c_char);\n    fn {name}_dump(model: *mut c_void, time: u64);\n"
        )
        .expect("writing to a String");
        traced_body = format!(
            r#"        // Verilator does not say when it cannot open the file, so it is tried here.
        let failed = |source| TraceError::Open {{ path: path.to_owned(), source }};
        std::fs::File::create(path).map_err(failed)?;
        let c_path = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|e| failed(e.into()))?;
        let mut model = Self::make({name}_new, {name}_eval, {name}_delete, seed);
        // SAFETY: `handle` is a live instance of the tracing variant; the path is a C string that outlives the call.
        unsafe {{ {name}_open(model.handle, c_path.as_ptr()) }};
        model.traced = true;
        Ok(model)"#
        );
        dump = format!(
            r#"        if self.traced {{
            // SAFETY: `traced` is set for a live instance of the tracing variant only, with its file open.
            unsafe {{ {name}_dump(self.handle, time) }}
        }}
"#
        );
    } else {
        dump += "        let _ = time;\n";
    }
    let accessors: String = ports.iter().enumerate().map(|(i, p)| accessors(i, p)).collect();
    let ffi = if fst { "CString, c_char, c_int, c_void" } else { "c_int, c_void" };
    format!(
        r#"/// Verilated model `{name}`; generated from the ports of the design.
#[allow(dead_code, non_snake_case, missing_docs, clippy::all)]
pub mod {name} {{
use ipos_verilated_rt::TraceError;
use std::ffi::{{{ffi}}};
use std::path::Path;

type New = unsafe extern "C" fn(c_int, u32, *mut *mut c_void) -> *mut c_void;
type Call = unsafe extern "C" fn(*mut c_void);

unsafe extern "C" {{
{externs}}}

/// One instance of the design. Ports are read and set in place; [`Model::eval`] propagates.
pub struct Model {{
    handle: *mut c_void,
    ports: [*mut c_void; {n}],
    eval: Call,
    delete: Call,
    traced: bool,
}}

// SAFETY: each instance has its own VerilatedContext and owns all that its pointers reach; Verilator
// keeps no other state that instances share without a lock.
unsafe impl Send for Model {{}}

impl Model {{
    /// A new instance. With a seed, registers that have no initial value start with random
    /// contents; without one they start at zero. Same seed, same contents. Inputs start at zero.
    pub fn new(seed: Option<u32>) -> Self {{
        Self::make({name}_new, {name}_eval, {name}_delete, seed)
    }}

    /// A new instance that writes waveforms (FST) to `path`; see [`Model::dump`].
    pub fn traced(seed: Option<u32>, path: &Path) -> Result<Self, TraceError> {{
{traced_body}
    }}

    fn make(new: New, eval: Call, delete: Call, seed: Option<u32>) -> Self {{
        let mut ports = [std::ptr::null_mut(); {n}];
        // SAFETY: `new` writes as many addresses as the array holds, one for each port of the same header.
        let handle = unsafe {{ new(seed.is_some() as c_int, seed.unwrap_or(0), ports.as_mut_ptr()) }};
        Model {{ handle, ports, eval, delete, traced: false }}
    }}

    /// Evaluates the design with the ports as they stand.
    #[inline]
    pub fn eval(&mut self) {{
        // SAFETY: `handle` is live until drop, and `eval` belongs to its variant.
        unsafe {{ (self.eval)(self.handle) }}
    }}

    /// Writes the present values to the waveform, at `time` in nanoseconds, which must grow from call to call.
    /// Does nothing for an instance without waveforms.
    #[inline]
    pub fn dump(&mut self, time: u64) {{
{dump}    }}
{accessors}}}

impl Drop for Model {{
    fn drop(&mut self) {{
        // SAFETY: the handle came from `new` of the same variant and is not used again.
        unsafe {{ (self.delete)(self.handle) }}
    }}
}}
}}
"#
    )
}

fn externs(name: &str) -> String {
    format!(
        "    fn {name}_new(random: c_int, seed: u32, ports: *mut *mut c_void) -> *mut c_void;\n    \
         fn {name}_eval(model: *mut c_void);\n    fn {name}_delete(model: *mut c_void);\n"
    )
}

fn accessors(index: usize, port: &Port) -> String {
    let Port { name, width, .. } = port;
    let ty = port.rust_type();
    let mut text = String::new();
    let safety =
        "// SAFETY: the address is that of this port, of this type, inside the live instance that `self` owns.";
    if *width > 64 {
        write!(
            text,
            r#"
    /// `{name}`, {width} bits, least significant word first.
    #[inline]
    pub fn {name}(&self) -> &{ty} {{
        {safety}
        unsafe {{ &*self.ports[{index}].cast::<{ty}>() }}
    }}
"#
        )
    } else {
        write!(
            text,
            r#"
    /// `{name}`, {width} bits.
    #[inline]
    pub fn {name}(&self) -> {ty} {{
        {safety}
        unsafe {{ self.ports[{index}].cast::<{ty}>().read() }}
    }}
"#
        )
    }
    .expect("writing to a String");
    if port.direction == Direction::Out {
        return text;
    }
    // The model assumes that bits above the port's width are clear.
    let (top, word, argument, value) = if *width > 64 {
        let last = port.words() - 1;
        (width % 32, "u32".to_owned(), format!("&{ty}"), (format!("value[{last}]"), "*value"))
    } else {
        let bits: u32 = ty[1..].parse().expect("u8, u16, u32 or u64");
        (width % bits, ty.clone(), ty.clone(), ("value".into(), "value"))
    };
    let (checked, stored) = value;
    let check = if top == 0 {
        String::new()
    } else {
        format!("        debug_assert!({checked} < (1 as {word}) << {top}, \"{name} is {width} bits wide\");\n")
    };
    write!(
        text,
        r#"
    /// Sets `{name}`, {width} bits.
    #[inline]
    pub fn set_{name}(&mut self, value: {argument}) {{
{check}        {safety}
        unsafe {{ self.ports[{index}].cast::<{ty}>().write({stored}) }}
    }}
"#
    )
    .expect("writing to a String");
    text
}
