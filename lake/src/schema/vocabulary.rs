//! The words of the columns that collector and reporter both read: what a record is, how it came, whom it was for.
//!
//! The collector decides them, settle reasons by them, and every engine reads them as text. A word keeps its meaning
//! for ever; words that this version does not know are read as the least that they can mean.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $column:literal { $($(#[$of:meta])* $word:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$of])* $word),+ }

        impl $name {
            /// All of them, in the order of the enum.
            pub const ALL: [$name; [$($text),+].len()] = [$($name::$word),+];

            #[doc = concat!("The text in ", $column, ".")]
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$word => $text),+ }
            }

            /// What the text stands for, if this version knows it.
            pub fn known(text: &str) -> Option<$name> {
                match text { $($text => Some($name::$word),)+ _ => None }
            }
        }
    };
}

words! {
    /// What a record stands for. Whether it is billed is settle's decision, over the whole trace.
    Role: "column `role`" {
        /// One request to a language model. Billable leaf.
        Llm = "llm",
        /// One request to an embedding model. Billable leaf.
        Embedding = "embedding",
        /// One request to a reranking model. Billable leaf.
        Rerank = "rerank",
        /// One request that makes or edits images or video. Billable leaf.
        Image = "image",
        /// One request that transcribes, translates or makes speech. Billable leaf.
        Audio = "audio",
        /// An agent's run. An aggregate when it carries usage.
        Agent = "agent",
        /// A workflow, crew or graph. An aggregate when it carries usage.
        Workflow = "workflow",
        /// A chain or an application's own operation. An aggregate when it carries usage.
        Chain = "chain",
        /// One step, turn or task within an agent, or a framework's view of a call below it. An aggregate when it
        /// carries usage.
        Step = "step",
        /// A tool's execution.
        Tool = "tool",
        /// A search in a store.
        Retriever = "retriever",
        /// A check of content.
        Guardrail = "guardrail",
        /// A judgement on quality; model calls below it are not cost of goods.
        Evaluator = "evaluator",
        /// A prompt template being filled: not a call.
        Prompt = "prompt",
        /// A provider's free token count.
        TokenCounter = "token_counter",
        /// Fetching, listing, creating: free operations that may repeat the usage of an earlier call.
        Management = "management",
        /// A person's review in the path of delivery; only cost rules say so.
        HumanReview = "human_review",
        /// Nothing of the above: any other span.
        Other = "other",
    }
}

impl Role {
    /// The role that a table names; words of a newer collector are [`Role::Other`].
    pub fn parse(text: &str) -> Role {
        Role::known(text).unwrap_or(Role::Other)
    }

    /// One request to a model: what a provider bills.
    pub const fn is_leaf(self) -> bool {
        matches!(self, Role::Llm | Role::Embedding | Role::Rerank | Role::Image | Role::Audio)
    }

    /// Usage on the record is a sum over other records, or repeats one.
    pub const fn is_aggregate(self) -> bool {
        matches!(self, Role::Agent | Role::Workflow | Role::Chain | Role::Step)
    }

    /// An operation that repeats or estimates usage and never costs anything itself.
    pub const fn is_free(self) -> bool {
        matches!(self, Role::Prompt | Role::TokenCounter | Role::Management)
    }

    /// Calls above and below a span of this role are different calls, not one call seen twice.
    pub const fn separates_calls(self) -> bool {
        matches!(
            self,
            Role::Tool | Role::Agent | Role::Workflow | Role::Retriever | Role::Guardrail | Role::Evaluator
        )
    }
}

words! {
    /// The signal that a record came by. Metrics are never records.
    Signal: "column `signal`" {
        /// A span.
        Span = "span",
        /// A log record.
        Log = "log",
    }
}

words! {
    /// Whom a record was for, in the order of the columns.
    Dimension: "the name of its column, and the key in `attribution_source`" {
        /// Who pays.
        Customer = "customer_id",
        /// Who asked.
        User = "user_id",
        /// The conversation or session.
        Conversation = "conversation_id",
        /// The product's feature.
        Feature = "feature",
        /// The unit of work.
        Task = "task_id",
        /// The agent's name.
        Agent = "agent_name",
        /// The prompt's name.
        PromptName = "prompt_name",
        /// The prompt's version.
        PromptVersion = "prompt_version",
        /// The deployment environment (production, staging).
        Environment = "environment",
    }
}

impl Dimension {
    /// How many there are.
    pub const COUNT: usize = Dimension::ALL.len();

    /// The name of the column, and the key in `attribution_source`.
    pub const fn column(self) -> &'static str {
        self.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_as_itself() {
        assert!(Role::ALL.into_iter().all(|role| Role::parse(role.as_str()) == role));
        assert!(
            Signal::ALL
                .into_iter()
                .all(|signal| Signal::known(signal.as_str()) == Some(signal))
        );
        assert_eq!(Role::parse("a word of next year"), Role::Other);
    }

    #[test]
    fn every_dimension_is_a_column_of_both_tables() {
        for dimension in Dimension::ALL {
            for table in [crate::schema::spans(), crate::schema::calls()] {
                assert!(table.field_with_name(dimension.column()).is_ok(), "{dimension:?}");
            }
        }
    }

    #[test]
    fn a_role_is_at_most_one_kind_of_record() {
        for role in Role::ALL {
            let kinds = [role.is_leaf(), role.is_aggregate(), role.is_free()];
            assert!(kinds.into_iter().filter(|kind| *kind).count() <= 1, "{role:?}");
        }
    }
}
