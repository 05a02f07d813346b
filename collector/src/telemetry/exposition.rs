//! The Prometheus text exposition format, version 0.0.4, from the OpenTelemetry names: dots become underscores, units and
//! `_total` are appended ("Prometheus and OpenMetrics Compatibility" of the specification).

use std::fmt::Write;

use super::Counters;
use super::instruments::{COMMIT_DURATION, Kind, instruments};

pub(super) fn write(counters: &Counters) -> String {
    let mut text = String::new();
    for instrument in instruments(counters) {
        let (suffix, kind) = match instrument.kind {
            Kind::Counter => ("_total", "counter"),
            Kind::Gauge => ("", "gauge"),
        };
        let name = format!("{}{suffix}", name(instrument.name, instrument.unit));
        let _ = write!(text, "# HELP {name} {}\n# TYPE {name} {kind}\n", instrument.help);
        for point in &instrument.points {
            let _ = match &point.attribute {
                Some((key, label)) => writeln!(text, "{name}{{{key}=\"{}\"}} {}", escaped(label), point.value),
                None => writeln!(text, "{name} {}", point.value),
            };
        }
    }
    histogram(counters, &mut text);
    text
}

fn histogram(counters: &Counters, text: &mut String) {
    let (dotted, unit, help) = COMMIT_DURATION;
    let name = name(dotted, unit);
    let (buckets, sum_us) = counters.commit_duration.cumulative();
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} histogram\n");
    for (bound_ms, count) in &buckets {
        let bound = bound_ms.map_or("+Inf".to_owned(), |ms| seconds(ms * 1_000));
        let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {count}");
    }
    let count = buckets.last().map_or(0, |(_, count)| *count);
    let _ = write!(text, "{name}_sum {}\n{name}_count {count}\n", seconds(sum_us));
}

fn name(dotted: &str, unit: &str) -> String {
    let unit = match unit {
        "s" => "_seconds",
        "By" => "_bytes",
        _ => "",
    };
    format!("{}{unit}", dotted.replace('.', "_"))
}

/// Microseconds as seconds, without trailing zeros.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use super::*;

    #[test]
    fn metrics_are_written_as_prometheus_reads_them() {
        let counters = Counters::default();
        counters.acknowledged.store(7, Ordering::Relaxed);
        counters.unknown_scopes.add("a \"quoted\"\nscope\\", 2);
        counters.commit_duration.observe(Duration::from_millis(25));
        counters.commit_duration.observe(Duration::from_secs(60));
        let text = counters.prometheus();
        for line in [
            "# TYPE marginlake_collector_spans_total counter",
            "marginlake_collector_spans_total{outcome=\"acknowledged\"} 7",
            "marginlake_collector_unknown_scopes_total{scope=\"a \\\"quoted\\\"\\nscope\\\\\"} 2",
            "# TYPE marginlake_collector_log_bytes gauge",
            "marginlake_collector_log_lag_seconds 0",
            "marginlake_collector_commit_duration_seconds_bucket{le=\"0.01\"} 0",
            "marginlake_collector_commit_duration_seconds_bucket{le=\"0.025\"} 1",
            "marginlake_collector_commit_duration_seconds_bucket{le=\"30\"} 1",
            "marginlake_collector_commit_duration_seconds_bucket{le=\"+Inf\"} 2",
            "marginlake_collector_commit_duration_seconds_sum 60.025",
            "marginlake_collector_commit_duration_seconds_count 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("forward"), "there is no backend");
        counters.forward.is_on.store(true, Ordering::Relaxed);
        assert!(
            counters
                .prometheus()
                .contains("marginlake_collector_forward_requests_total{outcome=\"dropped\"} 0")
        );
    }
}
