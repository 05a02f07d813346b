//! B1: several copies of one record are one record.
//!
//! Exporters retry, two pipelines meet, a span is sent once when it starts and once when it ends. Of the copies the
//! one with the most complete usage wins, then the later end, then the bytes; the others donate what it lacks.
//! Does not look at two different records that report the same call.

use std::cmp::{Ordering, Reverse};

use super::record::{Record, Signal};

/// One record, and its further copies.
pub(super) struct Delivered {
    pub(super) record: Record,
    pub(super) copies: Vec<Record>,
}

/// Groups `records` by identity. The result is in canonical order, whatever the order of `records`.
pub(super) fn merge(mut records: Vec<Record>) -> Vec<Delivered> {
    records.sort_unstable_by(|a, b| identity(a).cmp(&identity(b)).then_with(|| preference(a, b)));
    let mut delivered: Vec<Delivered> = Vec::with_capacity(records.len());
    for record in records {
        match delivered
            .last_mut()
            .filter(|last| identity(&last.record) == identity(&record))
        {
            Some(last) => {
                donate(&mut last.record, &record);
                last.copies.push(record);
            }
            None => delivered.push(Delivered {
                record,
                copies: Vec::new(),
            }),
        }
    }
    delivered
}

type Span<'a> = (Option<&'a str>, Option<[u8; 16]>, Option<[u8; 8]>, Signal, Option<&'a str>);
type Log<'a> = (
    [Option<i64>; 2],
    Option<&'a str>,
    [Option<i64>; 10],
    Option<&'a str>,
    Option<&'a str>,
);

/// Spans by their ids. Logs also by when and what they say, since event keys may be mere names; outside any trace
/// their session counts too.
fn identity(record: &Record) -> (Span<'_>, Option<Log<'_>>) {
    let event_key = record.event_key.as_deref();
    let span = (
        record.tenant.as_deref(),
        record.trace_id,
        record.span_id,
        record.signal,
        event_key,
    );
    if record.signal == Signal::Span {
        return (span, None);
    }
    let session = match record.trace_id {
        Some(_) => None,
        None => record.conversation_id().map(|session| &**session),
    };
    let (model, response) = (record.request_model.as_deref(), record.response_id.as_deref());
    (
        span,
        Some(([record.start_nano, record.end_nano], session, record.buckets, model, response)),
    )
}

/// Best copy first.
fn preference(a: &Record, b: &Record) -> Ordering {
    (Reverse(completeness(a)), Reverse(a.end_nano))
        .cmp(&(Reverse(completeness(b)), Reverse(b.end_nano)))
        .then_with(|| b.cmp(a))
}

fn completeness(record: &Record) -> (bool, usize, usize, i64) {
    let known = record.buckets.iter().flatten().count();
    let tokens = record
        .buckets
        .iter()
        .flatten()
        .fold(0i64, |sum, count| sum.saturating_add(*count));
    (record.has_usage(), known, record.usage.iter().flatten().count(), tokens)
}

fn donate(winner: &mut Record, copy: &Record) {
    for (own, other) in winner.attribution.iter_mut().zip(&copy.attribution) {
        if own.is_none() {
            own.clone_from(other);
        }
    }
    if winner.parent_span_id.is_none() {
        winner.parent_span_id = copy.parent_span_id;
    }
    if winner.response_id.is_none() {
        winner.response_id.clone_from(&copy.response_id);
    }
}
