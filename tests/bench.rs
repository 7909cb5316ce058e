//! `ipos bench` as a user runs it: that it measures and says what; not what comes out, which is the machine's affair.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn bench(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipos"));
    command.args(["bench", "migrate"]).args(args).stdin(Stdio::null()).output().unwrap()
}

const SMALL: [&str; 10] = ["--rounds", "1", "--moves", "4", "--echoes", "3", "--connections", "6", "--queue", "128K"];

fn report(more: &[&str]) -> Value {
    let output = bench(&[&SMALL[..], more, &["--json"]].concat());
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    assert_eq!(out.trim().lines().count(), 1, "one object on standard output: {out}");
    serde_json::from_str(&out).unwrap()
}

#[test]
fn a_short_run_says_what_it_measured() {
    for (more, signed) in [(&["--window", "2"][..], true), (&["--unsigned"], false)] {
        let r = report(more);
        let number = |name: &str| r[name].as_f64().unwrap_or_else(|| panic!("{name}: {r}"));
        for name in [
            "freeze_p50_us",
            "pause_p50_us",
            "rtt_p50_us",
            "moves_per_s",
            "moves_per_s_serial",
            "move_p50_us",
            "nagle_p50_us",
        ] {
            assert!(number(name) > 0.0, "{name}: {r}");
        }
        // longer queues may be faster in so few moves
        assert!(number("us_per_mb").is_finite() && number("whole_us_per_mb").is_finite());
        assert!(number("freeze_p50_us") <= number("freeze_p99_us"), "{r}");
        assert!(number("freeze_p50_us") < number("move_p50_us"), "a move contains its freeze: {r}");
        assert_eq!((r["rounds"].as_u64(), r["signed"].as_bool()), (Some(1), Some(signed)));
        let steps = r["breakdown"].as_array().unwrap();
        let total: f64 = steps.iter().map(|s| s["p50_us"].as_f64().unwrap()).sum();
        assert!(steps.len() > 10 && total > 0.0, "{r}");
        assert!(r["machine"]["kernel"].as_str().is_some_and(|k| !k.is_empty()), "{r}");
    }
}

#[test]
fn without_json_there_are_tables() {
    let output = bench(&SMALL);
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for text in ["freeze_p50_us", "us_per_mb", "repair off", "medians of 1 rounds"] {
        assert!(out.contains(text), "{text}: {out}");
    }
}

#[test]
fn wrong_usage_is_said() {
    for (args, code, text) in [
        (&["--rounds", "0"][..], 2, "--rounds"),
        (&["--window", "65"], 2, "--window"),
        (&["--queue", "1K"], 1, "--queue must be from 128K"),
    ] {
        let output = bench(args);
        let messages = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {messages}");
        assert!(messages.contains(text), "{args:?}: {messages}");
    }
}
