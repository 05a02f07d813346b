//! How official instrumentations would report the work: scope, name, kind and attributes of each span.
//!
//! Three dialects as their captures show them: OpenTelemetry's GenAI instrumentations of 2026 (`gen_ai.provider.name`,
//! cache keys), an OpenLLMetry of 2025 (`gen_ai.system`, `gen_ai.usage.prompt_tokens`), and a web framework's request
//! spans, which carry whom it is for. No prompt and no answer is ever made up.

use opentelemetry::KeyValue;
use opentelemetry::trace::SpanKind;

use super::work::{Answer, Model, Node, Service, Tokens, Trace, Who, Work};

/// Name and version of an instrumentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Scope {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
}

const WEB: Scope = Scope {
    name: "opentelemetry.instrumentation.fastapi",
    version: "0.66b2",
};
const OPENAI: Scope = Scope {
    name: "opentelemetry.instrumentation.genai.openai",
    version: "1.3b0",
};
const ANTHROPIC: Scope = Scope {
    name: "opentelemetry.instrumentation.genai.anthropic",
    version: "1.3b0",
};
const LANGCHAIN: Scope = Scope {
    name: "opentelemetry.instrumentation.genai.langchain",
    version: "1.3b0",
};
const OPENLLMETRY: Scope = Scope {
    name: "opentelemetry.instrumentation.openai.v1",
    version: "0.40.14",
};
const TRACELOOP: Scope = Scope {
    name: "traceloop.tracer",
    version: "0.40.14",
};

const SEARCH: Scope = Scope {
    name: "helpdesk.search",
    version: "2.4.0",
};
const DESK: Scope = Scope {
    name: "helpdesk.desk",
    version: "2.4.0",
};

/// What the SDK is told about one span.
#[derive(Debug, Clone)]
pub(super) struct Reported {
    pub(super) scope: Scope,
    pub(super) name: String,
    pub(super) kind: SpanKind,
    pub(super) attributes: Vec<KeyValue>,
    /// The error's type, where the work failed.
    pub(super) error: Option<&'static str>,
}

/// Reports one node of a trace.
pub(super) fn report(trace: &Trace, node: &Node, is_root: bool) -> Reported {
    let mut reported = match (&node.work, trace.service) {
        (Work::Request { route }, _) => request(route),
        (Work::Workflow, _) => workflow(),
        (Work::Agent { name, model }, _) => agent(name, *model, &node.tokens()),
        (Work::Tool { name }, _) => tool(name),
        (Work::Search, _) => search(),
        (Work::Takeover, _) => takeover(),
        (Work::Call { model, answer }, Service::DocumentSummary) => openllmetry_call(*model, answer),
        (Work::Call { model, answer }, _) => call(*model, answer),
    };
    if let (Work::Call { .. }, Some(prompt)) = (&node.work, trace.prompt) {
        reported.attributes.extend([
            KeyValue::new("gen_ai.prompt.name", prompt.name),
            KeyValue::new("gen_ai.prompt.version", prompt.version),
        ]);
    }
    match trace.service {
        // The SDK of OpenLLMetry stamps its association properties on every span.
        Service::DocumentSummary => reported.attributes.extend(association(&trace.who)),
        _ if is_root => reported.attributes.extend(identity(&trace.who, trace.service)),
        _ => {}
    }
    reported
}

fn request(route: &'static str) -> Reported {
    let (method, path) = route.split_once(' ').unwrap_or(("POST", route));
    let attributes = vec![
        KeyValue::new("http.request.method", method),
        KeyValue::new("http.route", path),
        KeyValue::new("http.response.status_code", 200),
    ];
    Reported {
        scope: WEB,
        name: route.to_owned(),
        kind: SpanKind::Server,
        attributes,
        error: None,
    }
}

/// What the application adds to its outermost span.
fn identity(who: &Who, service: Service) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("user.id", who.user.clone()),
        KeyValue::new("app.feature", service.name()),
    ];
    attributes.extend(who.customer.clone().map(|id| KeyValue::new("customer.id", id)));
    attributes.extend(who.conversation.clone().map(|id| KeyValue::new("session.id", id)));
    attributes
}

fn association(who: &Who) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("traceloop.workflow.name", Service::DocumentSummary.name()),
        KeyValue::new("traceloop.association.properties.user_id", who.user.clone()),
    ];
    attributes.extend(
        who.customer
            .clone()
            .map(|id| KeyValue::new("traceloop.association.properties.customer_id", id)),
    );
    attributes
}

fn workflow() -> Reported {
    let attributes = vec![
        KeyValue::new("traceloop.span.kind", "workflow"),
        KeyValue::new("traceloop.entity.name", Service::DocumentSummary.name()),
    ];
    Reported {
        scope: TRACELOOP,
        name: "document-summary.workflow".into(),
        kind: SpanKind::Internal,
        attributes,
        error: None,
    }
}

fn agent(name: &'static str, model: Model, tokens: &Tokens) -> Reported {
    let mut attributes = vec![
        KeyValue::new("gen_ai.operation.name", "invoke_agent"),
        KeyValue::new("gen_ai.agent.name", name),
        KeyValue::new("gen_ai.provider.name", provider(model)),
        KeyValue::new("gen_ai.request.model", model.name()),
    ];
    attributes.extend(usage(tokens));
    Reported {
        scope: LANGCHAIN,
        name: format!("invoke_agent {name}"),
        kind: SpanKind::Internal,
        attributes,
        error: None,
    }
}

fn tool(name: &'static str) -> Reported {
    let attributes = vec![
        KeyValue::new("gen_ai.operation.name", "execute_tool"),
        KeyValue::new("gen_ai.tool.name", name),
        KeyValue::new("gen_ai.tool.type", "function"),
    ];
    Reported {
        scope: LANGCHAIN,
        name: format!("execute_tool {name}"),
        kind: SpanKind::Internal,
        attributes,
        error: None,
    }
}

fn search() -> Reported {
    let attributes = vec![
        KeyValue::new("gen_ai.operation.name", "retrieval"),
        KeyValue::new("gen_ai.data_source.id", "help-articles"),
    ];
    Reported {
        scope: SEARCH,
        name: "retrieval help-articles".into(),
        kind: SpanKind::Client,
        attributes,
        error: None,
    }
}

/// No convention knows of people: a rule of the configuration goes by the name.
fn takeover() -> Reported {
    Reported {
        scope: DESK,
        name: "agent takes over".into(),
        kind: SpanKind::Internal,
        attributes: Vec::new(),
        error: None,
    }
}

fn provider(model: Model) -> &'static str {
    match model {
        Model::Opus | Model::Haiku => "anthropic",
        // An OpenAI-compatible server is called through OpenAI's client.
        Model::Terra | Model::Luna | Model::Mini | Model::InHouse => "openai",
    }
}

/// Input and output with their parts inside, as the conventions say since 1.40; zeros are left out.
fn usage(tokens: &Tokens) -> Vec<KeyValue> {
    let mut attributes = vec![
        count("gen_ai.usage.input_tokens", tokens.input()),
        count("gen_ai.usage.output_tokens", tokens.output()),
    ];
    let parts = [
        ("gen_ai.usage.cache_read.input_tokens", tokens.cache_read),
        ("gen_ai.usage.cache_write.input_tokens", tokens.cache_write_5m),
        ("gen_ai.usage.reasoning.output_tokens", tokens.output_reasoning),
    ];
    attributes.extend(
        parts
            .into_iter()
            .filter(|(_, tokens)| *tokens > 0)
            .map(|(key, tokens)| count(key, tokens)),
    );
    attributes
}

fn call(model: Model, answer: &Answer) -> Reported {
    let (scope, address) = match provider(model) {
        "anthropic" => (ANTHROPIC, "api.anthropic.com"),
        _ => (OPENAI, "api.openai.com"),
    };
    let mut attributes = vec![
        KeyValue::new("gen_ai.operation.name", "chat"),
        KeyValue::new("gen_ai.provider.name", provider(model)),
        KeyValue::new("gen_ai.request.model", model.name()),
        KeyValue::new("server.address", address),
        KeyValue::new("server.port", 443),
    ];
    let error = match answer {
        Answer::Given { tokens, response_id } => {
            attributes.push(KeyValue::new("gen_ai.response.model", model.name()));
            attributes.push(KeyValue::new("gen_ai.response.id", response_id.clone()));
            attributes.extend(usage(tokens));
            None
        }
        Answer::TooManyRequests => {
            attributes.push(KeyValue::new("error.type", "RateLimitError"));
            Some("RateLimitError")
        }
    };
    Reported {
        scope,
        name: format!("chat {}", model.name()),
        kind: SpanKind::Client,
        attributes,
        error,
    }
}

/// As the release of July 2025 did it, with the keys of semantic conventions before 1.27.
fn openllmetry_call(model: Model, answer: &Answer) -> Reported {
    let base = match model {
        Model::InHouse => "http://models.internal:8000/v1/",
        _ => "https://api.openai.com/v1/",
    };
    let mut attributes = vec![
        KeyValue::new("llm.request.type", "chat"),
        KeyValue::new("gen_ai.system", "OpenAI"),
        KeyValue::new("gen_ai.request.model", model.name()),
        KeyValue::new("llm.is_streaming", false),
        KeyValue::new("gen_ai.openai.api_base", base),
    ];
    let error = match answer {
        Answer::Given { tokens, response_id } => {
            attributes.extend([
                KeyValue::new("gen_ai.response.model", model.name()),
                KeyValue::new("gen_ai.response.id", response_id.clone()),
                count("gen_ai.usage.prompt_tokens", tokens.input()),
                count("gen_ai.usage.completion_tokens", tokens.output()),
                count("llm.usage.total_tokens", tokens.input() + tokens.output()),
                count("gen_ai.usage.cache_read_input_tokens", tokens.cache_read),
            ]);
            None
        }
        Answer::TooManyRequests => {
            attributes.push(KeyValue::new("error.type", "RateLimitError"));
            Some("RateLimitError")
        }
    };
    Reported {
        scope: OPENLLMETRY,
        name: "openai.chat".into(),
        kind: SpanKind::Client,
        attributes,
        error,
    }
}

fn count(key: &'static str, tokens: u64) -> KeyValue {
    KeyValue::new(key, i64::try_from(tokens).unwrap_or(i64::MAX))
}
