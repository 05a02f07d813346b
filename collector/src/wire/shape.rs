//! The messages of OTLP as tables: which fields each has and how they stand on the wire. What is not in a table is skipped.
//!
//! From opentelemetry-proto 1.8: `common/v1`, `resource/v1`, `trace/v1`, `logs/v1`.

use Kind::{Bytes, Fixed32, Fixed64, Message, Text, Unknown, Varint};

/// How a field stands on the wire.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Not a field of this message.
    Unknown,
    Varint,
    Fixed32,
    Fixed64,
    Bytes,
    /// UTF-8.
    Text,
    Message(&'static Shape),
    /// A message whose ids decide whether it is kept.
    Span,
    LogRecord,
}

/// One message.
#[derive(Debug)]
pub(super) struct Shape {
    /// By field number.
    fields: &'static [Kind],
    /// Fields (as bits) that are one message: where one comes twice, protobuf merges the two, which the views, who borrow what
    /// they show, cannot.
    pub(super) single: u32,
}

impl Shape {
    #[inline]
    pub(super) fn kind(&self, number: u32) -> Kind {
        self.fields.get(number as usize).copied().unwrap_or(Kind::Unknown)
    }
}

/// `ExportTraceServiceRequest`
pub(super) static TRACES: Shape = shape(&[Unknown, Message(&RESOURCE_SPANS)]);
/// `ExportLogsServiceRequest`
pub(super) static LOGS: Shape = shape(&[Unknown, Message(&RESOURCE_LOGS)]);

static RESOURCE_SPANS: Shape = shape(&[Unknown, Message(&RESOURCE), Message(&SCOPE_SPANS), Text]);
static RESOURCE_LOGS: Shape = shape(&[Unknown, Message(&RESOURCE), Message(&SCOPE_LOGS), Text]);
static SCOPE_SPANS: Shape = shape(&[Unknown, Message(&SCOPE), Kind::Span, Text]);
static SCOPE_LOGS: Shape = shape(&[Unknown, Message(&SCOPE), Kind::LogRecord, Text]);

static RESOURCE: Shape = shape(&[Unknown, Message(&KEY_VALUE), Varint, Message(&ENTITY_REF)]);
static ENTITY_REF: Shape = shape(&[Unknown, Text, Text, Text, Text]);
static SCOPE: Shape = shape(&[Unknown, Text, Text, Message(&KEY_VALUE), Varint]);

pub(super) static SPAN: Shape = shape(&[
    Unknown,
    Bytes,               // trace_id
    Bytes,               // span_id
    Text,                // trace_state
    Bytes,               // parent_span_id
    Text,                // name
    Varint,              // kind
    Fixed64,             // start_time_unix_nano
    Fixed64,             // end_time_unix_nano
    Message(&KEY_VALUE), // attributes
    Varint,              // dropped_attributes_count
    Message(&EVENT),     // events
    Varint,              // dropped_events_count
    Message(&LINK),      // links
    Varint,              // dropped_links_count
    Message(&STATUS),    // status
    Fixed32,             // flags
]);
static EVENT: Shape = shape(&[Unknown, Fixed64, Text, Message(&KEY_VALUE), Varint]);
static LINK: Shape = shape(&[Unknown, Bytes, Bytes, Text, Message(&KEY_VALUE), Varint, Fixed32]);
static STATUS: Shape = shape(&[Unknown, Unknown, Text, Varint]);

pub(super) static LOG_RECORD: Shape = Shape {
    fields: &[
        Unknown,
        Fixed64,             // time_unix_nano
        Varint,              // severity_number
        Text,                // severity_text
        Unknown,             //
        Message(&ANY_VALUE), // body
        Message(&KEY_VALUE), // attributes
        Varint,              // dropped_attributes_count
        Fixed32,             // flags
        Bytes,               // trace_id
        Bytes,               // span_id
        Fixed64,             // observed_time_unix_nano
        Text,                // event_name
    ],
    single: 1 << 5,
};

pub(super) static KEY_VALUE: Shape = Shape {
    fields: &[Unknown, Text, Message(&ANY_VALUE), Varint],
    single: 1 << 2,
};
/// One of these; the last wins, and of an array or a map that comes again both are merged.
static ANY_VALUE: Shape = Shape {
    fields: &[
        Unknown,
        Text,
        Varint,
        Varint,
        Fixed64,
        Message(&ARRAY_VALUE),
        Message(&KEY_VALUE_LIST),
        Bytes,
        Varint,
    ],
    single: 1 << 5 | 1 << 6,
};
static ARRAY_VALUE: Shape = shape(&[Unknown, Message(&ANY_VALUE)]);
static KEY_VALUE_LIST: Shape = shape(&[Unknown, Message(&KEY_VALUE)]);

const fn shape(fields: &'static [Kind]) -> Shape {
    Shape { fields, single: 0 }
}
