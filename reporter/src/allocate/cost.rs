//! Costs that are no calls by key and day: bills to be spread, and costs that are known of a customer.
//!
//! A bill's days are shared out by what each key used within the calendar month, over the calls that the bill is about;
//! months without such calls stay `(unallocated)`. A cost that is known of a customer goes the way of that customer's revenue.

use std::collections::BTreeMap;

use super::method::{AllocationMethod, RevenueKey, SpreadKey};
use super::pools::{Earner, RevenuePools};
use super::spread::{KeyAmounts, KeyRows, revenue_by_key};
use super::weights::{CustomerWeights, MonthWeights};
use super::{DayAmounts, Dimension};
use crate::revenue::time::Day;
use crate::revenue::{Amount, Currency};
use serde::Deserialize;

/// Where a cost stands in the profit and loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostClass {
    /// Inference.
    Model,
    /// Other cost of goods sold: retrieval, infrastructure, review in the path of delivery.
    #[default]
    OtherCogs,
    /// Variable costs outside of COGS: payment fees, bad debt.
    Variable,
    /// In no margin: evaluation, development, internal use.
    NotCogs,
}

impl CostClass {
    /// The text in `cost_class`.
    pub fn name(self) -> &'static str {
        match self {
            CostClass::Model => "model",
            CostClass::OtherCogs => "other_cogs",
            CostClass::Variable => "variable",
            CostClass::NotCogs => "not_cogs",
        }
    }

    /// The class of that name.
    pub fn parse(text: &str) -> Option<CostClass> {
        let all = [
            CostClass::Model,
            CostClass::OtherCogs,
            CostClass::Variable,
            CostClass::NotCogs,
        ];
        all.into_iter().find(|class| class.name() == text)
    }
}

/// What an amount is part of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CostSource {
    /// The bill's id, or what kind of cost it is, such as `bad_debt`.
    pub name: String,
    /// Its class.
    pub class: CostClass,
}

/// All costs of a run that are no calls.
#[derive(Debug, Clone, Default)]
pub struct CostPools {
    known: BTreeMap<CostSource, RevenuePools>,
    /// By source, by the bill's place among the bills, and by feature where the line says it.
    spread: BTreeMap<(CostSource, usize, Option<String>), DayAmounts>,
    /// In their own currency, for want of a rate.
    no_rate: BTreeMap<(CostSource, Currency), DayAmounts>,
}

/// Rows of `cost_by_key`: what a key gets of one source in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyCost {
    /// What it is part of.
    pub source: CostSource,
    /// Whose it is, and when.
    pub amounts: KeyAmounts,
}

/// How a bill is spread in one dimension.
#[derive(Debug, Clone, Default)]
pub struct BillWeights {
    /// By what.
    pub by: SpreadKey,
    /// What each key used.
    pub months: MonthWeights,
}

impl CostPools {
    /// Adds what is known to be the cost of a customer (bad debt, payment fees).
    pub fn add_known(&mut self, source: CostSource, earner: Earner, day: Day, amount: Amount) {
        self.known.entry(source).or_default().add_amount(earner, day, amount);
    }

    /// Adds a day of the bill that stands at `bill` among the bills.
    pub fn add_bill(&mut self, source: CostSource, bill: usize, feature: Option<String>, day: Day, amount: Amount) {
        self.spread.entry((source, bill, feature)).or_default().add(day, amount);
    }

    /// Adds an amount that stays in its own currency.
    pub fn add_without_rate(&mut self, source: CostSource, currency: Currency, day: Day, amount: Amount) {
        self.no_rate.entry((source, currency)).or_default().add(day, amount);
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty() && self.spread.is_empty() && self.no_rate.is_empty()
    }

    /// First and last day that cost anything.
    pub fn days(&self) -> Option<(Day, Day)> {
        let spread = self.spread.values().chain(self.no_rate.values());
        spread
            .filter_map(DayAmounts::span)
            .chain(self.known.values().filter_map(RevenuePools::days))
            .reduce(|(first, last), (other_first, other_last)| (first.min(other_first), last.max(other_last)))
    }
}

/// All rows of one dimension. They sum to the pools, source by source and day by day.
pub fn cost_by_key(
    dimension: Dimension,
    pools: &CostPools,
    bills: &[BillWeights],
    customers: &CustomerWeights,
    by: RevenueKey,
    currency: Currency,
) -> Vec<KeyCost> {
    let mut costs = Vec::new();
    let mut keep = |source: &CostSource, rows: Vec<KeyAmounts>| {
        costs.extend(rows.into_iter().map(|amounts| KeyCost {
            source: source.clone(),
            amounts,
        }));
    };
    for (source, known) in &pools.known {
        keep(source, revenue_by_key(dimension, known, customers, by, currency));
    }
    for ((source, bill, feature), days) in &pools.spread {
        let mut rows = KeyRows::new(dimension, currency);
        match (dimension, feature, bills.get(*bill)) {
            (Dimension::Feature, Some(feature), _) => rows.add_days(feature, AllocationMethod::Direct, days),
            (_, _, weights) => {
                for (month, days) in days.months() {
                    let keys = weights.map_or(&[][..], |weights| weights.months.of(month));
                    let by = weights.map_or_else(SpreadKey::default, |weights| weights.by);
                    rows.allocate(days, keys, AllocationMethod::Month(by));
                }
            }
        }
        keep(source, rows.finish());
    }
    for ((source, own), days) in &pools.no_rate {
        let mut rows = KeyRows::new(dimension, currency);
        rows.add_no_rate(*own, days);
        keep(source, rows.finish());
    }
    costs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::weights::Weight;
    use super::*;
    use crate::revenue::time::month_of;

    const MAY_1: Day = 20_574;

    fn source(name: &str) -> CostSource {
        CostSource {
            name: name.into(),
            class: CostClass::OtherCogs,
        }
    }

    proptest! {
        #[test]
        fn bills_are_conserved_in_every_dimension_on_every_day(
            bills in prop::collection::vec((0_usize..3, 0_u8..3, MAY_1..MAY_1 + 70, -10_i64.pow(14)..10_i64.pow(15)), 0..60),
            known in prop::collection::vec((0_u8..4, MAY_1..MAY_1 + 70, 0_i64..10_i64.pow(15)), 0..20),
            weights in prop::collection::vec((0_usize..3, 0_i32..3, 0_u8..5, 0_i32..31, 0_i64..10_i64.pow(15)), 0..40),
        ) {
            let mut pools = CostPools::default();
            let mut by_day: BTreeMap<(String, Day), Amount> = BTreeMap::new();
            for (bill, feature, day, scaled) in bills {
                let name = format!("bill-{bill}");
                let feature = (feature > 0).then(|| format!("f{feature}"));
                pools.add_bill(source(&name), bill, feature, day, Amount::from_scaled(scaled.into()));
                *by_day.entry((name, day)).or_default() += Amount::from_scaled(scaled.into());
            }
            for (customer, day, scaled) in known {
                let earner = Earner { customer_id: (customer > 0).then(|| format!("c{customer}")), ..Earner::default() };
                pools.add_known(source("bad_debt"), earner, day, Amount::from_scaled(scaled.into()));
                *by_day.entry(("bad_debt".into(), day)).or_default() += Amount::from_scaled(scaled.into());
            }
            let mut unique = BTreeMap::new();
            for (bill, month, key, first, weight) in weights {
                unique.insert((bill, month, key), (first, weight));
            }
            let mut bills = vec![BillWeights::default(); 3];
            for ((bill, month, key), (first, weight)) in unique {
                let month = month_of(MAY_1 + 31 * month);
                let weight = Weight { key: format!("k{key}").into(), first_day: month + first, weight: weight.into() };
                bills[bill].months.add(month, weight);
            }
            bills.iter_mut().for_each(|bill| bill.months.sort());
            by_day.retain(|_, amount| !amount.is_zero());
            for dimension in Dimension::ALL {
                let mut sums: BTreeMap<(String, Day), Amount> = BTreeMap::new();
                for cost in cost_by_key(dimension, &pools, &bills, &CustomerWeights::default(), RevenueKey::Cost, Currency::USD) {
                    for (day, amount) in cost.amounts.days.iter() {
                        *sums.entry((cost.source.name.clone(), day)).or_default() += amount;
                    }
                }
                sums.retain(|_, amount| !amount.is_zero());
                prop_assert_eq!(&sums, &by_day, "{:?}", dimension);
            }
        }
    }
}
