//! OpenLLMetry (Traceloop), Python and JavaScript, both generations of keys.
//! Facts: conventions 3B [ol-*] [tl]; captures `traceloop-*`.

use super::super::field::Field;
use super::super::profile::Pattern::{Is, Starts};
use super::super::profile::{BASE, CacheSplit, InputMode, Marker, OutputMode, Profile};

const TRACELOOP: Profile = Profile {
    id: "traceloop",
    emitter: "OpenLLMetry, other instrumentations",
    input: InputMode::Inclusive,
    output: OutputMode::Raw,
    split: CacheSplit::Unknown,
    cannot: "Cached tokens, for providers whose instrumentation does not report them",
    fix: "Use the newest version",
    ..BASE
};

pub(super) const PROFILES: &[Profile] = &[
    Profile {
        id: "traceloop_anthropic_js",
        emitter: "@traceloop/instrumentation-anthropic",
        scopes: &[Is("@traceloop/instrumentation-anthropic")],
        // Measured exclusive in captures, against the reading of its source.
        input: InputMode::Exclusive,
        split: CacheSplit::Reported,
        ..TRACELOOP
    },
    Profile {
        id: "traceloop_anthropic",
        emitter: "opentelemetry-instrumentation-anthropic (OpenLLMetry)",
        scopes: &[Is("opentelemetry.instrumentation.anthropic")],
        output: OutputMode::Inside,
        split: CacheSplit::Reported,
        cannot: "Cache writes by lifetime; a stream's output is one token too high",
        fix: "The Anthropic SDK's native spans, when present, correct both",
        ..TRACELOOP
    },
    Profile {
        id: "traceloop_bedrock",
        emitter: "opentelemetry-instrumentation-bedrock (OpenLLMetry)",
        scopes: &[
            Is("opentelemetry.instrumentation.bedrock"),
            Is("@traceloop/instrumentation-bedrock"),
        ],
        input: InputMode::Exclusive,
        // Converse tells its cached tokens, zeros included; InvokeModel never does.
        split: CacheSplit::Never,
        cannot: "Cached tokens of InvokeModel; cache writes by lifetime; its total leaves cached tokens out",
        fix: "Call Converse rather than InvokeModel",
        ..TRACELOOP
    },
    Profile {
        id: "traceloop_llama_index",
        emitter: "opentelemetry-instrumentation-llamaindex (OpenLLMetry)",
        scopes: &[
            Is("opentelemetry.instrumentation.llamaindex"),
            Is("@traceloop/instrumentation-llamaindex"),
        ],
        input: InputMode::ExclusiveForAnthropic,
        ..TRACELOOP
    },
    Profile {
        id: "traceloop_langchain",
        emitter: "opentelemetry-instrumentation-langchain (OpenLLMetry)",
        scopes: &[Is("opentelemetry.instrumentation.langchain")],
        split: CacheSplit::ReadsOnly,
        cannot: "Anthropic's cache writes, which it reports as zero; several choices of one request multiply the input",
        fix: "Instrument the Anthropic SDK as well: its spans win",
        ..TRACELOOP
    },
    Profile {
        id: "traceloop_google",
        emitter: "opentelemetry-instrumentation-google-generativeai, -vertexai (OpenLLMetry)",
        scopes: &[
            Is("opentelemetry.instrumentation.google_generativeai"),
            Is("opentelemetry.instrumentation.vertexai"),
            Is("@traceloop/instrumentation-google-generativeai"),
        ],
        split: CacheSplit::Reported,
        cannot: "Thinking tokens, which are inferred from the total and may hold tool-use prompt tokens",
        fix: "Use opentelemetry-instrumentation-google-genai",
        ..TRACELOOP
    },
    Profile {
        id: "traceloop_openai_js",
        emitter: "@traceloop/instrumentation-openai",
        scopes: &[Is("@traceloop/instrumentation-openai")],
        split: CacheSplit::Never,
        cannot: "Cached tokens and reasoning; usage of streams, which it estimates unmarked even when the stream tells it; embeddings",
        fix: "Use @arizeai/openinference-instrumentation-openai; switch `enrichTokens` off",
        ..TRACELOOP
    },
    Profile {
        id: "traceloop_openai",
        emitter: "opentelemetry-instrumentation-openai (OpenLLMetry)",
        scopes: &[Starts("opentelemetry.instrumentation.openai")],
        split: CacheSplit::Reported,
        cannot: "Usage of a stream without `stream_options.include_usage`",
        fix: "Ask for `include_usage`",
        ..TRACELOOP
    },
    Profile {
        id: "traceloop_js",
        emitter: "@traceloop/instrumentation-langchain, -vertexai",
        scopes: &[
            Is("@traceloop/instrumentation-langchain"),
            Is("@traceloop/instrumentation-vertexai"),
        ],
        // 0.27.0 reads totals of the provider's usage and nothing else of it.
        split: CacheSplit::Never,
        cannot: "Cached tokens and reasoning",
        fix: "Use @arizeai/openinference-instrumentation-langchain",
        ..TRACELOOP
    },
    Profile {
        id: "traceloop_cohere",
        emitter: "opentelemetry-instrumentation-cohere (OpenLLMetry)",
        scopes: &[
            Is("opentelemetry.instrumentation.cohere"),
            Is("@traceloop/instrumentation-cohere"),
        ],
        split: CacheSplit::Reported,
        cannot: "Usage of embeddings",
        fix: "Nothing on the user's side",
        ..TRACELOOP
    },
    Profile {
        id: "traceloop_ollama",
        emitter: "opentelemetry-instrumentation-ollama (OpenLLMetry)",
        scopes: &[Is("opentelemetry.instrumentation.ollama")],
        // A local engine bills no cache.
        split: CacheSplit::Reported,
        cannot: "Nothing that is billed",
        fix: "Configure a price per token or per second of your own hardware",
        ..TRACELOOP
    },
    Profile {
        scopes: &[
            Starts("@traceloop/"),
            Is("traceloop.tracer"),
            Is("opentelemetry.instrumentation.mistralai"),
            Is("opentelemetry.instrumentation.groq"),
            Is("opentelemetry.instrumentation.together"),
            Is("opentelemetry.instrumentation.replicate"),
            Is("opentelemetry.instrumentation.watsonx"),
            Is("opentelemetry.instrumentation.alephalpha"),
            Is("opentelemetry.instrumentation.transformers"),
            Is("opentelemetry.instrumentation.sagemaker"),
            Is("opentelemetry.instrumentation.haystack"),
            Starts("opentelemetry.instrumentation.crewai"),
            Is("opentelemetry.instrumentation.agno"),
            Is("opentelemetry.instrumentation.writer"),
            Is("opentelemetry.instrumentation.voyageai"),
        ],
        markers: &[Marker::Has(Field::TraceloopKind), Marker::Has(Field::LlmRequestType)],
        ..TRACELOOP
    },
];
