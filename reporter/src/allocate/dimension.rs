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
}

impl Dimension {
    /// All dimensions.
    pub const ALL: [Dimension; 3] = [Dimension::Customer, Dimension::Feature, Dimension::Model];

    /// The name in `revenue_by_key.dimension`.
    pub fn name(self) -> &'static str {
        match self {
            Dimension::Customer => "customer",
            Dimension::Feature => "feature",
            Dimension::Model => "model",
        }
    }

    /// The key column of its mart.
    pub fn key_column(self) -> &'static str {
        match self {
            Dimension::Customer => "customer_id",
            Dimension::Feature => "feature",
            Dimension::Model => "model",
        }
    }

    /// The key where revenue itself says it.
    pub fn known_key(self, earner: &Earner) -> Option<&str> {
        match self {
            Dimension::Customer => earner.customer_id.as_deref(),
            Dimension::Feature => earner.feature.as_deref(),
            Dimension::Model => None,
        }
    }
}
