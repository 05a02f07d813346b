//! Calls that an emitter tells by events of the span, not by its attributes: LlamaIndex's own instrumentation.
//!
//! An event before the request names the model and the class that calls it, one after it holds the provider's response,
//! flattened: `response.raw.usage.prompt_tokens_details.cached_tokens`. A stream has no event after it, and so no usage.

use marginlake_lake::schema::Role;

use super::payload::usage::Origin;
use super::reported::RawAttributes;
use crate::wire::traces::Span;

/// The key of the usage object.
pub(super) const USAGE: &str = "response.raw.usage";

/// The role that the events give their span, and what they tell of the call.
pub(super) fn read<'a>(span: &Span<'a>) -> Option<(Role, RawAttributes<'a>)> {
    let mut role = None;
    let mut told = RawAttributes::default();
    for event in span.events() {
        let Some(of_event) = role_of(event.name) else { continue };
        role = Some(of_event);
        for attribute in event.attributes().0 {
            if let Some(count) = attribute.key.strip_prefix(USAGE).and_then(|rest| rest.strip_prefix('.')) {
                let path: Vec<&str> = count.split('.').collect();
                told.counts.take_value(&path, &attribute.value, Origin::Provider);
                continue;
            }
            let text = attribute.value.as_text().filter(|text| *text != "null");
            match attribute.key {
                "response.raw.id" => told.id = text,
                "response.raw.model" | "response.raw.model_version" => told.model = text,
                "response.raw.service_tier" | "response.raw.usage.service_tier" => told.service_tier = text,
                "model_dict.model_name" | "model_dict.model" => told.request_model = text,
                // An embedding's class is named as the class, and the model tells its provider.
                "model_dict.class_name" if of_event == Role::Llm => told.provider = text,
                _ => {}
            }
        }
    }
    Some((role?, told))
}

fn role_of(event: &str) -> Option<Role> {
    Some(match event {
        "LLMChatStartEvent" | "LLMChatEndEvent" | "LLMCompletionStartEvent" | "LLMCompletionEndEvent" => Role::Llm,
        "EmbeddingStartEvent" | "EmbeddingEndEvent" => Role::Embedding,
        _ => return None,
    })
}
