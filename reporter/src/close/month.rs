//! A calendar month, UTC.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Months, NaiveDate};

/// A month such as `2026-10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    first: NaiveDate,
}

/// Why a text is no month.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a month: expected YYYY-MM, such as 2026-10")]
pub struct ParseMonthError(String);

impl Month {
    /// The month of a day.
    pub fn of(day: NaiveDate) -> Month {
        Month {
            first: day.with_day(1).unwrap_or(day),
        }
    }

    /// Its first day.
    pub fn first(self) -> NaiveDate {
        self.first
    }

    /// Its last day.
    pub fn last(self) -> NaiveDate {
        let next = self.first.checked_add_months(Months::new(1));
        next.and_then(|next| next.pred_opt()).unwrap_or(NaiveDate::MAX)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.first.year(), self.first.month())
    }
}

impl FromStr for Month {
    type Err = ParseMonthError;

    fn from_str(text: &str) -> Result<Month, ParseMonthError> {
        let is_plain =
            text.len() == 7 && !text.starts_with('-') && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let first = is_plain.then(|| format!("{text}-01").parse().ok()).flatten();
        first
            .map(|first| Month { first })
            .ok_or_else(|| ParseMonthError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_knows_its_days() {
        let february: Month = "2028-02".parse().expect("a month");
        assert_eq!(
            (february.first().to_string(), february.last().to_string()),
            ("2028-02-01".into(), "2028-02-29".into())
        );
        assert_eq!(Month::of(february.last()), february);
        assert_eq!(february.to_string(), "2028-02");
        for text in ["", "2026", "2026-13", "2026-1", "2026-10-01", "26-10", "2026/10", "-026-10"] {
            assert!(text.parse::<Month>().is_err(), "{text:?}");
        }
    }
}
