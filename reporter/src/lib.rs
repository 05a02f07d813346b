//! Settles spans into billable calls, joins them with revenue and other costs, and computes margins.

pub mod allocate;
pub mod marts;
pub mod output;
pub mod report;
pub mod revenue;
pub mod session;
pub mod settle;
pub mod shell;
