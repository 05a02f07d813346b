//! Moments and service periods as exports write them, and the UTC days that a period covers.
//!
//! A text without a zone is UTC. Day/month orders (`5/1/25`) are not guessed: they are refused.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Utc};

/// A UTC day as days since 1970-01-01, the value of the lake's `date` columns.
pub type Day = i32;

const MICROS_PER_DAY: i64 = 86_400_000_000;
const MICROS_PER_SECOND: i64 = 1_000_000;
/// A period longer than this is a typing error, not a contract.
const LONGEST_PERIOD_DAYS: i64 = 36_525;

/// How a source writes times without saying so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFormat {
    /// ISO 8601 dates and RFC 3339 only.
    Iso,
    /// Also integers, which are seconds since 1970 (Stripe's API).
    IsoOrEpochSeconds,
}

/// Why a text is not a moment, or two moments not a period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// A start is required.
    #[error("is empty: a date is required")]
    Empty,
    /// `5/1/25`: the first of May or the fifth of January.
    #[error("is ambiguous between day/month and month/day: write YYYY-MM-DD")]
    Slashes,
    /// A number where dates are expected.
    #[error("is a bare number: write YYYY-MM-DD or RFC 3339")]
    Number,
    /// Looks like a date that the calendar does not have.
    #[error("is not a day of the calendar")]
    NoSuchDay,
    /// Not what the mapping says.
    #[error("is not a date as {pattern} writes it")]
    Pattern {
        /// The mapping's pattern.
        pattern: String,
    },
    /// Anything else.
    #[error("is not a date (YYYY-MM-DD) or a time (RFC 3339, such as 2026-01-31T00:00:00Z)")]
    Unreadable,
    /// Outside of the years that a revenue line can mean.
    #[error("is outside the years 1990 to 2200")]
    OutOfRange,
    /// The end comes first.
    #[error("ends before its start {start}")]
    Reversed {
        /// The start, as RFC 3339.
        start: String,
    },
    /// Longer than a century.
    #[error("makes a period of {days} days, longer than a century")]
    TooLong {
        /// Length of the period.
        days: i64,
    },
}

/// A moment in UTC microseconds, the lake's resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

/// A service period: half open, at least one UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Period {
    /// First moment.
    pub start: Moment,
    /// First moment after the period.
    pub end: Moment,
}

impl Moment {
    /// Reads a moment; see [`TimeFormat`].
    pub fn parse(text: &str, format: TimeFormat) -> Result<Moment, TimeError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(TimeError::Empty);
        }
        let micros = if let Some(date) = iso_date(text)? {
            i64::from(day_number(date)) * MICROS_PER_DAY
        } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
            epoch_seconds(text, format)?
        } else {
            date_time(text)?
        };
        Moment(micros).checked()
    }

    /// The moment, if it is in the years that a revenue line can mean.
    pub(super) fn checked(self) -> Result<Moment, TimeError> {
        match (1990..=2200).contains(&self.as_date_time().year()) {
            true => Ok(self),
            false => Err(TimeError::OutOfRange),
        }
    }

    /// Date and clock in UTC.
    pub(super) fn to_naive(self) -> NaiveDateTime {
        self.as_date_time().naive_utc()
    }

    /// The UTC day that holds the moment.
    pub fn day(self) -> Day {
        self.0.div_euclid(MICROS_PER_DAY) as Day
    }

    /// Midnight at the start of `day`.
    pub fn midnight(day: Day) -> Moment {
        Moment(i64::from(day) * MICROS_PER_DAY)
    }

    /// RFC 3339 with seconds, in UTC.
    pub fn to_rfc3339(self) -> String {
        self.as_date_time().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    }

    fn as_date_time(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }

    /// Some billers export inclusive ends: an end in the last second of a day means the next midnight.
    fn end_of_day_is_next_midnight(self) -> Moment {
        let into_day = self.0.rem_euclid(MICROS_PER_DAY);
        if into_day < MICROS_PER_DAY - MICROS_PER_SECOND {
            return self;
        }
        Moment::midnight(self.day() + 1)
    }
}

impl Period {
    /// The period from `start` to `end`; an absent or equal end belongs to the start's day.
    pub fn new(start: Moment, end: Option<Moment>) -> Result<Period, TimeError> {
        let single_day = Period {
            start,
            end: Moment::midnight(start.day() + 1),
        };
        let Some(end) = end else { return Ok(single_day) };
        if end == start {
            return Ok(single_day);
        }
        if end < start {
            return Err(TimeError::Reversed {
                start: start.to_rfc3339(),
            });
        }
        let period = Period {
            start,
            end: end.end_of_day_is_next_midnight(),
        };
        if period.days() > LONGEST_PERIOD_DAYS {
            return Err(TimeError::TooLong { days: period.days() });
        }
        Ok(period)
    }

    /// First day that earns.
    pub fn first_day(self) -> Day {
        self.start.day()
    }

    /// How many days earn: date(start) to date(end), end exclusive, at least one.
    pub fn days(self) -> i64 {
        i64::from(self.end.day() - self.start.day()).max(1)
    }
}

/// Days since 1970-01-01.
pub fn day_number(date: NaiveDate) -> Day {
    date.num_days_from_ce() - 719_163
}

/// The calendar date of a day.
pub fn date_of(day: Day) -> NaiveDate {
    NaiveDate::from_ymd_opt(1970, 1, 1).expect("the epoch is a date") + TimeDelta::days(i64::from(day))
}

/// `2026-01-31`.
pub fn day_text(day: Day) -> String {
    date_of(day).format("%Y-%m-%d").to_string()
}

/// The first day of the calendar month that holds `day`.
pub fn month_of(day: Day) -> Day {
    day - date_of(day).day0() as Day
}

/// The first day of the month after the one that holds `day`.
pub fn next_month(day: Day) -> Day {
    month_of(month_of(day) + 31)
}

fn iso_date(text: &str) -> Result<Option<NaiveDate>, TimeError> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| {
            if at == 4 || at == 7 {
                *byte == b'-'
            } else {
                byte.is_ascii_digit()
            }
        });
    if !shaped {
        return Ok(None);
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .map(Some)
        .map_err(|_| TimeError::NoSuchDay)
}

fn epoch_seconds(text: &str, format: TimeFormat) -> Result<i64, TimeError> {
    if format == TimeFormat::Iso {
        return Err(TimeError::Number);
    }
    let seconds: i64 = text.parse().map_err(|_| TimeError::OutOfRange)?;
    seconds.checked_mul(MICROS_PER_SECOND).ok_or(TimeError::OutOfRange)
}

fn date_time(text: &str) -> Result<i64, TimeError> {
    if text.contains('/') {
        return Err(TimeError::Slashes);
    }
    // The date must be written in full before chrono, which is lenient with short fields, sees it.
    let date = text.get(..10).ok_or(TimeError::Unreadable)?;
    iso_date(date)?.ok_or(TimeError::Unreadable)?;
    if let Ok(zoned) = DateTime::parse_from_rfc3339(text) {
        return Ok(zoned.timestamp_micros());
    }
    // `2026-01-31 22:00:00 -0500`, as Ruby writes it.
    if let Ok(zoned) = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S %z") {
        return Ok(zoned.timestamp_micros());
    }
    let text = text.strip_suffix(" UTC").unwrap_or(text);
    // Each field of the clock has two digits: `09:0` is a torn `09:05`.
    let clock = text[10..].split('.').next().unwrap_or("");
    if clock.len() != "T00:00".len() && clock.len() != "T00:00:00".len() {
        return Err(TimeError::Unreadable);
    }
    let formats = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S%.f"];
    let read = formats
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok());
    read.map(|naive| naive.and_utc().timestamp_micros())
        .ok_or(TimeError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Moment::parse(text, TimeFormat::Iso).unwrap().day()
    }

    #[test]
    fn moments_are_read_as_their_sources_write_them() {
        for (text, expected) in [
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
            ("2026-01-31T23:30:00-02:00", "2026-02-01T01:30:00Z"),
            ("2026-01-31 09:05", "2026-01-31T09:05:00Z"),
            ("2026-01-31 09:05:07", "2026-01-31T09:05:07Z"),
            ("2026-01-31 09:05:07.25 UTC", "2026-01-31T09:05:07.250Z"),
            ("1769817600", "2026-01-31T00:00:00Z"),
        ] {
            let moment = Moment::parse(text, TimeFormat::IsoOrEpochSeconds).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(moment.to_rfc3339(), expected, "{text}");
        }
    }

    #[test]
    fn what_could_mean_two_days_is_refused() {
        for (text, error) in [
            ("", TimeError::Empty),
            ("5/1/25", TimeError::Slashes),
            ("2026-02-30", TimeError::NoSuchDay),
            ("2026-1-31", TimeError::Unreadable),
            ("2026-02-0", TimeError::Unreadable),
            ("2026-01-31T00:00:0", TimeError::Unreadable),
            ("20260131", TimeError::Number),
            ("0026-01-31", TimeError::OutOfRange),
            ("NULL", TimeError::Unreadable),
            ("2026-01-31 9:05", TimeError::Unreadable),
        ] {
            assert_eq!(Moment::parse(text, TimeFormat::Iso), Err(error), "{text}");
        }
    }

    #[test]
    fn a_period_covers_whole_days_with_its_end_excluded() {
        for (start, end, first, days) in [
            ("2026-01-01", "2026-02-01", "2026-01-01", 31),
            ("2026-01-01", "2026-01-01", "2026-01-01", 1),
            ("2026-01-01", "", "2026-01-01", 1),
            ("2024-02-01", "2025-02-01", "2024-02-01", 366),
            ("2026-01-01T10:00:00Z", "2026-01-01T20:00:00Z", "2026-01-01", 1),
            ("2026-01-01T10:00:00Z", "2026-01-02T10:00:00Z", "2026-01-01", 1),
            ("2026-01-01", "2026-01-31T23:59:59Z", "2026-01-01", 31),
            ("2026-01-01", "2026-01-31T23:59:59.999Z", "2026-01-01", 31),
            ("2026-01-01", "2026-01-31T23:59:58Z", "2026-01-01", 30),
            ("2026-03-28T00:00:00+01:00", "2026-03-30T00:00:00+02:00", "2026-03-27", 2),
        ] {
            let end_moment = (!end.is_empty()).then(|| Moment::parse(end, TimeFormat::Iso).unwrap());
            let period = Period::new(Moment::parse(start, TimeFormat::Iso).unwrap(), end_moment).unwrap();
            assert_eq!((period.first_day(), period.days()), (day(first), days), "{start}..{end}");
        }
    }

    #[test]
    fn a_reversed_or_endless_period_is_refused() {
        let moment = |text| Moment::parse(text, TimeFormat::Iso).unwrap();
        let reversed = Period::new(moment("2026-02-01"), Some(moment("2026-01-01")));
        assert_eq!(
            reversed,
            Err(TimeError::Reversed {
                start: "2026-02-01T00:00:00Z".to_owned()
            })
        );
        assert!(matches!(
            Period::new(moment("2026-01-01"), Some(moment("2150-01-01"))),
            Err(TimeError::TooLong { .. })
        ));
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        for (text, month, next) in [
            ("2026-01-31", "2026-01-01", "2026-02-01"),
            ("2024-02-29", "2024-02-01", "2024-03-01"),
            ("2026-12-01", "2026-12-01", "2027-01-01"),
        ] {
            assert_eq!(
                (month_of(day(text)), next_month(day(text))),
                (day(month), day(next)),
                "{text}"
            );
        }
    }
}
