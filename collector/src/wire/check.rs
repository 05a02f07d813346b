//! One walk over a request that builds nothing: whether every message in it is what it should be, told record by record.
//! What passes here can be read without errors by the views beside.
//!
//! Accepts exactly what prost accepts, fields that nobody reads included: tests compare the two.

use super::field::{Fields, MAX_DEPTH, Raw, WireError};
use super::shape::{KEY_VALUE, Kind, LOG_RECORD, LOGS, SPAN, Shape, TRACES};
use super::traces::ATTRIBUTE;
use super::value::{Plain, plain_attribute, plain_value};

/// What the walk sees of a span.
#[derive(Debug, Default)]
pub(crate) struct SeenSpan<'a> {
    pub(crate) trace_id: &'a [u8],
    pub(crate) span_id: &'a [u8],
    pub(crate) parent_span_id: &'a [u8],
    pub(crate) name: &'a str,
    /// How many attributes it has.
    pub(crate) attributes: usize,
}

/// How the values of a body that passed are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// Each in one piece: the views show them.
    Whole,
    /// Some in several, which protobuf allows and no SDK does: the views would show only the last of them.
    Split,
}

/// Walks an `ExportTraceServiceRequest`.
pub(crate) fn traces<'a>(body: &'a [u8], mut seen: impl FnMut(&SeenSpan<'a>)) -> Result<Values, WireError> {
    walk(body, &TRACES, &mut |span| seen(span), &mut |_| {})
}

/// Walks an `ExportLogsServiceRequest`; of each record its number of attributes is told.
pub(crate) fn logs(body: &[u8], mut seen: impl FnMut(usize)) -> Result<Values, WireError> {
    walk(body, &LOGS, &mut |_| {}, &mut |attributes| seen(attributes))
}

fn walk<'a>(
    body: &'a [u8],
    shape: &'static Shape,
    span: &mut dyn FnMut(&SeenSpan<'a>),
    log: &mut dyn FnMut(usize),
) -> Result<Values, WireError> {
    let values = Values::Whole;
    let mut walk = Walk { span, log, values };
    walk.message(body, shape, 0)?;
    Ok(walk.values)
}

struct Walk<'w, 'a> {
    span: &'w mut dyn FnMut(&SeenSpan<'a>),
    log: &'w mut dyn FnMut(usize),
    values: Values,
}

impl<'a> Walk<'_, 'a> {
    /// `depth` is how many messages are around this one.
    fn message(&mut self, message: &'a [u8], shape: &'static Shape, depth: usize) -> Result<(), WireError> {
        if depth > MAX_DEPTH {
            return Err(WireError::Depth);
        }
        let mut seen = 0;
        for field in Fields::new(message) {
            let (number, raw) = field?;
            self.field(number, raw, shape, depth, &mut seen)?;
        }
        Ok(())
    }

    /// `seen` are the bits of the single messages that came before.
    #[inline]
    fn field(&mut self, number: u32, raw: Raw<'a>, shape: &'static Shape, depth: usize, seen: &mut u32) -> Result<(), WireError> {
        match shape.kind(number) {
            // prost counts what it skips as one level more, and each group in a group.
            Kind::Unknown if depth + raw.levels() >= MAX_DEPTH => Err(WireError::Depth),
            Kind::Unknown => Ok(()),
            Kind::Varint => raw.varint(number).map(drop),
            Kind::Fixed32 => raw.fixed32(number).map(drop),
            Kind::Fixed64 => raw.fixed64(number).map(drop),
            Kind::Bytes => raw.bytes(number).map(drop),
            Kind::Text => utf8(raw, number),
            Kind::Message(inner) => {
                let bit = shape.single & 1 << number;
                if *seen & bit != 0 {
                    self.values = Values::Split;
                }
                *seen |= bit;
                self.message(raw.bytes(number)?, inner, depth + 1)
            }
            Kind::Span => self.span(raw.bytes(number)?, depth + 1),
            Kind::LogRecord => self.log(raw.bytes(number)?, depth + 1),
        }
    }

    fn span(&mut self, message: &'a [u8], depth: usize) -> Result<(), WireError> {
        let mut span = SeenSpan::default();
        let mut fields = Fields::new(message);
        loop {
            while let Some(attribute) = fields.next_plain(ATTRIBUTE) {
                span.attributes += 1;
                self.attribute(attribute, depth)?;
            }
            let Some(field) = fields.next() else { break };
            match field? {
                (1, raw) => span.trace_id = raw.bytes(1)?,
                (2, raw) => span.span_id = raw.bytes(2)?,
                (4, raw) => span.parent_span_id = raw.bytes(4)?,
                (5, raw) => span.name = raw.text(5)?,
                (number, raw) => {
                    span.attributes += usize::from(number == 9);
                    self.field(number, raw, &SPAN, depth, &mut 0)?;
                }
            }
        }
        (self.span)(&span);
        Ok(())
    }

    /// An attribute of a record at `depth`: nearly all are plain, and need no table.
    #[inline]
    fn attribute(&mut self, message: &'a [u8], depth: usize) -> Result<(), WireError> {
        if let Some((key, value)) = plain_attribute(message)
            && is_text(key)
            && matches!(plain_value(value, is_text), Some(Plain::Text(true) | Plain::Int(_)))
        {
            return Ok(());
        }
        self.message(message, &KEY_VALUE, depth + 1)
    }

    fn log(&mut self, message: &'a [u8], depth: usize) -> Result<(), WireError> {
        let (mut attributes, mut seen) = (0, 0);
        for field in Fields::new(message) {
            let (number, raw) = field?;
            attributes += usize::from(number == 6);
            self.field(number, raw, &LOG_RECORD, depth, &mut seen)?;
        }
        (self.log)(attributes);
        Ok(())
    }
}

fn utf8(raw: Raw<'_>, field: u32) -> Result<(), WireError> {
    match is_text(raw.bytes(field)?) {
        true => Ok(()),
        false => Err(WireError::Utf8(field)),
    }
}

/// Nearly all text is ASCII, which is seen much faster than UTF-8 is checked.
#[inline]
fn is_text(bytes: &[u8]) -> bool {
    bytes.is_ascii() || std::str::from_utf8(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as V;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::wire::logs::resource_logs;
    use crate::wire::traces::resource_spans;

    fn count_traces(body: &[u8]) -> Result<u64, WireError> {
        let mut spans = 0;
        traces(body, |_| spans += 1).map(|_| spans)
    }

    fn count_logs(body: &[u8]) -> Result<u64, WireError> {
        let mut records = 0;
        logs(body, |_| records += 1).map(|_| records)
    }

    /// Whether the views read all of it, and how many spans.
    fn read_traces(body: &[u8]) -> Result<u64, WireError> {
        let mut read = crate::wire::traces::Span::default();
        let mut spans = 0;
        for resource in resource_spans(body) {
            let resource = resource?;
            for scope in resource.scopes() {
                for record in &scope?.records {
                    read.decode(record)?;
                    spans += 1;
                }
            }
        }
        Ok(spans)
    }

    fn read_logs(body: &[u8]) -> Result<u64, WireError> {
        let mut read = crate::wire::logs::LogRecord::default();
        let mut records = 0;
        for resource in resource_logs(body) {
            let resource = resource?;
            for scope in resource.scopes() {
                for record in &scope?.records {
                    read.decode(record)?;
                    records += 1;
                }
            }
        }
        Ok(records)
    }

    fn any_value() -> impl Strategy<Value = AnyValue> {
        let leaf = prop_oneof![
            "[a-zé]{0,12}".prop_map(V::StringValue),
            any::<bool>().prop_map(V::BoolValue),
            any::<i64>().prop_map(V::IntValue),
            any::<f64>().prop_map(V::DoubleValue),
            proptest::collection::vec(any::<u8>(), 0..6).prop_map(V::BytesValue),
        ];
        let value = leaf.prop_recursive(3, 12, 3, |inner| {
            let inner = inner.prop_map(|value| AnyValue { value: Some(value) });
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..3).prop_map(|values| V::ArrayValue(ArrayValue { values })),
                proptest::collection::vec(("[a-z]{0,4}", inner), 0..3).prop_map(|entries| {
                    let values = entries.into_iter().map(|(key, value)| key_value_of(key, value)).collect();
                    V::KvlistValue(KeyValueList { values })
                }),
            ]
        });
        value.prop_map(|value| AnyValue { value: Some(value) })
    }

    fn key_value_of(key: String, value: AnyValue) -> KeyValue {
        KeyValue {
            key,
            value: Some(value),
            ..KeyValue::default()
        }
    }

    fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
        let attribute = ("[a-z.]{0,8}", any_value()).prop_map(|(key, value)| key_value_of(key, value));
        proptest::collection::vec(attribute, 0..4)
    }

    fn request() -> impl Strategy<Value = ExportTraceServiceRequest> {
        let span = (
            attributes(),
            attributes(),
            proptest::collection::vec(any::<u8>(), 0..17),
            "[a-zé]{0,9}",
        )
            .prop_map(|(attributes, in_event, trace_id, name)| Span {
                trace_id,
                span_id: vec![1; 8],
                name: name.clone(),
                attributes,
                start_time_unix_nano: 5,
                events: vec![span::Event {
                    name,
                    attributes: in_event,
                    ..span::Event::default()
                }],
                status: Some(Status {
                    message: "m".into(),
                    code: 2,
                }),
                ..Span::default()
            });
        (attributes(), attributes(), proptest::collection::vec(span, 0..3)).prop_map(|(resource, scope, spans)| {
            ExportTraceServiceRequest {
                resource_spans: vec![ResourceSpans {
                    resource: Some(Resource {
                        attributes: resource,
                        ..Resource::default()
                    }),
                    scope_spans: vec![ScopeSpans {
                        scope: Some(InstrumentationScope {
                            name: "n".into(),
                            attributes: scope,
                            ..InstrumentationScope::default()
                        }),
                        spans,
                        schema_url: "s".into(),
                    }],
                    schema_url: "s".into(),
                }],
            }
        })
    }

    proptest! {
        #[test]
        fn what_prost_writes_passes_and_is_counted(request in request()) {
            let body = request.encode_to_vec();
            let spans = &request.resource_spans[0].scope_spans[0].spans;
            let mut seen = Vec::new();
            traces(&body, |span| seen.push((span.trace_id.to_vec(), span.name.to_owned(), span.attributes))).expect("well formed");
            let expected: Vec<_> = spans.iter().map(|span| (span.trace_id.clone(), span.name.clone(), span.attributes.len())).collect();
            prop_assert_eq!(seen, expected);
        }

        /// What passes is read to the end by the views, and what prost reads passes: nobody is refused for our sake.
        #[test]
        fn mutated_bodies_pass_as_prost_and_the_views_read_them(
            request in request(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut body = request.encode_to_vec();
            let index = at.index(body.len());
            body[index] = byte;
            for body in [&body[..], &body[..cut.index(body.len() + 1)]] {
                let checked = count_traces(body);
                let oracle = ExportTraceServiceRequest::decode(body);
                if let Ok(checked) = &checked {
                    prop_assert_eq!(read_traces(body), Ok(*checked));
                }
                if let Ok(oracle) = &oracle {
                    let spans = oracle.resource_spans.iter().flat_map(|group| &group.scope_spans).map(|scope| scope.spans.len() as u64);
                    prop_assert_eq!(checked, Ok(spans.sum::<u64>()));
                }
            }
        }

        #[test]
        fn logs_pass_as_prost_reads_them(attributes in attributes(), body in any_value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let record = LogRecord { attributes, body: Some(body), event_name: "e".into(), trace_id: vec![1; 16], ..LogRecord::default() };
            let scope = ScopeLogs { log_records: vec![record; 2], ..ScopeLogs::default() };
            let request = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() }] };
            let mut bytes = request.encode_to_vec();
            prop_assert_eq!(count_logs(&bytes), Ok(2));
            let index = at.index(bytes.len());
            bytes[index] = byte;
            if let Ok(checked) = count_logs(&bytes) {
                prop_assert_eq!(read_logs(&bytes), Ok(checked));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = count_traces(&bytes);
            let _ = count_logs(&bytes);
        }
    }

    #[test]
    fn values_nested_too_deep_are_refused() {
        let mut value = AnyValue {
            value: Some(V::IntValue(1)),
        };
        for _ in 0..MAX_DEPTH + 2 {
            value = AnyValue {
                value: Some(V::ArrayValue(ArrayValue { values: vec![value] })),
            };
        }
        let span = Span {
            attributes: vec![key_value_of("k".into(), value)],
            ..Span::default()
        };
        let scope = ScopeSpans {
            spans: vec![span],
            ..ScopeSpans::default()
        };
        let body = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                scope_spans: vec![scope],
                ..ResourceSpans::default()
            }],
        };
        assert_eq!(count_traces(&body.encode_to_vec()), Err(WireError::Depth));
    }
}
