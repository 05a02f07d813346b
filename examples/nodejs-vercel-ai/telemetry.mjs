// Telemetry of the app: OpenTelemetry's Node SDK, and the AI SDK's integration with it.
//
// Nothing here names marginlake: where the spans go is said by OTEL_EXPORTER_OTLP_ENDPOINT and what the service is called by
// OTEL_SERVICE_NAME, as the OpenTelemetry specification has them.

import { OpenTelemetry } from '@ai-sdk/otel';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { registerTelemetry } from 'ai';

export const sdk = new NodeSDK({ traceExporter: new OTLPTraceExporter() });
sdk.start();

// `runtimeContext` puts the runtime context of a call on its spans, as `ai.settings.context.*`. That is where the customer is;
// each call still chooses what of it may leave the process, by `includeRuntimeContext`.
// `usage` adds the split of the tokens: reasoning beside text, and what was written to a cache.
registerTelemetry(new OpenTelemetry({ runtimeContext: true, usage: true }));
