//! Durations in fixed buckets, for Prometheus, and in the SDK's instrument where one listens.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds in milliseconds: a commit to a local disk takes tens, one to an object store hundreds.
pub(super) const BOUNDS_MS: [u64; 11] = [10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];

/// How many durations were how long.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// By bound; the last is for what is longer than all.
    counts: [AtomicU64; BOUNDS_MS.len() + 1],
    sum_us: AtomicU64,
    instrument: OnceLock<opentelemetry::metrics::Histogram<f64>>,
}

impl Histogram {
    pub(crate) fn observe(&self, duration: Duration) {
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MS.partition_point(|bound| *bound < ms);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
        if let Some(instrument) = self.instrument.get() {
            instrument.record(duration.as_secs_f64(), &[]);
        }
    }

    /// From here on every observation also goes to the SDK.
    pub(super) fn record_to(&self, instrument: opentelemetry::metrics::Histogram<f64>) {
        let _ = self.instrument.set(instrument);
    }

    /// Cumulative counts by bound (`None` for all), and the sum in microseconds.
    pub(super) fn cumulative(&self) -> (Vec<(Option<u64>, u64)>, u64) {
        let mut sum = 0;
        let bounds = BOUNDS_MS.into_iter().map(Some).chain([None]);
        let counts = bounds.zip(&self.counts).map(|(bound, count)| {
            sum += count.load(Ordering::Relaxed);
            (bound, sum)
        });
        (counts.collect(), self.sum_us.load(Ordering::Relaxed))
    }
}
