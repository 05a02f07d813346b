//! What a call costs, written onto its span.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry_proto::tonic::common::v1::any_value::Value as Kind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use super::splice;
use crate::clock;
use crate::price::Pricer;
use crate::receive::{as_protobuf, id_fault, inflate};
use crate::recognise::{AttributionConfig, Recogniser, ScopeContext};
use crate::wal::{Encoding, Entry, Signal};
use crate::wire::WireError;
use crate::wire::traces::{Span, resource_spans};
use marginlake_pricing::Catalogue;

/// The convention's name, which most backends read: a double, as they expect it.
const COST: &str = "gen_ai.usage.cost";
/// The same to the last digit, as text.
const EXACT_COST: &str = "marginlake.cost_usd";
/// `Span.attributes`
const ATTRIBUTES: u32 = 9;

/// Prices the spans of logged requests once more, for those they are forwarded to.
pub(crate) struct Annotator {
    recogniser: Recogniser,
    catalogue: &'static Catalogue,
    /// Those that no delivery has in hand: what they remember of tariffs serves the next request.
    pricers: Mutex<Vec<Pricer>>,
    inflated_limit: usize,
}

impl Annotator {
    pub(crate) fn new(attribution: &AttributionConfig, catalogue: &'static Catalogue, inflated_limit: usize) -> Self {
        Self {
            recogniser: Recogniser::new(attribution),
            catalogue,
            pricers: Mutex::default(),
            inflated_limit,
        }
    }

    /// The request as protobuf, inflated, with costs; `None` where it cannot be read any more.
    pub(super) fn annotate(&self, entry: &Entry) -> Option<Vec<u8>> {
        let inflated = inflate(&entry.body, entry.compression, self.inflated_limit).ok()?;
        // A request that came as JSON goes on as the same message in protobuf, the one encoding that every backend takes.
        let body: Cow<'_, [u8]> = match entry.encoding {
            Encoding::Protobuf => inflated,
            Encoding::Json => Cow::Owned(as_protobuf(entry.signal, entry.encoding, &inflated).ok()?.into_owned()),
        };
        if entry.signal != Signal::Traces {
            return Some(body.into_owned());
        }
        let idle = || self.pricers.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let mut pricer = taken.unwrap_or_else(|| Pricer::new(self.catalogue));
        let additions = self.additions(&body, entry, &mut pricer);
        idle().push(pricer);
        let additions = additions.ok()?;
        if additions.iter().all(Vec::is_empty) {
            return Some(body.into_owned());
        }
        splice::append_to_spans(&body, &additions).ok()
    }

    /// For each span in the order of the wire the attributes that are added to it.
    fn additions(&self, body: &[u8], entry: &Entry, pricer: &mut Pricer) -> Result<Vec<Vec<u8>>, WireError> {
        let mut additions = Vec::new();
        let mut span = Span::default();
        for resource in resource_spans(body) {
            let resource = resource?;
            for group in resource.scopes() {
                let group = group?;
                let scope = ScopeContext::new(&self.recogniser, resource.resource(), group.name, group.version);
                for record in &group.records {
                    span.decode_named(record, self.recogniser.names())?;
                    additions.push(of_span(&span, &scope, entry, pricer).unwrap_or_default());
                }
            }
        }
        Ok(additions)
    }
}

/// Calls only: a backend that sums costs must not count a roll-up beside what it rolls up.
fn of_span<'a>(span: &Span<'a>, scope: &ScopeContext<'_, 'a>, entry: &Entry, pricer: &mut Pricer) -> Option<Vec<u8>> {
    if id_fault(span.trace_id, span.span_id, span.parent_span_id).is_some() {
        return None;
    }
    let normalised = scope.span(span);
    if !normalised.record.role.is_leaf() {
        return None;
    }
    let times = clock::judge(span.start_unix_nano, span.end_unix_nano, entry.received_at_unix_nano);
    let priced = pricer.price(&normalised, times.priced_at_unix_nano, entry.tenant.as_deref());
    let exact = decimal(priced.cost?);
    let has = |key: &str| span.attributes().get(key).is_some();
    let mut fields = Vec::new();
    if !has(COST) {
        // The one float that money becomes, on its way out to backends whose key is a double; nothing reads it back.
        attribute(COST, Kind::DoubleValue(exact.parse().ok()?), &mut fields);
    }
    if !has(EXACT_COST) {
        attribute(EXACT_COST, Kind::StringValue(exact), &mut fields);
    }
    Some(fields)
}

fn attribute(key: &str, value: Kind, out: &mut Vec<u8>) {
    let attribute = KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    };
    prost::encoding::message::encode(ATTRIBUTES, &attribute, out);
}

/// Units of 10^-12 as decimal text without trailing zeros.
fn decimal(e12: i128) -> String {
    const ONE: u128 = 1_000_000_000_000;
    let (sign, magnitude) = (if e12 < 0 { "-" } else { "" }, e12.unsigned_abs());
    let text = format!("{sign}{}.{:012}", magnitude / ONE, magnitude % ONE);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Shared by deliveries that run at a time.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Arc<Annotator>>();
};

#[cfg(test)]
mod tests;
