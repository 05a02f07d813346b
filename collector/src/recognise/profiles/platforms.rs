//! SDKs of observability platforms.
//! Facts: conventions 3A, 3B [lf-otel] [langfuse-py] [ls] [mlflow] [openlit]; captures `langfuse*`, `mlflow`, `openlit*`.

use super::super::field::Field;
use super::super::profile::Pattern::{Is, Starts};
use super::super::profile::{BASE, CacheSplit, Habits, InputMode, Marker, OutputMode, Profile};

pub(super) const PROFILES: &[Profile] = &[
    Profile {
        id: "langfuse",
        emitter: "Langfuse SDK",
        scopes: &[Is("langfuse-sdk"), Starts("@langfuse/"), Starts("langfuse")],
        markers: &[Marker::Has(Field::LangfuseType)],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        split: CacheSplit::Reported,
        cannot: "Response ids, so that a second instrumentation of the same call is matched by its numbers",
        fix: "Use either Langfuse's wrapper or another instrumentation",
        ..BASE
    },
    Profile {
        id: "langsmith",
        emitter: "LangSmith OpenTelemetry exporter",
        scopes: &[Is("langsmith"), Starts("langsmith")],
        markers: &[Marker::Has(Field::LangsmithKind)],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        split: CacheSplit::Reported,
        cannot: "Cache writes by lifetime",
        fix: "Nothing to do",
        ..BASE
    },
    Profile {
        id: "mlflow",
        emitter: "MLflow tracing",
        scopes: &[Is("mlflow.tracing.provider"), Starts("mlflow")],
        markers: &[Marker::Has(Field::MlflowType)],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        // Its GenAI export (`MLFLOW_ENABLE_OTEL_GENAI_SEMCONV`) drops what its own keys carry.
        split: CacheSplit::Unknown,
        cannot: "Streams of Anthropic: `create(stream=True)` has no usage, `stream()` no span; with `MLFLOW_ENABLE_OTEL_GENAI_SEMCONV` cached tokens and reasoning; never user and session of a trace",
        fix: "Leave that setting off; the Anthropic SDK's native spans carry its streams",
        ..BASE
    },
    Profile {
        id: "openlit_1",
        emitter: "OpenLIT before its instrumentations had scopes of their own",
        scopes: &[Is("openlit.otel.tracing")],
        input: InputMode::ExclusiveForAnthropic,
        output: OutputMode::Raw,
        cannot: "Cached tokens and reasoning; whether a stream's usage is real",
        fix: "Update to the newest version",
        ..BASE
    },
    Profile {
        id: "openlit_google",
        emitter: "OpenLIT, Google (AI Studio and Vertex AI)",
        scopes: &[
            Is("openlit.instrumentation.google_ai_studio"),
            Is("openlit.instrumentation.vertexai"),
        ],
        input: InputMode::Inclusive,
        // Google's count of the candidates; the total is the sum of what it reports, and so proves nothing.
        output: OutputMode::Beside,
        split: CacheSplit::Reported,
        cannot: "Tool-use prompt tokens; thinking tokens of Vertex AI",
        fix: "Use opentelemetry-instrumentation-google-genai",
        ..BASE
    },
    Profile {
        id: "openlit",
        emitter: "OpenLIT",
        scopes: &[Starts("openlit.")],
        markers: &[Marker::Has(Field::OpenlitAgent)],
        input: InputMode::ExclusiveForAnthropic,
        output: OutputMode::Raw,
        split: CacheSplit::Reported,
        habits: Habits {
            streams_zero_the_cache: true,
            ..Habits::NONE
        },
        cannot: "Reasoning; cached tokens of Anthropic's streams; whether a stream's usage is real: without usage in the stream it counts tokens itself, unmarked",
        fix: "Ask for `stream_options.include_usage`; the Anthropic SDK's native spans carry its streams",
        ..BASE
    },
];
