//! One dimension's revenue by key and day.
//!
//! The rule of the default: what a customer pays in a calendar month goes to the keys in proportion to what they cost
//! that customer in that month. Revenue of a month without cost stays `(unallocated)`; revenue of nobody `(unmatched)`.

use std::collections::BTreeMap;

use super::pools::{DayAmounts, RevenuePools};
use super::{CostShares, Dimension, NO_RATE, UNALLOCATED, UNMATCHED, largest_remainder};
use crate::revenue::time::{Day, month_of};
use crate::revenue::{Amount, Currency};

/// How revenue came to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AllocationMethod {
    /// The line says it.
    Direct,
    /// By the customer's share of cost within the calendar month.
    CustomerMonthCost,
    /// Not at all: `(unmatched)`, `(unallocated)`, `(no rate)`.
    None,
}

impl AllocationMethod {
    /// The text in `allocation_method`.
    pub fn name(self) -> &'static str {
        match self {
            AllocationMethod::Direct => "direct",
            AllocationMethod::CustomerMonthCost => "customer_month_cost_share",
            AllocationMethod::None => "none",
        }
    }
}

/// A row of `revenue_by_key`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyRevenue {
    /// UTC day.
    pub day: Day,
    /// Key of the dimension, or a row of its own in brackets.
    pub key: String,
    /// The report's currency, but for `(no rate)`.
    pub currency: Currency,
    /// How it came here.
    pub method: AllocationMethod,
    /// Signed, net.
    pub revenue: Amount,
}

impl KeyRevenue {
    /// The part that is an allocation, not a fact.
    pub fn allocated(&self) -> Amount {
        if self.method == AllocationMethod::CustomerMonthCost {
            self.revenue
        } else {
            Amount::ZERO
        }
    }
}

/// All rows of one dimension, sorted. They sum to the pools, day by day.
pub fn revenue_by_key(dimension: Dimension, pools: &RevenuePools, shares: &CostShares, currency: Currency) -> Vec<KeyRevenue> {
    let mut cells = Cells::default();
    let mut to_allocate: BTreeMap<&str, DayAmounts> = BTreeMap::new();
    for (earner, days) in &pools.earned {
        match (dimension.known_key(earner), &earner.customer_id) {
            (Some(key), _) => cells.add_days(key, AllocationMethod::Direct, days),
            (None, None) => cells.add_days(UNMATCHED, AllocationMethod::None, days),
            (None, Some(customer)) => {
                let pool = to_allocate.entry(customer).or_default();
                days.iter()
                    .for_each(|(day, amount)| *pool.entry(*day).or_default() += *amount);
            }
        }
    }
    for (customer, days) in &to_allocate {
        for (month, days) in by_month(days) {
            cells.allocate(&days, shares.keys(customer, month));
        }
    }
    let mut rows: Vec<KeyRevenue> = cells
        .0
        .into_iter()
        .map(|((day, key, method), revenue)| KeyRevenue {
            day,
            key,
            currency,
            method,
            revenue,
        })
        .collect();
    for (currency, days) in &pools.no_rate {
        rows.extend(days.iter().map(|(day, amount)| KeyRevenue {
            day: *day,
            key: NO_RATE.to_owned(),
            currency: *currency,
            method: AllocationMethod::None,
            revenue: *amount,
        }));
    }
    rows.sort();
    rows
}

#[derive(Default)]
struct Cells(BTreeMap<(Day, String, AllocationMethod), Amount>);

impl Cells {
    fn add(&mut self, day: Day, key: &str, method: AllocationMethod, amount: Amount) {
        *self.0.entry((day, key.to_owned(), method)).or_default() += amount;
    }

    fn add_days(&mut self, key: &str, method: AllocationMethod, days: &DayAmounts) {
        days.iter().for_each(|(day, amount)| self.add(*day, key, method, *amount));
    }

    fn allocate(&mut self, days: &[(Day, Amount)], shares: &[(String, i128)]) {
        let amounts: Vec<Amount> = days.iter().map(|(_, amount)| *amount).collect();
        let weights: Vec<i128> = shares.iter().map(|(_, cost)| *cost).collect();
        let Some(parts) = largest_remainder::split_days(&amounts, &weights) else {
            days.iter()
                .for_each(|(day, amount)| self.add(*day, UNALLOCATED, AllocationMethod::None, *amount));
            return;
        };
        for ((day, _), parts) in days.iter().zip(parts) {
            for ((key, _), part) in shares.iter().zip(parts) {
                if !part.is_zero() {
                    self.add(*day, key, AllocationMethod::CustomerMonthCost, part);
                }
            }
        }
    }
}

fn by_month(days: &DayAmounts) -> BTreeMap<Day, Vec<(Day, Amount)>> {
    let mut months: BTreeMap<Day, Vec<(Day, Amount)>> = BTreeMap::new();
    days.iter()
        .for_each(|(day, amount)| months.entry(month_of(*day)).or_default().push((*day, *amount)));
    months
}

#[cfg(test)]
mod tests {
    use super::super::pools::Earner;
    use super::*;
    use proptest::prelude::*;

    const MAY_1: Day = 20_574;

    fn usd(text: &str) -> Amount {
        Amount::parse_major(text).unwrap()
    }

    fn pools(rows: &[(Option<&str>, Option<&str>, Day, &str)]) -> RevenuePools {
        let mut pools = RevenuePools::default();
        for (customer, feature, day, amount) in rows {
            let earner = Earner {
                customer_id: customer.map(str::to_owned),
                feature: feature.map(str::to_owned),
                ..Earner::default()
            };
            *pools.earned.entry(earner).or_default().entry(*day).or_default() += usd(amount);
        }
        pools
    }

    fn shares(rows: &[(&str, Day, &str, &str)]) -> CostShares {
        let mut shares = CostShares::default();
        rows.iter()
            .for_each(|(customer, month, key, cost)| shares.add(customer, *month, key, usd(cost).scaled()));
        shares.sort();
        shares
    }

    fn sums(rows: &[KeyRevenue]) -> Vec<(&str, &str, String)> {
        let mut sums: BTreeMap<(&str, &str), Amount> = BTreeMap::new();
        rows.iter()
            .for_each(|row| *sums.entry((&row.key, row.method.name())).or_default() += row.revenue);
        sums.into_iter()
            .map(|((key, method), amount)| (key, method, amount.to_string()))
            .collect()
    }

    #[test]
    fn a_month_is_allocated_by_that_months_cost_of_that_customer() {
        assert_eq!(month_of(MAY_1), MAY_1);
        let pools = pools(&[
            (Some("acme"), None, MAY_1, "20"),
            (Some("acme"), None, MAY_1 + 1, "10"),
            (Some("acme"), None, MAY_1 + 31, "7"),
            (Some("acme"), Some("search"), MAY_1, "5"),
            (Some("idle"), None, MAY_1, "3"),
            (None, None, MAY_1, "2"),
        ]);
        let shares = shares(&[
            ("acme", MAY_1, "chat", "1"),
            ("acme", MAY_1, "search", "2"),
            ("other", MAY_1, "chat", "100"),
        ]);
        let rows = revenue_by_key(Dimension::Feature, &pools, &shares, Currency::USD);
        let expected = [
            ("(unallocated)", "none", "10"),
            ("(unmatched)", "none", "2"),
            ("chat", "customer_month_cost_share", "10"),
            ("search", "direct", "5"),
            ("search", "customer_month_cost_share", "20"),
        ];
        let mut expected = expected
            .map(|(key, method, amount)| (key, method, amount.to_owned()))
            .to_vec();
        expected.sort();
        assert_eq!(sums(&rows), expected);
    }

    #[test]
    fn a_customer_without_usage_keeps_its_own_row() {
        let rows = revenue_by_key(
            Dimension::Customer,
            &pools(&[(Some("idle"), None, MAY_1, "3")]),
            &CostShares::default(),
            Currency::USD,
        );
        assert_eq!(sums(&rows), [("idle", "direct", "3".to_owned())]);
    }

    #[test]
    fn usage_without_known_cost_allocates_nothing() {
        let pools = pools(&[(Some("acme"), None, MAY_1, "3")]);
        let rows = revenue_by_key(
            Dimension::Model,
            &pools,
            &shares(&[("acme", MAY_1, "mystery", "0")]),
            Currency::USD,
        );
        assert_eq!(sums(&rows), [("(unallocated)", "none", "3".to_owned())]);
    }

    proptest! {
        #[test]
        fn every_dimension_sums_to_the_same_on_every_day(
            rows in prop::collection::vec((0_u8..5, 0_u8..4, MAY_1..MAY_1 + 70, -10_i64.pow(15)..10_i64.pow(15)), 0..60),
            costs in prop::collection::vec((0_u8..5, 0_i32..3, 0_u8..4, 0_i64..10_i64.pow(15)), 0..40),
            foreign in prop::collection::vec((MAY_1..MAY_1 + 70, 1_i64..1_000_000), 0..5),
        ) {
            let mut pools = RevenuePools::default();
            let mut by_day: BTreeMap<(Day, Currency), Amount> = BTreeMap::new();
            for (customer, feature, day, scaled) in rows {
                let name = |prefix: &str, number: u8| (number > 0).then(|| format!("{prefix}{number}"));
                let earner = Earner { customer_id: name("c", customer), feature: name("f", feature.saturating_sub(1)), ..Earner::default() };
                let amount = Amount::from_scaled(scaled.into());
                *pools.earned.entry(earner).or_default().entry(day).or_default() += amount;
                *by_day.entry((day, Currency::USD)).or_default() += amount;
            }
            for (day, scaled) in foreign {
                let amount = Amount::from_scaled(scaled.into());
                *pools.no_rate.entry(Currency::EUR).or_default().entry(day).or_default() += amount;
                *by_day.entry((day, Currency::EUR)).or_default() += amount;
            }
            let mut unique = BTreeMap::new();
            costs.into_iter().for_each(|(customer, month, key, cost)| { unique.insert((customer, month, key), cost); });
            let mut shares = CostShares::default();
            for ((customer, month, key), cost) in unique {
                shares.add(&format!("c{customer}"), month_of(MAY_1 + 31 * month), &format!("k{key}"), cost.into());
            }
            shares.sort();
            for dimension in Dimension::ALL {
                let mut sums: BTreeMap<(Day, Currency), Amount> = BTreeMap::new();
                for row in revenue_by_key(dimension, &pools, &shares, Currency::USD) {
                    *sums.entry((row.day, row.currency)).or_default() += row.revenue;
                }
                sums.retain(|_, amount| !amount.is_zero());
                let expected: BTreeMap<_, _> = by_day.clone().into_iter().filter(|(_, amount)| !amount.is_zero()).collect();
                prop_assert_eq!(&sums, &expected, "{:?}", dimension);
            }
        }
    }
}
