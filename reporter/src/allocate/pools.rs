//! Daily revenue gathered by who earned it: the smallest set of amounts that every dimension can be made from.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::DayAmounts;
use crate::revenue::daily::RevenueDay;
use crate::revenue::time::Day;
use crate::revenue::{Amount, Currency};

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
    pub(super) earned: FxHashMap<Earner, DayAmounts>,
    /// In its own currency, for want of a rate.
    pub(super) no_rate: BTreeMap<Currency, DayAmounts>,
}

impl Earner {
    /// Whose a day of a line is.
    pub fn of(day: &RevenueDay<'_>) -> Earner {
        Earner {
            customer_id: day.customer_id.map(str::to_owned),
            feature: day.line.feature.as_deref().map(str::to_owned),
            user_id: day.line.user_id.as_deref().map(str::to_owned),
            plan: day.line.plan.as_deref().map(str::to_owned),
        }
    }
}

impl RevenuePools {
    /// Adds what one line earns on its days. Whose it is is looked up once, and again where the line changes hands.
    pub fn add_line<'a>(&mut self, days: impl Iterator<Item = RevenueDay<'a>>) {
        let mut earner: Option<(Option<&'a str>, &mut DayAmounts)> = None;
        for day in days {
            let Some(reported) = day.report_amount else {
                self.no_rate.entry(day.line.currency).or_default().add(day.day, day.amount);
                continue;
            };
            let amounts = match earner.take() {
                Some((customer, amounts)) if customer == day.customer_id => amounts,
                _ => self.earned.entry(Earner::of(&day)).or_default(),
            };
            amounts.add(day.day, reported);
            earner = Some((day.customer_id, amounts));
        }
    }

    /// Adds an amount of an earner in the report's currency.
    pub fn add_amount(&mut self, earner: Earner, day: Day, amount: Amount) {
        self.earned.entry(earner).or_default().add(day, amount);
    }

    /// Adds an amount that stays in its own currency.
    pub fn add_without_rate(&mut self, currency: Currency, day: Day, amount: Amount) {
        self.no_rate.entry(currency).or_default().add(day, amount);
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.earned.is_empty() && self.no_rate.is_empty()
    }

    /// The plan that earned most from each customer in each calendar month, in order; of equal ones the first by name.
    pub fn customer_plans(&self) -> Vec<(&str, Day, &str)> {
        let mut earned: BTreeMap<(&str, Day, &str), Amount> = BTreeMap::new();
        for (earner, days) in &self.earned {
            if let (Some(customer), Some(plan)) = (&earner.customer_id, &earner.plan) {
                for (month, days) in days.months() {
                    let amount: Amount = days.iter().map(|(_, amount)| *amount).sum();
                    *earned.entry((customer, month, plan)).or_default() += amount;
                }
            }
        }
        let mut plans: Vec<(&str, Day, &str)> = Vec::new();
        let mut most = Amount::ZERO;
        for ((customer, month, plan), amount) in earned {
            match plans.last_mut() {
                Some(last) if (last.0, last.1) == (customer, month) => {
                    if amount > most {
                        (last.2, most) = (plan, amount);
                    }
                }
                _ => {
                    plans.push((customer, month, plan));
                    most = amount;
                }
            }
        }
        plans
    }

    /// Everything in the report's currency.
    pub fn total(&self) -> Amount {
        self.earned.values().map(DayAmounts::total).sum()
    }

    /// Everything that stays in its own currency.
    pub fn total_without_rate(&self) -> BTreeMap<Currency, Amount> {
        self.no_rate
            .iter()
            .map(|(currency, days)| (*currency, days.total()))
            .collect()
    }

    /// First and last day that earn anything.
    pub fn days(&self) -> Option<(Day, Day)> {
        let all = self.earned.values().chain(self.no_rate.values());
        all.filter_map(DayAmounts::span)
            .reduce(|(first, last), (other_first, other_last)| (first.min(other_first), last.max(other_last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_of_a_month_is_the_one_that_earned_most_in_it() {
        let mut pools = RevenuePools::default();
        let mut add = |plan: Option<&str>, day, amount: i128| {
            let earner = Earner {
                customer_id: Some("acme".into()),
                plan: plan.map(str::to_owned),
                ..Earner::default()
            };
            pools.add_amount(earner, day, Amount::from_scaled(amount));
        };
        add(Some("team"), 20_574, 5);
        add(Some("add-on"), 20_574, 9);
        add(Some("team"), 20_580, 5);
        add(None, 20_580, 100);
        add(Some("pro"), 20_574 + 31, 1);
        assert_eq!(pools.customer_plans(), [("acme", 20_574, "team"), ("acme", 20_605, "pro")]);
    }
}
