//! What the collector counts about itself. What we lose we count, with the reason.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since the start, and gauges.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Spans and log records that are durable and were answered.
    pub(crate) acknowledged: AtomicU64,
    /// Spans refused by partial success.
    pub(crate) rejected: AtomicU64,
    /// Requests refused for overload.
    pub(crate) refused: AtomicU64,
    /// Rows committed to the lake.
    pub(crate) committed: AtomicU64,
    /// Rows committed that are calls.
    pub(crate) calls: AtomicU64,
    /// Rows with usage keys that no rule took.
    pub(crate) unrecognised: AtomicU64,
    /// Failed tries to commit.
    pub(crate) commit_failures: AtomicU64,
    /// Bytes in the write-ahead log.
    pub(crate) log_bytes: AtomicU64,
}

impl Counters {
    /// The Prometheus text exposition format, version 0.0.4.
    pub(crate) fn prometheus(&self) -> String {
        let rows = [
            (
                "marginlake_collector_spans_total{outcome=\"acknowledged\"}",
                &self.acknowledged,
            ),
            ("marginlake_collector_spans_total{outcome=\"rejected\"}", &self.rejected),
            ("marginlake_collector_requests_refused_total", &self.refused),
            ("marginlake_collector_rows_committed_total", &self.committed),
            ("marginlake_collector_calls_committed_total", &self.calls),
            ("marginlake_collector_unrecognised_usage_total", &self.unrecognised),
            ("marginlake_collector_commit_failures_total", &self.commit_failures),
            ("marginlake_collector_log_bytes", &self.log_bytes),
        ];
        rows.iter()
            .map(|(name, value)| format!("{name} {}\n", value.load(Ordering::Relaxed)))
            .collect()
    }
}
