//! Normalise: from counts as reported to disjoint buckets that add up, with what was assumed said aloud.
//!
//! Rules N3 to N7 of the conventions, certainty before profile before assumption. Nothing is clamped in silence:
//! numbers that fit no reading stay undivided and are flagged. Pure integers; no prices, no I/O.

mod buckets;
mod input;
mod output;
mod solve;
mod usage;

pub use buckets::Buckets;
pub use solve::{Normalised, UsageStatus, normalise};
pub use usage::{UsageCounts, UsageKey};
