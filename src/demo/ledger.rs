//! What the month must amount to, counted by the generator itself, to be compared with what the lake says.

use std::collections::BTreeMap;

use super::month::Nanos;
use super::work::{Answer, Model, Outcome, Service, Tokens, Trace, Work};

/// Counts of the month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    /// Spans of any kind.
    pub(super) spans: u64,
    /// Requests to models that were answered: what is billed.
    pub(super) calls: u64,
    /// Requests that were refused and tried again: not billed.
    pub(super) refused: u64,
    /// Agent runs: they repeat what the calls below them used, and are not billed.
    pub(super) agents: u64,
    /// Tokens of all calls.
    pub(super) tokens: Tokens,
    /// Calls and tokens by model.
    pub(super) by_model: BTreeMap<Model, (u64, Tokens)>,
    /// Calls for no known customer.
    pub(super) unattributed_calls: u64,
    /// Searches in help articles: billed by a rule.
    pub(super) searches: u64,
    /// Conversations that a person took over: billed by a rule.
    pub(super) takeovers: u64,
    /// How long that took, each.
    pub(super) takeover_nanos: Vec<u64>,
    /// Conversation, what became of it, when.
    pub(super) outcomes: Vec<(String, Outcome, Nanos)>,
    /// Documents by customer: what the usage plan bills.
    pub(super) documents: BTreeMap<String, u64>,
}

impl Ledger {
    /// Counts a month.
    pub(super) fn of(traces: &[Trace]) -> Ledger {
        let mut ledger = Ledger::default();
        traces.iter().for_each(|trace| ledger.add(trace));
        ledger
    }

    fn add(&mut self, trace: &Trace) {
        if let (Service::DocumentSummary, Some(customer)) = (trace.service, &trace.who.customer) {
            *self.documents.entry(customer.clone()).or_default() += 1;
        }
        if let Some((outcome, conversation)) = trace.outcome.zip(trace.who.conversation.clone()) {
            self.outcomes.push((conversation, outcome, trace.root.end));
        }
        trace.root.visit(&mut |node| {
            self.spans += 1;
            match &node.work {
                Work::Agent { .. } => self.agents += 1,
                Work::Call {
                    answer: Answer::TooManyRequests,
                    ..
                } => self.refused += 1,
                Work::Call {
                    model,
                    answer: Answer::Given { tokens, .. },
                } => {
                    self.calls += 1;
                    self.unattributed_calls += u64::from(trace.who.customer.is_none());
                    self.tokens.add(*tokens);
                    let (calls, sum) = self.by_model.entry(*model).or_default();
                    *calls += 1;
                    sum.add(*tokens);
                }
                Work::Search => self.searches += 1,
                Work::Takeover => {
                    self.takeovers += 1;
                    self.takeover_nanos.push(node.end - node.start);
                }
                Work::Request { .. } | Work::Workflow | Work::Tool { .. } => {}
            }
        });
    }

    /// Calls of a model that has no price.
    pub(super) fn unpriced_calls(&self) -> u64 {
        self.by_model.get(&Model::InHouse).map_or(0, |(calls, _)| *calls)
    }
}
