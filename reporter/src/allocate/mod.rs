//! Revenue to the keys of each dimension: known where the line says so, allocated where it does not.
//!
//! `pools` gathers daily revenue by who earned it, `cost_share` holds the weights, `spread` splits. Every step conserves
//! to the last digit; what cannot be allocated has a row of its own, and what is allocated is marked as such.

pub mod cost_share;
pub mod dimension;
pub mod largest_remainder;
pub mod pools;
pub mod spread;

pub use cost_share::CostShares;
pub use dimension::Dimension;
pub use pools::RevenuePools;
pub use spread::{KeyRevenue, revenue_by_key};

/// The row of revenue that resolves to no customer.
pub const UNMATCHED: &str = "(unmatched)";
/// The row of revenue that has no usage to be allocated by.
pub const UNALLOCATED: &str = "(unallocated)";
/// The row of costs without a key.
pub const UNATTRIBUTED: &str = "(unattributed)";
/// The row of amounts that stay in their own currency.
pub const NO_RATE: &str = "(no rate)";
