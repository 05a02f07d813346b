//! Revenue to the keys of each dimension: known where the line says so, allocated where it does not.
//!
//! `pools` gathers daily revenue by who earned it, `weights` says by what it is split, `spread` splits; `cost` does the same
//! with bills and other costs that are no calls. Every step conserves to the last digit; what cannot be allocated has a row of
//! its own, and what is allocated is marked as such.

pub mod cost;
pub mod day_amounts;
pub mod dimension;
pub mod largest_remainder;
pub mod method;
pub mod pools;
pub mod share_out;
pub mod spread;
pub mod weight_table;
pub mod weights;

pub use cost::{CostClass, CostPools, KeyCost, cost_by_key};
pub use day_amounts::DayAmounts;
pub use dimension::Dimension;
pub use method::{AllocationMethod, RevenueKey, SpreadKey};
pub use pools::{Earner, RevenuePools};
pub use spread::{KeyAmounts, revenue_by_key};
pub use weight_table::WeightTable;
pub use weights::{CustomerWeights, MonthWeights, Weight};

/// The row of revenue that resolves to no customer.
pub const UNMATCHED: &str = "(unmatched)";
/// The row of revenue that has no usage to be allocated by.
pub const UNALLOCATED: &str = "(unallocated)";
/// The row of costs without a key.
pub const UNATTRIBUTED: &str = "(unattributed)";
/// The row of amounts that stay in their own currency.
pub const NO_RATE: &str = "(no rate)";
/// The plan of customers that no plan earns from, and of revenue that names none.
pub const NO_PLAN: &str = "(no plan)";
