//! OpenTelemetry's own instrumentations and what follows its GenAI conventions natively.
//! Facts: conventions 3B, [oai-ot] [ant-ot] [goo-ot] [lc-ot] [boto]; captures `otel-*`, `anthropic-sdk-native`.

use super::super::profile::Pattern::{Is, Starts};
use super::super::profile::{BASE, CacheSplit, InputMode, OutputMode, Profile, Versions};

pub(super) const PROFILES: &[Profile] = &[
    Profile {
        id: "otel_anthropic",
        emitter: "opentelemetry-instrumentation-genai-anthropic",
        scopes: &[Is("opentelemetry.instrumentation.genai.anthropic")],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        split: CacheSplit::Reported,
        cannot: "Cache writes by lifetime: they are priced as five-minute writes",
        fix: "The Anthropic SDK's native spans carry the lifetimes",
        ..BASE
    },
    Profile {
        id: "otel_openai_v2",
        emitter: "opentelemetry-instrumentation-openai-v2",
        scopes: &[
            Is("opentelemetry.instrumentation.openai_v2"),
            // The handler of opentelemetry-util-genai 0.x, which it uses with the experimental conventions.
            Is("opentelemetry.util.genai.handler"),
        ],
        input: InputMode::Inclusive,
        output: OutputMode::Raw,
        split: CacheSplit::Never,
        cannot: "Cached tokens and reasoning; usage of a stream without `stream_options.include_usage`",
        fix: "Ask for `include_usage`; for cached tokens use opentelemetry-instrumentation-genai-openai, OpenInference or OpenLLMetry",
        ..BASE
    },
    Profile {
        id: "otel_openai",
        emitter: "opentelemetry-instrumentation-genai-openai",
        scopes: &[Is("opentelemetry.instrumentation.genai.openai")],
        input: InputMode::Inclusive,
        output: OutputMode::Raw,
        split: CacheSplit::Reported,
        cannot: "Usage of a stream without `stream_options.include_usage`",
        fix: "Ask for `include_usage`",
        ..BASE
    },
    Profile {
        id: "otel_google_genai",
        emitter: "opentelemetry-instrumentation-google-genai",
        scopes: &[Is("opentelemetry.instrumentation.google_genai")],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        split: CacheSplit::Reported,
        cannot: "Tool-use prompt tokens; with automatic function calling one span reports only the last of several requests",
        fix: "Switch automatic function calling off, or count on the provider's bill for it",
        ..BASE
    },
    Profile {
        id: "otel_langchain",
        emitter: "opentelemetry-instrumentation-genai-langchain",
        scopes: &[Is("opentelemetry.instrumentation.genai.langchain")],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        split: CacheSplit::Reported,
        cannot: "Cache writes by lifetime",
        fix: "Nothing to do for other providers than Anthropic",
        ..BASE
    },
    Profile {
        id: "otel_bedrock",
        emitter: "opentelemetry-instrumentation-botocore (Bedrock)",
        scopes: &[Starts("opentelemetry.instrumentation.botocore")],
        input: InputMode::Exclusive,
        output: OutputMode::Raw,
        // InvokeModel's body is read for input and output only.
        split: CacheSplit::Unknown,
        cannot: "Cache writes by lifetime; cached tokens of InvokeModel; some models' counts are estimates",
        fix: "Call Converse rather than InvokeModel",
        ..BASE
    },
    Profile {
        id: "otel_genai",
        emitter: "Other instrumentations of opentelemetry-python-genai",
        scopes: &[
            Starts("opentelemetry.instrumentation.genai."),
            Is("opentelemetry.util.genai"),
            Is("opentelemetry.instrumentation.openai_agents"),
            Is("opentelemetry.instrumentation.openai_agents_v2"),
            Is("opentelemetry.instrumentation.vertexai.genai"),
        ],
        versions: Versions::ANY,
        input: InputMode::Inclusive,
        output: OutputMode::Raw,
        split: CacheSplit::Unknown,
        cannot: "Cached tokens, where the underlying instrumentation does not report them",
        fix: "Use the newest version",
        ..BASE
    },
    Profile {
        id: "anthropic_sdk",
        emitter: "Anthropic SDK, native spans",
        scopes: &[
            Is("com.anthropic.sdk.python"),
            Is("com.anthropic.sdk.typescript"),
            Starts("com.anthropic.sdk."),
        ],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        split: CacheSplit::Reported,
        cannot: "Nothing that is billed",
        fix: "Nothing to do",
        ..BASE
    },
    Profile {
        id: "mistral_sdk",
        emitter: "Mistral SDK, native spans",
        scopes: &[Is("mistralai_sdk_tracer")],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        split: CacheSplit::Unknown,
        cannot: "Cached tokens",
        fix: "Nothing on the user's side",
        ..BASE
    },
];
