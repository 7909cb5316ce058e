//! Which bus addresses are taken.

use std::collections::BTreeMap;
use std::ops::Range;

/// Bus addresses, given out lowest first with a page between them, so that a card that runs over a buffer's end faults.
#[derive(Debug)]
pub struct Iovas {
    ranges: Vec<Range<u64>>,
    page: u64,
    /// First address and length, the page behind it included.
    taken: BTreeMap<u64, u64>,
}

impl Iovas {
    /// Addresses out of `ranges`, which are ascending, in units of `page`, a power of two.
    #[must_use]
    pub fn new(ranges: Vec<Range<u64>>, page: u64) -> Self {
        Iovas { ranges, page, taken: BTreeMap::new() }
    }

    /// Takes the lowest free range of `len` bytes, a multiple of `align`; `None`: there is none.
    pub fn take(&mut self, len: u64, align: u64) -> Option<u64> {
        let align = align.max(self.page);
        let whole = len.checked_next_multiple_of(self.page)?.checked_add(self.page)?;
        for range in &self.ranges {
            let mut at = range.start.checked_next_multiple_of(align)?;
            for (&first, &length) in self.taken.range(..range.end) {
                if first >= at.saturating_add(whole) {
                    break;
                }
                at = at.max((first + length).checked_next_multiple_of(align)?);
            }
            if at.checked_add(whole).is_some_and(|end| end <= range.end) {
                self.taken.insert(at, whole);
                return Some(at);
            }
        }
        None
    }

    /// Gives back a range by its first address.
    pub fn give_back(&mut self, first: u64) {
        self.taken.remove(&first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_never_touch_and_are_used_again() {
        let mut iovas = Iovas::new(vec![0x1000..0x8000, 0x20_0000..0x80_0000], 0x1000);
        assert_eq!(iovas.take(0x1000, 1), Some(0x1000));
        assert_eq!(iovas.take(1, 1), Some(0x3000));
        assert_eq!(iovas.take(0x3000, 1), Some(0x20_0000)); // 0x5000 to 0x8000 has no room for the page behind
        assert_eq!(iovas.take(0x1000, 1), Some(0x5000));
        assert_eq!(iovas.take(0x20_0000, 0x20_0000), Some(0x40_0000));
        assert_eq!(iovas.take(0x20_0000, 0x20_0000), None);
        iovas.give_back(0x3000);
        assert_eq!(iovas.take(0x1000, 1), Some(0x3000));
        assert_eq!(iovas.take(u64::MAX, 1), None);
    }
}
