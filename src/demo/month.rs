//! The month of the demo, and when things happen in it: working days and hours see more traffic.
//!
//! Times are nanoseconds since 1970 (UTC). The month is fixed: prices of that month never change again.

use chrono::{DateTime, NaiveDate};
use rand::Rng;

use super::shapes::{Dice, pick};

/// Nanoseconds since 1970.
pub(super) type Nanos = u64;

pub(super) const SECOND: Nanos = 1_000_000_000;
const DAY: Nanos = 86_400 * SECOND;
pub(super) const DAYS: u64 = 31;

/// 2026-10-01T00:00:00Z, a Thursday.
pub(super) const START: Nanos = 1_790_812_800 * SECOND;
/// The end of the month, exclusive.
pub(super) const END: Nanos = START + DAYS * DAY;

/// Share of a day's traffic by hour.
const HOURS: [u64; 24] = [
    2, 1, 1, 1, 1, 2, 5, 14, 30, 42, 46, 44, 34, 40, 45, 44, 38, 27, 16, 12, 10, 8, 5, 3,
];

/// First and last day.
pub(super) fn days() -> (NaiveDate, NaiveDate) {
    let day = |time: Nanos| DateTime::from_timestamp_nanos(time as i64).date_naive();
    (day(START), day(END - 1))
}

/// A moment on or after day `first` (1 is the first of the month).
pub(super) fn moment(dice: &mut Dice, first: u64) -> Nanos {
    moment_between(dice, first, DAYS)
}

/// The first moment of a day of the month.
pub(super) fn start_of(day: u64) -> Nanos {
    START + (day - 1) * DAY
}

/// A moment on the days from `first` to `last`.
pub(super) fn moment_between(dice: &mut Dice, first: u64, last: u64) -> Nanos {
    let weight = |day| if (first..=last).contains(&day) { traffic_of(day) } else { 0 };
    let weights: Vec<u64> = (1..=DAYS).map(weight).collect();
    let day = pick(dice, &weights) as u64;
    let hour = pick(dice, &HOURS) as u64;
    START + day * DAY + hour * 3600 * SECOND + dice.random_range(0..3600 * SECOND)
}

/// Saturdays and Sundays are quiet; the month grows by a percent a day.
fn traffic_of(day: u64) -> u64 {
    let is_weekend = matches!(day % 7, 3 | 4);
    let growth = 100 + day;
    if is_weekend { growth * 30 } else { growth * 100 }
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, Weekday};

    use super::super::shapes::dice;
    use super::*;

    #[test]
    fn the_month_is_october_2026() {
        assert_eq!(days().0.to_string(), "2026-10-01");
        assert_eq!(days().1.to_string(), "2026-10-31");
    }

    #[test]
    fn weekends_are_quiet() {
        for day in 1..=31 {
            let date = NaiveDate::from_ymd_opt(2026, 10, day).expect("a day of October");
            let is_weekend = matches!(date.weekday(), Weekday::Sat | Weekday::Sun);
            assert_eq!(is_weekend, traffic_of(u64::from(day)) < 5000, "{date}");
        }
    }

    #[test]
    fn moments_lie_in_the_month_and_not_before_their_first_day() {
        let mut dice = dice(1);
        for _ in 0..2000 {
            assert!((START + 11 * DAY..END).contains(&moment(&mut dice, 12)));
        }
    }
}
