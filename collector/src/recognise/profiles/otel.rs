//! OpenTelemetry's own instrumentations and what follows its GenAI conventions natively.
//! Facts: conventions 3B, [oai-ot] [ant-ot] [goo-ot] [lc-ot] [boto]; captures `otel-*`, `anthropic-sdk-native`.

use super::super::profile::Pattern::{Is, Starts};
use super::super::profile::{BASE, CacheSplit, InputMode, Marker, OutputMode, Profile, Versions};

const BEDROCK: Profile = Profile {
    id: "otel_bedrock",
    emitter: "opentelemetry-instrumentation-botocore (Bedrock), Converse",
    input: InputMode::Exclusive,
    output: OutputMode::Raw,
    // Zeros are left out.
    split: CacheSplit::Reported,
    cannot: "Cache writes by lifetime",
    fix: "Nothing to do for models whose cache has one lifetime",
    ..BASE
};

/// The body of the answer is read for input and output only.
static BEDROCK_INVOKE: Profile = Profile {
    id: "otel_bedrock_invoke",
    emitter: "opentelemetry-instrumentation-botocore (Bedrock), InvokeModel",
    split: CacheSplit::Never,
    cannot: "Cached tokens; counts of Mistral's and Cohere's models, which are estimates",
    fix: "Call Converse rather than InvokeModel",
    ..BEDROCK
};

/// The profiles that only a span's own attributes tell apart.
pub(super) static VARIANTS: &[&Profile] = &[&BEDROCK_INVOKE];

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
        emitter: "opentelemetry-instrumentation-openai-v2, @opentelemetry/instrumentation-openai",
        scopes: &[
            Is("opentelemetry.instrumentation.openai_v2"),
            // The handler of opentelemetry-util-genai 0.x, which it uses with the experimental conventions.
            Is("opentelemetry.util.genai.handler"),
            Is("@opentelemetry/instrumentation-openai"),
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
        scopes: &[Starts("opentelemetry.instrumentation.botocore")],
        variants: &[(Marker::Says("rpc.method", Starts("InvokeModel")), &BEDROCK_INVOKE)],
        ..BEDROCK
    },
    Profile {
        id: "otel_bedrock_js",
        emitter: "@opentelemetry/instrumentation-aws-sdk (Bedrock)",
        scopes: &[Is("@opentelemetry/instrumentation-aws-sdk")],
        split: CacheSplit::Never,
        cannot: "Cached tokens; the output of Claude's InvokeModel streams: it sends the first count of the stream",
        fix: "Use @arizeai/openinference-instrumentation-bedrock",
        ..BEDROCK
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
