//! Looking through a body before it is acknowledged: malformed bodies are refused whole, spans with broken ids one by one.
//!
//! The same rules run again behind the log, so that what was rejected here is never stored.

use std::borrow::Cow;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use super::answer::{Failure, Outcome};
use super::json;
use crate::wal::{Encoding, Signal};
use crate::wire::check::{self, Values};
use crate::wire::field::Fields;
use crate::wire::{MOST_ATTRIBUTES, WireError};

/// The body as protobuf: JSON is rewritten, so that everything behind reads one encoding.
pub(crate) fn as_protobuf(signal: Signal, encoding: Encoding, body: &[u8]) -> Result<Cow<'_, [u8]>, Failure> {
    match (encoding, signal) {
        (Encoding::Protobuf, _) => Ok(Cow::Borrowed(body)),
        (Encoding::Json, Signal::Traces) => {
            let request: ExportTraceServiceRequest = json::read(body, "resourceSpans")?;
            Ok(Cow::Owned(request.encode_to_vec()))
        }
        (Encoding::Json, Signal::Logs) => {
            let request: ExportLogsServiceRequest = json::read(body, "resourceLogs")?;
            Ok(Cow::Owned(request.encode_to_vec()))
        }
        (Encoding::Json, Signal::Metrics) => {
            let request: ExportMetricsServiceRequest = json::read(body, "resourceMetrics")?;
            Ok(Cow::Owned(request.encode_to_vec()))
        }
    }
}

/// What a body holds.
#[derive(Debug, Default)]
pub(super) struct Inspected {
    pub(super) outcome: Outcome,
    /// The body with its values in one piece, where they came in several: what is logged in its place.
    pub(super) whole: Option<Vec<u8>>,
}

/// Counts what the body holds; fails where it is not what it says it is.
pub(super) fn inspect(signal: Signal, encoding: Encoding, body: &[u8]) -> Result<Inspected, Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure::bad_data(format!("the body is not an OTLP export request: {error}"));
    let body = as_protobuf(signal, encoding, body)?;
    let counted = match signal {
        Signal::Traces => spans(&body),
        Signal::Logs => logs(&body),
        Signal::Metrics => metrics(&body),
    };
    let (outcome, values) = counted.map_err(|error| refused(&error))?;
    let whole = match (values, signal) {
        (Values::Whole, _) => None,
        (Values::Split, Signal::Logs) => Some(ExportLogsServiceRequest::decode(&*body).map(|request| request.encode_to_vec())),
        (Values::Split, _) => Some(ExportTraceServiceRequest::decode(&*body).map(|request| request.encode_to_vec())),
    };
    let whole = whole.transpose().map_err(|error| refused(&error))?;
    Ok(Inspected { outcome, whole })
}

fn spans(body: &[u8]) -> Result<(Outcome, Values), WireError> {
    let mut outcome = Outcome::default();
    let values = check::traces(body, |span| {
        match id_fault(span.trace_id, span.span_id, span.parent_span_id) {
            None => outcome.accepted += 1,
            Some(fault) => outcome.reject(fault, || format!("{:?}", short(span.name))),
        }
        outcome.dropped_attributes += span.attributes.saturating_sub(MOST_ATTRIBUTES) as u64;
    })?;
    outcome.describe("spans");
    Ok((outcome, values))
}

fn logs(body: &[u8]) -> Result<(Outcome, Values), WireError> {
    let mut outcome = Outcome::default();
    let values = check::logs(body, |attributes| {
        outcome.accepted += 1;
        outcome.dropped_attributes += attributes.saturating_sub(MOST_ATTRIBUTES) as u64;
    })?;
    outcome.describe("log records");
    Ok((outcome, values))
}

/// Metrics are passed on at the most: only their outer shape matters.
fn metrics(body: &[u8]) -> Result<(Outcome, Values), WireError> {
    let mut outcome = Outcome::default();
    for field in Fields::new(body) {
        if let (1, raw) = field? {
            Fields::new(raw.bytes(1)?).try_for_each(|field| field.map(drop))?;
            outcome.accepted += 1;
        }
    }
    Ok((outcome, Values::Whole))
}

/// Why a span cannot be kept: only its ids can be so wrong that nothing could be joined to it.
pub(crate) fn id_fault(trace_id: &[u8], span_id: &[u8], parent_span_id: &[u8]) -> Option<&'static str> {
    if trace_id.len() != 16 {
        return Some("the trace id is not 16 bytes");
    }
    if span_id.len() != 8 {
        return Some("the span id is not 8 bytes");
    }
    if trace_id.iter().all(|byte| *byte == 0) {
        return Some("the trace id is zero");
    }
    if span_id.iter().all(|byte| *byte == 0) {
        return Some("the span id is zero");
    }
    if !matches!(parent_span_id.len(), 0 | 8) {
        return Some("the parent span id is not 8 bytes");
    }
    None
}

/// Names come from outside and end up in answers and logs.
fn short(name: &str) -> &str {
    name.char_indices().nth(60).map_or(name, |(end, _)| &name[..end])
}
