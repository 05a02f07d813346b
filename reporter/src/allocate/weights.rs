//! The weights of an allocation: what each key used within a calendar month, of one customer or of everybody.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::revenue::time::Day;

/// A key with its part of the whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight {
    /// Key of the dimension.
    pub key: Arc<str>,
    /// The first day of the month on which it was used.
    pub first_day: Day,
    /// Cost in USD at scale 12, tokens, calls...: whatever the method weighs by. What is not known weighs nothing.
    pub weight: i128,
}

/// Weights by month; months by their first day. Each key stands once in a month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MonthWeights(BTreeMap<Day, Vec<Weight>>);

impl MonthWeights {
    /// Adds a key, which stands in no earlier row of the month.
    pub fn add(&mut self, month: Day, weight: Weight) {
        self.0.entry(month).or_default().push(weight);
    }

    /// Puts the keys in their order, by which equal remainders are settled.
    pub fn sort(&mut self) {
        self.0.values_mut().for_each(|keys| keys.sort());
    }

    /// The keys of a month; none where nothing was used.
    pub fn of(&self, month: Day) -> &[Weight] {
        self.0.get(&month).map_or(&[], Vec::as_slice)
    }

    /// Every key of every month, to be weighed anew.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Weight> {
        self.0.values_mut().flatten()
    }
}

/// Weights by customer: the keys among which what one customer pays is shared out.
#[derive(Debug, Clone, Default)]
pub struct CustomerWeights(FxHashMap<String, MonthWeights>);

impl CustomerWeights {
    /// Adds a key of a customer.
    pub fn add(&mut self, customer_id: &str, month: Day, weight: Weight) {
        match self.0.get_mut(customer_id) {
            Some(months) => months.add(month, weight),
            None => {
                let mut months = MonthWeights::default();
                months.add(month, weight);
                self.0.insert(customer_id.to_owned(), months);
            }
        }
    }

    /// Puts the keys in their order.
    pub fn sort(&mut self) {
        self.0.values_mut().for_each(MonthWeights::sort);
    }

    /// Keys of a customer's month; none where the customer used nothing in it.
    pub fn of(&self, customer_id: &str, month: Day) -> &[Weight] {
        self.0.get(customer_id).map_or(&[], |months| months.of(month))
    }

    /// Every key, to be weighed anew.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Weight> {
        self.0.values_mut().flat_map(MonthWeights::iter_mut)
    }
}
