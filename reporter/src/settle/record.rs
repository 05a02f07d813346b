//! One row of `spans` in Rust: what settle reasons about.
//!
//! Holds what the row says and answers simple questions about it; decides nothing about billing. Reading Arrow is
//! `decode.rs`.

use std::cmp::Ordering;
use std::sync::Arc;

pub use marginlake_lake::schema::{Dimension, Role, Signal};

/// The span kind of OpenTelemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// In-process work, and records without a kind.
    Internal,
    /// The receiving side of a remote call.
    Server,
    /// The calling side of a remote call.
    Client,
    /// The sending side of a message.
    Producer,
    /// The receiving side of a message.
    Consumer,
}

/// A value of a dimension and the attribute, ancestor, resource or duplicate that it came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attributed {
    /// The value.
    pub value: Text,
    /// Where it came from.
    pub source: Text,
}

impl Attributed {
    /// Whether the value stood on the resource, which any ancestor's own attribute overrides.
    pub fn from_resource(&self) -> bool {
        self.source.starts_with("resource")
    }
}

/// Milliseconds; ordered so that records have one fixed order.
#[derive(Debug, Clone, Copy)]
pub struct Millis(pub f64);

impl Ord for Millis {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}
impl PartialOrd for Millis {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Millis {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Millis {}

/// One line of a receipt. Decimals are integers at the scale of their column (12; `amount` at 18).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct CostLine {
    /// The priced unit.
    pub unit: Option<Text>,
    /// How many units.
    pub quantity: Option<i128>,
    /// USD per `per` units.
    pub rate: Option<i128>,
    /// The number of units that the rate is for.
    pub per: Option<i64>,
    /// All factors together.
    pub multiplier: Option<i128>,
    /// USD.
    pub amount: Option<i128>,
    /// The price entry.
    pub price_id: Option<Text>,
}

/// Everything about the price of a record, as one piece: it is never mixed from two records.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Price {
    /// priced, partial, free, unpriced, invalid, reported, no_usage.
    pub status: Option<Text>,
    /// USD at list price, scale 12.
    pub list_cost_usd: Option<i128>,
    /// USD that we pay, scale 12; NULL where unknown.
    pub cost_usd: Option<i128>,
    /// computed or charge.
    pub cost_source: Option<Text>,
    /// The receipt.
    pub cost_lines: Option<Vec<CostLine>>,
    /// The price entry.
    pub price_id: Option<Text>,
    /// The catalogue that was in force.
    pub catalogue_hash: Option<Text>,
}

/// A shared string: most values repeat over many records.
pub type Text = Arc<str>;
/// A map column, sorted by key.
pub type Pairs<V> = Vec<(Text, Option<V>)>;

/// Indexes into [`Record::buckets`], in the order of `marginlake_lake::schema::BUCKETS`.
pub mod bucket {
    /// Input tokens that no cache served.
    pub const INPUT_UNCACHED: usize = 0;
    /// Input tokens read from a cache.
    pub const CACHE_READ: usize = 1;
    /// Input tokens written to a cache for five minutes, or for a time that is not told.
    pub const CACHE_WRITE_5M: usize = 2;
    /// Input tokens written to a cache for an hour.
    pub const CACHE_WRITE_1H: usize = 3;
    /// Visible text of the answer.
    pub const OUTPUT_TEXT: usize = 6;
    /// Reasoning.
    pub const OUTPUT_REASONING: usize = 7;
    /// The buckets that are input.
    pub const INPUTS: std::ops::Range<usize> = 0..6;
    /// The buckets that are output.
    pub const OUTPUTS: std::ops::Range<usize> = 6..10;
}

/// One row of `spans`. Field order is the canonical order of records: identity first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// Tenant, empty when there is none.
    pub tenant: Option<Text>,
    /// 16 bytes.
    pub trace_id: Option<[u8; 16]>,
    /// 8 bytes.
    pub span_id: Option<[u8; 8]>,
    /// Span or log.
    pub signal: Signal,
    /// What identifies a log record beside its trace and span.
    pub event_key: Option<Text>,
    /// 8 bytes.
    pub parent_span_id: Option<[u8; 8]>,
    /// Days since 1970-01-01, UTC.
    pub date: i32,
    /// Microseconds since the epoch.
    pub start_time: Option<i64>,
    /// Microseconds since the epoch.
    pub end_time: Option<i64>,
    /// Nanoseconds since the epoch.
    pub start_nano: Option<i64>,
    /// Nanoseconds since the epoch.
    pub end_nano: Option<i64>,
    /// The instant that prices were chosen by.
    pub priced_at_nano: Option<i64>,
    /// Service name of the resource.
    pub service_name: Option<Text>,
    /// Instrumentation scope.
    pub scope_name: Option<Text>,
    /// Version of the instrumentation scope.
    pub scope_version: Option<Text>,
    /// Span or event name.
    pub name: Option<Text>,
    /// Span kind.
    pub kind: Kind,
    /// Whether the status says error.
    pub status_error: bool,
    /// What failed.
    pub error_type: Option<Text>,
    /// What the record is.
    pub role: Role,
    /// The emitter profile that read the record.
    pub convention: Option<Text>,
    /// Operation name as normalised by the collector.
    pub operation: Option<Text>,
    /// Canonical provider.
    pub provider: Option<Text>,
    /// Model asked for.
    pub request_model: Option<Text>,
    /// Model that answered.
    pub response_model: Option<Text>,
    /// The provider's or gateway's id of the answer.
    pub response_id: Option<Text>,
    /// Address of the model server.
    pub server_address: Option<Text>,
    /// An id shared by the records of one run.
    pub run_id: Option<Text>,
    /// Whether the answer was streamed.
    pub streaming: Option<bool>,
    /// Why the model stopped.
    pub finish_reasons: Option<Vec<Option<Text>>>,
    /// Time to the first token.
    pub time_to_first_token_ms: Option<Millis>,
    /// Values in the order of [`Dimension::ALL`].
    pub attribution: [Option<Attributed>; 9],
    /// Disjoint token counts in the order of `BUCKETS`.
    pub buckets: [Option<i64>; 10],
    /// Inclusive counts in the keys of the price catalogue.
    pub usage: Option<Pairs<i64>>,
    /// Request facts that change rates.
    pub price_context: Option<Pairs<Text>>,
    /// reported, inferred, assumed, inconsistent, missing.
    pub usage_status: Option<Text>,
    /// What it costs and why.
    pub price: Price,
    /// What the emitter claimed, USD, scale 12.
    pub reported_cost_usd: Option<i128>,
    /// charge, estimate, aggregate.
    pub reported_cost_kind: Option<Text>,
    /// Notes of the collector.
    pub flags: Vec<Text>,
    /// Attributes that the configuration keeps.
    pub tags: Option<Pairs<Text>>,
}

impl Record {
    /// A record that says nothing yet, for tests and decoding.
    pub fn empty(signal: Signal, role: Role) -> Record {
        Record {
            tenant: None,
            trace_id: None,
            span_id: None,
            signal,
            event_key: None,
            parent_span_id: None,
            date: 0,
            start_time: None,
            end_time: None,
            start_nano: None,
            end_nano: None,
            priced_at_nano: None,
            service_name: None,
            scope_name: None,
            scope_version: None,
            name: None,
            kind: Kind::Internal,
            status_error: false,
            error_type: None,
            role,
            convention: None,
            operation: None,
            provider: None,
            request_model: None,
            response_model: None,
            response_id: None,
            server_address: None,
            run_id: None,
            streaming: None,
            finish_reasons: None,
            time_to_first_token_ms: None,
            attribution: Default::default(),
            buckets: [None; 10],
            usage: None,
            price_context: None,
            usage_status: None,
            price: Price::default(),
            reported_cost_usd: None,
            reported_cost_kind: None,
            flags: Vec::new(),
            tags: None,
        }
    }

    /// Whether it reports any amount of anything: zeros alone are what emitters write when they know nothing.
    pub fn has_usage(&self) -> bool {
        let positive = |count: &Option<i64>| count.is_some_and(|count| count > 0);
        self.buckets.iter().any(positive) || self.usage.iter().flatten().any(|(_, count)| positive(count))
    }

    /// Whether it ended in an error.
    pub fn failed(&self) -> bool {
        self.status_error || self.error_type.is_some()
    }

    /// Whether the collector left this note.
    pub fn has_flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| &**own == flag)
    }

    /// Whether the emitter's cost is a provider's or gateway's charge.
    pub fn has_charge(&self) -> bool {
        self.reported_cost_usd.is_some() && self.reported_cost_kind.as_deref() == Some("charge")
    }

    /// Start and end in nanoseconds where both make sense.
    pub fn interval(&self) -> Option<(i64, i64)> {
        let (start, end) = (self.start_nano?, self.end_nano?);
        (start > 0 && end >= start && !self.has_flag("clock")).then_some((start, end))
    }

    /// The value of a dimension.
    pub fn attributed(&self, dimension: Dimension) -> Option<&Attributed> {
        self.attribution[dimension as usize].as_ref()
    }

    /// The conversation's id.
    pub fn conversation_id(&self) -> Option<&Text> {
        self.attributed(Dimension::Conversation).map(|attributed| &attributed.value)
    }
}
