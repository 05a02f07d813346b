//! Instants and daily windows, as the catalogue writes them. Pure arithmetic: no clock is read anywhere.
//!
//! An instant is nanoseconds since 1970-01-01T00:00:00Z in an `i64` (1677 to 2262). Catalogue files write
//! `2026-08-17` (midnight UTC) or RFC 3339. A window is a time of day in a fixed zone on some days of the week,
//! with exceptions by date: what a price list calls "peak hours".

use std::fmt;

use serde::{Deserialize, Serialize};

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A moment: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

/// Why a text is not a moment or a time of day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseInstantError {
    /// Not a date or a date with time and offset.
    #[error("{0:?} is not a moment: expected 2026-08-17 or 2026-08-17T16:00:00Z")]
    NotAMoment(String),
    /// Before 1677 or after 2262.
    #[error("{0:?} is outside the years 1678 to 2261")]
    OutOfRange(String),
    /// Not a time of day.
    #[error("{0:?} is not a time of day: expected 16:30 or 16:30:00")]
    NotATime(String),
    /// Not a fixed offset.
    #[error("{0:?} is not a fixed offset from UTC: expected Z or +08:00")]
    NotAnOffset(String),
    /// Not a day of the week.
    #[error("{0:?} is not a day of the week: expected mon, tue, wed, thu, fri, sat or sun")]
    NotADay(String),
}

impl Instant {
    /// Reads a date (midnight UTC) or an RFC 3339 timestamp. Digits below a nanosecond are cut off.
    pub fn parse(text: &str) -> Result<Self, ParseInstantError> {
        let invalid = || ParseInstantError::NotAMoment(text.to_owned());
        let text = text.trim();
        let (date, time) = match text.find(['T', 't', ' ']) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let days = parse_date(date).ok_or_else(invalid)?;
        let (seconds, nanos) = match time {
            Some(time) => parse_time_with_offset(time).ok_or_else(invalid)?,
            None => (0, 0),
        };
        days.checked_mul(SECONDS_PER_DAY)
            .and_then(|value| value.checked_add(seconds))
            .and_then(|value| value.checked_mul(NANOS_PER_SECOND))
            .and_then(|value| value.checked_add(nanos))
            .map(Self)
            .ok_or_else(|| ParseInstantError::OutOfRange(text.to_owned()))
    }
}

impl fmt::Display for Instant {
    /// `2026-08-17` at midnight UTC, otherwise RFC 3339 with as many decimals as it takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(NANOS_PER_SECOND);
        let nanos = self.0.rem_euclid(NANOS_PER_SECOND);
        let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
        let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        write!(f, "{year:04}-{month:02}-{day:02}")?;
        if of_day == 0 && nanos == 0 {
            return Ok(());
        }
        write!(f, "T{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)?;
        if nanos != 0 {
            write!(f, ".{}", format!("{nanos:09}").trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

/// A daily window as a file states it: `{ zone = "+08:00", days = ["mon"], from = "09:00", to = "12:00" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSpec {
    /// Fixed offset of the zone whose calendar and clock count; UTC when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Days of the week on which the window opens; every day when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<String>,
    /// The time of day from which it is open.
    pub from: String,
    /// The time of day at which it is closed again; before `from` it closes on the next day.
    pub to: String,
    /// Dates in the zone's calendar on which it stays closed, for example public holidays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
}

/// A daily window, ready to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    offset_seconds: i64,
    /// Bit 0 is Monday.
    days: u8,
    from: i64,
    to: i64,
    except: Vec<i64>,
}

impl fmt::Display for Window {
    /// `mon-fri 09:00-12:00 +08:00, except 6 dates`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open: Vec<&str> = WEEKDAYS
            .iter()
            .enumerate()
            .filter(|(index, _)| self.days & (1 << index) != 0)
            .map(|(_, day)| *day)
            .collect();
        match self.days {
            0x7f => f.write_str("daily")?,
            0x1f => f.write_str("mon-fri")?,
            _ => f.write_str(&open.join(","))?,
        }
        let time = |seconds: i64| match seconds % 60 {
            0 => format!("{:02}:{:02}", seconds / 3600, seconds / 60 % 60),
            rest => format!("{:02}:{:02}:{rest:02}", seconds / 3600, seconds / 60 % 60),
        };
        write!(f, " {}-{} ", time(self.from), time(self.to))?;
        match self.offset_seconds {
            0 => f.write_str("UTC")?,
            offset => {
                let (sign, size) = (if offset < 0 { '-' } else { '+' }, offset.abs());
                write!(f, "{sign}{:02}:{:02}", size / 3600, size / 60 % 60)?;
            }
        }
        match self.except.len() {
            0 => Ok(()),
            some => write!(f, ", except {some} dates"),
        }
    }
}

impl Window {
    pub(crate) fn new(spec: &WindowSpec) -> Result<Self, ParseInstantError> {
        let offset_seconds = match spec.zone.as_deref() {
            Some(zone) => parse_offset(zone).ok_or_else(|| ParseInstantError::NotAnOffset(zone.to_owned()))?,
            None => 0,
        };
        let mut days = 0_u8;
        for day in &spec.days {
            let index = WEEKDAYS.iter().position(|name| name.eq_ignore_ascii_case(day));
            days |= 1 << index.ok_or_else(|| ParseInstantError::NotADay(day.clone()))?;
        }
        let mut except = Vec::with_capacity(spec.except.len());
        for date in &spec.except {
            except.push(parse_date(date).ok_or_else(|| ParseInstantError::NotAMoment(date.clone()))?);
        }
        Ok(Self {
            offset_seconds,
            days: if spec.days.is_empty() { 0x7f } else { days },
            from: time_of_day(&spec.from)?,
            to: time_of_day(&spec.to)?,
            except,
        })
    }

    /// Whether the window is open at that moment. It belongs to the day on which it opened.
    pub(crate) fn contains(&self, at: Instant) -> bool {
        let seconds = at.0.div_euclid(NANOS_PER_SECOND) + self.offset_seconds;
        let day = seconds.div_euclid(SECONDS_PER_DAY);
        let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        if self.from < self.to {
            return self.from <= of_day && of_day < self.to && self.opens_on(day);
        }
        (of_day >= self.from && self.opens_on(day)) || (of_day < self.to && self.opens_on(day - 1))
    }

    fn opens_on(&self, day: i64) -> bool {
        // 1970-01-01 was a Thursday.
        let weekday = (day + 3).rem_euclid(7);
        self.days & (1 << weekday) != 0 && !self.except.contains(&day)
    }
}

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

fn time_of_day(text: &str) -> Result<i64, ParseInstantError> {
    parse_time(text)
        .filter(|(_, nanos, rest)| *nanos == 0 && rest.is_empty())
        .map(|(seconds, _, _)| seconds)
        .ok_or_else(|| ParseInstantError::NotATime(text.to_owned()))
}

fn parse_time_with_offset(text: &str) -> Option<(i64, i64)> {
    let (seconds, nanos, offset) = parse_time(text)?;
    Some((seconds - parse_offset(offset)?, nanos))
}

/// Seconds of the day, nanoseconds, and what follows.
fn parse_time(text: &str) -> Option<(i64, i64, &str)> {
    let hour = digits(text.get(0..2)?)?;
    let minute = digits(text.get(3..5)?)?;
    if text.as_bytes()[2] != b':' || hour > 24 || minute > 59 {
        return None;
    }
    let mut rest = &text[5..];
    let (mut second, mut nanos) = (0, 0);
    if let Some(after) = rest.strip_prefix(':') {
        second = digits(after.get(0..2)?)?;
        rest = &after[2..];
        if let Some(after) = rest.strip_prefix('.') {
            let length = after.bytes().take_while(u8::is_ascii_digit).count();
            if length == 0 {
                return None;
            }
            nanos = digits(&format!("{:0<9}", &after[..length.min(9)]))?;
            rest = &after[length..];
        }
    }
    // A leap second counts as the second before it; 24:00 is the end of the day.
    let second = if second == 60 { 59 } else { second };
    let total = hour * 3600 + minute * 60 + second;
    (second < 60 && total <= SECONDS_PER_DAY).then_some((total, nanos, rest))
}

fn parse_offset(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") || text.eq_ignore_ascii_case("utc") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (seconds, nanos, rest) = parse_time(text.get(1..)?)?;
    (nanos == 0 && rest.is_empty()).then_some(sign * seconds)
}

fn parse_date(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(text.get(0..4)?)?, digits(text.get(5..7)?)?, digits(text.get(8..10)?)?);
    is_valid_date(year, month, day).then(|| days_from_civil(year, month, day))
}

pub(crate) fn is_valid_date(year: i64, month: i64, day: i64) -> bool {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=last).contains(&day)
}

fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Days since 1970-01-01 of a proleptic Gregorian date (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        Instant::parse(text).expect("a moment")
    }

    #[test]
    fn offsets_and_fractions_are_exact() {
        for (text, nanos) in [
            ("2026-11-16T12:00:00Z", 1_794_830_400_000_000_000),
            ("2026-07-30T08:59:59+09:00", 1_785_369_599_000_000_000),
            ("2026-07-29T23:59:59.999999+00:00", 1_785_369_599_999_999_000),
            ("1970-01-01", 0),
            ("1969-12-31T23:59:59.999999999Z", -1),
        ] {
            assert_eq!(at(text), Instant(nanos), "{text}");
        }
    }

    #[test]
    fn a_moment_shows_as_it_reads() {
        for text in [
            "2026-08-17",
            "2026-08-16T16:00:00Z",
            "2024-02-29T23:59:59.5Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(at(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_not_a_moment_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-02-30",
            "2026-08-17T25:00:00Z",
            "2026-08-17T10:00:00",
            "9999-01-01",
            "2026-08-17T10:0é:00Z",
        ] {
            assert!(Instant::parse(text).is_err(), "{text:?}");
        }
    }

    fn window(zone: &str, days: &[&str], from: &str, to: &str, except: &[&str]) -> Window {
        let strings = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let spec = WindowSpec {
            zone: Some(zone.to_owned()),
            days: strings(days),
            from: from.to_owned(),
            to: to.to_owned(),
            except: strings(except),
        };
        Window::new(&spec).expect("a window")
    }

    #[test]
    fn a_window_is_half_open_on_its_own_calendar() {
        let peak = window(
            "+08:00",
            &["mon", "tue", "wed", "thu", "fri"],
            "09:00",
            "12:00",
            &["2026-10-01"],
        );
        assert!(peak.contains(at("2026-11-16T01:00:00Z")));
        assert!(peak.contains(at("2026-11-16T03:59:59.999999999Z")));
        assert!(!peak.contains(at("2026-11-16T04:00:00Z")));
        assert!(!peak.contains(at("2026-11-15T02:00:00Z")), "a Sunday");
        assert!(!peak.contains(at("2026-10-01T02:00:00Z")), "an exception");
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_opened() {
        let night = window("Z", &["fri"], "16:30", "00:30", &[]);
        assert!(night.contains(at("2026-11-20T23:00:00Z")));
        assert!(night.contains(at("2026-11-21T00:29:59Z")));
        assert!(!night.contains(at("2026-11-20T00:10:00Z")), "opened on a Thursday");
    }
}
