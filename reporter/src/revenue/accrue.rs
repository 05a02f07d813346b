//! What a line earns on each day of its service period.
//!
//! Each day gets net/days rounded half to even at scale 12, the last day the rest, so that the days of a line sum to
//! the line to the last digit, whatever its length and sign.

use super::money::Amount;
use super::time::{Day, Period};

/// An amount over the days of its period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accrual {
    first: Day,
    last: Day,
    each: Amount,
    rest: Amount,
}

impl Accrual {
    /// Spreads `amount` over `period`.
    pub fn new(amount: Amount, period: Period) -> Accrual {
        let days = period.days();
        let each = amount.per_day(days);
        Accrual {
            first: period.first_day(),
            last: period.first_day() + days as Day - 1,
            each,
            rest: amount - Amount::from_scaled(each.scaled() * i128::from(days - 1)),
        }
    }

    /// First and last day.
    pub fn span(&self) -> (Day, Day) {
        (self.first, self.last)
    }

    /// What the days before `day` earn together.
    pub fn before(&self, day: Day) -> Amount {
        let each = |days: Day| Amount::from_scaled(self.each.scaled() * i128::from(days));
        match day > self.last {
            true => each(self.last - self.first) + self.rest,
            false => each((day - self.first).max(0)),
        }
    }

    /// What a day earns; `None` outside of the period.
    pub fn on(&self, day: Day) -> Option<Amount> {
        match day == self.last {
            true => Some(self.rest),
            false => (self.first <= day && day < self.last).then_some(self.each),
        }
    }
}

/// The days of a period with what each earns of `amount`, in order.
pub fn accrue(amount: Amount, period: Period) -> impl Iterator<Item = (Day, Amount)> {
    let accrual = Accrual::new(amount, period);
    (accrual.first..=accrual.last).filter_map(move |day| Some((day, accrual.on(day)?)))
}

#[cfg(test)]
mod tests {
    use super::super::time::{Moment, TimeFormat, day_text};
    use super::*;
    use proptest::prelude::*;

    fn days_of(amount: &str, start: &str, end: &str) -> Vec<(String, String)> {
        let moment = |text| Moment::parse(text, TimeFormat::Iso).unwrap();
        let period = Period::new(moment(start), Some(moment(end))).unwrap();
        let amount = Amount::parse_major(amount).unwrap();
        accrue(amount, period)
            .map(|(day, amount)| (day_text(day), amount.to_string()))
            .collect()
    }

    #[test]
    fn the_last_day_takes_the_rest() {
        let days = days_of("100", "2026-01-01", "2026-01-04");
        let expected = [
            ("2026-01-01", "33.333333333333"),
            ("2026-01-02", "33.333333333333"),
            ("2026-01-03", "33.333333333334"),
        ];
        assert_eq!(days, expected.map(|(day, amount)| (day.to_owned(), amount.to_owned())));
    }

    #[test]
    fn each_day_is_rounded_half_to_even() {
        let days = days_of("0.000000000005", "2026-01-01", "2026-01-03");
        assert_eq!(days[0].1, "0.000000000002");
        assert_eq!(days[1].1, "0.000000000003");
    }

    #[test]
    fn an_annual_plan_over_a_leap_day_has_366_days() {
        let days = days_of("366", "2024-01-01", "2025-01-01");
        assert_eq!(days.len(), 366);
        assert!(days.iter().all(|(_, amount)| amount == "1"));
        assert!(days.iter().any(|(day, _)| day == "2024-02-29"));
    }

    #[test]
    fn daylight_saving_moves_no_day() {
        // Berlin's clock changes on 2026-03-29: the local month is 743 hours, and 31 UTC days all the same.
        assert_eq!(
            days_of("31", "2026-03-01T00:00:00+01:00", "2026-04-01T00:00:00+02:00").len(),
            31
        );
    }

    proptest! {
        #[test]
        fn the_days_sum_to_the_line(scaled in -10_i128.pow(24)..10_i128.pow(24), start in 10_000_i32..20_000, length in 0_i32..4_000) {
            let period = Period::new(Moment::midnight(start), Some(Moment::midnight(start + length))).unwrap();
            let days: Vec<(Day, Amount)> = accrue(Amount::from_scaled(scaled), period).collect();
            prop_assert_eq!(days.len() as i64, i64::from(length.max(1)));
            prop_assert_eq!(days.iter().map(|(_, amount)| *amount).sum::<Amount>().scaled(), scaled);
            let accrual = Accrual::new(Amount::from_scaled(scaled), period);
            for day in [start - 1, start, start + 1, start + length / 2, start + length - 1, start + length, start + length + 1] {
                let walked: Amount = days.iter().filter(|(of, _)| *of < day).map(|(_, amount)| *amount).sum();
                prop_assert_eq!(accrual.before(day), walked);
            }
            prop_assert!(days.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1));
            // No day is off by more than half a unit in the last place per day before it.
            prop_assert!(days.iter().all(|(_, amount)| (amount.scaled() * i128::from(length.max(1)) - scaled).abs() <= i128::from(length.max(1)).pow(2)));
        }
    }
}
