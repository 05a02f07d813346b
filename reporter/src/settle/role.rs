//! What a record of `spans` says it is, as far as billing cares.
//!
//! The words are the collector's (`spans.role`). Deciding a role from attributes is the collector's business.

/// The kind of work a record describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A request to a language model.
    Llm,
    /// A request to an embedding model.
    Embedding,
    /// A request to a reranker.
    Rerank,
    /// A request that makes or edits images.
    Image,
    /// A request that makes or reads speech.
    Audio,
    /// An agent's run.
    Agent,
    /// A workflow around agents and calls.
    Workflow,
    /// A chain of steps inside an application.
    Chain,
    /// One step or turn of an agent.
    Step,
    /// A tool that a model called.
    Tool,
    /// A search for context.
    Retriever,
    /// A check of inputs or outputs.
    Guardrail,
    /// A judgement about quality; model calls below it are not cost of goods.
    Evaluator,
    /// The filling of a prompt template.
    Prompt,
    /// A request that counts tokens, which is free.
    TokenCounter,
    /// A request that reads or manages something already paid for.
    Management,
    /// A person's review in the path of delivery; only rules say so.
    HumanReview,
    /// Anything else.
    Other,
}

impl Role {
    /// The role that `text` names; words of a newer collector are [`Role::Other`].
    pub fn parse(text: &str) -> Role {
        match text {
            "llm" => Role::Llm,
            "embedding" => Role::Embedding,
            "rerank" => Role::Rerank,
            "image" => Role::Image,
            "audio" => Role::Audio,
            "agent" => Role::Agent,
            "workflow" => Role::Workflow,
            "chain" => Role::Chain,
            "step" => Role::Step,
            "tool" => Role::Tool,
            "retriever" => Role::Retriever,
            "guardrail" => Role::Guardrail,
            "evaluator" => Role::Evaluator,
            "prompt" => Role::Prompt,
            "token_counter" => Role::TokenCounter,
            "management" => Role::Management,
            "human_review" => Role::HumanReview,
            _ => Role::Other,
        }
    }

    /// The word in the tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Llm => "llm",
            Role::Embedding => "embedding",
            Role::Rerank => "rerank",
            Role::Image => "image",
            Role::Audio => "audio",
            Role::Agent => "agent",
            Role::Workflow => "workflow",
            Role::Chain => "chain",
            Role::Step => "step",
            Role::Tool => "tool",
            Role::Retriever => "retriever",
            Role::Guardrail => "guardrail",
            Role::Evaluator => "evaluator",
            Role::Prompt => "prompt",
            Role::TokenCounter => "token_counter",
            Role::Management => "management",
            Role::HumanReview => "human_review",
            Role::Other => "other",
        }
    }

    /// One request to a model: what a provider bills.
    pub fn is_leaf(self) -> bool {
        matches!(self, Role::Llm | Role::Embedding | Role::Rerank | Role::Image | Role::Audio)
    }

    /// An operation that repeats or estimates usage and never costs anything itself.
    pub fn is_free(self) -> bool {
        matches!(self, Role::Prompt | Role::TokenCounter | Role::Management)
    }

    /// Calls above and below a span of this role are different calls, not one call seen twice.
    pub fn separates_calls(self) -> bool {
        matches!(
            self,
            Role::Tool | Role::Agent | Role::Workflow | Role::Retriever | Role::Guardrail | Role::Evaluator
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_reads_back_as_itself() {
        for role in [
            Role::Llm,
            Role::Embedding,
            Role::Rerank,
            Role::Image,
            Role::Audio,
            Role::Agent,
            Role::Workflow,
            Role::Chain,
            Role::Step,
            Role::Tool,
            Role::Retriever,
            Role::Guardrail,
            Role::Evaluator,
            Role::Prompt,
            Role::TokenCounter,
            Role::Management,
            Role::HumanReview,
            Role::Other,
        ] {
            assert_eq!(Role::parse(role.as_str()), role);
        }
    }
}
