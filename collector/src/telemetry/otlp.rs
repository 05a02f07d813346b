//! Metrics and traces about the collector itself, by the OpenTelemetry SDK, to somebody else's endpoint.
//!
//! Never to our own addresses: a machine where `OTEL_EXPORTER_OTLP_ENDPOINT` is set for all programs would make the
//! collector feed itself. What comes round over another hop is a span without usage, like any other.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;

use super::Counters;
use super::instruments::{COMMIT_DURATION, Kind, instruments};

/// The instrumentation scope of everything here.
const SCOPE: &str = "marginlake";

/// Where the collector reports about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfTelemetry {
    /// An OTLP/gRPC endpoint, such as `http://localhost:4317`.
    pub endpoint: String,
    /// How often metrics are sent.
    pub interval: Duration,
}

/// The running exporters.
#[derive(Debug)]
pub(crate) struct Exporting {
    metrics: SdkMeterProvider,
    traces: SdkTracerProvider,
}

/// Starts to export, if that can be; `own` are the collector's addresses. Health reports never stop a collector: what is
/// wrong with them is a warning.
pub(crate) fn start(
    settings: &SelfTelemetry,
    collector_id: &str,
    own: &[SocketAddr],
    counters: &Arc<Counters>,
) -> Option<Exporting> {
    let endpoint = settings.endpoint.as_str();
    if is_own(endpoint, own) {
        tracing::warn!(
            endpoint,
            "the collector does not send its own telemetry to itself: name another endpoint"
        );
        return None;
    }
    match export(settings, collector_id, counters) {
        Ok(exporting) => {
            tracing::info!(endpoint, "metrics and traces about this collector are sent by OTLP/gRPC");
            Some(exporting)
        }
        Err(error) => {
            tracing::warn!(
                endpoint,
                error = error.to_string(),
                "cannot send telemetry about this collector"
            );
            None
        }
    }
}

fn export(
    settings: &SelfTelemetry,
    collector_id: &str,
    counters: &Arc<Counters>,
) -> Result<Exporting, opentelemetry_otlp::ExporterBuildError> {
    let resource = Resource::builder()
        .with_service_name("marginlake")
        .with_attributes([
            KeyValue::new("service.instance.id", collector_id.to_owned()),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ])
        .build();
    let metrics = MetricExporter::builder()
        .with_tonic()
        .with_endpoint(&settings.endpoint)
        .build()?;
    let reader = PeriodicReader::builder(metrics).with_interval(settings.interval).build();
    let metrics = SdkMeterProvider::builder()
        .with_resource(resource.clone())
        .with_reader(reader)
        .build();
    observe(&metrics, counters);
    let spans = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&settings.endpoint)
        .build()?;
    let traces = SdkTracerProvider::builder()
        .with_resource(resource)
        .with_batch_exporter(spans)
        .build();
    counters.trace_with(traces.tracer(SCOPE));
    Ok(Exporting { metrics, traces })
}

/// One observable instrument for each of ours; each asks the list for its present points.
fn observe(metrics: &SdkMeterProvider, counters: &Arc<Counters>) {
    let meter = metrics.meter(SCOPE);
    for instrument in instruments(counters) {
        let (name, unit, help) = (instrument.name, instrument.unit, instrument.help);
        let counters = Arc::clone(counters);
        let callback = move |observer: &dyn opentelemetry::metrics::AsyncInstrument<u64>| {
            let now = instruments(&counters).into_iter().find(|now| now.name == name);
            for point in now.into_iter().flat_map(|now| now.points) {
                match point.attribute {
                    Some((key, label)) => observer.observe(point.value, &[KeyValue::new(key, label)]),
                    None => observer.observe(point.value, &[]),
                }
            }
        };
        match instrument.kind {
            Kind::Counter => drop(
                meter
                    .u64_observable_counter(name)
                    .with_unit(unit)
                    .with_description(help)
                    .with_callback(callback)
                    .build(),
            ),
            Kind::Gauge => drop(
                meter
                    .u64_observable_gauge(name)
                    .with_unit(unit)
                    .with_description(help)
                    .with_callback(callback)
                    .build(),
            ),
        }
    }
    let (name, unit, help) = COMMIT_DURATION;
    let histogram = meter.f64_histogram(name).with_unit(unit).with_description(help);
    let bounds = super::histogram::BOUNDS_MS.map(|ms| Duration::from_millis(ms).as_secs_f64());
    counters
        .commit_duration
        .record_to(histogram.with_boundaries(bounds.to_vec()).build());
}

impl Exporting {
    /// Sends what is left. Blocks; a backend that does not answer is given up soon.
    pub(crate) fn stop(self) {
        // A last report that does not arrive is not worth a word at the end.
        let _ = self.metrics.shutdown_with_timeout(Duration::from_secs(2));
        let _ = self.traces.shutdown_with_timeout(Duration::from_secs(2));
    }
}

/// Whether `endpoint` is one of the addresses that the collector listens on.
fn is_own(endpoint: &str, own: &[SocketAddr]) -> bool {
    let Ok(uri) = endpoint.parse::<hyper::Uri>() else {
        return false;
    };
    let (Some(host), port) = (uri.host(), uri.port_u16()) else {
        return false;
    };
    let port = port.unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let named = (host.trim_matches(['[', ']']), port).to_socket_addrs();
    let named: Vec<SocketAddr> = named.map(Iterator::collect).unwrap_or_default();
    let is_here = |own: &SocketAddr, named: &SocketAddr| {
        own.port() == named.port()
            && (own.ip() == named.ip() || named.ip().is_unspecified() || (own.ip().is_unspecified() && named.ip().is_loopback()))
    };
    own.iter().any(|own| named.iter().any(|named| is_here(own, named)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_collectors_own_addresses_are_known_by_any_name() {
        let own = ["127.0.0.1:4317", "0.0.0.0:4318"].map(|address| address.parse().expect("an address"));
        for (endpoint, expected) in [
            ("http://127.0.0.1:4317", true),
            ("http://localhost:4317", true),
            ("http://127.0.0.1:4318/", true),
            ("http://0.0.0.0:4317", true),
            ("http://127.0.0.1:4319", false),
            ("http://192.0.2.1:4317", false),
            ("not a url", false),
        ] {
            assert_eq!(is_own(endpoint, &own), expected, "{endpoint}");
        }
    }
}
