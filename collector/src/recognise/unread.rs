//! Attributes that many spans carry and that nobody here reads: one lookup of the key, and the value stays on the wire.
//!
//! An attribute that stands here and is read all the same (by a field, a dimension, the configuration) is read: this list says
//! only what may be passed over. What is not on it costs a little more and gives the same rows.

use super::field::is_content;

/// Keys by the convention they are from.
const UNREAD: &[&str] = &[
    // GenAI: what was said, and how a model was to behave.
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.output.type",
    "gen_ai.request.choice.count",
    "gen_ai.request.encoding_formats",
    "gen_ai.request.frequency_penalty",
    "gen_ai.request.max_tokens",
    "gen_ai.request.presence_penalty",
    "gen_ai.request.seed",
    "gen_ai.request.stop_sequences",
    "gen_ai.request.temperature",
    "gen_ai.request.top_k",
    "gen_ai.request.top_p",
    "gen_ai.agent.description",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.id",
    "gen_ai.tool.call.result",
    "gen_ai.tool.definitions",
    "gen_ai.tool.description",
    "gen_ai.tool.name",
    "gen_ai.tool.type",
    // OpenInference, Traceloop, Langfuse, the AI SDK.
    "input.value",
    "input.mime_type",
    "output.value",
    "output.mime_type",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "langfuse.observation.input",
    "langfuse.observation.output",
    "langfuse.trace.input",
    "langfuse.trace.output",
    "ai.prompt",
    "ai.prompt.messages",
    "ai.prompt.tools",
    "ai.response.text",
    "ai.response.toolCalls",
    "ai.settings.maxRetries",
    "ai.settings.temperature",
    // Network, HTTP, databases, remote calls.
    "client.address",
    "client.port",
    "server.port",
    "net.peer.ip",
    "net.peer.name",
    "net.peer.port",
    "net.host.name",
    "net.host.port",
    "network.peer.address",
    "network.peer.port",
    "network.protocol.name",
    "network.protocol.version",
    "network.transport",
    "network.type",
    "http.flavor",
    "http.host",
    "http.method",
    "http.request.body.size",
    "http.request.method",
    "http.response.body.size",
    "http.response.status_code",
    "http.route",
    "http.scheme",
    "http.status_code",
    "http.target",
    "http.url",
    "http.user_agent",
    "url.full",
    "url.path",
    "url.query",
    "url.scheme",
    "user_agent.original",
    "db.collection.name",
    "db.connection_string",
    "db.name",
    "db.namespace",
    "db.operation",
    "db.operation.name",
    "db.query.text",
    "db.statement",
    "db.system",
    "db.system.name",
    "db.user",
    "rpc.grpc.status_code",
    "rpc.service",
    "rpc.system",
    // Where in a program.
    "code.column.number",
    "code.file.path",
    "code.filepath",
    "code.function",
    "code.function.name",
    "code.line.number",
    "code.lineno",
    "code.namespace",
    "thread.name",
];

/// The keys that may be passed over where those that begin with `kept` are wanted.
pub(super) fn keys(kept: &[Box<str>]) -> impl Iterator<Item = &'static str> {
    UNREAD
        .iter()
        .copied()
        .filter(|key| is_content(key) || !kept.iter().any(|prefix| key.starts_with(&**prefix)))
}

#[cfg(test)]
mod tests {
    use super::super::profile::Marker;
    use super::super::{gather, profiles};
    use super::*;
    use crate::wire::{KeyValue, Value};

    /// What is read beside the table of keys: counts that nobody knows, raw objects of LiteLLM, what tells an emitter.
    #[test]
    fn no_rule_without_a_table_reads_them() {
        let variants = profiles::all().flat_map(|profile| profile.variants.iter().map(|(marker, _)| marker));
        let markers: Vec<_> = profiles::all()
            .flat_map(|profile| profile.markers)
            .chain(variants)
            .filter_map(|marker| match marker {
                Marker::KeyStarts(start) | Marker::Says(start, _) => Some(*start),
                _ => None,
            })
            .collect();
        for key in UNREAD {
            assert!(!gather::looks_like_usage(&KeyValue::new(key, Value::Int(7))), "{key}");
            assert!(!key.starts_with("llm."), "{key}");
            assert!(markers.iter().all(|start| !key.starts_with(start)), "{key}");
        }
    }

    #[test]
    fn what_the_configuration_keeps_is_read() {
        let with = |prefix: &str| keys(&[prefix.into()]).collect::<Vec<_>>();
        assert!(!with("http.").contains(&"http.route"));
        assert!(with("http.").contains(&"db.statement"));
        assert!(with("gen_ai.").contains(&"gen_ai.input.messages"), "content is never kept");
    }
}
