import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;

/** One span of a call, through the exporter that the environment names. */
public class App {
  public static void main(String[] arguments) {
    OpenTelemetrySdk sdk = AutoConfiguredOpenTelemetrySdk.initialize().getOpenTelemetrySdk();
    var span = sdk.getSdkTracerProvider().tracerBuilder("sdk-matrix").setInstrumentationVersion("1.54.0").build()
        .spanBuilder("chat gpt-4o").startSpan();
    span.setAttribute("gen_ai.operation.name", "chat");
    span.setAttribute("gen_ai.provider.name", "openai");
    span.setAttribute("gen_ai.request.model", "gpt-4o");
    span.setAttribute("gen_ai.response.model", "gpt-4o-2024-08-06");
    span.setAttribute(AttributeKey.longKey("gen_ai.usage.input_tokens"), 1000L);
    span.setAttribute(AttributeKey.longKey("gen_ai.usage.output_tokens"), 100L);
    span.setAttribute("customer.id", "acme");
    span.end();
    sdk.close();
  }
}
