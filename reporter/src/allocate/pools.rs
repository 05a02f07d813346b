//! Daily revenue gathered by who earned it: the smallest set of amounts that every dimension can be made from.

use std::collections::{BTreeMap, HashMap};

use crate::revenue::daily::RevenueDay;
use crate::revenue::time::Day;
use crate::revenue::{Amount, Currency};

/// Amounts by day.
pub type DayAmounts = BTreeMap<Day, Amount>;

/// What is known about where revenue comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Earner {
    /// `None` is `(unmatched)`.
    pub customer_id: Option<String>,
    /// Where the line says it.
    pub feature: Option<String>,
    /// Where the line says it.
    pub user_id: Option<String>,
    /// Where the line says it.
    pub plan: Option<String>,
}

/// All revenue of a run.
#[derive(Debug, Clone, Default)]
pub struct RevenuePools {
    /// In the report's currency.
    pub(super) earned: HashMap<Earner, DayAmounts>,
    /// In its own currency, for want of a rate.
    pub(super) no_rate: BTreeMap<Currency, DayAmounts>,
}

impl RevenuePools {
    /// Adds what one line earns on one day.
    pub fn add(&mut self, day: &RevenueDay<'_>) {
        let Some(reported) = day.report_amount else {
            *self.no_rate.entry(day.line.currency).or_default().entry(day.day).or_default() += day.amount;
            return;
        };
        let earner = Earner {
            customer_id: day.customer_id.map(str::to_owned),
            feature: day.line.feature.as_deref().map(str::to_owned),
            user_id: day.line.user_id.as_deref().map(str::to_owned),
            plan: day.line.plan.as_deref().map(str::to_owned),
        };
        *self.earned.entry(earner).or_default().entry(day.day).or_default() += reported;
    }

    /// Everything in the report's currency.
    pub fn total(&self) -> Amount {
        self.earned.values().flat_map(BTreeMap::values).copied().sum()
    }

    /// Everything that stays in its own currency.
    pub fn total_without_rate(&self) -> BTreeMap<Currency, Amount> {
        self.no_rate
            .iter()
            .map(|(currency, days)| (*currency, days.values().copied().sum()))
            .collect()
    }

    /// First and last day that earn anything.
    pub fn days(&self) -> Option<(Day, Day)> {
        let all = || self.earned.values().chain(self.no_rate.values());
        let first = all().filter_map(|days| days.keys().next()).min()?;
        let last = all().filter_map(|days| days.keys().next_back()).max()?;
        Some((*first, *last))
    }
}
