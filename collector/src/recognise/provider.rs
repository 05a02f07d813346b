//! The provider behind a record: aliases folded to the convention's values, routers and frameworks looked through.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::LazyLock;

use rustc_hash::FxHasher;

/// Folds the provider names a record carries, in order of trust; then the address, then the model decide.
pub(super) fn resolve<'a, 'm>(
    names: impl Iterator<Item = &'a str>,
    address: Option<&str>,
    mut models: impl Iterator<Item = &'m str>,
) -> Option<Cow<'a, str>> {
    let mut unknown = None;
    for name in names {
        match fold(name) {
            Folded::Known(provider) => return Some(Cow::Borrowed(provider)),
            Folded::NotAProvider => {}
            Folded::Unknown => {
                unknown.get_or_insert(without_kind(name));
            }
        }
    }
    let inferred = address.and_then(by_address).or_else(|| models.find_map(by_model));
    match (inferred, unknown) {
        (_, Some(name)) if name.len() <= 64 => Some(lower(name)),
        (Some(provider), _) => Some(Cow::Borrowed(provider)),
        _ => None,
    }
}

/// The kinds of model that the AI SDK writes after a provider's name: `deepinfra.chat`.
const KINDS: &[&str] = &[
    "chat",
    "completion",
    "responses",
    "embedding",
    "messages",
    "textEmbedding",
    "image",
    "speech",
    "transcription",
];

fn without_kind(name: &str) -> &str {
    match name.split_once('.') {
        Some((provider, kind)) if !provider.is_empty() && KINDS.contains(&kind) => provider,
        _ => name,
    }
}

fn lower(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

enum Folded {
    Known(&'static str),
    NotAProvider,
    Unknown,
}

/// The convention's values stand first on each line, then the aliases that emitters send.
const ALIASES: &[(&str, &[&str])] = &[
    (
        "openai",
        &[
            "openai.chat",
            "openai.responses",
            "openai.completion",
            "openai.embedding",
            "chatopenai",
        ],
    ),
    ("anthropic", &["anthropic.messages", "claude", "chatanthropic"]),
    (
        "aws.bedrock",
        &[
            "bedrock",
            "amazon-bedrock",
            "amazon_bedrock",
            "aws",
            "aws.anthropic",
            "bedrock_converse",
            "aws_bedrock",
            "amazon",
            "bedrock_converse",
        ],
    ),
    (
        "azure.ai.openai",
        &[
            "az.ai.openai",
            "azure.openai",
            "azure",
            "azure_openai",
            "azure-openai",
            "azure-openai.chat",
            "azure.chat",
            "azure-openai.responses",
            "azure.responses",
        ],
    ),
    ("azure.ai.inference", &["az.ai.inference", "azure_ai", "azure.ai.foundry"]),
    (
        "gcp.gemini",
        &[
            "gemini",
            "google",
            "google-gla",
            "google.generative-ai",
            "google_genai",
            "google.gemini",
            "googleai",
            "google_ai_studio",
            "google.generative-ai.chat",
        ],
    ),
    (
        "gcp.vertex_ai",
        &[
            "vertex_ai",
            "google-vertex",
            "gcp.anthropic",
            "vertexai",
            "google_vertexai",
            "vertex",
            "google_anthropic_vertex",
        ],
    ),
    ("gcp.gen_ai", &["gcp"]),
    ("cohere", &["cohere_chat", "cohere.chat"]),
    ("mistral_ai", &["mistral", "mistralai", "mistral.chat"]),
    ("deepseek", &["deepseek.chat"]),
    ("groq", &["groq.chat"]),
    ("perplexity", &["perplexity.chat"]),
    ("x_ai", &["xai", "xai.chat", "xai.responses"]),
    ("ibm.watsonx.ai", &["watsonx", "ibm"]),
    ("moonshot_ai", &["moonshot", "moonshotai"]),
    ("ollama", &[]),
    ("together_ai", &["together", "togetherai"]),
    ("fireworks_ai", &["fireworks"]),
    ("cerebras", &[]),
    ("voyage", &["voyageai"]),
    ("huggingface", &["hugging_face"]),
    ("replicate", &[]),
];

/// Frameworks, routers and exporters that put their own name where a provider's belongs.
const NOT_PROVIDERS: &[&str] = &[
    "strands-agents",
    "gcp.vertex.agent",
    "github",
    "langchain",
    "langgraph",
    "crewai",
    "litellm",
    "az.ai.agents",
    "azure.ai.agents",
    "microsoft.agent_framework",
    "spring_ai",
    "openrouter",
    "llamaindex",
    "llama_index",
    "haystack",
    "autogen",
    "agno",
    "dspy",
    "smolagents",
    "pydantic_ai",
    "openai_agents",
    "vercel",
    "gateway",
    "unknown",
    "_other",
    "other",
];

/// The convention's value for each name of [`ALIASES`]; where a name stands twice, the first line has it.
static PROVIDERS: LazyLock<HashMap<&str, &str, BuildHasherDefault<FxHasher>>> = LazyLock::new(|| {
    let mut providers = HashMap::default();
    for (provider, aliases) in ALIASES {
        for name in std::iter::once(provider).chain(*aliases) {
            providers.entry(*name).or_insert(*provider);
        }
    }
    providers
});

fn fold(name: &str) -> Folded {
    let known = |name: &str| PROVIDERS.get(name).copied();
    if let Some(provider) = known(name) {
        return Folded::Known(provider);
    }
    let name = lower(name.trim());
    if let Some(provider) = known(&name) {
        return Folded::Known(provider);
    }
    if NOT_PROVIDERS.contains(&&*name) {
        return Folded::NotAProvider;
    }
    match name.split('.').collect::<Vec<_>>()[..] {
        ["google", "vertex", ..] => Folded::Known("gcp.vertex_ai"),
        // `<provider>.<model kind>` of the AI SDK.
        [provider, kind] if KINDS.iter().any(|word| word.eq_ignore_ascii_case(kind)) => {
            known(provider).map_or(Folded::Unknown, Folded::Known)
        }
        _ if name.is_empty() => Folded::NotAProvider,
        // LlamaIndex's classes: `openai_llm`, `openai_responses_llm`; those that wrap another class name no provider.
        [class] if class.ends_with("_llm") => of_class(class.trim_end_matches("_llm"), known),
        _ => Folded::Unknown,
    }
}

/// A class of LlamaIndex without its suffix, and without the kind of API before that.
fn of_class(class: &str, known: impl Fn(&str) -> Option<&'static str>) -> Folded {
    let provider = class.split_once('_').map_or(class, |(provider, _)| provider);
    match known(class).or_else(|| known(provider)) {
        Some(provider) => Folded::Known(provider),
        None => Folded::NotAProvider,
    }
}

fn by_address(address: &str) -> Option<&'static str> {
    const HOSTS: &[(&str, &str)] = &[
        ("api.openai.com", "openai"),
        ("api.anthropic.com", "anthropic"),
        ("openai.azure.com", "azure.ai.openai"),
        ("cognitiveservices.azure.com", "azure.ai.openai"),
        ("services.ai.azure.com", "azure.ai.inference"),
        ("models.ai.azure.com", "azure.ai.inference"),
        ("generativelanguage.googleapis.com", "gcp.gemini"),
        ("aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("api.cohere.com", "cohere"),
        ("api.cohere.ai", "cohere"),
        ("api.mistral.ai", "mistral_ai"),
        ("api.deepseek.com", "deepseek"),
        ("api.groq.com", "groq"),
        ("api.perplexity.ai", "perplexity"),
        ("api.x.ai", "x_ai"),
        ("api.moonshot.ai", "moonshot_ai"),
        ("api.moonshot.cn", "moonshot_ai"),
        ("api.together.xyz", "together_ai"),
        ("api.fireworks.ai", "fireworks_ai"),
        ("api.cerebras.ai", "cerebras"),
        ("api.voyageai.com", "voyage"),
    ];
    if address.contains("bedrock") && address.contains("amazonaws.com") {
        return Some("aws.bedrock");
    }
    HOSTS
        .iter()
        .find(|(host, _)| address.contains(host))
        .map(|(_, provider)| *provider)
}

/// Names that only one provider gives. Open-weight models say nothing of who serves them.
fn by_model(model: &str) -> Option<&'static str> {
    if let Some((prefix, _)) = model.split_once('/')
        && let Folded::Known(provider) = fold(prefix)
    {
        return Some(provider);
    }
    let bedrock = [
        "anthropic.",
        "amazon.",
        "meta.llama",
        "cohere.command-",
        "mistral.",
        "ai21.",
        "us.",
        "eu.",
        "apac.",
        "global.",
    ];
    if bedrock.iter().any(|prefix| model.starts_with(prefix)) && model.contains('.') && !model.starts_with("us.gpt") {
        return Some("aws.bedrock");
    }
    const FAMILIES: &[(&str, &str)] = &[
        ("gpt-", "openai"),
        ("chatgpt-", "openai"),
        ("o1", "openai"),
        ("o3", "openai"),
        ("o4-", "openai"),
        ("text-embedding-3", "openai"),
        ("text-embedding-ada", "openai"),
        ("whisper-1", "openai"),
        ("dall-e", "openai"),
        ("claude-", "anthropic"),
        ("gemini-", "gcp.gemini"),
        ("command-", "cohere"),
        ("embed-v", "cohere"),
        ("rerank-v", "cohere"),
        ("mistral-", "mistral_ai"),
        ("codestral-", "mistral_ai"),
        ("grok-", "x_ai"),
        ("sonar", "perplexity"),
        ("deepseek-", "deepseek"),
        ("voyage-", "voyage"),
    ];
    FAMILIES
        .iter()
        .find(|(family, _)| model.starts_with(family))
        .map(|(_, provider)| *provider)
}

/// Whether raw counts of this provider hold cached tokens beside the input.
pub(crate) fn counts_cache_beside(provider: Option<&str>, model: Option<&str>) -> bool {
    match provider {
        Some("anthropic" | "aws.bedrock") => true,
        // Claude on Vertex and Azure keeps Anthropic's counts.
        Some("gcp.vertex_ai" | "azure.ai.inference") | None => model.is_some_and(|model| model.contains("claude")),
        _ => false,
    }
}

/// Whether a model of Bedrock has no prompt cache at all, so that nothing can be missing.
pub(crate) fn has_no_cache(provider: Option<&str>, model: Option<&str>) -> bool {
    const FAMILIES: &[&str] = &["titan", "llama", "mistral", "mixtral", "cohere", "command-r", "jamba"];
    provider == Some("aws.bedrock") && model.is_some_and(|model| FAMILIES.iter().any(|family| model.contains(family)))
}

/// Whether the provider is Google.
pub(crate) fn is_google(provider: Option<&str>) -> bool {
    matches!(provider, Some("gcp.gemini" | "gcp.vertex_ai" | "gcp.gen_ai"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_fold_and_frameworks_are_looked_through() {
        for (names, address, models, expected) in [
            (&["openai.chat"][..], None, &[][..], Some("openai")),
            (&["Anthropic"], None, &[], Some("anthropic")),
            (&["google.vertex.anthropic"], None, &[], Some("gcp.vertex_ai")),
            (&["deepinfra.chat"], None, &["deepseek-ai/DeepSeek-V3"], Some("deepinfra")),
            (&["cerebras.chat"], None, &[], Some("cerebras")),
            (&["some.host"], None, &[], Some("some.host")),
            (
                &["strands-agents"],
                None,
                &["us.anthropic.claude-sonnet-4-5-20250929-v1:0"],
                Some("aws.bedrock"),
            ),
            (&["strands-agents"], None, &["gpt-4.1"], Some("openai")),
            (&["langchain", "openai"], None, &[], Some("openai")),
            (&["openrouter"], None, &["openai/gpt-4.1"], Some("openai")),
            (&["github"], None, &["claude-sonnet-4"], Some("anthropic")),
            (&[], Some("api.x.ai"), &[], Some("x_ai")),
            (&[], Some("bedrock-runtime.us-east-1.amazonaws.com"), &[], Some("aws.bedrock")),
            (&["AcmeLLM"], None, &["gpt-4.1"], Some("acmellm")),
            (&["langchain"], None, &["llama3.2"], None),
            (&[], None, &[], None),
        ] {
            let found = resolve(names.iter().copied(), address, models.iter().copied());
            assert_eq!(found.as_deref(), expected, "{names:?} {address:?} {models:?}");
        }
    }
}
