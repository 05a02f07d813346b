//! A small language for traces: `llm("a").under("p").usage(900, 100)`.

use crate::settle::record::{Attributed, Dimension, Kind, Record, Signal, bucket};
use crate::settle::{NoCatalogue, Settled, settle};
use marginlake_lake::schema::Role;

/// A record by its short name, which is also its span id.
#[derive(Clone, Debug)]
pub(super) struct Built(pub(super) Record);

fn id(name: &str) -> [u8; 8] {
    let mut id = [0; 8];
    id[..name.len()].copy_from_slice(name.as_bytes());
    id
}

fn trace(name: &str) -> [u8; 16] {
    let mut trace = [0; 16];
    trace[..name.len()].copy_from_slice(name.as_bytes());
    trace
}

pub(super) fn record(signal: Signal, role: Role, name: &str) -> Built {
    let mut record = Record::empty(signal, role);
    record.trace_id = Some(trace("t"));
    record.name = Some(name.into());
    record.scope_name = Some("scope".into());
    record.service_name = Some("app".into());
    match signal {
        Signal::Span => record.span_id = Some(id(name)),
        Signal::Log => record.event_key = Some(name.into()),
    }
    Built(record).at(100, 200)
}

pub(super) fn span(role: Role, name: &str) -> Built {
    record(Signal::Span, role, name)
}

pub(super) fn llm(name: &str) -> Built {
    span(Role::Llm, name).model("gpt-4.1")
}

pub(super) fn agent(name: &str) -> Built {
    span(Role::Agent, name)
}

pub(super) fn tool(name: &str) -> Built {
    span(Role::Tool, name)
}

pub(super) fn log(name: &str) -> Built {
    record(Signal::Log, Role::Llm, name).model("gpt-4.1")
}

impl Built {
    pub(super) fn with(mut self, change: impl FnOnce(&mut Record)) -> Built {
        change(&mut self.0);
        self
    }
    pub(super) fn under(self, parent: &str) -> Built {
        self.with(|record| match record.signal {
            Signal::Span => record.parent_span_id = Some(id(parent)),
            Signal::Log => record.span_id = Some(id(parent)),
        })
    }
    pub(super) fn trace(self, name: &str) -> Built {
        self.with(|record| record.trace_id = Some(trace(name)))
    }
    pub(super) fn no_trace(self) -> Built {
        self.with(|record| (record.trace_id, record.span_id) = (None, None))
    }
    /// Milliseconds after a fixed moment.
    pub(super) fn at(self, start: i64, end: i64) -> Built {
        const BASE: i64 = 1_790_000_000_000;
        self.with(|record| {
            (record.start_nano, record.end_nano) = (Some((BASE + start) * 1_000_000), Some((BASE + end) * 1_000_000));
            (record.start_time, record.end_time) = (Some((BASE + start) * 1_000), Some((BASE + end) * 1_000));
            record.date = ((BASE + end) / 86_400_000) as i32;
            record.priced_at_nano = record.start_nano;
        })
    }
    /// Inclusive tokens without any split; prices a token at one cent.
    pub(super) fn usage(self, input: i64, output: i64) -> Built {
        self.with(|record| {
            record.buckets[bucket::INPUT_UNCACHED] = Some(input);
            record.buckets[bucket::OUTPUT_TEXT] = Some(output);
            record.usage = Some(vec![
                ("input_tokens".into(), Some(input)),
                ("output_tokens".into(), Some(output)),
            ]);
            record.usage_status = Some("reported".into());
            record.price.status = Some("priced".into());
            record.price.cost_usd = Some(i128::from(input + output) * 10_000_000_000);
        })
    }
    /// Of the input, so much came from a cache.
    pub(super) fn cached(self, cached: i64) -> Built {
        self.with(|record| {
            record.buckets[bucket::CACHE_READ] = Some(cached);
            record.buckets[bucket::INPUT_UNCACHED] = record.buckets[bucket::INPUT_UNCACHED].map(|input| input - cached);
        })
    }
    pub(super) fn scope(self, name: &str, version: &str) -> Built {
        self.with(|record| (record.scope_name, record.scope_version) = (Some(name.into()), Some(version.into())))
    }
    pub(super) fn convention(self, name: &str) -> Built {
        self.with(|record| record.convention = Some(name.into()))
    }
    pub(super) fn model(self, name: &str) -> Built {
        self.with(|record| record.request_model = Some(name.into()))
    }
    pub(super) fn response(self, id: &str) -> Built {
        self.with(|record| record.response_id = Some(id.into()))
    }
    pub(super) fn run(self, id: &str) -> Built {
        self.with(|record| record.run_id = Some(id.into()))
    }
    pub(super) fn kind(self, kind: Kind) -> Built {
        self.with(|record| record.kind = kind)
    }
    pub(super) fn service(self, name: &str) -> Built {
        self.with(|record| record.service_name = Some(name.into()))
    }
    pub(super) fn failed(self) -> Built {
        self.with(|record| record.status_error = true)
    }
    pub(super) fn finish(self, reason: &str) -> Built {
        self.with(|record| record.finish_reasons = Some(vec![Some(reason.into())]))
    }
    pub(super) fn flag(self, flag: &str) -> Built {
        self.with(|record| record.flags.push(flag.into()))
    }
    pub(super) fn charge(self, micros: i128) -> Built {
        self.with(|record| {
            record.reported_cost_usd = Some(micros * 1_000_000);
            record.reported_cost_kind = Some("charge".into());
        })
    }
    pub(super) fn has(self, dimension: Dimension, value: &str, source: &str) -> Built {
        self.with(|record| {
            record.attribution[dimension as usize] = Some(Attributed {
                value: value.into(),
                source: source.into(),
            });
        })
    }
    pub(super) fn session(self, value: &str) -> Built {
        self.has(Dimension::Conversation, value, "session.id")
    }
}

pub(super) fn run(records: &[Built]) -> Settled {
    settle(records.iter().map(|built| built.0.clone()).collect(), &NoCatalogue)
}

/// Short name of a record: its span id, or its event key.
pub(super) fn name(span_id: Option<[u8; 8]>, event_key: Option<&str>) -> String {
    match (event_key, span_id) {
        (Some(key), _) => key.to_owned(),
        (None, Some(id)) => String::from_utf8_lossy(&id).trim_end_matches('\0').to_owned(),
        (None, None) => String::new(),
    }
}

/// Checks which records are billed with which totals, and why each other is not: `name reason stands`.
#[track_caller]
pub(super) fn check(records: &[Built], billed: &[(&str, i64, i64)], excluded: &[&str]) -> Settled {
    let settled = run(records);
    let mut calls: Vec<_> = settled
        .calls
        .iter()
        .map(|call| {
            let sum = |range: std::ops::Range<usize>| call.record.buckets[range].iter().flatten().sum::<i64>();
            let name = name(call.record.span_id, call.record.event_key.as_deref());
            (name, sum(bucket::INPUTS), sum(bucket::OUTPUTS))
        })
        .collect();
    calls.sort();
    let mut rows: Vec<String> = settled
        .excluded
        .iter()
        .map(|row| {
            let own = name(row.record.span_id, row.record.event_key.as_deref());
            let stands = row.stands.as_ref().map(|key| name(key.span_id, key.event_key.as_deref()));
            [own, row.reason.as_str().to_owned(), stands.unwrap_or_default()]
                .join(" ")
                .trim_end()
                .to_owned()
        })
        .collect();
    rows.sort();
    let expected: Vec<_> = billed
        .iter()
        .map(|(name, input, output)| ((*name).to_owned(), *input, *output))
        .collect();
    assert_eq!(
        (calls, rows),
        (expected, excluded.iter().map(|row| (*row).to_owned()).collect())
    );
    settled
}
