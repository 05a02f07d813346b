//! Recognise: which emitter a record comes from, what it is, and which of its attributes say what.
//!
//! Pure functions over borrowed views. The profile of an emitter is found once per scope, the attributes are read in
//! one pass, and nothing is copied that is not kept. What the numbers mean is `normalise`'s; which calls are billed is
//! settle's.
//!
//! Spans without any LLM meaning give a row as well (`Role::Other`), since a parent may carry the customer's id.

mod attribution;
pub(crate) mod call_event;
mod cost;
pub(crate) mod count;
mod event;
mod facts;
pub(crate) mod field;
mod flag;
mod gather;
mod keys;
mod log;
pub(crate) mod payload;
pub mod profile;
mod profiles;
pub(crate) mod provider;
mod reader;
pub(crate) mod reported;
mod role;
mod scope;
#[cfg(test)]
mod tests;
mod unread;

pub use attribution::{Attributed, Attribution, AttributionConfig, Source};
pub use facts::{Recognised, ReportedCost, UsageAttribute};
pub use flag::{Flag, Flags};
pub use profile::Profile;
pub use scope::{Recogniser, ScopeContext};

/// Every emitter we know, for documents and tests.
pub fn profiles() -> impl Iterator<Item = &'static Profile> {
    profiles::documented()
}
