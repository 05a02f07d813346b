//! The weights of the default allocation: a customer's cost by key within a calendar month.

use std::collections::HashMap;

use crate::revenue::time::Day;

/// Cost by key for each customer and month, in USD at scale 12. Costs that are not known weigh nothing.
#[derive(Debug, Clone, Default)]
pub struct CostShares {
    by_customer: HashMap<String, HashMap<Day, Vec<(String, i128)>>>,
}

impl CostShares {
    /// Adds the cost of a key; `month` is the month's first day. Rows may come in any order but each key once.
    pub fn add(&mut self, customer_id: &str, month: Day, key: &str, cost: i128) {
        let months = self.by_customer.entry(customer_id.to_owned()).or_default();
        months.entry(month).or_default().push((key.to_owned(), cost));
    }

    /// Puts the keys in their order, by which equal remainders are settled.
    pub fn sort(&mut self) {
        self.by_customer
            .values_mut()
            .flat_map(HashMap::values_mut)
            .for_each(|keys| keys.sort());
    }

    /// Keys with their costs; empty where the customer used nothing in that month.
    pub fn keys(&self, customer_id: &str, month: Day) -> &[(String, i128)] {
        let months = self.by_customer.get(customer_id);
        months.and_then(|months| months.get(&month)).map_or(&[], Vec::as_slice)
    }
}
