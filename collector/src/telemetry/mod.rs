//! What the collector counts about itself. What we lose we count, with the reason.
//!
//! One list of instruments, named the OpenTelemetry way, is read by `/metrics` (Prometheus) and by the exporter (OTLP).

mod exposition;
mod histogram;
mod instruments;
mod otlp;
mod tally;
mod unknown;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span, Status, Tracer};
use opentelemetry_sdk::trace::SdkTracer;

use histogram::Histogram;
pub use otlp::SelfTelemetry;
pub(crate) use otlp::{Exporting, start};
use tally::Tally;

use crate::columns::Counts;

/// Counters since the start, and gauges.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Spans and log records that are durable and were answered.
    pub(crate) acknowledged: AtomicU64,
    /// Spans refused by partial success.
    pub(crate) rejected: AtomicU64,
    /// The same by reason.
    pub(crate) rejected_by: Tally,
    /// Requests refused, by reason.
    pub(crate) refused_by: Tally,
    /// Attributes beyond what one record may have.
    pub(crate) dropped_attributes: AtomicU64,
    /// Rows committed to the lake.
    pub(crate) committed: AtomicU64,
    /// Rows committed that are calls.
    pub(crate) calls: AtomicU64,
    /// Rows with usage keys that no rule took.
    pub(crate) unrecognised: AtomicU64,
    /// Rows of records with a value that was too long to be read.
    pub(crate) too_long: AtomicU64,
    /// Rows with usage keys that no rule took, by the scope that sent them.
    pub(crate) unknown_scopes: Tally,
    /// Failed tries to commit.
    pub(crate) commit_failures: AtomicU64,
    /// Tries to commit, whatever became of them.
    pub(crate) commit_duration: Histogram,
    /// Bytes in the write-ahead log.
    pub(crate) log_bytes: AtomicU64,
    /// The last request that is durable.
    pub(crate) logged_sequence: AtomicU64,
    /// The last request that the lake has.
    pub(crate) committed_sequence: AtomicU64,
    /// When the oldest request that the lake lacks was received; 0 where it has all.
    pub(crate) oldest_unix_nano: AtomicU64,
    /// What became of what is passed on.
    pub(crate) forward: ForwardCounters,
    /// Where traces of the collector's own work go, if anywhere.
    tracer: Mutex<Option<SdkTracer>>,
}

/// Counters of forwarding.
#[derive(Debug, Default)]
pub(crate) struct ForwardCounters {
    /// Whether there is a backend at all.
    pub(crate) is_on: std::sync::atomic::AtomicBool,
    /// Requests that the backend took.
    pub(crate) sent: AtomicU64,
    /// Requests that the backend refused for good.
    pub(crate) refused: AtomicU64,
    /// Requests that were forgotten because forwarding was too far behind.
    pub(crate) dropped: AtomicU64,
    /// Records that the backend rejected by partial success.
    pub(crate) rejected: AtomicU64,
    /// Tries that were answered with a retryable code or not at all.
    pub(crate) failures: AtomicU64,
    /// Bytes of log kept for forwarding only.
    pub(crate) held_bytes: AtomicU64,
    /// The last request that is done with.
    pub(crate) sequence: AtomicU64,
}

/// One try to commit, while it runs.
#[derive(Debug)]
pub(crate) struct CommitTimer {
    started: SystemTime,
    clock: std::time::Instant,
}

impl CommitTimer {
    pub(crate) fn start() -> Self {
        Self {
            started: SystemTime::now(),
            clock: std::time::Instant::now(),
        }
    }
}

impl Counters {
    /// A try to commit is over: its duration is counted, and traced where traces go anywhere.
    pub(crate) fn commit_done(&self, timer: &CommitTimer, rows: usize, error: Option<&str>) {
        self.commit_duration.observe(timer.clock.elapsed());
        let tracer = self.tracer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(tracer) = tracer else { return };
        let built = tracer.span_builder("commit").with_start_time(timer.started);
        let mut span = tracer.build(built);
        span.set_attribute(KeyValue::new("marginlake.rows", i64::try_from(rows).unwrap_or(i64::MAX)));
        if let Some(error) = error {
            span.set_status(Status::error(error.to_owned()));
        }
        span.end();
    }

    /// Rows are in the lake.
    pub(crate) fn committed_counts(&self, counts: Counts) {
        self.calls.fetch_add(counts.calls, Ordering::Relaxed);
        self.unrecognised.fetch_add(counts.unrecognised, Ordering::Relaxed);
        self.too_long.fetch_add(counts.too_long, Ordering::Relaxed);
    }

    /// Names the scopes of rows with usage that no rule took.
    pub(crate) fn note_unknown_scopes(&self, batch: &RecordBatch) {
        unknown::count(batch, &self.unknown_scopes);
    }

    pub(crate) fn trace_with(&self, tracer: SdkTracer) {
        *self.tracer.lock().unwrap_or_else(PoisonError::into_inner) = Some(tracer);
    }

    /// How long the oldest request that the lake lacks has waited.
    pub(crate) fn lag(&self) -> Duration {
        let oldest = self.oldest_unix_nano.load(Ordering::Relaxed);
        if oldest == 0 {
            return Duration::ZERO;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        now.saturating_sub(Duration::from_nanos(oldest))
    }

    /// Durable requests that the lake does not have yet.
    pub(crate) fn waiting(&self) -> u64 {
        let logged = self.logged_sequence.load(Ordering::Relaxed);
        logged.saturating_sub(self.committed_sequence.load(Ordering::Relaxed))
    }

    /// The Prometheus text exposition format, version 0.0.4.
    pub(crate) fn prometheus(&self) -> String {
        exposition::write(self)
    }
}
