//! Comparing what two records say about consumption.
//!
//! Emitters disagree about caches and reasoning, so there are two comparisons: `same` asks for equal totals and is
//! for records that nothing else relates; `compatible` also accepts known ways of leaving a part out and is for
//! records that already stand in one another's path or share an id.

use super::record::{Record, bucket};
use marginlake_lake::schema::Role;

/// Input and output tokens, caches and reasoning included. `None` where no bucket of that side is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Totals {
    pub(super) input: Option<i64>,
    pub(super) output: Option<i64>,
}

impl Totals {
    pub(super) fn of(record: &Record) -> Totals {
        let sum = |range: std::ops::Range<usize>| {
            record.buckets[range]
                .iter()
                .flatten()
                .fold(None, |sum: Option<i64>, count| Some(sum.unwrap_or(0).saturating_add(*count)))
        };
        Totals {
            input: sum(bucket::INPUTS),
            output: sum(bucket::OUTPUTS),
        }
    }

    pub(super) fn add(self, other: Totals) -> Totals {
        let add = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (a, b) => a.or(b),
        };
        Totals {
            input: add(self.input, other.input),
            output: add(self.output, other.output),
        }
    }

    /// At least as much on both sides.
    pub(super) fn covers(self, other: Totals) -> bool {
        self.input.unwrap_or(0) >= other.input.unwrap_or(0) && self.output.unwrap_or(0) >= other.output.unwrap_or(0)
    }

    /// Equal, where an unknown side counts as nothing.
    pub(super) fn equals(self, other: Totals) -> bool {
        self.covers(other) && other.covers(self)
    }

    /// What `self` has beyond `other`, never negative. `None` where there is nothing beyond.
    pub(super) fn beyond(self, other: Totals) -> Option<(i64, i64)> {
        let beyond = |a: Option<i64>, b: Option<i64>| a.unwrap_or(0).saturating_sub(b.unwrap_or(0)).max(0);
        let gap = (beyond(self.input, other.input), beyond(self.output, other.output));
        (gap != (0, 0)).then_some(gap)
    }
}

/// Equal totals with tokens on both sides (embeddings have no output), and no bucket of cache or reasoning that
/// contradicts.
pub(super) fn same(a: &Record, b: &Record) -> bool {
    let (left, right) = (Totals::of(a), Totals::of(b));
    // LiteLLM's raw request does not say that it embeds.
    let embeddings = a.role == Role::Embedding || b.role == Role::Embedding;
    let told = left.input.is_some_and(|n| n > 0) && (embeddings || left.output.is_some_and(|n| n > 0));
    let agree = |index: usize| match (a.buckets[index], b.buckets[index]) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    told && left.equals(right) && agree(bucket::CACHE_READ) && agree(bucket::OUTPUT_REASONING)
}

/// Whether one of two records tells the output alone, and the other the same output.
pub(super) fn same_output(a: &Record, b: &Record) -> bool {
    let (left, right) = (Totals::of(a), Totals::of(b));
    let agree = match (a.buckets[bucket::OUTPUT_REASONING], b.buckets[bucket::OUTPUT_REASONING]) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    let half = left.input.is_none() || right.input.is_none();
    half && agree && left.output.is_some_and(|tokens| tokens > 0) && left.output == right.output
}

/// Whether one of two records tells all but the cached tokens: an exclusive input, without what stands beside it.
pub(super) fn same_but_cache(a: &Record, b: &Record) -> bool {
    let caches = |record: &Record| -> i64 {
        let buckets = [bucket::CACHE_READ, bucket::CACHE_WRITE_5M, bucket::CACHE_WRITE_1H];
        buckets.into_iter().filter_map(|index| record.buckets[index]).sum()
    };
    let told = |index: usize| a.buckets[index].is_some_and(|tokens| tokens > 0) && a.buckets[index] == b.buckets[index];
    let outputs = Totals::of(a).output == Totals::of(b).output;
    told(bucket::INPUT_UNCACHED) && told(bucket::OUTPUT_TEXT) && outputs && (caches(a) == 0) != (caches(b) == 0)
}

/// Whether two records that are already related can be one call: one says nothing, or they agree but for a part
/// that one of them leaves out (the input, the cache in an exclusive input, the reasoning beside the text).
pub(super) fn compatible(a: &Record, b: &Record) -> bool {
    if !a.has_usage() || !b.has_usage() {
        return true;
    }
    let (left, right) = (Totals::of(a), Totals::of(b));
    if left == Totals::default() || right == Totals::default() {
        return left == right && a.usage == b.usage;
    }
    let uncached = |record: &Record| record.buckets[bucket::INPUT_UNCACHED];
    let text = |record: &Record| record.buckets[bucket::OUTPUT_TEXT];
    if same_output(a, b) {
        return true;
    }
    let inputs = left.input == right.input || uncached(a) == right.input || left.input == uncached(b);
    let outputs = left.output == right.output || text(a) == right.output || left.output == text(b);
    inputs && outputs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settle::record::Signal;

    fn record(uncached: Option<i64>, cached: Option<i64>, text: Option<i64>, reasoning: Option<i64>) -> Record {
        let mut record = Record::empty(Signal::Span, Role::Llm);
        record.buckets[bucket::INPUT_UNCACHED] = uncached;
        record.buckets[bucket::CACHE_READ] = cached;
        record.buckets[bucket::OUTPUT_TEXT] = text;
        record.buckets[bucket::OUTPUT_REASONING] = reasoning;
        record
    }

    #[test]
    fn a_part_left_out_is_compatible_but_not_the_same() {
        let full = record(Some(200), Some(2000), Some(100), Some(50));
        let no_cache = record(Some(200), None, Some(150), None);
        assert!(compatible(&full, &no_cache));
        assert!(!same(&full, &no_cache));
    }

    #[test]
    fn an_unsplit_total_is_the_same() {
        let full = record(Some(200), Some(2000), Some(100), Some(50));
        let unsplit = record(Some(2200), None, Some(150), None);
        assert!(same(&full, &unsplit));
    }

    #[test]
    fn different_caches_are_different_calls() {
        let a = record(Some(200), Some(2000), Some(100), None);
        let b = record(Some(2000), Some(200), Some(100), None);
        assert!(!same(&a, &b));
    }

    #[test]
    fn zeros_alone_are_no_usage() {
        assert!(!record(Some(0), Some(0), Some(0), None).has_usage());
    }
}
