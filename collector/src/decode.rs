//! A logged request as rows: the stages from the wire to the columns, record by record.

use marginlake_pricing::Catalogue;

use crate::columns::{Columns, Row, Rows};
use crate::normalise::Normalised;
use crate::price::Pricer;
use crate::receive::{as_protobuf, inflate};
use crate::recognise::{AttributionConfig, Recogniser, ScopeContext};
use crate::record::{Identity, Origin, Record};
use crate::wal::{Entry, Signal};
use crate::wire::WireError;
use crate::wire::logs::LogRecord;
use crate::wire::traces::{ResourceGroup, Span, resource_groups};

/// Rows after which a batch is handed on: enough to make a call per column worth while, few enough to stay in the cache.
const BATCH_ROWS: usize = 2_048;
/// Bytes of records after which it is, whatever the rows: a row is hardly ever larger than the record it is from.
const BATCH_BYTES: usize = 8 << 20;

/// Turns logged requests into rows of `spans`.
pub(crate) struct Decoder {
    recogniser: Recogniser,
    rows: RowBuilder,
    inflated_limit: usize,
}

/// The rows that are being gathered.
struct RowBuilder {
    pricer: Pricer,
    columns: Columns,
    /// Bytes of the records that the rows are from.
    bytes: usize,
}

impl Decoder {
    pub(crate) fn new(attribution: &AttributionConfig, catalogue: &'static Catalogue, inflated_limit: usize) -> Self {
        Self {
            recogniser: Recogniser::new(attribution),
            rows: RowBuilder {
                pricer: Pricer::new(catalogue),
                columns: Columns::new(),
                bytes: 0,
            },
            inflated_limit,
        }
    }

    /// Adds the rows of one request, handing batches on as they fill up: whatever a request holds, its rows are never all
    /// in memory. It was checked before it was acknowledged, so nothing here can fail; if a newer version refuses what an
    /// older one logged, that is said and the rest is kept.
    pub(crate) fn decode(&mut self, entry: &Entry, full: &mut dyn FnMut(Rows)) {
        let Ok(body) = inflate(&entry.body, entry.compression, self.inflated_limit) else {
            tracing::error!("a logged request can no longer be inflated");
            return;
        };
        let Ok(body) = as_protobuf(entry.signal, entry.encoding, &body) else {
            tracing::error!("a logged request can no longer be read");
            return;
        };
        let decoded = match entry.signal {
            Signal::Traces => records::<Span<'_>>(&self.recogniser, &mut self.rows, &body, entry, full),
            Signal::Logs => records::<LogRecord<'_>>(&self.recogniser, &mut self.rows, &body, entry, full),
            Signal::Metrics => Ok(()),
        };
        if let Err(error) = decoded {
            tracing::error!(error = &error as &dyn std::error::Error, "a logged request ends early");
        }
    }

    /// Whether it is time to [`Decoder::finish`].
    pub(crate) fn is_full(&self) -> bool {
        self.rows.is_full()
    }

    /// The rows since the last call.
    pub(crate) fn finish(&mut self) -> Rows {
        self.rows.finish()
    }
}

fn records<'a, R: Record<'a>>(
    recogniser: &'a Recogniser,
    rows: &mut RowBuilder,
    body: &'a [u8],
    entry: &Entry,
    full: &mut dyn FnMut(Rows),
) -> Result<(), WireError> {
    let (mut record, mut normalised) = (R::default(), Normalised::default());
    for resource in resource_groups(body) {
        let resource: ResourceGroup<'_> = resource?;
        for group in resource.scopes() {
            let group = group?;
            let scope = ScopeContext::new(recogniser, resource.resource(), group.name, group.version);
            let origin = Origin {
                scope_name: Some(group.name).filter(|name| !name.is_empty()),
                scope_version: Some(group.version).filter(|version| !version.is_empty()),
                service_name: scope.service_name(),
                tenant: entry.tenant.as_deref(),
                received_at_unix_nano: entry.received_at_unix_nano,
            };
            for message in &group.records {
                // Before the record and not after it: what ends with a request is the caller's to hand on.
                if rows.is_full() {
                    full(rows.finish());
                }
                record.decode(message, recogniser.names())?;
                if record.normalise(&scope, &mut normalised) {
                    rows.push(
                        &normalised,
                        &record.identity(origin.received_at_unix_nano),
                        &origin,
                        message.len(),
                    );
                }
            }
        }
    }
    Ok(())
}

impl RowBuilder {
    fn push(&mut self, normalised: &Normalised<'_>, identity: &Identity<'_>, origin: &Origin<'_>, bytes: usize) {
        let priced = self
            .pricer
            .price(normalised, identity.times.priced_at_unix_nano, origin.tenant);
        self.columns.push(&Row {
            origin,
            identity,
            normalised,
            priced: &priced,
            catalogue_hash: self.pricer.catalogue_hash(),
        });
        self.bytes += bytes;
    }

    fn is_full(&self) -> bool {
        self.columns.rows() >= BATCH_ROWS || self.bytes >= BATCH_BYTES
    }

    fn finish(&mut self) -> Rows {
        self.bytes = 0;
        self.columns.finish()
    }
}

/// Bodies of trace requests on their way to rows, for `benches/decode.rs` alone.
#[doc(hidden)]
pub struct DecodeBench(Decoder);

impl DecodeBench {
    #[doc(hidden)]
    pub fn new() -> Self {
        Self(Decoder::new(&AttributionConfig::default(), Catalogue::embedded(), 64 << 20))
    }

    /// Decodes one body; every finished batch goes to `full`.
    #[doc(hidden)]
    pub fn decode(&mut self, body: bytes::Bytes, full: &mut dyn FnMut(arrow::array::RecordBatch)) {
        let entry = Entry {
            received_at_unix_nano: 1_795_000_000_000_000_000,
            signal: Signal::Traces,
            encoding: crate::wal::Encoding::Protobuf,
            compression: crate::wal::Compression::Identity,
            tenant: None,
            body,
        };
        self.0.decode(&entry, &mut |rows| full(rows.batch));
        if self.0.is_full() {
            full(self.0.finish().batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as Message};
    use prost::Message as _;

    use super::*;
    use crate::wal::{Compression, Encoding};

    fn entry(spans: usize) -> Entry {
        let spans = (1..=spans as u64).map(|id| Message {
            trace_id: vec![1; 16],
            span_id: id.to_be_bytes().to_vec(),
            ..Message::default()
        });
        let scope = ScopeSpans {
            spans: spans.collect(),
            ..ScopeSpans::default()
        };
        let resource = ResourceSpans {
            scope_spans: vec![scope],
            ..ResourceSpans::default()
        };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![resource],
        };
        Entry {
            received_at_unix_nano: 1,
            signal: Signal::Traces,
            encoding: Encoding::Protobuf,
            compression: Compression::Identity,
            tenant: None,
            body: request.encode_to_vec().into(),
        }
    }

    /// Memory is bounded by the batch, and what a request ends with is left to the caller, who knows that it is whole.
    #[test]
    fn a_large_request_leaves_in_batches_and_keeps_its_last_one() {
        let mut decoder = Decoder::new(&AttributionConfig::default(), Catalogue::embedded(), 1 << 30);
        for (spans, expected) in [(BATCH_ROWS, vec![]), (BATCH_ROWS * 2 + 1, vec![BATCH_ROWS; 2])] {
            let mut left = Vec::new();
            decoder.decode(&entry(spans), &mut |rows| left.push(rows.batch.num_rows()));
            assert_eq!(left, expected);
            let last = decoder.finish().batch.num_rows();
            assert_eq!(left.iter().sum::<usize>() + last, spans);
            assert!(last > 0);
        }
    }
}
