//! How revenue and costs came to a key: `allocation_method` in the tables.

use std::str::FromStr;

use serde::Deserialize;

/// By what a customer's revenue is shared out where nobody says what it was for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevenueKey {
    /// By the customer's cost of goods sold within the calendar month.
    #[default]
    Cost,
    /// By the customer's tokens within the calendar month.
    Usage,
    /// To each key that the customer used within the calendar month alike.
    Equal,
    /// By a table of weights, over the keys that the customer used within the calendar month.
    Weights,
}

impl FromStr for RevenueKey {
    type Err = String;

    fn from_str(text: &str) -> Result<RevenueKey, String> {
        match text {
            "cost" => Ok(RevenueKey::Cost),
            "usage" => Ok(RevenueKey::Usage),
            "equal" => Ok(RevenueKey::Equal),
            "weights" => Ok(RevenueKey::Weights),
            other => Err(format!(
                "{other:?} is no way to allocate revenue: use cost, usage, equal or weights"
            )),
        }
    }
}

/// By what a bill is spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpreadKey {
    /// By cost of goods sold of the calls.
    #[default]
    Cost,
    /// By their tokens.
    Tokens,
    /// By their number.
    Calls,
    /// By their duration.
    Seconds,
    /// By revenue of the keys.
    Revenue,
    /// To each key with a call alike.
    Evenly,
}

impl SpreadKey {
    /// The name in the configuration and in `bill_lines.spread`.
    pub fn name(self) -> &'static str {
        match self {
            SpreadKey::Cost => "cost",
            SpreadKey::Tokens => "tokens",
            SpreadKey::Calls => "calls",
            SpreadKey::Seconds => "seconds",
            SpreadKey::Revenue => "revenue",
            SpreadKey::Evenly => "evenly",
        }
    }
}

/// How an amount came to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AllocationMethod {
    /// The line says it.
    Direct,
    /// By the customer's share within the calendar month.
    CustomerMonth(RevenueKey),
    /// By the key's share among everybody within the calendar month.
    Month(SpreadKey),
    /// Not at all: `(unmatched)`, `(unallocated)`, `(no rate)`.
    None,
}

impl AllocationMethod {
    /// The text in `allocation_method`.
    pub fn name(self) -> &'static str {
        match self {
            AllocationMethod::Direct => "direct",
            AllocationMethod::CustomerMonth(RevenueKey::Cost) => "customer_month_cost_share",
            AllocationMethod::CustomerMonth(RevenueKey::Usage) => "customer_month_token_share",
            AllocationMethod::CustomerMonth(RevenueKey::Equal) => "customer_month_equal",
            AllocationMethod::CustomerMonth(RevenueKey::Weights) => "customer_month_weights",
            AllocationMethod::Month(SpreadKey::Cost) => "month_cost_share",
            AllocationMethod::Month(SpreadKey::Tokens) => "month_token_share",
            AllocationMethod::Month(SpreadKey::Calls) => "month_call_share",
            AllocationMethod::Month(SpreadKey::Seconds) => "month_seconds_share",
            AllocationMethod::Month(SpreadKey::Revenue) => "month_revenue_share",
            AllocationMethod::Month(SpreadKey::Evenly) => "month_evenly",
            AllocationMethod::None => "none",
        }
    }

    /// True if the amount is shared out, not known of its key.
    pub fn is_allocation(self) -> bool {
        matches!(self, AllocationMethod::CustomerMonth(_) | AllocationMethod::Month(_))
    }
}
