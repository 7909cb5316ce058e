//! `ipos card` as a user runs it, on a simulated card.

use std::process::{Command, Output};

use ipos_abi::ABI_VERSION;
use ipos_abi::regs::{BLOCKS, MAGIC};
use ipos_abi::rx::Outcome;
use serde_json::Value;

fn ipos(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ipos")).arg("card").args(args).output().unwrap()
}

/// Runs a command that must succeed; what it printed.
fn text(args: &[&str]) -> String {
    let output = ipos(args);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{args:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

fn json(args: &[&str]) -> Value {
    let mut args = args.to_vec();
    args.push("--json");
    serde_json::from_str(&text(&args)).unwrap()
}

#[test]
fn the_self_test_passes_on_the_reference_card() {
    let report = json(&["selftest", "--sim", "--frames", "300", "--seed", "7"]);
    assert_eq!(report["ok"], Value::Bool(true), "{report:#}");
    let steps: Vec<&str> = report["steps"].as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap()).collect();
    assert_eq!(
        steps,
        ["identity", "registers", "reset", "unmapped address", "bus mastering off", "frames", "reset in traffic"]
    );
    let out = text(&["selftest", "--sim", "--frames", "0"]);
    assert!(out.lines().take(5).all(|line| line.starts_with("ok ")) && out.ends_with("the card is good\n"), "{out}");
}

#[test]
fn what_a_card_says_about_itself() {
    let info = json(&["info", "--sim"]);
    assert_eq!((info["abi"].as_u64(), info["ports"].as_u64()), (Some(ABI_VERSION.into()), Some(2)));
    assert_eq!((info["width"].as_u64(), info["clock_khz"].as_u64()), (Some(64), Some(0)));
    assert!(text(&["info", "--sim"]).contains("simulated"));
    let tables = json(&["tables", "--sim"]);
    assert_eq!(tables["forward_slots"], info["forward_slots"]);
    assert_eq!(tables["active"], Value::Array(vec![]));
    assert!(text(&["tables", "--sim"]).contains("no forward entry has counted a packet"));
}

#[test]
fn counters_of_a_fresh_card() {
    let stats = json(&["stats", "--sim"]);
    for port in ["front", "back"] {
        assert_eq!(stats[port]["received"], 0);
        let outcomes = stats[port]["outcomes"].as_object().unwrap();
        assert_eq!(outcomes.len(), Outcome::ALL.len());
        assert!(outcomes.values().all(|v| v == 0));
    }
    let out = text(&["stats", "--sim"]);
    assert!(Outcome::ALL.iter().all(|o| out.contains(&format!("{o:?}")) && out.contains(o.text())), "{out}");
}

#[test]
fn every_readable_register_by_name() {
    let regs = json(&["regs", "--sim"]);
    assert_eq!(regs["card.MAGIC"]["value"], MAGIC);
    for block in BLOCKS {
        let header = &regs[format!("{}.HEADER", block.name)];
        assert_eq!(
            (header["offset"].as_u64(), header["value"].as_u64()),
            (Some(block.offset.into()), Some((u64::from(block.kind) << 16) | u64::from(block.version)))
        );
    }
    assert!(regs.get("tables.COMMIT_FORWARD").is_none(), "write-only");
    let table = text(&["regs", "--sim"]);
    for meaning in ["EtherType of ipOS in 15:0, the same on every card and host ", "Bit 0: running "] {
        assert!(table.contains(meaning), "{table}");
    }
    let dump = text(&["regs", "--sim", "--dump"]);
    assert!(dump.lines().any(|line| line == format!("0x0008 {MAGIC:#010x}")), "{dump}");
    assert_eq!(dump.lines().count(), regs.as_object().unwrap().len());
}

#[test]
fn a_simulated_card_is_listed_and_has_nothing_to_bind() {
    assert_eq!(json(&["list", "--sim"])[0]["address"], "simulated");
    for command in ["bind", "unbind"] {
        assert!(text(&[command, "--sim"]).contains("nothing to bind"));
    }
}

#[test]
fn a_served_card_is_tested_by_others_and_ends_with_ctrl_c() {
    let socket = std::env::temp_dir().join(format!("ipos-card-serve-{}", std::process::id()));
    let path = socket.to_str().unwrap();
    let mut serving = Command::new(env!("CARGO_BIN_EXE_ipos"))
        .args(["card", "serve", "--socket", path])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    assert!(ipos_lab::ready::listens(&socket, &mut serving));
    let card = format!("vfio-user:{path}");
    assert!(text(&["selftest", &card, "--frames", "50"]).ends_with("the card is good\n"));
    assert!(text(&["stats", &card]).contains("DropHostFull"));
    let second = ipos(&["serve", "--socket", path]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another process listens on"));
    let pid = nix::unistd::Pid::from_raw(serving.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert!(serving.wait().unwrap().success());
    assert!(!socket.exists());
}

#[test]
fn what_can_not_be_done_says_why() {
    for (args, code, why) in [
        (&["info", "0000:zz:00.0"][..], 1, "is not a PCI address"),
        (&["selftest", "ffff:00:00.0"], 1, "there is no PCI device"),
        (&["bind", "../../../etc/passwd"], 1, "is not a PCI address"),
        (&["info", "0000:01:00.0", "--sim"], 2, "cannot be used with"),
        (&["regs", "--sim", "--dump", "--json"], 2, "cannot be used with"),
        (&["info", "vfio-user:/nonexistent/card"], 1, "no card answers on /nonexistent/card"),
        (&["serve", "--socket", "/nonexistent/card"], 1, "can't listen there: /nonexistent/card.lock"),
        (&["serve", "--socket", "/tmp/card", "--front", "lo"], 2, "--back"),
        (&["serve", "--socket", "/tmp/card", "--front", "nonesuch", "--back", "nonesuch"], 1, "nonesuch"),
        (&["stats", "--sim", "--watch", "-1"], 2, "unexpected argument"),
        (&["stats", "--sim", "--watch", "nan"], 1, "--watch"),
    ] {
        let output = ipos(args);
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {err}");
        assert!(err.contains(why), "{args:?}: {err}");
    }
}
