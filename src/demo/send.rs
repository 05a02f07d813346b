//! Sends traces as an instrumented application would: the OpenTelemetry SDK, its batch processor and its OTLP/gRPC
//! exporter, one tracer provider a service.
//!
//! Nothing may be dropped: a batch processor drops silently when its queue is full, so the queue is flushed before it
//! can be, and what the exporters delivered is counted. Settings that the SDK takes from the environment (`OTEL_*`)
//! are all set here: the demo is the same on every machine.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context as _, bail, ensure};
use opentelemetry::trace::{SpanBuilder, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanData, SpanExporter as SdkSpanExporter,
    SpanLimits,
};

use super::dialect::{self, Scope};
use super::ids::SeededIds;
use super::month::Nanos;
use super::work::{Node, Service, Trace};

/// Spans between two flushes. The queue holds many more, whatever the size of one trace.
const FLUSH_EVERY: u64 = 2_000;
const QUEUE: usize = 65_536;
const BATCH: usize = 512;
/// How long a flush may take, on a slow disk too.
const PATIENCE: Duration = Duration::from_secs(60);

/// The services of the invented product, each with its SDK.
pub(super) struct Senders {
    services: Vec<Sender>,
    delivered: Arc<AtomicU64>,
}

/// One service's SDK.
struct Sender {
    service: Service,
    provider: SdkTracerProvider,
    tracers: HashMap<Scope, SdkTracer>,
}

impl Senders {
    /// Connects every service to the collector at `address`. Called within the async runtime, which the exporter's
    /// connection lives on.
    pub(super) fn connect(address: SocketAddr) -> anyhow::Result<Senders> {
        let delivered = Arc::new(AtomicU64::new(0));
        let services = Service::ALL
            .into_iter()
            .map(|service| Sender::connect(service, address, &delivered))
            .collect::<Result<_, _>>()?;
        Ok(Senders { services, delivered })
    }

    /// Sends all traces in order and tells `progress` how many spans were acknowledged. Blocks: the SDK's calls do.
    pub(super) fn send(mut self, traces: &[Trace], progress: impl Fn(u64)) -> anyhow::Result<u64> {
        let (mut ended, mut flushed) = (0, 0);
        for trace in traces {
            let sender = self
                .services
                .iter_mut()
                .find(|sender| sender.service == trace.service)
                .context("every service has a sender")?;
            ended += sender.emit(trace, &trace.root, &Context::new());
            if ended - flushed >= FLUSH_EVERY {
                self.flush(ended)?;
                flushed = ended;
                progress(ended);
            }
        }
        self.flush(ended)?;
        progress(ended);
        for sender in &self.services {
            sender.provider.shutdown().context("the SDK did not shut down")?;
        }
        Ok(ended)
    }

    /// Returns once everything that ended is acknowledged by the collector.
    fn flush(&self, ended: u64) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        for sender in &self.services {
            loop {
                match sender.provider.force_flush() {
                    Ok(()) => break,
                    // The SDK waits five seconds; the export goes on meanwhile.
                    Err(OTelSdkError::Timeout(_)) if Instant::now() < deadline => {}
                    Err(error) => bail!("the spans of {} could not be exported: {error}", sender.service.name()),
                }
            }
        }
        let delivered = self.delivered.load(Ordering::Acquire);
        ensure!(delivered == ended, "{ended} spans ended, but only {delivered} were delivered");
        Ok(())
    }
}

impl Sender {
    fn connect(service: Service, address: SocketAddr, delivered: &Arc<AtomicU64>) -> anyhow::Result<Sender> {
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(format!("http://{address}"))
            .with_timeout(PATIENCE)
            .build()
            .context("the OTLP exporter could not be built")?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(Duration::from_secs(3600))
            .build();
        let exporter = Counting {
            exporter,
            delivered: Arc::clone(delivered),
        };
        let resource = Resource::builder_empty().with_attributes([
            KeyValue::new("service.name", service.name()),
            KeyValue::new("service.namespace", "helpdesk"),
            KeyValue::new("deployment.environment.name", "production"),
            KeyValue::new("telemetry.sdk.name", "opentelemetry"),
            KeyValue::new("telemetry.sdk.language", "rust"),
        ]);
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.build())
            .with_sampler(Sampler::AlwaysOn)
            .with_span_limits(SpanLimits::default())
            .with_id_generator(SeededIds::new(100 + service as u64))
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
            .build();
        Ok(Sender {
            service,
            provider,
            tracers: HashMap::new(),
        })
    }

    /// Starts a node's span, emits its children, ends it. How many spans ended.
    fn emit(&mut self, trace: &Trace, node: &Node, parent: &Context) -> u64 {
        let reported = dialect::report(trace, node, std::ptr::eq(node, &trace.root));
        let tracer = self.tracer(reported.scope);
        let builder = SpanBuilder::from_name(reported.name)
            .with_kind(reported.kind)
            .with_start_time(time(node.start))
            .with_attributes(reported.attributes);
        let context = parent.with_span(tracer.build_with_context(builder, parent));
        let below: u64 = node.children.iter().map(|child| self.emit(trace, child, &context)).sum();
        let span = context.span();
        if let Some(error) = reported.error {
            span.set_status(Status::error(error));
        }
        span.end_with_timestamp(time(node.end));
        below + 1
    }

    fn tracer(&mut self, scope: Scope) -> SdkTracer {
        let provider = &self.provider;
        let made = || provider.tracer_with_scope(InstrumentationScope::builder(scope.name).with_version(scope.version).build());
        self.tracers.entry(scope).or_insert_with(made).clone()
    }
}

fn time(nanos: Nanos) -> std::time::SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

/// An exporter that counts what was acknowledged.
#[derive(Debug)]
struct Counting {
    exporter: SpanExporter,
    delivered: Arc<AtomicU64>,
}

impl SdkSpanExporter for Counting {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        self.exporter.export(batch).await?;
        self.delivered.fetch_add(spans, Ordering::AcqRel);
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
