//! A rule for environment variables: CONTRIBUTING.md lists all that the code reads, and no other.

use std::collections::BTreeSet;
use std::process::Command;

use crate::tools;

/// The names `IPOS_…` that a text has between quotation marks or in back-ticks.
fn names(text: &str, quote: char) -> BTreeSet<String> {
    let start = format!("{quote}IPOS_");
    let parts = text.split(&start).skip(1);
    let names = parts.filter_map(|part| part.split_once(|c: char| !c.is_ascii_uppercase() && c != '_'));
    names
        .filter(|(name, rest)| !name.is_empty() && !rest.starts_with('{'))
        .map(|(name, _)| format!("IPOS_{name}"))
        .collect()
}

/// The names in what reads the environment. Names of the C header look alike: those stand beside no call that does.
fn read(source: &str) -> BTreeSet<String> {
    let calls = ["env", "var", "number(", "by_hand(", "VARIABLE", "Signal::SIG"];
    source
        .lines()
        .filter(|line| calls.iter().any(|call| line.contains(call)))
        .flat_map(|line| names(line, '"'))
        .collect()
}

#[test]
fn every_environment_variable_is_documented() {
    assert_eq!(
        read("env::var(\"IPOS_A\")\n\"IPOS_B\"\nnumber(\"IPOS_C_D\", 1)"),
        ["IPOS_A", "IPOS_C_D"].map(String::from).into()
    );
    let listed =
        Command::new("git").args(["ls-files", "*.rs", "*.py"]).current_dir(tools::workspace()).output().unwrap();
    let files = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<_> = files.lines().filter(|file| *file != "xtask/src/knobs.rs").collect();
    assert!(files.len() > 300, "{} files", files.len());
    let found: BTreeSet<_> = files
        .iter()
        .flat_map(|file| read(&std::fs::read_to_string(tools::workspace().join(file)).unwrap_or_default()))
        .collect();
    let page = std::fs::read_to_string(tools::workspace().join("CONTRIBUTING.md")).unwrap();
    let (_, table) = page.split_once("## Environment variables").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    assert_eq!(found, names(table, '`'));
}
