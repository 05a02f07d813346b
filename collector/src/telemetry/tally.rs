//! Counts by a label whose values come from outside: the first few get a count of their own, all others share one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Labels that get a count of their own.
const MOST: usize = 20;
/// The label of all others.
const OTHER: &str = "other";
/// Labels are cut here, in characters.
const LONGEST: usize = 120;

/// Counts by label, bounded.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<BTreeMap<String, u64>>);

impl Tally {
    pub(crate) fn add(&self, label: &str, count: u64) {
        if count == 0 {
            return;
        }
        let label = label.char_indices().nth(LONGEST).map_or(label, |(end, _)| &label[..end]);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = counts.contains_key(label) || counts.len() < MOST;
        let label = if known { label } else { OTHER };
        *counts.entry(label.to_owned()).or_default() += count;
    }

    /// All counts by label.
    pub(crate) fn counts(&self) -> Vec<(String, u64)> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(label, count)| (label.clone(), *count)).collect()
    }

    /// The sum over all labels.
    pub(crate) fn total(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_from_outside_never_grow_without_bound_and_nothing_is_uncounted() {
        let tally = Tally::default();
        for number in 0..1000 {
            tally.add(&format!("scope {number} {}", "x".repeat(500)), 2);
        }
        tally.add("scope 0", 0);
        let counts = tally.counts();
        assert_eq!(counts.len(), MOST + 1);
        assert!(counts.iter().all(|(label, _)| label.chars().count() <= LONGEST));
        assert_eq!(
            counts.iter().find(|(label, _)| label == OTHER).map(|(_, count)| *count),
            Some(2 * 980)
        );
        assert_eq!(tally.total(), 2000);
    }
}
