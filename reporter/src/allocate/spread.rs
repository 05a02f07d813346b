//! One dimension's revenue, or another amount of known earners, by key and day.
//!
//! The rule of the default: what a customer pays in a calendar month goes to the keys in proportion to what they cost
//! that customer in that month. Revenue of a month without cost stays `(unallocated)`; revenue of nobody `(unmatched)`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::method::{AllocationMethod, RevenueKey};
use super::pools::RevenuePools;
use super::share_out::{by_share, in_turn};
use super::weights::{CustomerWeights, Weight};
use super::{DayAmounts, Dimension, NO_RATE, UNALLOCATED, UNMATCHED};
use crate::revenue::time::Day;
use crate::revenue::{Amount, Currency};

/// What a key gets in one way on its days: rows of `revenue_by_key`, and all but two columns of those of `cost_by_key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAmounts {
    /// Key of the dimension, or a row of its own in brackets.
    pub key: Arc<str>,
    /// The report's currency, but for `(no rate)`.
    pub currency: Currency,
    /// How it came here.
    pub method: AllocationMethod,
    /// Signed, net.
    pub days: DayAmounts,
}

/// All rows of one dimension, by key, currency and method. They sum to the pools, day by day.
pub fn revenue_by_key(
    dimension: Dimension,
    pools: &RevenuePools,
    weights: &CustomerWeights,
    by: RevenueKey,
    currency: Currency,
) -> Vec<KeyAmounts> {
    let mut rows = KeyRows::new(dimension, currency);
    let mut to_allocate: BTreeMap<&str, DayAmounts> = BTreeMap::new();
    for (earner, days) in &pools.earned {
        match (dimension.known_key(earner), &earner.customer_id) {
            (Some(key), _) => rows.add_days(key, AllocationMethod::Direct, days),
            (None, None) => rows.add_days(UNMATCHED, AllocationMethod::None, days),
            (None, Some(customer)) => to_allocate.entry(customer).or_default().add_all(days),
        }
    }
    for (customer, days) in &to_allocate {
        for (month, days) in days.months() {
            rows.allocate(days, weights.of(customer, month), AllocationMethod::CustomerMonth(by));
        }
    }
    for (currency, days) in &pools.no_rate {
        rows.add_no_rate(*currency, days);
    }
    rows.finish()
}

/// Rows of one dimension on their way: each key, currency and method once.
#[derive(Debug)]
pub(super) struct KeyRows {
    dimension: Dimension,
    currency: Currency,
    rows: Vec<KeyAmounts>,
    places: FxHashMap<(Arc<str>, Currency, AllocationMethod), usize>,
}

impl KeyRows {
    pub(super) fn new(dimension: Dimension, currency: Currency) -> KeyRows {
        KeyRows {
            dimension,
            currency,
            rows: Vec::new(),
            places: FxHashMap::default(),
        }
    }

    fn place(&mut self, key: &Arc<str>, method: AllocationMethod) -> usize {
        let (currency, next) = (self.currency, self.rows.len());
        let place = *self.places.entry((Arc::clone(key), currency, method)).or_insert(next);
        if place == next {
            self.rows.push(KeyAmounts {
                key: Arc::clone(key),
                currency,
                method,
                days: DayAmounts::default(),
            });
        }
        place
    }

    fn add(&mut self, key: &str, method: AllocationMethod, days: impl Iterator<Item = (Day, Amount)>) {
        let place = self.place(&key.into(), method);
        let amounts = &mut self.rows[place].days;
        days.for_each(|(day, amount)| amounts.add(day, amount));
    }

    pub(super) fn add_days(&mut self, key: &str, method: AllocationMethod, days: &DayAmounts) {
        self.add(key, method, days.iter());
    }

    /// Amounts that stay in their own currency.
    pub(super) fn add_no_rate(&mut self, currency: Currency, days: &DayAmounts) {
        let own = std::mem::replace(&mut self.currency, currency);
        self.add_days(NO_RATE, AllocationMethod::None, days);
        self.currency = own;
    }

    /// Shares the days of one month out; without a weight they stay `(unallocated)`.
    pub(super) fn allocate(&mut self, days: &[(Day, Amount)], weights: &[Weight], method: AllocationMethod) {
        let share = if self.dimension.is_passing() { in_turn } else { by_share };
        let Some(parts) = share(days, weights) else {
            return self.add(UNALLOCATED, AllocationMethod::None, days.iter().copied());
        };
        // A key has parts on many days, and is looked up once.
        let mut places: Vec<Option<usize>> = vec![None; weights.len()];
        for part in parts {
            let place = *places[part.key].get_or_insert_with(|| self.place(&weights[part.key].key, method));
            self.rows[place].days.add(part.day, part.amount);
        }
    }

    /// The rows in their order.
    pub(super) fn finish(mut self) -> Vec<KeyAmounts> {
        self.rows
            .sort_by(|left, right| (&left.key, left.currency, left.method).cmp(&(&right.key, right.currency, right.method)));
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::super::pools::Earner;
    use super::*;
    use crate::revenue::time::month_of;
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
            pools.add_amount(earner, *day, usd(amount));
        }
        pools
    }

    fn shares(rows: &[(&str, Day, &str, &str)]) -> CustomerWeights {
        let mut shares = CustomerWeights::default();
        for (customer, month, key, cost) in rows {
            shares.add(customer, *month, weight(key, *month, usd(cost).scaled()));
        }
        shares.sort();
        shares
    }

    fn weight(key: &str, first_day: Day, weight: i128) -> Weight {
        Weight {
            key: key.into(),
            first_day,
            weight,
        }
    }

    fn by_cost(dimension: Dimension, pools: &RevenuePools, shares: &CustomerWeights) -> Vec<KeyAmounts> {
        revenue_by_key(dimension, pools, shares, RevenueKey::Cost, Currency::USD)
    }

    fn sums(rows: &[KeyAmounts]) -> Vec<(&str, &str, String)> {
        let mut sums: BTreeMap<(&str, &str), Amount> = BTreeMap::new();
        rows.iter()
            .for_each(|row| *sums.entry((&row.key, row.method.name())).or_default() += row.days.total());
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
        let rows = by_cost(Dimension::Feature, &pools, &shares);
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
        let rows = by_cost(
            Dimension::Customer,
            &pools(&[(Some("idle"), None, MAY_1, "3")]),
            &CustomerWeights::default(),
        );
        assert_eq!(sums(&rows), [("idle", "direct", "3".to_owned())]);
    }

    #[test]
    fn usage_without_known_cost_allocates_nothing() {
        let pools = pools(&[(Some("acme"), None, MAY_1, "3")]);
        let rows = by_cost(Dimension::Model, &pools, &shares(&[("acme", MAY_1, "mystery", "0")]));
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
                pools.add_amount(earner, day, amount);
                *by_day.entry((day, Currency::USD)).or_default() += amount;
            }
            for (day, scaled) in foreign {
                let amount = Amount::from_scaled(scaled.into());
                pools.add_without_rate(Currency::EUR, day, amount);
                *by_day.entry((day, Currency::EUR)).or_default() += amount;
            }
            let mut unique = BTreeMap::new();
            costs.into_iter().for_each(|(customer, month, key, cost)| { unique.insert((customer, month, key), cost); });
            let mut shares = CustomerWeights::default();
            for ((customer, month, key), cost) in unique {
                let month = month_of(MAY_1 + 31 * month);
                shares.add(&format!("c{customer}"), month, weight(&format!("k{key}"), month, cost.into()));
            }
            shares.sort();
            for dimension in Dimension::ALL {
                let mut sums: BTreeMap<(Day, Currency), Amount> = BTreeMap::new();
                for row in by_cost(dimension, &pools, &shares) {
                    row.days.iter().for_each(|(day, amount)| *sums.entry((day, row.currency)).or_default() += amount);
                }
                sums.retain(|_, amount| !amount.is_zero());
                let expected: BTreeMap<_, _> = by_day.clone().into_iter().filter(|(_, amount)| !amount.is_zero()).collect();
                prop_assert_eq!(&sums, &expected, "{:?}", dimension);
            }
        }
    }
}
