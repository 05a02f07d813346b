//! How far a long command is: events of the target `progress`, which the command line shows to who waits for them.

/// The target of the events.
pub const TARGET: &str = "progress";

/// Says what begins now.
pub(crate) fn step(what: &str) {
    tracing::info!(target: TARGET, step = what, "next step");
}
