//! A rule for error types: one that shows its cause does not hand it out as its source, or who prints the whole chain
//! (`{e:#}`) says the same two and three times. A field with a cause is called `cause`; `transparent` shows nothing of its own.

use std::fs;
use std::path::Path;

use crate::tools;

/// Variants that show their own text and have a source, by the text.
fn doubled(source: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for variant in source.split("#[error(").skip(1) {
        let (text, rest) = variant.split_once(")]\n").unwrap_or((variant, ""));
        // up to the next variant or the end of the type
        let fields = rest.split("\n    },").next().unwrap_or(rest).split("\n}").next().unwrap_or(rest);
        let fields = if rest.lines().next().is_some_and(|l| l.ends_with("),")) {
            rest.lines().next().unwrap_or_default()
        } else {
            fields
        };
        let chained = ["#[from]", "#[source]", " source:"].iter().any(|mark| fields.contains(mark));
        if chained && text != "transparent" {
            found.push(text);
        }
    }
    found
}

fn walk(directory: &Path, found: &mut Vec<String>, files: &mut u32) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, found, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            *files += 1;
            let text = fs::read_to_string(&path).unwrap();
            found.extend(doubled(&text).iter().map(|text| format!("{}: {text}", path.display())));
        }
    }
}

#[test]
fn what_shows_its_cause_is_not_chained_to_it() {
    let bad = "#[error(\"a: {0}\")]\n    A(#[from] io::Error),\n#[error(\"b: {source}\")]\n    B {\n        source: E,\n    },\n";
    assert_eq!(doubled(bad), ["\"a: {0}\"", "\"b: {source}\""]);
    let good = "#[error(\"a: {0}\")]\n    A(io::Error),\n#[error(transparent)]\n    B(#[from] E),\n#[error(\"c\")]\n    C,\n}\n";
    assert_eq!(doubled(good), Vec::<&str>::new());
    let (mut found, mut files) = (Vec::new(), 0);
    for part in ["hdl/abi/src", "hdl/emit/src", "host", "sim/src", "sim/lab", "sim/vfio-user"] {
        walk(&tools::workspace().join(part), &mut found, &mut files);
    }
    assert!(files > 100 && found.is_empty(), "{files} files: {found:#?}");
}
