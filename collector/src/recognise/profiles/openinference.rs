//! OpenInference (Arize): `llm.token_count.*`, inclusive but for a few instrumentations and versions.
//! Facts: conventions 3B [oi-*]; captures `openinference-*`.

use super::super::field::Field;
use super::super::profile::Pattern::{Is, Starts};
use super::super::profile::{BASE, CacheSplit, Habits, InputMode, Marker, OutputMode, Profile, Versions};

const OPENINFERENCE: Profile = Profile {
    id: "openinference",
    emitter: "OpenInference, other instrumentations",
    input: InputMode::Inclusive,
    output: OutputMode::Inside,
    split: CacheSplit::Reported,
    cannot: "Usage of a stream that the provider was not asked for; the response id, but for the raw output",
    fix: "Ask for `stream_options.include_usage`; leave `OPENINFERENCE_HIDE_OUTPUTS` off: text is dropped here anyway",
    ..BASE
};

const LLAMA_INDEX: Profile = Profile {
    id: "openinference_llama_index",
    emitter: "openinference-instrumentation-llama-index",
    output: OutputMode::Raw,
    habits: Habits {
        private_methods_are_steps: true,
        ..Habits::NONE
    },
    cannot: "Response ids, so that a second instrumentation of the same call is matched by its numbers; usage of embeddings",
    fix: "Instrument either LlamaIndex or the provider's SDK",
    ..OPENINFERENCE
};

/// It reads the cached tokens of the chat completions API only.
static LLAMA_INDEX_RESPONSES: Profile = Profile {
    id: "openinference_llama_index_responses",
    emitter: "openinference-instrumentation-llama-index, `OpenAIResponses`",
    split: CacheSplit::Never,
    cannot: "Cached tokens and reasoning of the responses API; usage of its streams",
    fix: "Instrument the OpenAI SDK as well",
    ..LLAMA_INDEX
};

/// The profiles that only a span's own attributes tell apart.
pub(super) static VARIANTS: &[&Profile] = &[&LLAMA_INDEX_RESPONSES];

pub(super) const PROFILES: &[Profile] = &[
    Profile {
        id: "openinference_anthropic_0",
        emitter: "openinference-instrumentation-anthropic before 0.1.16",
        scopes: &[Is("openinference.instrumentation.anthropic")],
        versions: Versions {
            from: "",
            before: "0.1.16",
        },
        input: InputMode::Exclusive,
        split: CacheSplit::Never,
        cannot: "Cached tokens of any kind",
        fix: "Update to 0.1.16 or newer",
        ..OPENINFERENCE
    },
    Profile {
        id: "openinference_anthropic_0_1",
        emitter: "openinference-instrumentation-anthropic 0.1.16 to 0.1.x",
        scopes: &[Is("openinference.instrumentation.anthropic")],
        versions: Versions {
            from: "0.1.16",
            before: "0.2",
        },
        // A streamed call reports the uncached input alone, without any cache count.
        split: CacheSplit::Unknown,
        cannot: "Cached tokens of streamed calls, whose input is then too small without a trace",
        fix: "Update to the newest version",
        ..OPENINFERENCE
    },
    Profile {
        id: "openinference_anthropic",
        emitter: "openinference-instrumentation-anthropic",
        scopes: &[Is("openinference.instrumentation.anthropic")],
        cannot: "Cache writes by lifetime, but for the raw output",
        ..OPENINFERENCE
    },
    Profile {
        id: "openinference_agno",
        emitter: "openinference-instrumentation-agno",
        scopes: &[Is("openinference.instrumentation.agno")],
        input: InputMode::ExclusiveForAnthropic,
        output: OutputMode::Raw,
        ..OPENINFERENCE
    },
    Profile {
        id: "openinference_haystack",
        emitter: "openinference-instrumentation-haystack",
        scopes: &[Is("openinference.instrumentation.haystack")],
        output: OutputMode::Raw,
        split: CacheSplit::Unknown,
        habits: Habits {
            messages_carry_usage: true,
            ..Habits::NONE
        },
        cannot: "Cached tokens, but for the output's text; single calls of an agent: its result holds their sum",
        fix: "Instrument the provider's SDK as well",
        ..OPENINFERENCE
    },
    Profile {
        id: "openinference_claude_agent_sdk",
        emitter: "openinference-instrumentation-claude-agent-sdk",
        scopes: &[Is("openinference.instrumentation.claude_agent_sdk")],
        habits: Habits {
            session_is_run: true,
            ..Habits::NONE
        },
        cannot: "Single calls: the agent's span holds their sum",
        fix: "Export Claude Code's logs: they are the complete record and replace the sum",
        ..OPENINFERENCE
    },
    Profile {
        id: "openinference_google",
        emitter: "openinference-instrumentation-google-genai, -google-adk",
        scopes: &[
            Is("openinference.instrumentation.google_genai"),
            Is("openinference.instrumentation.google_adk"),
        ],
        ..OPENINFERENCE
    },
    Profile {
        id: "openinference_vertexai",
        emitter: "openinference-instrumentation-vertexai",
        scopes: &[Is("openinference.instrumentation.vertexai")],
        output: OutputMode::Raw,
        cannot: "Thinking tokens, which are inferred from the total",
        fix: "Use openinference-instrumentation-google-genai",
        ..OPENINFERENCE
    },
    Profile {
        scopes: &[Is("openinference.instrumentation.llama_index")],
        variants: &[(Marker::Name(Starts("OpenAIResponses.")), &LLAMA_INDEX_RESPONSES)],
        ..LLAMA_INDEX
    },
    Profile {
        id: "openinference_langchain_0",
        emitter: "openinference-instrumentation-langchain before 0.1.60",
        scopes: &[Is("openinference.instrumentation.langchain")],
        versions: Versions {
            from: "",
            before: "0.1.60",
        },
        input: InputMode::ExclusiveForAnthropic,
        cannot: "Whether Anthropic's input includes cached tokens, where the numbers do not prove it",
        fix: "Update to the newest version",
        ..OPENINFERENCE
    },
    Profile {
        id: "openinference_langchain",
        emitter: "openinference-instrumentation-langchain",
        scopes: &[Is("openinference.instrumentation.langchain")],
        ..OPENINFERENCE
    },
    Profile {
        id: "openinference_litellm",
        emitter: "openinference-instrumentation-litellm",
        scopes: &[Is("openinference.instrumentation.litellm")],
        ..OPENINFERENCE
    },
    Profile {
        id: "openinference_bedrock",
        emitter: "openinference-instrumentation-bedrock",
        scopes: &[Is("openinference.instrumentation.bedrock")],
        cannot: "Cache writes by lifetime",
        ..OPENINFERENCE
    },
    Profile {
        id: "openinference_bedrock_js",
        emitter: "@arizeai/openinference-instrumentation-bedrock",
        scopes: &[Is("@arizeai/openinference-instrumentation-bedrock")],
        // Raw counts; those of the cache stand in the recorded output, but for streams of Converse.
        input: InputMode::Exclusive,
        output: OutputMode::Raw,
        split: CacheSplit::Never,
        cannot: "Cached tokens of Converse's streams; the model of an inference profile (`us.…`), of which it names the vendor only",
        fix: "Name the model without a region; leave `OPENINFERENCE_HIDE_OUTPUTS` off: text is dropped here anyway",
        ..OPENINFERENCE
    },
    Profile {
        id: "openinference_openai",
        emitter: "openinference-instrumentation-openai (Python and JavaScript)",
        scopes: &[
            Is("openinference.instrumentation.openai"),
            Is("@arizeai/openinference-instrumentation-openai"),
        ],
        output: OutputMode::Raw,
        ..OPENINFERENCE
    },
    Profile {
        id: "openinference_openai_agents",
        emitter: "openinference-instrumentation-openai-agents",
        scopes: &[Is("openinference.instrumentation.openai_agents")],
        output: OutputMode::Raw,
        split: CacheSplit::Unknown,
        cannot: "Cached tokens and reasoning of the chat completions API, which the Agents SDK does not pass on",
        fix: "Use the responses API, or openinference-instrumentation-openai beside it",
        ..OPENINFERENCE
    },
    Profile {
        scopes: &[Starts("openinference."), Starts("@arizeai/openinference")],
        markers: &[Marker::Has(Field::OpenInferenceKind)],
        // Other instrumentations report cache counts only as far as their framework knows them.
        split: CacheSplit::Unknown,
        output: OutputMode::Raw,
        ..OPENINFERENCE
    },
];
