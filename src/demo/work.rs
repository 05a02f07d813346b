//! What happens in a trace, before any instrumentation names it: requests, agents, tools and model calls.

use super::month::Nanos;

/// Tokens of one call in disjoint buckets, named as the columns of `calls` are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) input_uncached: u64,
    pub(super) cache_read: u64,
    pub(super) cache_write_5m: u64,
    pub(super) output_text: u64,
    pub(super) output_reasoning: u64,
}

impl Tokens {
    /// All of the input, as the conventions report it: cached tokens are part of it.
    pub(super) fn input(&self) -> u64 {
        self.input_uncached + self.cache_read + self.cache_write_5m
    }

    /// All of the output.
    pub(super) fn output(&self) -> u64 {
        self.output_text + self.output_reasoning
    }

    pub(super) fn add(&mut self, other: Tokens) {
        self.input_uncached += other.input_uncached;
        self.cache_read += other.cache_read;
        self.cache_write_5m += other.cache_write_5m;
        self.output_text += other.output_text;
        self.output_reasoning += other.output_reasoning;
    }
}

/// The models in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Model {
    /// Premium.
    Opus,
    /// For sub-agents.
    Haiku,
    /// The chatbot's default.
    Terra,
    /// The chatbot's cheap one.
    Luna,
    /// For documents.
    Mini,
    /// Our own fine-tune behind an OpenAI-compatible server: nobody has set a price.
    InHouse,
}

impl Model {
    /// The name in requests and answers.
    pub(super) fn name(self) -> &'static str {
        match self {
            Model::Opus => "claude-opus-5",
            Model::Haiku => "claude-haiku-4-5",
            Model::Terra => "gpt-5.6-terra",
            Model::Luna => "gpt-5.6-luna",
            Model::Mini => "gpt-5-mini",
            Model::InHouse => "contracts-summary-13b",
        }
    }
}

/// How a request to a model ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// With usage and an id.
    Given { tokens: Tokens, response_id: String },
    /// Refused for too many requests: no usage, no id; the client tries again.
    TooManyRequests,
}

/// What a span stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Work {
    /// A request to the application.
    Request { route: &'static str },
    /// A workflow of the application.
    Workflow,
    /// An agent's run.
    Agent { name: &'static str, model: Model },
    /// A tool's run.
    Tool { name: &'static str },
    /// A request to a model.
    Call { model: Model, answer: Answer },
    /// A search in the help articles, reranked.
    Search,
    /// A person takes a conversation over.
    Takeover,
}

/// One span with what happened in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) work: Work,
    pub(super) start: Nanos,
    pub(super) end: Nanos,
    pub(super) children: Vec<Node>,
}

impl Node {
    /// What all calls below used.
    pub(super) fn tokens(&self) -> Tokens {
        let mut sum = Tokens::default();
        self.visit(&mut |node| {
            if let Work::Call {
                answer: Answer::Given { tokens, .. },
                ..
            } = &node.work
            {
                sum.add(*tokens);
            }
        });
        sum
    }

    /// This node and all below it.
    pub(super) fn visit(&self, each: &mut impl FnMut(&Node)) {
        each(self);
        for child in &self.children {
            child.visit(each);
        }
    }

    /// The same, so much earlier.
    pub(super) fn shift_back(&mut self, by: Nanos) {
        self.start -= by;
        self.end -= by;
        for child in &mut self.children {
            child.shift_back(by);
        }
    }
}

/// The three features, each its own service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Service {
    SupportChat,
    DocumentSummary,
    InsightsAgent,
}

impl Service {
    pub(super) const ALL: [Service; 3] = [Service::SupportChat, Service::DocumentSummary, Service::InsightsAgent];

    /// The name of the service and of its feature.
    pub(super) fn name(self) -> &'static str {
        match self {
            Service::SupportChat => "support-chat",
            Service::DocumentSummary => "document-summary",
            Service::InsightsAgent => "insights-agent",
        }
    }
}

/// A prompt as the product's makers manage it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prompt {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
}

/// What support noted about a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Resolved,
    Unresolved,
    /// Passed on to a person.
    Escalated,
}

impl Outcome {
    /// The word in the file of outcomes.
    pub(super) fn label(self) -> &'static str {
        match self {
            Outcome::Resolved => "resolved",
            Outcome::Unresolved => "unresolved",
            Outcome::Escalated => "escalated",
        }
    }
}

/// For whom a trace worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    /// `None` where the application forgot to say so.
    pub(super) customer: Option<String>,
    pub(super) user: String,
    pub(super) conversation: Option<String>,
}

/// One trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace {
    pub(super) service: Service,
    pub(super) who: Who,
    /// Of its calls, where it is managed.
    pub(super) prompt: Option<Prompt>,
    /// What became of its conversation, on the last trace of one that support looked at.
    pub(super) outcome: Option<Outcome>,
    pub(super) root: Node,
}
