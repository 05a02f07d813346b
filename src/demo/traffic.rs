//! The month's traffic: every trace of every feature, in the order in which it ends.

mod document_summary;
mod insights_agent;
mod support_chat;
mod timeline;

use rand::RngCore;

use super::shapes::{Dice, dice};
use super::work::Trace;

/// How much of the month is made: the demo makes all of it, tests a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Volume {
    /// Sessions of the chatbot.
    pub(super) chat_sessions: usize,
    /// Documents.
    pub(super) documents: usize,
    /// Runs of the insights agent.
    pub(super) insights: usize,
}

impl Volume {
    /// The whole month.
    pub(super) const MONTH: Volume = Volume {
        chat_sessions: 4200,
        documents: 2200,
        insights: 800,
    };
}

/// Makes the month. The same volume gives the same traces.
pub(super) fn generate(volume: Volume) -> Vec<Trace> {
    let mut traces = support_chat::traces(&mut dice(1), volume.chat_sessions);
    traces.extend(document_summary::traces(&mut dice(2), volume.documents));
    traces.extend(insights_agent::traces(&mut dice(3), volume.insights));
    // Stable: traces that end together stay in the order in which they were made.
    traces.sort_by_key(|trace| trace.root.end);
    traces
}

/// An id such as providers give to answers.
fn response_id(dice: &mut Dice, prefix: &str) -> String {
    format!("{prefix}{:016x}{:08x}", dice.next_u64(), dice.next_u32())
}

#[cfg(test)]
mod tests;
