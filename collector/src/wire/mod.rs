//! OTLP protobuf, walked where it lies: borrowed views, no structs built, no copies.
//!
//! `field` is the protobuf wire format, `shape` the messages as tables, `check` the walk before the acknowledgement, `value` is
//! `AnyValue` and attributes, `names` the keys that a reader knows, `traces` and `logs` are the two messages.
//! Rules of protobuf that senders rely on: fields come in any order, the last of a repeated scalar wins, sub-messages
//! that occur twice are merged, unknown fields are skipped. This module knows nothing of LLM calls.

pub(crate) mod check;
pub(crate) mod field;
mod list;
#[doc(hidden)]
pub mod logs;
mod names;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod permuted;
mod shape;
#[doc(hidden)]
pub mod traces;
pub(crate) mod value;

pub use field::WireError;
pub(crate) use list::MOST as MOST_ATTRIBUTES;
pub(crate) use names::{Name, Names};
pub use value::{Attributes, KeyValue, Value};
