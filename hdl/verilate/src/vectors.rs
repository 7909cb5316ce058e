//! A design as a function from inputs to outputs, for tests that have another model of it.

use crate::header::{self, Sources};
use crate::tool::{DEFINES, run};
use crate::{Direction, Error, Port, Verilator, read, write};
use std::env;
use std::ffi::OsString;
use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// 32-bit words of a value on the pipe: ports of up to 128 bits.
const WORDS: usize = 4;

/// A compiled design that reads input vectors and writes output vectors.
#[derive(Debug)]
pub struct Vectors {
    directory: PathBuf,
    ports: Vec<Port>,
}

impl Vectors {
    /// Compiles module `top` of `files` in `directory`, which is emptied; `args` go to Verilator, after `-Wall`.
    /// Registers without an initial value, and memories, start at zero.
    pub fn build(directory: &Path, top: &str, files: &[PathBuf], args: &[&str]) -> Result<Self, Error> {
        let verilator = Verilator::find()?;
        let file = |source| Error::File { path: directory.into(), source };
        match fs::remove_dir_all(directory) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(file(e)),
            _ => fs::create_dir_all(directory).map_err(file)?,
        }
        let mut line: Vec<OsString> =
            ["--cc", "--prefix", "Vtop", "--top-module", top, "--Mdir"].map(Into::into).into();
        line.push(directory.into());
        line.extend(args.iter().map(Into::into));
        line.extend(files.iter().map(Into::into));
        verilator.run(top, line)?;

        let ports = header::ports(&read(directory.join("Vtop.h"))?)?;
        if let Some(port) = ports.iter().find(|p| p.words() as usize > WORDS) {
            return Err(Error::Port(format!("{} has {} bits, vectors carry {}", port.name, port.width, WORDS * 32)));
        }
        let sources = Sources::from_makefile(&read(directory.join("Vtop_classes.mk"))?, directory);
        let runtime = ["verilated.cpp", "verilated_threads.cpp"].map(|f| verilator.include().join(f));
        let unity: String = sources
            .fast
            .iter()
            .chain(&sources.slow)
            .chain(&runtime)
            .map(|f| format!("#include \"{}\"\n", f.display()))
            .collect();
        let main = directory.join("main.cpp");
        write(&main, &(unity + &program(&ports)))?;
        let mut compiler = Command::new(env::var_os("CXX").unwrap_or_else(|| "c++".into()));
        compiler.args(["-std=c++17", "-O0", "-w", "-pthread", "-DVM_TRACE=0", "-I"]).arg(directory);
        for include in [verilator.include(), verilator.include().join("vltstd")] {
            compiler.arg("-I").arg(include);
        }
        for (name, value) in DEFINES {
            compiler.arg(value.map_or_else(|| format!("-D{name}"), |v| format!("-D{name}={v}")));
        }
        run(compiler.arg("-o").arg(directory.join("run")).arg(&main), top)?;
        Ok(Vectors { directory: directory.into(), ports })
    }

    /// Input ports, in the order of a vector's values.
    pub fn inputs(&self) -> impl Iterator<Item = &Port> {
        self.ports.iter().filter(|p| p.direction == Direction::In)
    }

    /// Output ports, in the order of a result's values.
    pub fn outputs(&self) -> impl Iterator<Item = &Port> {
        self.ports.iter().filter(|p| p.direction == Direction::Out)
    }

    /// Applies the vectors one after another to one instance, which keeps its state from one to the next;
    /// gives the outputs after each. A clock is an input like any other: an edge is two vectors.
    pub fn run(&self, vectors: &[Vec<u128>]) -> Result<Vec<Vec<u128>>, Error> {
        let expected = self.inputs().count();
        if let Some((index, v)) = vectors.iter().enumerate().find(|(_, v)| v.len() != expected) {
            return Err(Error::Vector { index, found: v.len(), expected });
        }
        let path = |name: &str| self.directory.join(name);
        let bytes: Vec<u8> = vectors.iter().flatten().flat_map(|v| v.to_le_bytes()).collect();
        let file = |path: PathBuf| move |source| Error::File { path, source };
        fs::write(path("in"), bytes).map_err(file(path("in")))?;
        let status = Command::new(path("run"))
            .stdin(File::open(path("in")).map_err(file(path("in")))?)
            .stdout(File::create(path("out")).map_err(file(path("out")))?)
            .stderr(Stdio::inherit())
            .status()
            .map_err(|source| Error::Start { program: "run".into(), source })?;
        if !status.success() {
            return Err(Error::Failed { program: "run".into(), what: "vectors".into(), output: status.to_string() });
        }
        let bytes = fs::read(path("out")).map_err(file(path("out")))?;
        let mut values = bytes.chunks_exact(WORDS * 4).map(|c| u128::from_le_bytes(c.try_into().expect("16 bytes")));
        let width = self.outputs().count();
        Ok(vectors.iter().map(|_| values.by_ref().take(width).collect()).collect())
    }
}

fn program(ports: &[Port]) -> String {
    let (mut set, mut get) = (String::new(), String::new());
    for port in ports {
        let name = &port.name;
        let (text, call) = match port.direction {
            Direction::In => (&mut set, format!("if (!take(top.{name})) break;")),
            Direction::Out => (&mut get, format!("give(top.{name});")),
        };
        writeln!(text, "        {call}").expect("writing to a String");
    }
    format!(
        r#"#include "Vtop.h"
#include <cstdio>
template <class T> bool take(T& port) {{
    uint32_t w[{WORDS}];
    if (fread(w, sizeof w, 1, stdin) != 1) return false;
    port = static_cast<T>(w[0] | static_cast<uint64_t>(w[1]) << 32);
    return true;
}}
template <std::size_t N> bool take(VlWide<N>& port) {{
    uint32_t w[{WORDS}];
    if (fread(w, sizeof w, 1, stdin) != 1) return false;
    for (std::size_t i = 0; i < N; i++) port[i] = w[i];
    return true;
}}
template <class T> void give(const T& port) {{
    const uint64_t v = port;
    const uint32_t w[{WORDS}] = {{static_cast<uint32_t>(v), static_cast<uint32_t>(v >> 32)}};
    fwrite(w, sizeof w, 1, stdout);
}}
template <std::size_t N> void give(const VlWide<N>& port) {{
    uint32_t w[{WORDS}] = {{}};
    for (std::size_t i = 0; i < N; i++) w[i] = port[i];
    fwrite(w, sizeof w, 1, stdout);
}}
int main() {{
    VerilatedContext context;
    Vtop top{{&context}};
    for (;;) {{
{set}        top.eval();
{get}    }}
    top.final();
}}
"#
    )
}
