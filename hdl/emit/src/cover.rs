//! Which bits of which signals a path through a kernel has assigned: how latches are found.

use std::collections::BTreeMap;

/// Assigned bits by signal, as disjoint ascending ranges `from..to`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cover(BTreeMap<String, Vec<(usize, usize)>>);

impl Cover {
    /// Adds bits `from..to` of `name`.
    pub fn assign(&mut self, name: &str, from: usize, to: usize) {
        let ranges = self.0.entry(name.into()).or_default();
        ranges.push((from, to));
        ranges.sort_unstable();
        let mut merged: Vec<(usize, usize)> = Vec::with_capacity(ranges.len());
        for &(a, b) in ranges.iter() {
            match merged.last_mut() {
                Some(last) if a <= last.1 => last.1 = last.1.max(b),
                _ => merged.push((a, b)),
            }
        }
        *ranges = merged;
    }

    /// Whether bits `from..to` of `name` are all assigned.
    pub fn has(&self, name: &str, from: usize, to: usize) -> bool {
        self.0.get(name).is_some_and(|ranges| ranges.iter().any(|&(a, b)| a <= from && to <= b))
    }

    /// What both paths have assigned.
    pub fn both(self, other: &Cover) -> Cover {
        let mut result = BTreeMap::new();
        for (name, ours) in self.0 {
            let Some(theirs) = other.0.get(&name) else { continue };
            let common: Vec<_> = ours
                .iter()
                .flat_map(|&(a, b)| theirs.iter().map(move |&(c, d)| (a.max(c), b.min(d))))
                .filter(|(a, b)| a < b)
                .collect();
            if !common.is_empty() {
                result.insert(name, common);
            }
        }
        Cover(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_and_intersect() {
        let mut a = Cover::default();
        a.assign("x", 4, 8);
        assert!(!a.has("x", 0, 8) && a.has("x", 5, 8) && !a.has("y", 0, 1));
        a.assign("x", 0, 4);
        assert!(a.has("x", 0, 8) && !a.has("x", 0, 9));
        let mut b = Cover::default();
        b.assign("x", 0, 3);
        b.assign("x", 5, 8);
        let c = a.clone().both(&b);
        assert!(!c.has("x", 0, 8) && c.has("x", 0, 3) && !c.has("x", 0, 4) && c.has("x", 6, 8));
        assert!(a.clone().both(&a).has("x", 0, 8));
    }
}
