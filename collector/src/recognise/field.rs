//! The fields we read and every spelling under which emitters send them: one table, the newest spelling first.
//!
//! Spellings of one field are alternatives, never added (rule N1): the first that is present counts, and a
//! disagreement is flagged. Source: `docs/conventions.md`, "Fields and their spellings".

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// One field of a record, whatever its spelling.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub(crate) enum Field { $($(#[$doc])* $name),+ }

        impl Field {
            pub(crate) const ALL: &'static [Field] = &[$(Field::$name),+];
        }
    };
}

fields! {
    // What the record is.
    LangfuseType, OpenInferenceKind, LangsmithKind, MastraType, AiOperationId, OperationName, TraceloopKind,
    LlmRequestType, MlflowType, SpanType, GenkitSubtype, EventName, EventKind,
    // Who was called.
    GenAiProvider, GenAiSystem, LlmProvider, LlmSystem, ModelProvider, LsProvider,
    RequestModel, ResponseModel, RoutedModel, ResponseId, RunId, ServerAddress, BaseUrl, RequestId, Sequence,
    // How.
    Streaming, FinishReasons, TtftSeconds, TtftMillis, TtftServer, CompletionStart, ErrorType, StatusLevel, Success,
    ServiceTier, RequestServiceTier, Speed, InferenceGeo, CloudRegion, Batch, CacheHit, OutputType,
    // Token counts.
    Input, Output, Total, CacheRead, CacheWrite, CacheWrite5m, CacheWrite1h, Uncached, Reasoning, OutputText,
    InputAudio, OutputAudio, InputImage, OutputImage, CacheReadAudio, CacheReadImage, ToolPrompt, Embedding,
    // Other units.
    WebSearches, RerankSearches, AudioSeconds, Pages, Characters,
    // Usage inside text.
    RawUsage, UsageDetails, InputDetails, OutputDetails, ProviderMetadata, OutputPayload, CallPayload, RequestPayload, ActionName,
    // Reported cost.
    CostCharge, CostAmount, CostCurrency, CostEstimate, CostMicros, CostJson, CostAggregate,
    // What only one emitter sends.
    LitellmCallId,
    CloudflareProvider,
    CloudflarePrompt,
    VllmLatency,
    OpenlitAgent,
    SpringKind,
    HaystackComponent,
    HaystackType,
    // Whom it was for.
    Customer, User, Conversation, Feature, Task, Agent, PromptName, PromptVersion, Environment, Metadata, TraceloopEntity,
    LinkedPrompts,
}

/// Number of [`Field`]s.
pub(crate) const FIELDS: usize = Field::ALL.len();

impl Field {
    /// Whether the field holds a count of tokens or of another unit.
    pub(crate) fn is_count(self) -> bool {
        (Field::Input as u8..=Field::Characters as u8).contains(&(self as u8))
    }

    /// The fields of `usage_raw`: numbers, or objects of numbers without any text.
    pub(crate) fn usage() -> impl Iterator<Item = &'static Field> {
        Field::ALL[Field::Input as usize..=Field::OutputDetails as usize].iter()
    }
}

/// Every spelling in the order of preference.
pub(crate) const SPELLINGS: &[(Field, &[&str])] = &[
    (Field::LangfuseType, &["langfuse.observation.type"]),
    (Field::OpenInferenceKind, &["openinference.span.kind"]),
    (Field::LangsmithKind, &["langsmith.span.kind"]),
    (Field::MastraType, &["mastra.span.type"]),
    (Field::AiOperationId, &["ai.operationId"]),
    (Field::OperationName, &["gen_ai.operation.name"]),
    (Field::TraceloopKind, &["traceloop.span.kind"]),
    (Field::TraceloopEntity, &["traceloop.entity.name"]),
    (Field::LinkedPrompts, &["mlflow.linkedPrompts"]),
    (Field::LlmRequestType, &["llm.request.type"]),
    (Field::MlflowType, &["mlflow.spanType"]),
    (Field::SpanType, &["span.type"]),
    (Field::GenkitSubtype, &["genkit:metadata:subtype"]),
    (Field::EventName, &["event.name"]),
    (Field::EventKind, &["event.kind"]),
    (Field::GenAiProvider, &["gen_ai.provider.name"]),
    (Field::GenAiSystem, &["gen_ai.system"]),
    (Field::LlmProvider, &["llm.provider"]),
    (Field::LlmSystem, &["llm.system"]),
    (Field::ModelProvider, &["ai.model.provider", "mlflow.llm.provider"]),
    (
        Field::LsProvider,
        &[
            "traceloop.association.properties.ls_provider",
            "langfuse.observation.metadata.ls_provider",
            "ls_provider",
        ],
    ),
    (Field::LitellmCallId, &["litellm.call_id"]),
    (Field::CloudflareProvider, &["gen_ai.model.provider"]),
    (Field::CloudflarePrompt, &["gen_ai.prompt_json"]),
    (Field::VllmLatency, &["gen_ai.latency.e2e", "gen_ai.latency.time_in_queue"]),
    (Field::OpenlitAgent, &["openlit.agent.version_hash"]),
    (Field::SpringKind, &["spring.ai.kind"]),
    (Field::HaystackType, &["haystack.component.type"]),
    (
        Field::HaystackComponent,
        &[
            "haystack.component.name",
            "haystack.pipeline.input_data",
            "haystack.agent.max_steps",
            "haystack.agent.step.llm.input",
        ],
    ),
    (
        Field::RequestModel,
        &[
            "gen_ai.request.model",
            "llm.request.model_name",
            "llm.model_name",
            "embedding.model_name",
            "reranker.model_name",
            "ai.model.id",
            "langfuse.observation.model.name",
            "mlflow.llm.model",
        ],
    ),
    (Field::RoutedModel, &["litellm.provider.model"]),
    (
        Field::ResponseModel,
        &["gen_ai.response.model", "llm.response.model_name", "ai.response.model"],
    ),
    (
        Field::ResponseId,
        // vLLM names a response after its request.
        &["gen_ai.response.id", "ai.response.id", "gen_ai.request.id"],
    ),
    (Field::RunId, &["gen_ai.thread.run.id"]),
    (Field::ServerAddress, &["server.address"]),
    (Field::BaseUrl, &["gen_ai.openai.api_base", "url.full"]),
    (
        Field::Streaming,
        &[
            "gen_ai.request.stream",
            "gen_ai.is_streaming",
            "llm.is_streaming",
            "litellm.request.streaming",
        ],
    ),
    (
        Field::FinishReasons,
        &[
            "gen_ai.response.finish_reasons",
            "gen_ai.response.finish_reason",
            "llm.finish_reason",
            "ai.response.finishReason",
            "anthropic.message.stop_reason",
            "gen_ai.completion.0.finish_reason",
            "langfuse.observation.metadata.finish_reason",
        ],
    ),
    (
        Field::TtftSeconds,
        &[
            "gen_ai.response.time_to_first_chunk",
            "gen_ai.client.operation.time_to_first_chunk",
            "gen_ai.latency.time_to_first_token",
            "github.copilot.time_to_first_chunk",
        ],
    ),
    (
        Field::TtftMillis,
        &[
            "ai.response.msToFirstChunk",
            "ai.stream.msToFirstChunk",
            "copilot_chat.time_to_first_token",
            "trace.metadata.openrouter.first_token_ms",
        ],
    ),
    // Seconds by its convention, milliseconds from Strands: the profile decides.
    (Field::TtftServer, &["gen_ai.server.time_to_first_token"]),
    (Field::CompletionStart, &["langfuse.observation.completion_start_time"]),
    (Field::ErrorType, &["error.type"]),
    (Field::StatusLevel, &["langfuse.observation.level"]),
    (
        Field::ServiceTier,
        &[
            "openai.response.service_tier",
            "gen_ai.openai.response.service_tier",
            "gen_ai.response.service_tier",
            "anthropic.response.service_tier",
            "gen_ai.cost.service_tier",
        ],
    ),
    (
        Field::RequestServiceTier,
        &[
            "openai.request.service_tier",
            "gen_ai.openai.request.service_tier",
            "gen_ai.request.service_tier",
        ],
    ),
    (
        Field::InferenceGeo,
        &["anthropic.response.inference_geo", "gen_ai.response.inference_geo"],
    ),
    (Field::CloudRegion, &["aws.region", "gcp.vertex.location", "cloud.region"]),
    (Field::Batch, &["gen_ai.request.batch", "gen_ai.batch"]),
    (
        Field::CacheHit,
        &["litellm.cache_hit", "gen_ai.cache.hit", "cf-aig-cache-hit"],
    ),
    (Field::OutputType, &["gen_ai.output.type"]),
    (
        Field::Input,
        &[
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.prompt_tokens",
            "llm.token_count.prompt",
            "ai.usage.inputTokens",
            "ai.usage.promptTokens",
            "llm.usage.prompt_tokens",
            "decision.token_count.input",
        ],
    ),
    (
        Field::Output,
        &[
            "gen_ai.usage.output_tokens",
            "gen_ai.usage.completion_tokens",
            "llm.token_count.completion",
            "ai.usage.outputTokens",
            "ai.usage.completionTokens",
            "llm.usage.completion_tokens",
            "decision.token_count.output",
        ],
    ),
    (
        Field::Total,
        &[
            "gen_ai.usage.total_tokens",
            "llm.usage.total_tokens",
            "llm.token_count.total",
            "ai.usage.totalTokens",
            "codex.usage.total_tokens",
            // OpenLIT puts the metric's name on spans as well.
            "gen_ai.client.token.usage",
        ],
    ),
    (
        Field::CacheRead,
        &[
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.input_tokens.cached",
            "gen_ai.usage.details.cache_read_tokens",
            "gen_ai.usage.details.cache_read_input_tokens",
            "gen_ai.usage.details.cached_tokens",
            "gen_ai.usage.details.cached_content_tokens",
            "gen_ai.usage.prompt_tokens_details.cached_tokens",
            "gen_ai.usage.cached_tokens",
            "llm.token_count.prompt_details.cache_read",
            "ai.usage.inputTokenDetails.cacheReadTokens",
            "ai.usage.cachedInputTokens",
        ],
    ),
    (
        Field::CacheWrite,
        &[
            "gen_ai.usage.cache_write.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.cache_write_input_tokens",
            "gen_ai.usage.input_tokens.cache_write",
            "gen_ai.usage.input_tokens.cache_creation",
            "gen_ai.usage.details.cache_write_tokens",
            "gen_ai.usage.details.cache_creation_input_tokens",
            "llm.token_count.prompt_details.cache_write",
            "ai.usage.inputTokenDetails.cacheWriteTokens",
        ],
    ),
    (
        Field::CacheWrite5m,
        &[
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
            "gen_ai.usage.cache_creation.5m_input_tokens",
            "gen_ai.usage.details.ephemeral_5m_input_tokens",
        ],
    ),
    (
        Field::CacheWrite1h,
        &[
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
            "gen_ai.usage.cache_creation.1h_input_tokens",
            "gen_ai.usage.details.ephemeral_1h_input_tokens",
        ],
    ),
    (
        Field::Uncached,
        &[
            "ai.usage.inputTokenDetails.noCacheTokens",
            "gen_ai.usage.non_cached_input_tokens",
        ],
    ),
    (
        Field::Reasoning,
        &[
            "gen_ai.usage.reasoning.output_tokens",
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.output_tokens.reasoning",
            "gen_ai.usage.completion_tokens_details.reasoning_tokens",
            "gen_ai.usage.thinking_tokens",
            "gen_ai.usage.details.reasoning_tokens",
            "gen_ai.usage.details.thoughts_tokens",
            "llm.usage.reasoning_tokens",
            "llm.token_count.completion_details.reasoning",
            "ai.usage.outputTokenDetails.reasoningTokens",
            "ai.usage.reasoningTokens",
            "codex.usage.reasoning_output_tokens",
        ],
    ),
    (Field::OutputText, &["ai.usage.outputTokenDetails.textTokens"]),
    (
        Field::InputAudio,
        &[
            "gen_ai.usage.audio.input_tokens",
            "gen_ai.usage.input_audio_tokens",
            "gen_ai.usage.audio_input_tokens",
            "gen_ai.usage.details.input_audio_tokens",
            "llm.token_count.prompt_details.audio",
        ],
    ),
    (
        Field::OutputAudio,
        &[
            "gen_ai.usage.audio.output_tokens",
            "gen_ai.usage.output_audio_tokens",
            "gen_ai.usage.audio_output_tokens",
            "gen_ai.usage.details.output_audio_tokens",
            "llm.token_count.completion_details.audio",
        ],
    ),
    (
        Field::InputImage,
        &["gen_ai.usage.image.input_tokens", "gen_ai.usage.details.input_image_tokens"],
    ),
    (
        Field::OutputImage,
        &["gen_ai.usage.image.output_tokens", "gen_ai.usage.details.output_image_tokens"],
    ),
    (
        Field::CacheReadAudio,
        &[
            "gen_ai.usage.audio.cache_read.input_tokens",
            "gen_ai.usage.details.cache_audio_read_tokens",
        ],
    ),
    (Field::CacheReadImage, &["gen_ai.usage.image.cache_read.input_tokens"]),
    (Field::ToolPrompt, &["gen_ai.usage.details.tool_use_prompt_tokens"]),
    (Field::Embedding, &["ai.usage.tokens"]),
    (
        Field::WebSearches,
        &[
            "gen_ai.usage.details.web_search_requests",
            "gen_ai.usage.web_searches",
            "anthropic.usage.server_tool_use.web_search_requests",
        ],
    ),
    (
        Field::RerankSearches,
        &["gen_ai.usage.search_units", "gen_ai.usage.rerank_searches"],
    ),
    (
        Field::AudioSeconds,
        &[
            "gen_ai.usage.seconds",
            "gen_ai.usage.audio_seconds",
            "gen_ai.usage.durationSeconds",
        ],
    ),
    (Field::Pages, &["gen_ai.usage.pages", "gen_ai.usage.document_pages"]),
    (
        Field::Characters,
        &["gen_ai.usage.characters", "gen_ai.usage.input_characters"],
    ),
    (Field::RawUsage, &["gen_ai.usage.raw", "metadata.usage_object"]),
    (
        Field::UsageDetails,
        &[
            "langfuse.observation.usage_details",
            "mlflow.chat.tokenUsage",
            "langsmith.metadata.usage_metadata",
            "crewai.crew.usage_metrics",
        ],
    ),
    (Field::ProviderMetadata, &["ai.response.providerMetadata"]),
    (Field::InputDetails, &["gen_ai.usage.input_token_details"]),
    (Field::OutputDetails, &["gen_ai.usage.output_token_details"]),
    (
        Field::OutputPayload,
        &[
            "output.value",
            "mlflow.spanOutputs",
            "genkit:output",
            "response_data",
            "haystack.component.output",
            "haystack.agent.output",
            "haystack.agent.step.llm.output",
            "gcp.vertex.agent.llm_response",
            "gen_ai.completion",
        ],
    ),
    // The output of whatever was decorated: a call's holds its response, all others' anything.
    (Field::CallPayload, &["traceloop.entity.output"]),
    // The name of an action, which of a model's is the model.
    (Field::ActionName, &["genkit:name"]),
    // Read for the model's name alone.
    (Field::RequestPayload, &["request_data"]),
    (
        Field::CostCharge,
        &["litellm.cost.total", "gen_ai.cost.total_cost", "gen_ai.usage.total_cost"],
    ),
    (Field::CostAmount, &["gen_ai.usage.cost.amount"]),
    (Field::CostCurrency, &["gen_ai.usage.cost.currency"]),
    (
        Field::CostEstimate,
        &["gen_ai.usage.cost", "llm.cost.total", "operation.cost", "github.copilot.cost"],
    ),
    (Field::CostJson, &["langfuse.observation.cost_details", "mlflow.llm.cost"]),
    (Field::CostAggregate, &["usage.estimated_usd", "codex.turn_cost"]),
];

/// Keys without a namespace, as the command-line products send them: read only under a profile that says so.
pub(crate) const BARE_SPELLINGS: &[(Field, &[&str])] = &[
    (Field::RequestModel, &["model"]),
    (Field::Input, &["input_tokens", "input_token_count"]),
    (Field::Output, &["output_tokens", "output_token_count"]),
    (Field::Total, &["total_token_count"]),
    (
        Field::CacheRead,
        &["cache_read_tokens", "cached_token_count", "cached_content_token_count"],
    ),
    (Field::CacheWrite, &["cache_creation_tokens", "cache_write_token_count"]),
    (Field::CacheWrite5m, &["cache_creation_5m_tokens"]),
    (Field::CacheWrite1h, &["cache_creation_1h_tokens"]),
    (Field::Reasoning, &["reasoning_token_count", "thoughts_token_count"]),
    (Field::ToolPrompt, &["tool_token_count"]),
    (Field::TtftMillis, &["ttft_ms"]),
    (Field::CostMicros, &["cost_usd_micros"]),
    (Field::CostEstimate, &["cost_usd"]),
    (Field::Speed, &["speed"]),
    (Field::RequestId, &["request_id", "client_request_id", "prompt_id"]),
    (Field::Sequence, &["event.sequence", "event.timestamp"]),
    (Field::Success, &["success"]),
    (Field::FinishReasons, &["stop_reason"]),
    (Field::UsageDetails, &["usage"]),
];

/// Attributes that hold what people and models said. They are never kept, whatever the configuration names.
pub(crate) fn is_content(key: &str) -> bool {
    const PREFIXES: &[&str] = &[
        "gen_ai.prompt.",
        "mastra.metadata.body",
        "mastra.metadata.headers",
        "mastra.agent_run.",
        "mastra.workflow",
        "mastra.model_",
        "mastra.tool_call.",
        "mastra.mcp_tool_call.",
        "gcp.vertex.agent.data",
        "gcp.vertex.agent.llm_",
        "gcp.vertex.agent.tool_",
        "gen_ai.completion",
        "gen_ai.input.",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "gen_ai.tool.call.",
        "gen_ai.task.input",
        "gen_ai.task.output",
        "gen_ai.prompt_json",
        "input.value",
        "output.value",
        "llm.input_messages",
        "llm.output_messages",
        "llm.prompts",
        "llm.completions",
        "ai.prompt",
        "ai.response.text",
        "ai.response.object",
        "ai.response.toolCalls",
        "ai.response.reasoning",
        "ai.toolCall.args",
        "ai.toolCall.result",
        "ai.value",
        "traceloop.entity.input",
        "traceloop.entity.output",
        "langfuse.observation.input",
        "langfuse.observation.output",
        "langfuse.trace.input",
        "langfuse.trace.output",
        "mlflow.spanInputs",
        "mlflow.spanOutputs",
        "genkit:input",
        "genkit:output",
        "retrieval.documents",
        "embedding.embeddings",
        "pydantic_ai.all_messages",
        "request_data",
        "response_data",
        "haystack.component.input",
        "haystack.component.output",
        "haystack.agent.input",
        "haystack.agent.output",
        "haystack.agent.step.",
        "haystack.pipeline.input_data",
        "haystack.pipeline.output_data",
    ];
    matches!(
        key,
        "prompt" | "response" | "final_result" | "all_messages_events" | "events" | "gen_ai.prompt"
    ) || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}
