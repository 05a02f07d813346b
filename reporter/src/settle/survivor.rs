//! B5: which record of a group stands for the call.
//!
//! The one that tells most about the usage; a provider's engine only where no client reports; then the one nearest
//! to the provider. The others donate what it lacks (`attribution.rs`).

use std::cmp::Reverse;

use super::case::Case;
use super::record::{Kind, Record, Signal, bucket};
use super::signals;

/// The index of the record that stands for the group of `index`.
pub(super) fn choose(case: &Case, index: usize) -> usize {
    case.members(index)
        .iter()
        .copied()
        .max_by_key(|member| rank(case, *member))
        .expect("a group has at least the record that it was asked by")
}

fn rank(case: &Case, index: usize) -> impl Ord + use<> {
    let record = &case.records[index];
    let duration = record.interval().map(|(start, end)| end - start);
    (
        case.excluded[index].is_none(),
        record.has_usage(),
        signals::preference(record),
        !signals::is_engine(record),
        completeness(record),
        (
            record.has_charge(),
            record.kind == Kind::Client,
            record.signal == Signal::Span,
        ),
        // The innermost: the shortest, and of equally long ones the deepest.
        (Reverse(duration.unwrap_or(i64::MAX)), case.tree.depth(index)),
        Reverse(index),
    )
}

fn completeness(record: &Record) -> impl Ord + use<> {
    let certain = match record.usage_status.as_deref() {
        Some("reported") => 3,
        Some("inferred") => 2,
        Some("assumed") => 1,
        _ => 0,
    };
    (
        !record.has_flag("partial_usage"),
        record.buckets[bucket::CACHE_READ].is_some(),
        record.buckets[bucket::CACHE_WRITE_1H].is_some(),
        record.buckets[bucket::OUTPUT_REASONING].is_some(),
        certain,
        record.buckets.iter().flatten().count(),
    )
}
