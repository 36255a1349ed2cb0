//! Repeats within one file: the first row with an id wins.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

/// Remembers the external ids of a file by a hash of 16 bytes.
///
/// Past its capacity it remembers no more; a repeat of a later id then counts as an update.
#[derive(Debug)]
pub struct Merger {
    seen: HashSet<[u8; 16]>,
    capacity: usize,
    merged: u64,
}

impl Merger {
    /// About 140 MB when full.
    const CAPACITY: usize = 4_000_000;

    pub fn new() -> Self {
        Self::with_capacity(Self::CAPACITY)
    }

    fn with_capacity(capacity: usize) -> Self {
        Self { seen: HashSet::new(), capacity, merged: 0 }
    }

    /// Whether an earlier row had this id; counts the row as merged if so.
    pub fn is_repeat(&mut self, external_id: &str) -> bool {
        let mut hash = [0; 16];
        hash.copy_from_slice(&Sha256::digest(external_id)[..16]);
        let repeat = if self.seen.len() < self.capacity {
            !self.seen.insert(hash)
        } else {
            self.seen.contains(&hash)
        };
        self.merged += u64::from(repeat);
        repeat
    }

    /// How many rows were repeats.
    pub fn merged(&self) -> u64 {
        self.merged
    }

    /// How many different ids are remembered.
    pub fn distinct(&self) -> usize {
        self.seen.len()
    }
}

impl Default for Merger {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Merger;

    #[test]
    fn the_first_row_with_an_id_wins() {
        let mut merger = Merger::new();
        let repeats = ["a", "b", "a", "A", "b"].map(|id| merger.is_repeat(id));
        assert_eq!(repeats, [false, false, true, false, true]);
        assert_eq!((merger.merged(), merger.distinct()), (2, 3));
    }

    #[test]
    fn a_full_merger_still_knows_what_it_has_seen() {
        let mut merger = Merger::with_capacity(1);
        let repeats = ["a", "b", "b", "a"].map(|id| merger.is_repeat(id));
        assert_eq!(repeats, [false, false, false, true]);
        assert_eq!(merger.distinct(), 1);
    }
}
