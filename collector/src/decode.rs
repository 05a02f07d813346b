//! A logged request as rows: the stages from the wire to the columns, record by record.

use marginlake_pricing::Catalogue;

use crate::clock::{self, Times};
use crate::columns::{Columns, Row, Rows};
use crate::normalise::Normalised;
use crate::price::Pricer;
use crate::receive::{as_protobuf, id_fault, inflate};
use crate::recognise::{AttributionConfig, Recogniser, ScopeContext};
use crate::wal::{Entry, Signal};
use crate::wire::WireError;
use crate::wire::logs::{LogRecord, resource_logs};
use crate::wire::traces::{ResourceGroup, Span, resource_spans};

/// The longest span name that is kept, in bytes.
const LONGEST_NAME: usize = 512;

/// Turns logged requests into rows of `spans`.
pub(crate) struct Decoder {
    recogniser: Recogniser,
    pricer: Pricer,
    columns: Columns,
    inflated_limit: usize,
    calls: u64,
    unrecognised: u64,
}

/// What all records of one scope share on their way into rows.
struct Origin<'x> {
    scope_name: &'x str,
    scope_version: &'x str,
    service_name: Option<&'x str>,
    tenant: Option<&'x str>,
    received: u64,
}

/// The identity of one record.
struct Identity<'x> {
    trace_id: &'x [u8],
    span_id: &'x [u8],
    parent_span_id: &'x [u8],
    name: &'x str,
    kind: Option<&'static str>,
    status: Option<&'static str>,
    times: Times,
}

impl Decoder {
    pub(crate) fn new(attribution: &AttributionConfig, catalogue: &'static Catalogue, inflated_limit: usize) -> Self {
        Self {
            recogniser: Recogniser::new(attribution),
            pricer: Pricer::new(catalogue),
            columns: Columns::new(),
            inflated_limit,
            calls: 0,
            unrecognised: 0,
        }
    }

    /// Adds the rows of one request. It was checked before it was acknowledged, so nothing here can fail; if a newer
    /// version refuses what an older one logged, that is said and the rest of the request is kept.
    pub(crate) fn decode(&mut self, entry: &Entry) {
        let Ok(body) = inflate(&entry.body, entry.compression, self.inflated_limit) else {
            tracing::error!("a logged request can no longer be inflated");
            return;
        };
        let Ok(body) = as_protobuf(entry.signal, entry.encoding, &body) else {
            tracing::error!("a logged request can no longer be read");
            return;
        };
        let decoded = match entry.signal {
            Signal::Traces => self.traces(&body, entry),
            Signal::Logs => self.logs(&body, entry),
            Signal::Metrics => Ok(()),
        };
        if let Err(error) = decoded {
            tracing::error!(error = &error as &dyn std::error::Error, "a logged request ends early");
        }
    }

    /// The rows since the last call.
    pub(crate) fn finish(&mut self) -> Rows {
        let rows = Rows {
            batch: self.columns.finish(),
            calls: self.calls,
            unrecognised: self.unrecognised,
        };
        (self.calls, self.unrecognised) = (0, 0);
        rows
    }

    fn traces(&mut self, body: &[u8], entry: &Entry) -> Result<(), WireError> {
        for resource in resource_spans(body) {
            let resource: ResourceGroup<'_> = resource?;
            for group in resource.scopes() {
                let group = group?;
                let recogniser = &self.recogniser;
                let scope = ScopeContext::new(recogniser, resource.resource(), group.name, group.version);
                let origin = origin(&scope, group.name, group.version, entry);
                let mut span = Span::default();
                for record in &group.records {
                    span.decode(record)?;
                    if id_fault(&span).is_some() {
                        continue;
                    }
                    let normalised = scope.span(&span);
                    let identity = Identity {
                        trace_id: span.trace_id,
                        span_id: span.span_id,
                        parent_span_id: span.parent_span_id,
                        name: span.name,
                        kind: kind(span.kind),
                        status: Some(status(span.status_code)),
                        times: clock::judge(span.start_unix_nano, span.end_unix_nano, entry.received_at_unix_nano),
                    };
                    let counted = push(&mut self.columns, &self.pricer, &origin, &identity, &normalised);
                    self.calls += u64::from(counted.call);
                    self.unrecognised += u64::from(counted.unrecognised);
                }
            }
        }
        Ok(())
    }

    fn logs(&mut self, body: &[u8], entry: &Entry) -> Result<(), WireError> {
        for resource in resource_logs(body) {
            let resource: ResourceGroup<'_> = resource?;
            for group in resource.scopes() {
                let group = group?;
                let recogniser = &self.recogniser;
                let scope = ScopeContext::new(recogniser, resource.resource(), group.name, group.version);
                let origin = origin(&scope, group.name, group.version, entry);
                let mut log = LogRecord::default();
                for record in &group.records {
                    log.decode(record)?;
                    let Some(normalised) = scope.log(&log) else { continue };
                    let time = if log.time_unix_nano > 0 {
                        log.time_unix_nano
                    } else {
                        log.observed_time_unix_nano
                    };
                    let identity = Identity {
                        trace_id: log.trace_id,
                        span_id: log.span_id,
                        parent_span_id: &[],
                        name: log.event_name,
                        kind: None,
                        status: None,
                        times: clock::judge(time, time, entry.received_at_unix_nano),
                    };
                    let counted = push(&mut self.columns, &self.pricer, &origin, &identity, &normalised);
                    self.calls += u64::from(counted.call);
                    self.unrecognised += u64::from(counted.unrecognised);
                }
            }
        }
        Ok(())
    }
}

fn origin<'x>(scope: &ScopeContext<'_, 'x>, scope_name: &'x str, scope_version: &'x str, entry: &'x Entry) -> Origin<'x> {
    Origin {
        scope_name,
        scope_version,
        service_name: scope.service_name(),
        tenant: entry.tenant.as_deref(),
        received: entry.received_at_unix_nano,
    }
}

struct Counted {
    call: bool,
    unrecognised: bool,
}

fn push(
    columns: &mut Columns,
    pricer: &Pricer,
    origin: &Origin<'_>,
    identity: &Identity<'_>,
    normalised: &Normalised<'_>,
) -> Counted {
    let record = &normalised.record;
    let times = identity.times;
    let priced = pricer.price(normalised, times.priced_at_unix_nano, origin.tenant);
    let mut flags: Vec<&str> = record.flags.iter().collect();
    if times.impossible {
        flags.push("clock");
    }
    let counted = Counted {
        call: record.role.is_leaf(),
        unrecognised: flags.contains(&"unrecognised_usage"),
    };
    let event_key = record.event_key.as_deref();
    columns.push(&Row {
        date: times.date,
        signal: record.signal.as_str(),
        trace_id: id(identity.trace_id, 16),
        span_id: id(identity.span_id, 8),
        parent_span_id: id(identity.parent_span_id, 8),
        event_key,
        start_unix_nano: times.start_unix_nano,
        end_unix_nano: times.end_unix_nano,
        priced_at_unix_nano: times.priced_at_unix_nano,
        received_at_unix_nano: i64::try_from(origin.received).unwrap_or(i64::MAX),
        tenant: origin.tenant,
        service_name: origin.service_name,
        scope_name: Some(origin.scope_name).filter(|name| !name.is_empty()),
        scope_version: Some(origin.scope_version).filter(|version| !version.is_empty()),
        name: Some(bounded(identity.name)).filter(|name| !name.is_empty()),
        kind: identity.kind,
        status: identity.status.or(record.failed.then_some("error")),
        error_type: record.error_type.as_deref(),
        role: record.role.as_str(),
        convention: record.convention(),
        operation: record.operation,
        provider: record.provider.as_deref(),
        request_model: record.request_model.as_deref(),
        response_model: record.response_model.as_deref(),
        response_id: record.response_id.as_deref(),
        server_address: record.server_address,
        run_id: record.run_id.as_deref(),
        streaming: record.streaming,
        finish_reasons: record.finish_reasons.iter().map(AsRef::as_ref).collect(),
        time_to_first_token_ms: record.time_to_first_token_ms,
        attribution: record
            .attribution
            .iter()
            .map(|(dimension, found)| (dimension.column(), found.value.as_ref(), found.source.to_string()))
            .collect(),
        buckets: normalised.buckets.named().map(|(_, count)| count),
        usage: normalised.usage.iter().collect(),
        usage_raw: record
            .usage_raw
            .iter()
            .map(|raw| (raw.name().into_owned(), raw.text().into_owned()))
            .collect(),
        price_context: record
            .price_context
            .iter()
            .map(|(name, value)| (*name, value.as_ref()))
            .collect(),
        usage_status: normalised.usage_status.map(|status| status.as_str()),
        price_status: priced.status,
        list_cost: priced.list_cost,
        cost: priced.cost,
        cost_source: priced.cost_source,
        reported_cost: record.reported_cost.map(|cost| cost.usd_e12),
        reported_cost_kind: record.reported_cost.map(|cost| cost.kind.as_str()),
        cost_lines: &priced.lines,
        price_id: priced.price_id.as_deref(),
        catalogue_hash: priced.asked.then(|| pricer.catalogue_hash()),
        flags,
        tags: record.tags.iter().map(|(key, value)| (*key, value.as_ref())).collect(),
    });
    counted
}

/// An id of the right length that is not all zero.
fn id(bytes: &[u8], length: usize) -> Option<&[u8]> {
    (bytes.len() == length && bytes.iter().any(|byte| *byte != 0)).then_some(bytes)
}

fn bounded(name: &str) -> &str {
    let mut end = name.len().min(LONGEST_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// `SpanKind` of the OTLP protocol.
fn kind(kind: i32) -> Option<&'static str> {
    match kind {
        1 => Some("internal"),
        2 => Some("server"),
        3 => Some("client"),
        4 => Some("producer"),
        5 => Some("consumer"),
        _ => None,
    }
}

/// `Status.StatusCode` of the OTLP protocol.
fn status(code: i32) -> &'static str {
    match code {
        1 => "ok",
        2 => "error",
        _ => "unset",
    }
}
