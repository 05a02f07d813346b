//! The dimensions by which margins are shown.

use super::pools::Earner;

/// By what a margin is broken down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// Who pays.
    Customer,
    /// What is used.
    Feature,
    /// What answers.
    Model,
    /// Who asks.
    User,
    /// In which exchange.
    Conversation,
    /// For which piece of work.
    Task,
    /// Which agent works.
    Agent,
    /// What it is asked with, by `name@version`.
    Prompt,
    /// What is bought.
    Plan,
}

impl Dimension {
    /// All dimensions, in the order of the outputs.
    pub const ALL: [Dimension; 9] = [
        Dimension::Customer,
        Dimension::Feature,
        Dimension::Model,
        Dimension::User,
        Dimension::Conversation,
        Dimension::Task,
        Dimension::Agent,
        Dimension::Prompt,
        Dimension::Plan,
    ];

    /// The name in `revenue_by_key.dimension`; its mart is `margin_by_<name>`.
    pub fn name(self) -> &'static str {
        match self {
            Dimension::Customer => "customer",
            Dimension::Feature => "feature",
            Dimension::Model => "model",
            Dimension::User => "user",
            Dimension::Conversation => "conversation",
            Dimension::Task => "task",
            Dimension::Agent => "agent",
            Dimension::Prompt => "prompt",
            Dimension::Plan => "plan",
        }
    }

    /// The key column of its mart.
    pub fn key_column(self) -> &'static str {
        match self {
            Dimension::Customer => "customer_id",
            Dimension::Feature => "feature",
            Dimension::Model => "model",
            Dimension::User => "user_id",
            Dimension::Conversation => "conversation_id",
            Dimension::Task => "task_id",
            Dimension::Agent => "agent_name",
            Dimension::Prompt => "prompt",
            Dimension::Plan => "plan",
        }
    }

    /// The key where revenue itself says it.
    pub fn known_key(self, earner: &Earner) -> Option<&str> {
        match self {
            Dimension::Customer => earner.customer_id.as_deref(),
            Dimension::Feature => earner.feature.as_deref(),
            Dimension::User => earner.user_id.as_deref(),
            Dimension::Plan => earner.plan.as_deref(),
            Dimension::Model | Dimension::Conversation | Dimension::Task | Dimension::Agent | Dimension::Prompt => None,
        }
    }

    /// True where there may be about as many keys as calls.
    pub fn has_many_keys(self) -> bool {
        matches!(self, Dimension::Customer | Dimension::User) || self.is_passing()
    }

    /// True where keys come and go within days and are too many to have a row on each day of a month.
    pub fn is_passing(self) -> bool {
        matches!(self, Dimension::Conversation | Dimension::Task)
    }
}
