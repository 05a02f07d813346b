//! Amounts by day, in order and side by side: a report has one of these for each customer and each key, and walks them more
//! often than it changes them.

use crate::revenue::Amount;
use crate::revenue::time::{Day, month_of};

/// What stands on each day; days without an amount are left out, days of nothing are not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DayAmounts(Vec<(Day, Amount)>);

impl DayAmounts {
    /// Adds to a day.
    pub fn add(&mut self, day: Day, amount: Amount) {
        if self.0.last().is_none_or(|(last, _)| *last < day) {
            return self.0.push((day, amount));
        }
        match self.0.binary_search_by_key(&day, |(day, _)| *day) {
            Ok(at) => self.0[at].1 += amount,
            Err(at) => self.0.insert(at, (day, amount)),
        }
    }

    /// Adds all days of another.
    pub fn add_all(&mut self, other: &DayAmounts) {
        other.iter().for_each(|(day, amount)| self.add(day, amount));
    }

    /// Days in order.
    pub fn iter(&self) -> impl Iterator<Item = (Day, Amount)> + '_ {
        self.0.iter().copied()
    }

    /// The days of each calendar month, under its first day.
    pub fn months(&self) -> impl Iterator<Item = (Day, &[(Day, Amount)])> {
        let months = self.0.chunk_by(|(left, _), (right, _)| month_of(*left) == month_of(*right));
        months.map(|days| (month_of(days[0].0), days))
    }

    /// First and last day.
    pub fn span(&self) -> Option<(Day, Day)> {
        Some((self.0.first()?.0, self.0.last()?.0))
    }

    /// All days together.
    pub fn total(&self) -> Amount {
        self.0.iter().map(|(_, amount)| *amount).sum()
    }

    /// The amount at `place` of the days, if it stands on `day`.
    pub(crate) fn at(&self, place: usize, day: Day) -> Option<Amount> {
        self.0.get(place).filter(|(of, _)| *of == day).map(|(_, amount)| *amount)
    }

    /// The place of the first day that is not before `day`.
    pub(crate) fn place_of(&self, day: Day) -> usize {
        self.0.partition_point(|(of, _)| *of < day)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map_of_days(adds in prop::collection::vec((20_574_i32..20_700, -5_i128..5), 0..60)) {
            let mut map: BTreeMap<Day, Amount> = BTreeMap::new();
            let mut days = DayAmounts::default();
            for (day, scaled) in adds {
                days.add(day, Amount::from_scaled(scaled));
                *map.entry(day).or_default() += Amount::from_scaled(scaled);
            }
            prop_assert_eq!(days.span(), map.keys().next().copied().zip(map.keys().next_back().copied()));
            prop_assert_eq!(days.total(), map.values().copied().sum::<Amount>());
            let by_month: Vec<(Day, Amount)> = days.months().flat_map(|(month, days)| {
                assert!(days.iter().all(|(day, _)| month_of(*day) == month));
                days.to_vec()
            }).collect();
            prop_assert_eq!(by_month, map.into_iter().collect::<Vec<_>>());
        }
    }
}
