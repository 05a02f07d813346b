//! Why the margin is what it is: what changed since the period before, who and what loses money, what would help.
//!
//! Works on sums, never on single calls: margins by customer from the marts, and what models used from the receipts of
//! `calls`. The outputs show what it finds and compute nothing.

mod bridge;
mod lever;
mod loss;
mod periods;
mod quality;
mod receipts;

pub(crate) use bridge::came_and_went;
pub use bridge::{Change, Compared, Growth, Step, compare};
pub use lever::Lever;
pub use loss::{Findings, Loss};
pub use periods::Periods;
pub use receipts::{ModelUsage, Usage, usage_by};
