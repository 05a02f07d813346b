//! Pricing settled calls again: which costs move under another catalogue, by how much, and why.
//!
//! Reads `calls` of some days, prices each from the usage and context that it kept, and replaces the days on which a
//! price moved. What moved is appended to `restatements`, which outlive the rows. Calls that come out the same keep
//! their row, receipt and catalogue hash, so that a second run finds nothing. Usage, attribution and what is a call
//! are settle's and are not touched. Days of a closed month are told apart and not moved: see `close`.

mod cause;
mod driver;
mod figures;
mod outlook;
mod replace;
mod statement;
mod text;
mod verdict;

#[cfg(test)]
mod tests;

pub use driver::{Mode, RepriceError, RepriceOptions, RepriceOutcome, run};
pub use outlook::{Outlook, outlook};
pub use statement::{Restated, Statement};
pub use text::{Detail, text};
