//! What settle says: calls, and records that are not calls.

use super::reason::Reason;
use super::record::{Record, Text};

/// Whether a row is one call or a sum of unknown calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Granularity {
    /// One request to a model.
    Call,
    /// A roll-up whose calls nobody reported.
    Aggregate,
}

impl Granularity {
    /// The word in `calls.granularity`.
    pub fn as_str(self) -> &'static str {
        match self {
            Granularity::Call => "call",
            Granularity::Aggregate => "aggregate",
        }
    }
}

/// What kind of cost a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostClass {
    /// A model call in the path of delivery.
    Model,
    /// What else it takes to deliver: retrieval, tools, machines, review.
    OtherCogs,
    /// Varies with sales, outside of cost of goods.
    Variable,
    /// Evaluation, development, internal.
    NotCogs,
}

impl CostClass {
    /// The word in `calls.cost_class`.
    pub fn as_str(self) -> &'static str {
        match self {
            CostClass::Model => "model",
            CostClass::OtherCogs => "other_cogs",
            CostClass::Variable => "variable",
            CostClass::NotCogs => "not_cogs",
        }
    }
}

/// One billable event: a row of `calls`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// The record that stands for the call, with what others donated.
    pub record: Record,
    /// One call or a roll-up.
    pub granularity: Granularity,
    /// The class of its cost.
    pub cost_class: CostClass,
    /// How many different records report it, itself included; redelivered copies are not counted.
    pub records: i64,
}

/// Which record of `spans`, within a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// 16 bytes.
    pub trace_id: Option<[u8; 16]>,
    /// 8 bytes.
    pub span_id: Option<[u8; 8]>,
    /// Logs only.
    pub event_key: Option<Text>,
}

impl Key {
    /// The key of `record`.
    pub fn of(record: &Record) -> Key {
        Key {
            trace_id: record.trace_id,
            span_id: record.span_id,
            event_key: record.event_key.clone(),
        }
    }
}

/// A record that was not billed: a row of `calls_excluded`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Excluded {
    /// The record.
    pub record: Record,
    /// Why.
    pub reason: Reason,
    /// The call that stands for it.
    pub stands: Option<Key>,
    /// Its input tokens.
    pub input_tokens: Option<i64>,
    /// Its output tokens.
    pub output_tokens: Option<i64>,
    /// Input and output tokens that no call explains.
    pub gap: Option<(i64, i64)>,
}

/// The verdict over a set of records, in canonical order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// Everything that costs money, exactly once.
    pub calls: Vec<Call>,
    /// Everything else that carries usage or claims to be a call.
    pub excluded: Vec<Excluded>,
}
