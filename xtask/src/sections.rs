//! Tables in hand-written documents that code declares: each stands between `<!-- generated: NAME -->` and `<!-- end -->`.

use std::fs;

use anyhow::{Context, Result};
use ipos_migrate::transitions::{Machine, markdown};

use crate::tools::{keep, workspace};

/// The document of the migration, with the legal transitions of each machine.
pub fn generate(check: bool) -> Result<()> {
    let page = workspace().join("docs/migration.md");
    let mut text = fs::read_to_string(&page).with_context(|| page.display().to_string())?;
    for (name, machine) in [
        ("source", Machine::Source),
        ("destination", Machine::Destination),
        ("plain source", Machine::PlainSource),
        ("plain destination", Machine::PlainDestination),
    ] {
        text = fill(&text, name, &markdown(machine)).with_context(|| page.display().to_string())?;
    }
    keep(&page, text.as_bytes(), check)
}

/// The text with another body in one of its sections.
fn fill(text: &str, name: &str, body: &str) -> Result<String> {
    let begin = format!("<!-- generated: {name} -->\n");
    let (before, rest) = text.split_once(&begin).with_context(|| format!("no line {}", begin.trim()))?;
    let (_, after) = rest.split_once("<!-- end -->\n").with_context(|| format!("{} has no end", begin.trim()))?;
    Ok(format!("{before}{begin}\n{body}\n<!-- end -->\n{after}"))
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn the_document_has_the_tables_of_the_code() {
        super::generate(true).unwrap();
    }

    #[test]
    fn a_section_gets_another_body_and_the_rest_stays() {
        let text = "a\n<!-- generated: x -->\nold\n<!-- end -->\nb\n<!-- generated: y -->\n<!-- end -->\n";
        let filled = "a\n<!-- generated: x -->\n\nnew\n\n<!-- end -->\nb\n<!-- generated: y -->\n<!-- end -->\n";
        assert_eq!(fill(text, "x", "new\n").unwrap(), filled);
        assert_eq!(fill(filled, "x", "new\n").unwrap(), filled);
        assert!(fill(text, "z", "").is_err());
        assert!(fill("<!-- generated: x -->\n", "x", "").is_err());
    }
}
