//! What a record is: the decision that says whether it can be a billable call. The words are the lake's
//! ([`marginlake_lake::schema::Role`]).
//!
//! The order of the keys is rule R2 of the conventions; a model's name alone never makes a record a call. Whether
//! a call is billed once or not at all is decided by settle, over the whole trace.

use marginlake_lake::schema::Role;

use super::field::Field;
use super::gather::Gathered;
use super::profile::Profile;

/// The role and the operation as the emitter names it; `None` when only usage keys speak for a call.
pub(crate) fn decide<'a>(profile: &Profile, name: &str, gathered: &Gathered<'_, 'a>) -> (Option<Role>, Option<&'a str>) {
    let operation = gathered
        .text(Field::OperationName)
        .or_else(|| gathered.text(Field::AiOperationId))
        .or_else(|| gathered.text(Field::LlmRequestType));
    for (pattern, role) in profile.names {
        if pattern.matches(name) {
            return (Some(*role), operation);
        }
    }
    for (field, rule) in RULES {
        let Some(kind) = gathered.text(*field) else { continue };
        if let Some(role) = rule(unquoted(kind)) {
            return (Some(role), operation.or(Some(kind)));
        }
    }
    (None, operation)
}

/// Emitters that JSON-encode every value (MLflow) put quotes around words.
fn unquoted(kind: &str) -> &str {
    kind.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(kind)
}

type Rule = fn(&str) -> Option<Role>;

/// The most specific key first: a framework's own kind says more than the operation that its exporter derives.
const RULES: &[(Field, Rule)] = &[
    (Field::LangfuseType, langfuse),
    (Field::OpenInferenceKind, openinference),
    (Field::LangsmithKind, langsmith),
    (Field::MastraType, mastra),
    (Field::AiOperationId, vercel),
    // Its operation for everything but models is `framework`.
    (Field::SpringKind, spring),
    (Field::OperationName, operation),
    (Field::TraceloopKind, traceloop),
    (Field::LlmRequestType, request_type),
    (Field::MlflowType, mlflow),
    (Field::SpanType, claude_code),
    (Field::GenkitSubtype, genkit),
    (Field::HaystackType, haystack),
];

fn langfuse(kind: &str) -> Option<Role> {
    Some(match kind {
        "generation" => Role::Llm,
        "embedding" => Role::Embedding,
        "agent" => Role::Agent,
        "chain" => Role::Chain,
        "tool" => Role::Tool,
        "retriever" => Role::Retriever,
        "evaluator" => Role::Evaluator,
        "guardrail" => Role::Guardrail,
        "event" => Role::Other,
        // `span` carried model and usage before langfuse 3.3: the usage decides.
        _ => return None,
    })
}

fn openinference(kind: &str) -> Option<Role> {
    Some(match kind {
        "LLM" | "DECISION" => Role::Llm,
        "EMBEDDING" => Role::Embedding,
        "RERANKER" => Role::Rerank,
        "AGENT" => Role::Agent,
        "CHAIN" => Role::Chain,
        "TOOL" => Role::Tool,
        "RETRIEVER" => Role::Retriever,
        "PROMPT" => Role::Prompt,
        "GUARDRAIL" => Role::Guardrail,
        "EVALUATOR" => Role::Evaluator,
        "TOKEN_COUNTER" => Role::TokenCounter,
        _ => return None,
    })
}

fn langsmith(kind: &str) -> Option<Role> {
    Some(match kind {
        "llm" => Role::Llm,
        "embedding" => Role::Embedding,
        "retriever" => Role::Retriever,
        "chain" => Role::Chain,
        "tool" => Role::Tool,
        "prompt" => Role::Prompt,
        "parser" => Role::Other,
        _ => return None,
    })
}

fn mastra(kind: &str) -> Option<Role> {
    Some(match kind.to_ascii_uppercase().as_str() {
        "MODEL_INFERENCE" | "MODEL_GENERATION" | "LLM_GENERATION" => Role::Llm,
        "MODEL_STEP" | "MODEL_CHUNK" | "LLM_CHUNK" => Role::Step,
        "AGENT_RUN" => Role::Agent,
        "WORKFLOW_RUN" => Role::Workflow,
        "WORKFLOW_STEP" => Role::Step,
        "TOOL_CALL" | "MCP_TOOL_CALL" => Role::Tool,
        "EMBEDDING" => Role::Embedding,
        _ => return None,
    })
}

fn vercel(operation: &str) -> Option<Role> {
    Some(match operation {
        "ai.embed.doEmbed" | "ai.embedMany.doEmbed" => Role::Embedding,
        "ai.embed" | "ai.embedMany" => Role::Step,
        "ai.rerank.doRerank" => Role::Rerank,
        "ai.rerank" => Role::Step,
        "ai.transcribe" | "ai.generateSpeech" => Role::Audio,
        "ai.generateImage" => Role::Image,
        "ai.toolCall" => Role::Tool,
        other if other.ends_with(".doGenerate") || other.ends_with(".doStream") => Role::Llm,
        "ai.generateText" | "ai.streamText" | "ai.generateObject" | "ai.streamObject" => Role::Step,
        _ => return None,
    })
}

fn spring(kind: &str) -> Option<Role> {
    Some(match kind {
        "chat_client" | "advisor" => Role::Chain,
        "tool_call" => Role::Tool,
        "vector_store" => Role::Retriever,
        _ => return None,
    })
}

/// `gen_ai.operation.name`, in the spellings of the convention's versions and of those who extend it.
fn operation(name: &str) -> Option<Role> {
    Some(match name {
        "chat" | "text_completion" | "text_completions" | "completion" | "generate_content" | "responses" | "response"
        | "generate" | "chat_completion" | "text_generation" | "llm_call" | "decide" | "message" | "messages" => Role::Llm,
        "embeddings" | "embedding" | "embed" => Role::Embedding,
        "rerank" | "reranking" => Role::Rerank,
        "image" | "images" | "image_generation" | "generate_image" | "image_edit" | "video" => Role::Image,
        "audio" | "speech" | "text_to_speech" | "speech_to_text" | "transcription" | "transcribe" | "translation"
        | "ai.transcribe" | "ai.generateSpeech" => Role::Audio,
        "invoke_agent" | "agent" => Role::Agent,
        "invoke_workflow" | "workflow" => Role::Workflow,
        "chain" | "framework" | "graph" => Role::Chain,
        "plan"
        | "agent_step"
        | "step"
        | "turn"
        | "task"
        | "execute_task"
        | "execute_event_loop_cycle"
        | "schedule_tool_calls" => Role::Step,
        "execute_tool" | "tool" | "tool_call" => Role::Tool,
        "retrieval" | "retrieve" | "vectordb" | "search_memory" => Role::Retriever,
        "guardrail" | "moderation" => Role::Guardrail,
        "evaluate" | "evaluation" => Role::Evaluator,
        "count_tokens" => Role::TokenCounter,
        "create_agent" | "fetch_response" | "get_response" | "get_responses" | "delete_response" | "list_responses" => {
            Role::Management
        }
        other if other.starts_with("litellm.") && other.ends_with("_management") => Role::Management,
        _ => return None,
    })
}

fn traceloop(kind: &str) -> Option<Role> {
    Some(match kind {
        "workflow" => Role::Workflow,
        "task" => Role::Step,
        "agent" => Role::Agent,
        "tool" => Role::Tool,
        _ => return None,
    })
}

fn request_type(kind: &str) -> Option<Role> {
    Some(match kind {
        "chat" | "completion" | "acompletion" => Role::Llm,
        "embedding" | "aembedding" => Role::Embedding,
        "rerank" => Role::Rerank,
        "image_generation" => Role::Image,
        _ => return None,
    })
}

fn mlflow(kind: &str) -> Option<Role> {
    Some(match kind {
        "CHAT_MODEL" | "LLM" => Role::Llm,
        "EMBEDDING" => Role::Embedding,
        "RERANKER" => Role::Rerank,
        "AGENT" => Role::Agent,
        "CHAIN" | "UNKNOWN" => Role::Chain,
        "WORKFLOW" => Role::Workflow,
        "TASK" => Role::Step,
        "TOOL" => Role::Tool,
        "RETRIEVER" => Role::Retriever,
        "GUARDRAIL" => Role::Guardrail,
        "EVALUATOR" => Role::Evaluator,
        "PARSER" | "MEMORY" => Role::Other,
        _ => return None,
    })
}

fn claude_code(kind: &str) -> Option<Role> {
    Some(match kind {
        "llm_request" => Role::Llm,
        "tool" => Role::Tool,
        "interaction" => Role::Agent,
        _ => return None,
    })
}

fn genkit(subtype: &str) -> Option<Role> {
    Some(match subtype {
        "model" => Role::Llm,
        "embedder" => Role::Embedding,
        "reranker" => Role::Rerank,
        "retriever" => Role::Retriever,
        "evaluator" => Role::Evaluator,
        "tool" => Role::Tool,
        "prompt" | "executable-prompt" => Role::Prompt,
        "flow" | "util" => Role::Workflow,
        _ => return None,
    })
}

/// The class of a Haystack component: `OpenAIChatGenerator`, `CohereTextEmbedder`.
fn haystack(class: &str) -> Option<Role> {
    Some(match class {
        // Runs on the machine itself.
        local if local.contains("Local") || local.contains("SentenceTransformers") => Role::Chain,
        class if class.ends_with("Generator") => Role::Llm,
        class if class.ends_with("Embedder") => Role::Embedding,
        class if class.ends_with("Retriever") => Role::Retriever,
        class if class.ends_with("Evaluator") => Role::Evaluator,
        "Agent" => Role::Agent,
        "ToolInvoker" => Role::Tool,
        _ => Role::Chain,
    })
}
