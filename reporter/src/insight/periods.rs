//! Which two periods are compared.

use crate::marts::Window;
use crate::revenue::time::{Day, month_of, next_month};

/// Lengths in days of two periods within a report, the longest that fits twice; whole weeks, since weekends are quiet.
const WITHIN: [Day; 3] = [28, 14, 7];

/// A period and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Periods {
    /// The earlier one.
    pub before: Window,
    /// The later one.
    pub after: Window,
}

impl Periods {
    /// The report's days against as many days before them, a calendar month against the one before; where the lake does
    /// not reach back so far, the end of the report against as many days before that. `usage` is the first and last day
    /// with calls: revenue may be accrued for months to come, and days without calls are not compared.
    pub fn of(window: Window, usage: (Day, Day)) -> Option<Periods> {
        let after = Window {
            from: window.from.max(usage.0),
            to: window.to.min(usage.1),
        };
        let is_month = window.from == month_of(window.from) && window.to == next_month(window.from) - 1;
        let length = after.to - after.from + 1;
        let before = Window {
            from: if is_month && after == window {
                month_of(after.from - 1)
            } else {
                after.from - length
            },
            to: after.from - 1,
        };
        if length > 0 && usage.0 <= before.from {
            return Some(Periods { before, after });
        }
        let length = WITHIN.into_iter().find(|days| length >= 2 * days)?;
        let since = after.to - length + 1;
        Some(Periods {
            before: Window {
                from: since - length,
                to: since - 1,
            },
            after: Window {
                from: since,
                to: after.to,
            },
        })
    }

    /// From the first day of the earlier to the last of the later one.
    pub fn both(self) -> Window {
        Window {
            from: self.before.from,
            to: self.after.to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(window: (Day, Day), usage: (Day, Day), expected: Option<[(Day, Day); 2]>) {
        let days = |(from, to)| Window { from, to };
        let expected = expected.map(|[before, after]| Periods {
            before: days(before),
            after: days(after),
        });
        assert_eq!(Periods::of(days(window), usage), expected, "{window:?} {usage:?}");
    }

    #[test]
    fn a_period_is_compared_with_the_one_before_it_as_far_as_the_lake_reaches() {
        check((100, 109), (0, 500), Some([(90, 99), (100, 109)]));
        // February 1970 against January.
        check((31, 58), (0, 500), Some([(0, 30), (31, 58)]));
        // Nothing before: the last weeks against the weeks before them.
        check((0, 61), (0, 61), Some([(6, 33), (34, 61)]));
        check((0, 30), (0, 30), Some([(3, 16), (17, 30)]));
        check((0, 13), (0, 200), Some([(0, 6), (7, 13)]));
        // Revenue beyond the calls is not compared.
        check((0, 400), (0, 13), Some([(0, 6), (7, 13)]));
        check((0, 12), (0, 12), None);
        check((0, 9), (50, 60), None);
    }
}
