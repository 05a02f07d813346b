//! The days of one month among the keys that used it, conserving each day and each key's part of the month.
//!
//! Lasting keys (features, models, customers) get their share of every day. Passing keys (conversations, tasks) would need a
//! row each on every day of the month; they take their share of the month in turn instead, in the order in which they first
//! appear, so that days and keys together are all the rows there are. Either way a key's month is the same.

use super::largest_remainder::{split, split_days};
use super::weights::Weight;
use crate::revenue::Amount;
use crate::revenue::time::Day;

/// A part: which of the weights gets how much on which day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// UTC day.
    pub day: Day,
    /// Place in the weights.
    pub key: usize,
    /// Never nothing.
    pub amount: Amount,
}

/// Every key its share of every day. `None` if no weight is positive.
pub fn by_share(days: &[(Day, Amount)], weights: &[Weight]) -> Option<Vec<Part>> {
    let amounts: Vec<Amount> = days.iter().map(|(_, amount)| *amount).collect();
    let parts = split_days(&amounts, &plain(weights))?;
    let mut shared = Vec::new();
    for ((day, _), parts) in days.iter().zip(parts) {
        let of_day = parts.into_iter().enumerate().filter(|(_, amount)| !amount.is_zero());
        shared.extend(of_day.map(|(key, amount)| Part { day: *day, key, amount }));
    }
    Some(shared)
}

/// Every key its share of the month, in turn. Charges and refunds are shared out each by themselves. `None` if no weight is
/// positive.
pub fn in_turn(days: &[(Day, Amount)], weights: &[Weight]) -> Option<Vec<Part>> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|at| (weights[*at].first_day, *at));
    let plain = plain(weights);
    let mut shared = Vec::new();
    for negative in [false, true] {
        let days: Vec<(Day, Amount)> = days
            .iter()
            .copied()
            .filter(|(_, amount)| amount.is_negative() == negative && !amount.is_zero())
            .collect();
        let total = days.iter().map(|(_, amount)| *amount).sum();
        let mut parts = split(total, &plain)?;
        let mut keys = order.iter().copied().filter(|key| plain[*key] > 0).peekable();
        for (day, mut left) in days {
            while !left.is_zero() {
                let Some(key) = keys.peek().copied() else { break };
                // Both have the sign of the pass: the smaller magnitude is used up.
                let amount = if negative {
                    left.max(parts[key])
                } else {
                    left.min(parts[key])
                };
                if !amount.is_zero() {
                    shared.push(Part { day, key, amount });
                }
                left = left - amount;
                parts[key] = parts[key] - amount;
                if parts[key].is_zero() {
                    keys.next();
                }
            }
        }
    }
    Some(shared)
}

fn plain(weights: &[Weight]) -> Vec<i128> {
    weights.iter().map(|weight| weight.weight).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn weights(rows: &[(&str, Day, i128)]) -> Vec<Weight> {
        rows.iter()
            .map(|(key, first_day, weight)| Weight {
                key: (*key).into(),
                first_day: *first_day,
                weight: *weight,
            })
            .collect()
    }

    fn amount(scaled: i128) -> Amount {
        Amount::from_scaled(scaled)
    }

    #[test]
    fn passing_keys_take_their_share_of_the_month_one_after_the_other() {
        let weights = weights(&[("late", 20, 1), ("early", 3, 2)]);
        let days = [(1, amount(10)), (2, amount(10)), (3, amount(10)), (4, amount(-3))];
        let parts: Vec<(Day, usize, i128)> = in_turn(&days, &weights)
            .unwrap()
            .into_iter()
            .map(|part| (part.day, part.key, part.amount.scaled()))
            .collect();
        assert_eq!(parts, [(1, 1, 10), (2, 1, 10), (3, 0, 10), (4, 1, -2), (4, 0, -1)]);
    }

    proptest! {
        #[test]
        fn both_ways_conserve_days_and_agree_on_keys(
            days in prop::collection::vec(-10_i128.pow(15)..10_i128.pow(15), 1..31),
            keys in prop::collection::vec((0_i32..31, 0_i128..10_i128.pow(12)), 1..30),
        ) {
            let days: Vec<(Day, Amount)> = days.into_iter().enumerate().map(|(day, scaled)| (day as Day, amount(scaled))).collect();
            let weights: Vec<Weight> = keys.into_iter().enumerate()
                .map(|(at, (first_day, weight))| Weight { key: format!("k{at:02}").into(), first_day, weight }).collect();
            prop_assume!(weights.iter().any(|weight| weight.weight > 0));
            let charged: Amount = days.iter().map(|(_, amount)| *amount).filter(|amount| !amount.is_negative()).sum();
            let refunded: Amount = days.iter().map(|(_, amount)| *amount).filter(|amount| amount.is_negative()).sum();
            let plain = plain(&weights);
            let of_month: Vec<Amount> = split(charged, &plain).unwrap().into_iter().zip(split(refunded, &plain).unwrap()).map(|(a, b)| a + b).collect();
            for (parts, exact_keys) in [(by_share(&days, &weights).unwrap(), false), (in_turn(&days, &weights).unwrap(), true)] {
                let mut by_day: BTreeMap<Day, Amount> = days.iter().map(|(day, _)| (*day, Amount::ZERO)).collect();
                let mut by_key = vec![Amount::ZERO; weights.len()];
                for part in &parts {
                    *by_day.get_mut(&part.day).unwrap() += part.amount;
                    by_key[part.key] += part.amount;
                    prop_assert!(weights[part.key].weight > 0);
                }
                prop_assert_eq!(by_day.into_iter().collect::<Vec<_>>(), days.clone());
                if exact_keys {
                    prop_assert_eq!(&by_key, &of_month);
                    prop_assert!(parts.len() <= 2 * (days.len() + weights.len()));
                }
            }
        }
    }
}
