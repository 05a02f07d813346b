//! Agent frameworks and the application frameworks that call models themselves.
//! Facts: conventions 3A, 3B [pai] [logfire] [adk] [strands] [maf] [meai] [sk] [azag] [spring] [ag2] [mastra].

use marginlake_lake::schema::Role;

use super::super::field::Field;
use super::super::profile::Pattern::{Is, Starts};
use super::super::profile::{BASE, CacheSplit, Habits, InputMode, Marker, OutputMode, Profile, Versions};

const SPRING: Profile = Profile {
    id: "spring_ai",
    emitter: "Spring AI (Micrometer)",
    input: InputMode::ExclusiveForAnthropic,
    output: OutputMode::Raw,
    names: &[
        (Starts("spring_ai chat_client"), Role::Chain),
        (Starts("spring_ai.chat.client"), Role::Chain),
        (Starts("spring.ai.chat.client"), Role::Chain),
        (Starts("spring.ai.advisor"), Role::Chain),
    ],
    cannot: "Its version, under a scope that has none: in 1.x later calls of a tool loop repeat the usage of earlier ones",
    fix: "Update to Spring AI 2, or keep the version of the scope",
    ..BASE
};

const SPRING_SUMS: Habits = Habits {
    cumulative: true,
    ..Habits::NONE
};

const LOGFIRE: Profile = Profile {
    id: "logfire",
    emitter: "Logfire (OpenAI, Anthropic and others)",
    input: InputMode::Inclusive,
    output: OutputMode::Inside,
    split: CacheSplit::Reported,
    // Before version 4.14 its spans name no operation, and the usage stands in the recorded response.
    names: &[
        (Starts("Chat Completion with"), Role::Llm),
        (Starts("Responses API with"), Role::Llm),
        (Starts("Completion with"), Role::Llm),
        (Starts("Message with"), Role::Llm),
        (Starts("Embedding Creation with"), Role::Embedding),
        (Starts("Image Generation with"), Role::Image),
        (Starts("streaming response from"), Role::Llm),
    ],
    habits: Habits {
        usage_follows: true,
        ..Habits::NONE
    },
    cannot: "Usage of a stream whose response is never consumed; in older versions that of any stream of the responses API",
    fix: "Consume the stream to its end; keep `gen_ai.usage.raw`",
    ..BASE
};

const STRANDS: Profile = Profile {
    id: "strands",
    emitter: "AWS Strands Agents",
    names: &[(Is("execute_event_loop_cycle"), Role::Step)],
    input: InputMode::TotalTells,
    output: OutputMode::Raw,
    split: CacheSplit::Reported,
    habits: Habits {
        server_ttft_in_ms: true,
        ..Habits::NONE
    },
    cannot: "Reasoning; the provider, which is taken from the model; an agent's span sums over its whole life",
    fix: "Set `gen_ai_use_latest_invocation_tokens`",
    ..BASE
};

/// Its spans carry no version; their names changed before cached tokens came.
static STRANDS_0: Profile = Profile {
    id: "strands_0",
    emitter: "AWS Strands Agents before 1.0",
    names: &[(Is("Model invoke"), Role::Llm)],
    input: InputMode::ExclusiveForAnthropic,
    split: CacheSplit::Never,
    cannot: "Cached tokens and reasoning: with Anthropic and Bedrock the input leaves cached tokens out, without a trace",
    fix: "Update to the newest version",
    ..STRANDS
};

/// The profiles that only a span's own attributes tell apart.
pub(super) static VARIANTS: &[&Profile] = &[&STRANDS_0];

pub(super) const PROFILES: &[Profile] = &[
    Profile {
        id: "pydantic_ai_0",
        emitter: "Pydantic AI before 1.3",
        scopes: &[Is("pydantic-ai")],
        versions: Versions { from: "", before: "1.3" },
        names: &[(Is("agent run"), Role::Agent), (Is("running tools"), Role::Chain)],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        cannot: "Cached tokens of OpenAI and Google",
        fix: "Update to the newest version",
        ..BASE
    },
    Profile {
        id: "pydantic_ai",
        emitter: "Pydantic AI",
        scopes: &[Is("pydantic-ai")],
        names: &[(Is("agent run"), Role::Agent), (Is("running tools"), Role::Chain)],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        split: CacheSplit::Reported,
        cannot: "Nothing that is billed",
        fix: "Nothing to do",
        ..BASE
    },
    Profile {
        id: "logfire_openai_agents",
        emitter: "Logfire, OpenAI Agents SDK",
        scopes: &[Is("logfire.openai_agents")],
        names: &[
            (Starts("Chat completion with"), Role::Llm),
            (Starts("Responses API with"), Role::Llm),
            (Starts("Turn "), Role::Step),
            (Starts("Task"), Role::Step),
            (Starts("Agent run"), Role::Agent),
            (Starts("OpenAI Agents trace"), Role::Workflow),
            (Starts("Function: "), Role::Tool),
        ],
        // Its own usage object stands under the bare key `usage`, on calls as on turns.
        habits: Habits {
            bare_keys: true,
            ..Habits::NONE
        },
        cannot: "Nothing that is billed",
        fix: "Nothing to do",
        ..LOGFIRE
    },
    Profile {
        scopes: &[Starts("logfire.")],
        ..LOGFIRE
    },
    Profile {
        id: "google_adk",
        emitter: "Google Agent Development Kit",
        scopes: &[Is("gcp.vertex.agent")],
        // Before version 2 `call_llm` is the call, and its attributes leave out what its recorded response tells.
        names: &[
            (Is("call_llm"), Role::Llm),
            (Is("invocation"), Role::Workflow),
            (Starts("agent_run"), Role::Agent),
        ],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        split: CacheSplit::Reported,
        habits: Habits {
            silent_calls_are_steps: true,
            ..Habits::NONE
        },
        cannot: "Response ids; before version 2 cached and thinking tokens when content is not captured, or the model is behind LiteLLM",
        fix: "Update to version 2, or leave `ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS` on: text is dropped here",
        ..BASE
    },
    Profile {
        scopes: &[Is("strands.telemetry.tracer"), Starts("strands.")],
        markers: &[
            Marker::Is(Field::GenAiSystem, "strands-agents"),
            Marker::Is(Field::GenAiProvider, "strands-agents"),
        ],
        variants: &[(Marker::Name(Is("Model invoke")), &STRANDS_0)],
        ..STRANDS
    },
    Profile {
        id: "microsoft_agent_framework",
        emitter: "Microsoft Agent Framework",
        scopes: &[Is("agent_framework"), Starts("agent_framework.")],
        input: InputMode::ExclusiveForAnthropic,
        output: OutputMode::Raw,
        cannot: "Cached tokens, for providers whose client does not report them",
        fix: "Use the newest version: betas of 2025 wrote the last call's usage on the agent",
        ..BASE
    },
    Profile {
        id: "microsoft_extensions_ai",
        emitter: "Microsoft.Extensions.AI (.NET)",
        scopes: &[
            Is("Experimental.Microsoft.Extensions.AI"),
            Starts("Experimental.Microsoft.Extensions.AI"),
        ],
        names: &[(Starts("orchestrate_tools"), Role::Step)],
        input: InputMode::ExclusiveForAnthropic,
        output: OutputMode::Raw,
        habits: Habits {
            usage_without_operation_is_step: true,
            ..Habits::NONE
        },
        cannot: "Single calls, when `UseOpenTelemetry` stands outside the function invocation: one span then holds their sum",
        fix: "Put `UseOpenTelemetry` inside, next to the client",
        ..BASE
    },
    Profile {
        id: "semantic_kernel",
        emitter: "Semantic Kernel",
        scopes: &[Starts("semantic_kernel."), Starts("Microsoft.SemanticKernel")],
        input: InputMode::Inclusive,
        output: OutputMode::Raw,
        cannot: "Cached tokens and reasoning; usage of connectors other than OpenAI's",
        fix: "Instrument the provider's SDK as well",
        ..BASE
    },
    Profile {
        id: "azure_ai_agents",
        emitter: "Azure AI Agents and Projects",
        scopes: &[
            Starts("azure.ai.agents"),
            Starts("azure.ai.projects"),
            Is("Azure.AI.Agents"),
            Starts("Azure.AI."),
        ],
        markers: &[Marker::Has(Field::RunId)],
        input: InputMode::Inclusive,
        output: OutputMode::Raw,
        cannot: "Single calls of a run: the run's usage stands on every span that touches it and is billed once",
        fix: "Nothing to do",
        ..BASE
    },
    Profile {
        id: "spring_ai_1",
        emitter: "Spring AI 1",
        scopes: &[Starts("org.springframework.ai")],
        versions: Versions { from: "", before: "2" },
        habits: SPRING_SUMS,
        cannot: "Single calls of a tool loop: each later call repeats the usage of the earlier ones, which is taken off",
        fix: "Update to Spring AI 2",
        ..SPRING
    },
    Profile {
        id: "spring_ai_2",
        emitter: "Spring AI 2",
        scopes: &[Starts("org.springframework.ai")],
        versions: Versions { from: "2", before: "" },
        cannot: "Nothing that is billed",
        fix: "Nothing to do",
        ..SPRING
    },
    // Spring Boot's tracer names itself and its own version; Spring AI 1 needs Boot 3, Spring AI 2 needs Boot 4.
    Profile {
        id: "spring_ai_boot_3",
        emitter: "Spring AI 1 under Spring Boot 3",
        scopes: &[Starts("org.springframework.boot")],
        versions: Versions { from: "3", before: "4" },
        habits: SPRING_SUMS,
        cannot: "Single calls of a tool loop: each later call repeats the usage of the earlier ones, which is taken off when the tool's span stands between them; its sums have no cache counts",
        fix: "Update to Spring AI 2",
        ..SPRING
    },
    Profile {
        id: "spring_ai_boot_4",
        emitter: "Spring AI 2 under Spring Boot 4",
        scopes: &[Starts("org.springframework.boot")],
        versions: Versions { from: "4", before: "" },
        cannot: "Nothing that is billed",
        fix: "Nothing to do",
        ..SPRING
    },
    Profile {
        scopes: &[Starts("org.springframework.ai"), Starts("org.springframework.boot")],
        markers: &[Marker::Has(Field::SpringKind), Marker::Is(Field::GenAiSystem, "spring_ai")],
        habits: SPRING_SUMS,
        ..SPRING
    },
    Profile {
        id: "mastra",
        emitter: "Mastra",
        scopes: &[Starts("@mastra/"), Is("mastra")],
        markers: &[Marker::Has(Field::MastraType)],
        input: InputMode::Inclusive,
        output: OutputMode::Inside,
        split: CacheSplit::Reported,
        cannot: "Nothing that is billed",
        fix: "Nothing to do",
        ..BASE
    },
    Profile {
        id: "genkit",
        emitter: "Genkit",
        scopes: &[Is("genkit-tracer")],
        markers: &[Marker::Has(Field::GenkitSubtype)],
        input: InputMode::Inclusive,
        output: OutputMode::Raw,
        split: CacheSplit::Reported,
        cannot: "Anything, when output is not recorded: usage stands inside it",
        fix: "Leave output recording on; its text is dropped here",
        ..BASE
    },
    Profile {
        id: "llama_index",
        emitter: "LlamaIndex, native (llama-index-observability-otel)",
        scopes: &[Is("llamaindex.opentelemetry.tracer")],
        output: OutputMode::Raw,
        split: CacheSplit::Reported,
        habits: Habits {
            events_tell_calls: true,
            ..Habits::NONE
        },
        cannot: "Usage of streams and of embeddings",
        fix: "Instrument the provider's SDK as well",
        ..BASE
    },
    Profile {
        id: "haystack",
        emitter: "Haystack, native",
        scopes: &[Starts("haystack")],
        markers: &[Marker::Has(Field::HaystackType), Marker::Has(Field::HaystackComponent)],
        names: &[
            (Is("haystack.pipeline.run"), Role::Workflow),
            // Since version 3 an agent calls its model itself, not as a component.
            (Is("haystack.agent.step.llm"), Role::Llm),
            (Is("haystack.agent.step.tool"), Role::Tool),
            (Is("haystack.agent.step"), Role::Step),
            (Starts("haystack.agent."), Role::Agent),
        ],
        output: OutputMode::Raw,
        habits: Habits {
            messages_carry_usage: true,
            ..Habits::NONE
        },
        cannot: "Usage, unless content tracing is on: it stands only within content",
        fix: "Set `HAYSTACK_CONTENT_TRACING_ENABLED`, whose text is dropped here, or instrument the provider's SDK",
        ..BASE
    },
    Profile {
        id: "crewai",
        emitter: "CrewAI, native",
        scopes: &[Starts("crewai")],
        cannot: "Usage: its own spans have none",
        fix: "Use OpenInference or OpenLLMetry beside it",
        ..BASE
    },
    Profile {
        id: "ag2",
        emitter: "AG2 and AutoGen",
        scopes: &[Starts("ag2"), Starts("autogen")],
        input: InputMode::ExclusiveForAnthropic,
        output: OutputMode::Raw,
        cannot: "Usage of autogen-core, whose spans have none",
        fix: "Instrument the provider's SDK",
        ..BASE
    },
];
