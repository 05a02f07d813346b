//! What changed: the last days of the report against the same number of days before, and why the cost moved.
//!
//! The cost's change is taken apart exactly, in order: more calls, then more tokens a call, then the price of a token
//! (models, caching and rates together). The three sum to the change.

use serde::Serialize;

use super::margin::{MarginFigures, exact};
use crate::revenue::Amount;
use crate::revenue::time::{Day, day_text};

/// Two periods of equal length, the later one at the end of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Days of each period.
    pub days: i32,
    /// First day of the later period.
    pub since: String,
    /// The earlier period.
    pub before: MarginFigures,
    /// The later period.
    pub after: MarginFigures,
    /// Cost moved by the number of calls.
    #[serde(serialize_with = "exact")]
    pub by_volume: Amount,
    /// Cost moved by tokens a call.
    #[serde(serialize_with = "exact")]
    pub by_tokens: Amount,
    /// Cost moved by what a token costs.
    #[serde(serialize_with = "exact")]
    pub by_price: Amount,
    /// Other cost of goods sold moved.
    #[serde(serialize_with = "exact")]
    pub by_other_cogs: Amount,
}

impl Change {
    /// Compares the last days up to `last`: four weeks, or one week where the report is too short for two of four.
    pub(super) fn of(days: &[(Day, MarginFigures)], first: Day, last: Day) -> Option<Change> {
        let length = [28, 7].into_iter().find(|length| last - first + 1 >= 2 * length)?;
        let since = last - length + 1;
        let sum = |from: Day, to: Day| {
            let mut figures = MarginFigures::default();
            days.iter()
                .filter(|(day, _)| from <= *day && *day <= to)
                .for_each(|(_, day)| figures.add(day));
            figures
        };
        let (before, after) = (sum(since - length, since - 1), sum(since, last));
        let tokens = |figures: &MarginFigures| i128::from(figures.input_tokens) + i128::from(figures.output_tokens);
        let moved = after.model_cost - before.model_cost;
        let at = |numerator: i128, denominator: i128| {
            if denominator > 0 {
                before.model_cost.ratio(numerator, denominator)
            } else {
                None
            }
        };
        let at_new_volume = at(i128::from(after.calls), i128::from(before.calls)).unwrap_or(after.model_cost);
        let at_new_tokens = at(tokens(&after), tokens(&before)).unwrap_or(at_new_volume);
        let (by_volume, by_tokens) = (at_new_volume - before.model_cost, at_new_tokens - at_new_volume);
        let by_other_cogs = after.other_cogs - before.other_cogs;
        let by_price = moved - by_volume - by_tokens;
        Some(Change {
            days: length,
            since: day_text(since),
            before,
            after,
            by_volume,
            by_tokens,
            by_price,
            by_other_cogs,
        })
    }

    /// How the margin moved.
    pub fn margin(&self) -> Amount {
        self.after.gross_margin() - self.before.gross_margin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(calls: i64, tokens: i64, cost: &str) -> MarginFigures {
        MarginFigures {
            calls,
            input_tokens: tokens,
            model_cost: Amount::parse_major(cost).unwrap(),
            ..MarginFigures::default()
        }
    }

    #[test]
    fn volume_tokens_and_price_sum_to_the_change() {
        let mut days: Vec<(Day, MarginFigures)> = (0..7).map(|index| (index, day(10, 1_000, "1"))).collect();
        days.extend((7..14).map(|index| (index, day(20, 4_000, "3"))));
        let change = Change::of(&days, 0, 13).unwrap();
        // 7 -> 21: twice the calls (+7), twice the tokens a call (+14), a token costs three quarters (-7).
        let parts = [change.by_volume, change.by_tokens, change.by_price].map(|part| part.to_string());
        assert_eq!(parts, ["7", "14", "-7"]);
        assert_eq!(Change::of(&days, 0, 12), None);
    }
}
