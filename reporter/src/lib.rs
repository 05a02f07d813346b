//! Settles spans into billable calls, joins them with revenue and other costs, and computes margins.

pub mod session;
pub mod settle;
pub mod shell;
