//! The programs of a relocatable object: sections that may be loaded, and where map descriptors go into them.
//!
//! An object has one kind of relocation, against a map's symbol: programs are inlined whole, and helpers are numbers.

use std::ops::Range;

/// Why an object is not one of ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// A table or string lies outside the file.
    #[error("the object is cut off or damaged at byte {0}")]
    Cut(usize),
    /// The object needs something that the loader does not do.
    #[error("the object has a relocation of kind {kind} against `{symbol}`: only maps are expected")]
    Relocation {
        /// ELF's number.
        kind: u32,
        /// The symbol.
        symbol: String,
    },
    /// A program is missing.
    #[error("the object has no program `{0}`")]
    NoProgram(String),
    /// The loader makes no map of this name.
    #[error("the object has a map `{0}` that the loader does not make")]
    UnknownMap(String),
}

/// `R_BPF_64_64`.
const MAP_REFERENCE: u32 = 1;
/// `BPF_PSEUDO_MAP_FD`: the immediate is a map's descriptor.
const PSEUDO_MAP: u8 = 1;
const SYMBOL: usize = 24;
const RELOCATION: usize = 16;

/// An object's sections.
pub struct Object<'a> {
    file: &'a [u8],
    sections: Vec<Section<'a>>,
}

struct Section<'a> {
    kind: u32,
    info: usize,
    body: &'a [u8],
}

fn take(file: &[u8], range: Range<usize>) -> Result<&[u8], ObjectError> {
    file.get(range.clone()).ok_or(ObjectError::Cut(range.start))
}

fn number(file: &[u8], at: usize, bytes: usize) -> Result<usize, ObjectError> {
    let end = at.checked_add(bytes).ok_or(ObjectError::Cut(at))?;
    Ok(take(file, at..end)?.iter().rev().fold(0, |n, &b| n << 8 | usize::from(b)))
}

fn name(strings: &[u8], at: usize) -> Result<String, ObjectError> {
    let rest = strings.get(at..).ok_or(ObjectError::Cut(at))?;
    let end = rest.iter().position(|&b| b == 0).ok_or(ObjectError::Cut(at))?;
    Ok(String::from_utf8_lossy(&rest[..end]).into_owned())
}

impl<'a> Object<'a> {
    /// Reads the section table of a 64-bit little-endian ELF file.
    pub fn parse(file: &'a [u8]) -> Result<Self, ObjectError> {
        if take(file, 0..6)? != b"\x7fELF\x02\x01" {
            return Err(ObjectError::Cut(0));
        }
        let (start, size, count) = (number(file, 40, 8)?, number(file, 58, 2)?, number(file, 60, 2)?);
        take(file, start..start.saturating_add(count * size))?;
        if size < 64 {
            return Err(ObjectError::Cut(58));
        }
        let section = |i: usize| {
            let at = start + i * size;
            let (kind, offset, length) =
                (number(file, at + 4, 4)? as u32, number(file, at + 24, 8)?, number(file, at + 32, 8)?);
            // SHT_NULL and SHT_NOBITS have no bytes
            let range = if kind == 0 || kind == 8 { 0..0 } else { offset..offset.saturating_add(length) };
            Ok(Section { kind, info: number(file, at + 44, 4)?, body: take(file, range)? })
        };
        Ok(Object { file, sections: (0..count).map(section).collect::<Result<_, ObjectError>>()? })
    }

    fn body(&self, index: usize) -> Result<&'a [u8], ObjectError> {
        self.sections.get(index).map(|s| s.body).ok_or(ObjectError::Cut(index))
    }

    /// Section of the symbols, and their names.
    fn symbols(&self) -> Result<(&'a [u8], &'a [u8]), ObjectError> {
        let at = self.sections.iter().position(|s| s.kind == 2).ok_or(ObjectError::Cut(0))?;
        let header = number(self.file, 40, 8)? + at * number(self.file, 58, 2)?;
        Ok((self.sections[at].body, self.body(number(self.file, header + 40, 4)?)?))
    }

    /// The code of a program, with the descriptors of maps in their places.
    pub fn program(&self, wanted: &str, map: impl Fn(&str) -> Option<i32>) -> Result<Vec<u8>, ObjectError> {
        let (symbols, strings) = self.symbols()?;
        // a global function
        let is_wanted =
            |s: &&[u8]| s[4] == 0x12 && number(s, 0, 4).and_then(|at| name(strings, at)).is_ok_and(|n| n == wanted);
        let symbol =
            symbols.chunks_exact(SYMBOL).find(is_wanted).ok_or_else(|| ObjectError::NoProgram(wanted.to_owned()))?;
        let (section, start, size) = (number(symbol, 6, 2)?, number(symbol, 8, 8)?, number(symbol, 16, 8)?);
        let mut code = take(self.body(section)?, start..start.saturating_add(size))?.to_vec();
        // SHT_REL, for this section
        let relocations = self
            .sections
            .iter()
            .filter(|s| s.kind == 9 && s.info == section)
            .flat_map(|s| s.body.chunks_exact(RELOCATION));
        for relocation in relocations {
            let (at, kind, index) =
                (number(relocation, 0, 8)?, number(relocation, 8, 4)? as u32, number(relocation, 12, 4)?);
            let Some(at) = at.checked_sub(start).filter(|at| *at < size) else { continue };
            let symbol = take(symbols, index * SYMBOL..(index + 1) * SYMBOL)?;
            let symbol = name(strings, number(symbol, 0, 4)?)?;
            if kind != MAP_REFERENCE {
                return Err(ObjectError::Relocation { kind, symbol });
            }
            let fd = map(&symbol).ok_or(ObjectError::UnknownMap(symbol))?;
            let instruction = code.get_mut(at..at + 8).ok_or(ObjectError::Cut(at))?;
            instruction[1] = instruction[1] & 15 | PSEUDO_MAP << 4;
            instruction[4..].copy_from_slice(&fd.to_le_bytes());
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_object_is_an_error_and_never_a_panic() {
        let whole = crate::OBJECT;
        let names = ["front", "back", "fence", "in", "later", "deliver"];
        let load = |file: &[u8]| {
            let object = Object::parse(file)?;
            names.iter().map(|n| object.program(n, |_| Some(3))).collect::<Result<Vec<_>, _>>()
        };
        assert!(load(whole).is_ok());
        assert!(matches!(Object::parse(whole).unwrap().program("front", |_| None), Err(ObjectError::UnknownMap(_))));
        for end in (0..64).chain((64..whole.len()).step_by(997)) {
            assert!(load(&whole[..end]).is_err(), "cut at {end}");
        }
        // headers, then some of the rest
        for at in (0..64).chain((64..whole.len()).step_by(211)) {
            for flip in [0x01, 0xff] {
                let mut bad = whole.to_vec();
                bad[at] ^= flip;
                let _ = load(&bad);
            }
        }
    }
}
