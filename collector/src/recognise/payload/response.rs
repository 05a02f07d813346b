//! A provider's response as an emitter recorded it: response id, model, service tier and usage, nothing else.

use super::scan::{Scalar, ScanError, scan};
use super::usage::{Origin, RawCounts};

/// What is taken from a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) model: Option<&'a str>,
    pub(crate) service_tier: Option<&'a str>,
    /// The usage; the sum, where the text holds several responses.
    pub(crate) usage: RawCounts,
    /// The first usage object: of a single call the others are repetitions.
    pub(crate) first: RawCounts,
    /// How many usage objects were read.
    pub(crate) usages: u32,
    /// The usage stands at the top of the text: it is the whole result's, not a message's.
    pub(crate) at_top: bool,
}

/// Reads a response, or an agent's result that holds the usage of its calls.
pub(crate) fn read(text: &str) -> Result<Response<'_>, ScanError> {
    let mut response = Response::default();
    let mut current = RawCounts::default();
    // Objects that repeat one usage in two forms (`usage`, `usage_metadata`) must not be added.
    let mut form: Option<&str> = None;
    let mut repetition = RawCounts::default();
    scan(text, |path, scalar| {
        if let Scalar::Text(word) = scalar {
            response.word(path, word);
        }
        let Some((name, inner)) = usage_inside(path) else { return };
        if *form.get_or_insert(name) != name {
            repetition.take(inner, scalar, Origin::Provider);
            return;
        }
        response.at_top |= path[0] == name;
        let starts_anew = current.input.is_some() && matches!(inner, ["prompt_tokens" | "input_tokens" | "promptTokenCount"]);
        if starts_anew {
            response.add(&current);
            current = RawCounts::default();
        }
        current.take(inner, scalar, Origin::Provider);
    })?;
    if !current.is_empty() {
        response.add(&current);
    }
    if repetition.input == response.first.input && repetition.output == response.first.output {
        response.first.complete(&repetition);
    }
    Ok(response)
}

impl<'a> Response<'a> {
    fn add(&mut self, counts: &RawCounts) {
        if self.usages == 0 {
            self.first = *counts;
        }
        self.usage.add(counts);
        self.usages += 1;
    }

    fn word(&mut self, path: &[&'a str], word: &'a str) {
        match path {
            ["id" | "responseId"] | [.., "response_metadata", "id"] if is_response_id(word) => {
                self.id.get_or_insert(word);
            }
            ["model" | "modelVersion"] => {
                self.model.get_or_insert(word);
            }
            ["service_tier"] | ["usage", "service_tier"] | [.., "response_metadata", "service_tier"] => {
                self.service_tier.get_or_insert(word);
            }
            _ => {}
        }
    }
}

/// Ids that providers make; others (`run--…`, `emb-1`) do not name one response.
fn is_response_id(id: &str) -> bool {
    const PREFIXES: &[&str] = &["chatcmpl-", "msg_", "resp_", "cmpl-", "gen-", "chatcmpl_"];
    id.len() >= 12 && id.len() <= 256 && !id.contains('\\') && PREFIXES.iter().any(|prefix| id.starts_with(prefix))
}

/// The name of the usage object that a path lies in, and the path inside it.
fn usage_inside<'p, 'a>(path: &'p [&'a str]) -> Option<(&'a str, &'p [&'a str])> {
    const NAMES: &[&str] = &["usage", "usageMetadata", "usage_metadata", "token_usage"];
    let at = path.iter().position(|name| NAMES.contains(name))?;
    // Only where providers and frameworks put it, never below content.
    let allowed = path[..at].iter().all(|name| {
        matches!(
            *name,
            "[]" | "generations"
                | "message"
                | "kwargs"
                | "response_metadata"
                | "llm_output"
                | "custom"
                | "response"
                | "meta"
                | "_meta"
                | "replies"
                | "messages"
                | "last_message"
                | "data"
                | "llm"
                | "generator"
                | "output"
                | "raw"
        )
    });
    allowed.then(|| (path[at], &path[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_usage_are_read_and_content_is_not() {
        let text = r#"{"id":"msg_145e29eb94b2361ab70806f5","content":[{"id":"toolu_1","text":"{\"id\":\"chatcmpl-9999999999\"}",
            "usage":{"input_tokens":99999}}],"model":"claude","usage":{"input_tokens":481,"output_tokens":658,
            "cache_creation":{"ephemeral_1h_input_tokens":6846,"ephemeral_5m_input_tokens":1557}}}"#;
        let response = read(text).expect("well formed");
        assert_eq!(response.id, Some("msg_145e29eb94b2361ab70806f5"));
        assert_eq!(response.model, Some("claude"));
        assert_eq!((response.usage.input, response.usages), (Some(481), 1));
        assert_eq!(response.usage.cache_write_1h, Some(6846));
    }

    #[test]
    fn langchains_generations_are_read_once() {
        let text = r#"{"generations":[[{"message":{"id":["langchain"],"kwargs":{"response_metadata":{"token_usage":{"prompt_tokens":7},
            "id":"chatcmpl-7280ba5e1097"},"id":"run--1","usage_metadata":{"input_tokens":7}}}}]],
            "llm_output":{"token_usage":{"prompt_tokens":7},"id":"chatcmpl-7280ba5e1097"}}"#;
        let response = read(text).expect("well formed");
        assert_eq!(response.id, Some("chatcmpl-7280ba5e1097"));
        assert_eq!(response.usage.input, Some(14));
        assert_eq!(response.usages, 2);
    }

    #[test]
    fn an_agents_result_adds_up_the_usage_of_its_messages() {
        let text = r#"{"messages":[{"role":"user"},{"_meta":{"usage":{"prompt_tokens":5,"completion_tokens":1}}},
            {"_meta":{"usage":{"prompt_tokens":6,"completion_tokens":2}}}]}"#;
        let response = read(text).expect("well formed");
        assert_eq!(
            (response.usage.input, response.usage.output, response.usages),
            (Some(11), Some(3), 2)
        );
    }
}
