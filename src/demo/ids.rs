//! Trace and span ids from a seed, so that a second run sends the very same spans.

use std::sync::{Mutex, PoisonError};

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::IdGenerator;
use rand::RngCore;

use super::shapes::{Dice, dice};

/// The SDK's id generator for one service.
#[derive(Debug)]
pub(super) struct SeededIds(Mutex<Dice>);

impl SeededIds {
    /// Ids of their own for each `part`.
    pub(super) fn new(part: u64) -> SeededIds {
        SeededIds(Mutex::new(dice(part)))
    }

    fn next(&self) -> u64 {
        // Zero is no valid id.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next_u64().max(1)
    }
}

impl IdGenerator for SeededIds {
    fn new_trace_id(&self) -> TraceId {
        TraceId::from((u128::from(self.next()) << 64) | u128::from(self.next()))
    }

    fn new_span_id(&self) -> SpanId {
        SpanId::from(self.next())
    }
}
