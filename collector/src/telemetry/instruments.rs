//! Every instrument with its present values: the one list that all exporters read.

use std::sync::atomic::Ordering::Relaxed;

use super::Counters;
use super::tally::Tally;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

/// One instrument.
#[derive(Debug)]
pub(super) struct Instrument {
    /// Named the OpenTelemetry way.
    pub(super) name: &'static str,
    /// UCUM; annotations in braces.
    pub(super) unit: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) points: Vec<Point>,
}

/// A value and the one attribute that it may have.
#[derive(Debug)]
pub(super) struct Point {
    pub(super) attribute: Option<(&'static str, String)>,
    pub(super) value: u64,
}

/// The histogram stands beside the list: it has no single value.
pub(super) const COMMIT_DURATION: (&str, &str, &str) = (
    "marginlake.collector.commit.duration",
    "s",
    "How long tries to commit to the lake took, failed ones too",
);

pub(super) fn instruments(counters: &Counters) -> Vec<Instrument> {
    use Kind::{Counter, Gauge};
    let forward = &counters.forward;
    let mut list = vec![
        of(
            "marginlake.collector.spans",
            "{span}",
            "Spans and log records received",
            Counter,
            vec![
                point("outcome", "acknowledged", counters.acknowledged.load(Relaxed)),
                point("outcome", "rejected", counters.rejected.load(Relaxed)),
            ],
        ),
        of(
            "marginlake.collector.spans.rejected",
            "{span}",
            "Spans refused by partial success, by reason",
            Counter,
            tally("reason", &counters.rejected_by),
        ),
        of(
            "marginlake.collector.requests.refused",
            "{request}",
            "Requests refused whole, by reason; clients retry those for overload",
            Counter,
            tally("reason", &counters.refused_by),
        ),
        of(
            "marginlake.collector.attributes.dropped",
            "{attribute}",
            "Attributes beyond the number that one record may have",
            Counter,
            single(counters.dropped_attributes.load(Relaxed)),
        ),
        of(
            "marginlake.collector.values.dropped",
            "{row}",
            "Rows of records with a value that was too long to be read",
            Counter,
            single(counters.too_long.load(Relaxed)),
        ),
        of(
            "marginlake.collector.rows.committed",
            "{row}",
            "Rows committed to the lake",
            Counter,
            single(counters.committed.load(Relaxed)),
        ),
        of(
            "marginlake.collector.calls.committed",
            "{call}",
            "Rows committed that are calls",
            Counter,
            single(counters.calls.load(Relaxed)),
        ),
        of(
            "marginlake.collector.unrecognised.usage",
            "{row}",
            "Rows with usage keys that no rule took",
            Counter,
            single(counters.unrecognised.load(Relaxed)),
        ),
        of(
            "marginlake.collector.unknown.scopes",
            "{row}",
            "Rows with usage keys that no rule took, by instrumentation scope",
            Counter,
            tally("scope", &counters.unknown_scopes),
        ),
        of(
            "marginlake.collector.commit.failures",
            "{commit}",
            "Failed tries to commit",
            Counter,
            single(counters.commit_failures.load(Relaxed)),
        ),
        of(
            "marginlake.collector.log",
            "By",
            "Write-ahead log that the lake does not have yet",
            Gauge,
            single(counters.log_bytes.load(Relaxed)),
        ),
        of(
            "marginlake.collector.log.requests",
            "{request}",
            "Durable requests that the lake does not have yet",
            Gauge,
            single(counters.waiting()),
        ),
        of(
            "marginlake.collector.log.lag",
            "s",
            "Age of the oldest request that the lake does not have yet",
            Gauge,
            single(counters.lag().as_secs()),
        ),
    ];
    if forward.is_on.load(Relaxed) {
        list.extend([
            of(
                "marginlake.collector.forward.requests",
                "{request}",
                "Requests on their way to the backend",
                Counter,
                vec![
                    point("outcome", "sent", forward.sent.load(Relaxed)),
                    point("outcome", "refused", forward.refused.load(Relaxed)),
                    point("outcome", "dropped", forward.dropped.load(Relaxed)),
                ],
            ),
            of(
                "marginlake.collector.forward.rejected",
                "{record}",
                "Records that the backend rejected by partial success",
                Counter,
                single(forward.rejected.load(Relaxed)),
            ),
            of(
                "marginlake.collector.forward.failures",
                "{request}",
                "Tries that will be repeated",
                Counter,
                single(forward.failures.load(Relaxed)),
            ),
            of(
                "marginlake.collector.forward.queue",
                "By",
                "Log kept for forwarding alone",
                Gauge,
                single(forward.held_bytes.load(Relaxed)),
            ),
            of(
                "marginlake.collector.forward.waiting",
                "{request}",
                "Durable requests that the backend does not have yet",
                Gauge,
                single(
                    counters
                        .logged_sequence
                        .load(Relaxed)
                        .saturating_sub(forward.sequence.load(Relaxed)),
                ),
            ),
        ]);
    }
    list
}

fn of(name: &'static str, unit: &'static str, help: &'static str, kind: Kind, points: Vec<Point>) -> Instrument {
    Instrument {
        name,
        unit,
        help,
        kind,
        points,
    }
}

fn single(value: u64) -> Vec<Point> {
    vec![Point { attribute: None, value }]
}

fn point(key: &'static str, name: &str, value: u64) -> Point {
    Point {
        attribute: Some((key, name.to_owned())),
        value,
    }
}

fn tally(key: &'static str, tally: &Tally) -> Vec<Point> {
    let counts = tally.counts();
    counts.into_iter().map(|(label, count)| point(key, &label, count)).collect()
}
