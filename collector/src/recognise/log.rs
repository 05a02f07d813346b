//! Which log records report a call: the events of coding agents, and the convention's operation details.
//!
//! All other records (messages, choices, tool decisions) give no row: they carry text, not usage.

use marginlake_lake::schema::Role;

use super::field::Field;
use super::gather::{Gathered, Reading};
use crate::wire::logs::LogRecord;

/// An event that reports a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event<'a> {
    pub(super) name: &'a str,
    pub(super) role: Role,
    pub(super) failed: bool,
}

/// The event of a record. Names stand in `event_name`, in `event.name`, or in the body, with or without the
/// product's prefix.
pub(super) fn event<'a>(gathered: &Gathered<'_, 'a>, record: &LogRecord<'a>, reading: Reading) -> Option<Event<'a>> {
    let name = Some(record.event_name)
        .filter(|name| !name.is_empty())
        .or_else(|| gathered.text(Field::EventName))
        .or_else(|| record.body.as_text())?;
    let call = |role| {
        Some(Event {
            name,
            role,
            failed: false,
        })
    };
    // Names as common as these mean something only under the product's own scope.
    let product = reading == Reading::WithBare;
    let failure = Some(Event {
        name,
        role: Role::Llm,
        failed: true,
    });
    match name {
        "gen_ai.client.inference.operation.details" => call(role_of(gathered)),
        "api_request" | "claude_code.api_request" if product => call(Role::Llm),
        "api_error" | "claude_code.api_error" if product => failure,
        "codex.sse_event" if gathered.text(Field::EventKind) == Some("response.completed") => call(Role::Llm),
        "gemini_cli.api_response" => call(Role::Llm),
        "gemini_cli.api_error" => failure,
        "copilot_chat.agent.turn" => call(Role::Step),
        _ => None,
    }
}

fn role_of(gathered: &Gathered<'_, '_>) -> Role {
    match gathered.text(Field::OperationName) {
        Some("embeddings") => Role::Embedding,
        Some("invoke_agent") => Role::Agent,
        Some("invoke_workflow") => Role::Workflow,
        Some("fetch_response") => Role::Management,
        _ => Role::Llm,
    }
}
