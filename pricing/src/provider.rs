//! Who served the call: names, hosts, and what is no provider at all.
//!
//! A name is folded (lower case, `_ . space /` as `-`) and looked up whole; then without its last dotted part,
//! because the Vercel AI SDK writes `openai.chat`. There is no guessing by substring. A host names a provider
//! only through an anchored pattern.

use hashbrown::HashMap;
use std::borrow::Cow;

use crate::catalogue::Catalogue;
use crate::host::{Endpoint, HostPattern};

/// Index of a provider in its catalogue.
pub(crate) type ProviderIndex = u16;

/// The names and hosts of all providers of a catalogue.
#[derive(Debug, Default)]
pub(crate) struct ProviderNames {
    by_name: HashMap<Box<str>, ProviderIndex>,
    hosts: Vec<(HostPattern, ProviderIndex)>,
}

/// Values that emitters put where the provider belongs, and that are frameworks, gateways or nothing.
const NOT_PROVIDERS: [&str; 47] = [
    "-other",
    "other",
    "unknown",
    "none",
    "null",
    "undefined",
    "n-a",
    "custom",
    "default",
    "generic",
    "langchain",
    "langgraph",
    "langchain-core",
    "langsmith",
    "langfuse",
    "litellm",
    "litellm-proxy",
    "llamaindex",
    "llama-index",
    "crewai",
    "haystack",
    "semantic-kernel",
    "autogen",
    "ag2",
    "strands-agents",
    "strands",
    "pydantic-ai",
    "dspy",
    "smolagents",
    "agno",
    "phidata",
    "vercel",
    "ai-sdk",
    "vercel-ai",
    "mastra",
    "spring-ai",
    "openlit",
    "traceloop",
    "openinference",
    "microsoft-agent-framework",
    "microsoft.agents.ai",
    "custom-openai",
    "openai-compatible",
    "openai-like",
    "openai-compatible-chat",
    "instructor",
    "guardrails",
];

/// Providers that emitters name and that no built-in price list covers: canonical name, then other spellings.
const UNLISTED: [(&str, &[&str]); 14] = [
    (
        "ibm.watsonx.ai",
        &["watsonx", "ibm-watsonx", "watsonx-ai", "ibm-watsonx-ai", "ibm"],
    ),
    ("ollama", &["chatollama"]),
    ("vllm", &["hosted-vllm"]),
    ("nvidia.nim", &["nvidia", "nvidia-nim", "nim"]),
    ("ai21", &["ai21-labs"]),
    ("deepinfra", &["deep-infra"]),
    ("replicate", &[]),
    ("sambanova", &["samba-nova"]),
    ("hyperbolic", &[]),
    ("nebius", &[]),
    ("huggingface", &["hugging-face", "huggingface-hub"]),
    ("snowflake", &["snowflake-cortex"]),
    ("llama.cpp", &["llamacpp", "llama-cpp"]),
    ("oci.generative_ai", &["oci", "oci-generative-ai", "oracle"]),
];

impl ProviderNames {
    /// Adds a provider's names; the first provider to claim a name keeps it. Returns hosts that are malformed.
    pub(crate) fn add<'a>(
        &mut self,
        index: ProviderIndex,
        names: impl Iterator<Item = &'a str>,
        hosts: impl Iterator<Item = &'a str>,
    ) -> Vec<&'a str> {
        for name in names.filter(|name| !name.trim().is_empty()) {
            self.by_name.entry(fold(name).into_owned().into()).or_insert(index);
            // The usual spelling too, so that finding it needs no folding.
            self.by_name.entry(name.trim().into()).or_insert(index);
        }
        let mut malformed = Vec::new();
        for host in hosts {
            match HostPattern::new(host) {
                Some(pattern) => self.hosts.push((pattern, index)),
                None => malformed.push(host),
            }
        }
        malformed
    }

    /// The provider of that name.
    pub(crate) fn by_name(&self, name: &str) -> Option<ProviderIndex> {
        if let Some(&index) = self.by_name.get(name) {
            return Some(index);
        }
        let mut name = name.trim();
        loop {
            if let Some(&index) = self.by_name.get(&*fold(name)) {
                return Some(index);
            }
            name = &name[..name.rfind('.')?];
        }
    }

    /// The provider of exactly that name, without taking dotted parts off.
    pub(crate) fn by_exact_name(&self, name: &str) -> Option<ProviderIndex> {
        self.by_name.get(&*fold(name.trim())).copied()
    }

    /// The provider whose API lives at that endpoint; the expected one is asked first.
    pub(crate) fn by_endpoint(&self, endpoint: Endpoint<'_>, expected: Option<ProviderIndex>) -> Option<ProviderIndex> {
        let mut own = self.hosts.iter().filter(|(_, index)| Some(*index) == expected);
        if own.any(|(pattern, _)| pattern.matches(endpoint)) {
            return expected;
        }
        self.hosts
            .iter()
            .find(|(pattern, _)| pattern.matches(endpoint))
            .map(|(_, index)| *index)
    }
}

/// Whether the value names a framework, a gateway or nothing, rather than a provider.
pub(crate) fn is_not_a_provider(name: &str) -> bool {
    let folded = fold(name.trim());
    folded.is_empty() || NOT_PROVIDERS.contains(&&*folded)
}

/// The OpenTelemetry name (`gen_ai.provider.name`) of a provider as an emitter spells it, for example
/// `aws.bedrock` for `bedrock_converse`. `None` where the value is no provider (`langchain`, `litellm`, `_OTHER`).
/// A provider we do not know keeps its own name in lower case.
pub fn normalise_provider(raw: &str) -> Option<Cow<'static, str>> {
    if is_not_a_provider(raw) {
        return None;
    }
    let folded = fold(raw.trim());
    let catalogue = Catalogue::embedded();
    let Some(index) = catalogue.names().by_name(raw) else {
        let known = |(canonical, spellings): &(&'static str, &[&str])| {
            (fold(canonical) == folded || spellings.contains(&&*folded)).then_some(*canonical)
        };
        return Some(match UNLISTED.iter().find_map(known) {
            Some(canonical) => Cow::Borrowed(canonical),
            None => Cow::Owned(raw.trim().to_lowercase()),
        });
    };
    let provider = catalogue.provider(index);
    Some(Cow::Borrowed(match provider.id() {
        "google" if folded.contains("vertex") => "gcp.vertex_ai",
        "google" if folded.contains("gemini") || folded.contains("generative") || folded.contains("studio") => "gcp.gemini",
        "google" if folded.ends_with("gla") => "gcp.gemini",
        "google" => "gcp.gen_ai",
        "azure" if folded.contains("inference") || folded == "azure-ai" => "azure.ai.inference",
        _ => provider.otel_name(),
    }))
}

/// Lower case, with every separator as a hyphen.
fn fold(name: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.bytes().all(plain) {
        return Cow::Borrowed(name);
    }
    let separators = ['_', '.', ' ', '/'];
    Cow::Owned(name.to_lowercase().replace(separators, "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_becomes_the_otel_name() {
        for (raw, expected) in [
            ("openai", "openai"),
            ("OpenAI", "openai"),
            ("openai.chat", "openai"),
            ("anthropic.messages", "anthropic"),
            ("AWS Bedrock", "aws.bedrock"),
            ("bedrock_converse", "aws.bedrock"),
            ("az.ai.openai", "azure.ai.openai"),
            ("azure.ai.inference", "azure.ai.inference"),
            ("google.generative-ai", "gcp.gemini"),
            ("vertex_ai", "gcp.vertex_ai"),
            ("vertex.anthropic.messages", "gcp.vertex_ai"),
            ("gcp.gen_ai", "gcp.gen_ai"),
            ("xai", "x_ai"),
            ("mistralai", "mistral_ai"),
            ("moonshot", "moonshot_ai"),
            ("fireworks_ai", "fireworks"),
            ("watsonx", "ibm.watsonx.ai"),
            ("Acme-Proxy", "acme-proxy"),
        ] {
            assert_eq!(normalise_provider(raw).as_deref(), Some(expected), "{raw}");
        }
    }

    #[test]
    fn frameworks_are_no_providers() {
        for raw in [
            "strands-agents",
            "langchain",
            "LiteLLM",
            "_OTHER",
            "",
            " ",
            "pydantic_ai",
            "openai-compatible",
        ] {
            assert_eq!(normalise_provider(raw), None, "{raw}");
        }
    }
}
