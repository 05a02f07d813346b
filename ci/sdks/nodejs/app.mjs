// One span of a call, through the exporter that the argument names.
import { createRequire } from 'node:module';
import { OTLPTraceExporter as Grpc } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as Json } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as Proto } from '@opentelemetry/exporter-trace-otlp-proto';
import { NodeSDK, api } from '@opentelemetry/sdk-node';

const Exporter = { grpc: Grpc, 'http/json': Json, 'http/protobuf': Proto }[process.argv[2]];
const { version } = createRequire(import.meta.url)('@opentelemetry/exporter-trace-otlp-http/package.json');
const sdk = new NodeSDK({ traceExporter: new Exporter() });
sdk.start();
const span = api.trace.getTracer('sdk-matrix', version).startSpan('chat gpt-4o', {
  attributes: {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': 'gpt-4o',
    'gen_ai.response.model': 'gpt-4o-2024-08-06',
    'gen_ai.usage.input_tokens': 1000,
    'gen_ai.usage.output_tokens': 100,
    'customer.id': 'acme',
  },
});
span.end();
await sdk.shutdown();
