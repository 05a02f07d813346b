//! Settle as a whole: the cases of the billing rules, and what must hold for any input.

mod cost_rules;
mod dsl;
mod explain;
mod lake;
mod properties;
mod rules;
mod spans_rows;
