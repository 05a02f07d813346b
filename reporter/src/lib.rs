//! Settles spans into billable calls, joins them with revenue and other costs, and computes margins.

pub mod account;
pub mod allocate;
pub mod bills;
pub mod close;
pub mod focus;
pub mod insight;
pub mod marts;
pub mod outcomes;
pub mod output;
pub mod prices_sql;
pub mod progress;
pub mod reconcile;
pub mod report;
pub mod reprice;
pub mod revenue;
pub mod session;
pub mod settle;
pub mod shell;
mod spans_view;
