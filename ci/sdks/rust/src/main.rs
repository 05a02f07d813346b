//! One span of a call, through the exporter that the argument names.

use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::SdkTracerProvider;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The gRPC exporter lives on a runtime, the HTTP exporter blocks.
    let runtime = tokio::runtime::Runtime::new()?;
    let _inside = runtime.enter();
    let exporter = match std::env::args().nth(1).as_deref() {
        Some("grpc") => SpanExporter::builder().with_tonic().build()?,
        _ => SpanExporter::builder().with_http().build()?,
    };
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    let scope = InstrumentationScope::builder("sdk-matrix").with_version("0.33").build();
    let mut span = provider.tracer_with_scope(scope).start("chat gpt-4o");
    span.set_attributes([
        KeyValue::new("gen_ai.operation.name", "chat"),
        KeyValue::new("gen_ai.provider.name", "openai"),
        KeyValue::new("gen_ai.request.model", "gpt-4o"),
        KeyValue::new("gen_ai.response.model", "gpt-4o-2024-08-06"),
        KeyValue::new("gen_ai.usage.input_tokens", 1000),
        KeyValue::new("gen_ai.usage.output_tokens", 100),
        KeyValue::new("customer.id", "acme"),
    ]);
    span.end();
    provider.shutdown()?;
    Ok(())
}
