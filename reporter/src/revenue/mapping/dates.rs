//! Dates and times as a mapping says they are written, in the zone that it names.
//!
//! A date without a time is that day, in whatever zone the report was made: only times are moved to UTC.

use std::str::FromStr;

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

use crate::revenue::time::{Day, Moment, TimeError, TimeFormat, day_number};

/// How a source writes moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dates {
    formats: Vec<Format>,
    zone: Option<Tz>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Format {
    Iso,
    Epoch { per_second: i64 },
    Pattern(String),
}

impl Dates {
    pub(super) fn new(formats: &[String], zone: Option<&str>) -> Result<Dates, String> {
        let zone = zone
            .filter(|zone| *zone != "UTC")
            .map(|zone| {
                Tz::from_str(zone).map_err(|_| format!("format.timezone {zone:?}: write an IANA name such as Europe/Berlin"))
            })
            .transpose()?;
        let read = |format: &String| match format.as_str() {
            "iso" => Ok(Format::Iso),
            "epoch" => Ok(Format::Epoch { per_second: 1 }),
            "epoch_ms" => Ok(Format::Epoch { per_second: 1_000 }),
            pattern if pattern.contains('%') => Ok(Format::Pattern(pattern.to_owned())),
            other => Err(format!(
                "format.dates {other:?}: write iso, epoch, epoch_ms or a pattern such as %m/%d/%y"
            )),
        };
        let mut formats: Vec<Format> = formats.iter().map(read).collect::<Result<_, _>>()?;
        if formats.is_empty() {
            formats.push(Format::Iso);
        }
        Ok(Dates { formats, zone })
    }

    /// Reads a moment in the first format that fits.
    pub(super) fn read(&self, text: &str) -> Result<Moment, TimeError> {
        let mut first_error = None;
        for format in &self.formats {
            match self.read_as(format, text) {
                Ok(moment) => return Ok(moment),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        Err(first_error.unwrap_or(TimeError::Unreadable))
    }

    fn read_as(&self, format: &Format, text: &str) -> Result<Moment, TimeError> {
        match format {
            Format::Iso => match (self.zone, Moment::parse(text, TimeFormat::Iso)?) {
                (Some(zone), moment) if !names_zone(text) => in_zone(zone, moment.to_naive()),
                (_, moment) => Ok(moment),
            },
            Format::Epoch { per_second } => {
                // Pipelines write whole numbers as floats.
                let digits = text.strip_suffix(".0").unwrap_or(text);
                let number: i64 = digits.parse().map_err(|_| TimeError::Unreadable)?;
                let micros = number.checked_mul(1_000_000 / per_second).ok_or(TimeError::OutOfRange)?;
                Moment(micros).checked()
            }
            Format::Pattern(pattern) => self.read_pattern(pattern, text)?.checked(),
        }
    }

    fn read_pattern(&self, pattern: &str, text: &str) -> Result<Moment, TimeError> {
        if let Ok(zoned) = DateTime::parse_from_str(text, pattern) {
            return Ok(Moment(zoned.timestamp_micros()));
        }
        if let Ok(naive) = NaiveDateTime::parse_from_str(text, pattern) {
            return self
                .zone
                .map_or(Ok(Moment(naive.and_utc().timestamp_micros())), |zone| in_zone(zone, naive));
        }
        let date = NaiveDate::parse_from_str(text, pattern).map_err(|_| TimeError::Pattern {
            pattern: pattern.to_owned(),
        })?;
        Ok(Moment::midnight(day_number(date)))
    }

    /// The UTC day of the last day of a period that is written with its end included.
    pub(super) fn day_after(moment: Moment) -> Moment {
        let day: Day = moment.day();
        Moment::midnight(day + 1)
    }
}

/// True for a bare date, and for a time that says its zone.
fn names_zone(text: &str) -> bool {
    let text = text.trim();
    let clock = text.get(10..).unwrap_or("");
    clock.is_empty() || clock.ends_with(['Z', 'z']) || clock.ends_with("UTC") || clock.contains(['+', '-'])
}

/// A local time in UTC. Of an hour that comes twice the first is meant; one that is skipped is read by the clock before.
fn in_zone(zone: Tz, naive: NaiveDateTime) -> Result<Moment, TimeError> {
    let of = |naive: NaiveDateTime| match zone.from_local_datetime(&naive) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => Some(time.timestamp_micros()),
        LocalResult::None => None,
    };
    if let Some(micros) = of(naive) {
        return Ok(Moment(micros));
    }
    let midnight = naive.date().and_time(NaiveTime::MIN);
    let before = (naive - TimeDelta::hours(3)).max(midnight - TimeDelta::hours(3));
    let micros = of(before).ok_or(TimeError::Unreadable)?;
    Ok(Moment(micros + (naive - before).num_microseconds().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(formats: &[&str], zone: Option<&str>, text: &str) -> String {
        let formats: Vec<String> = formats.iter().map(|format| (*format).to_owned()).collect();
        let dates = Dates::new(&formats, zone).unwrap();
        dates.read(text).map_or_else(|error| error.to_string(), Moment::to_rfc3339)
    }

    #[test]
    fn moments_are_read_by_their_formats_in_order() {
        for (formats, zone, text, expected) in [
            (&["%m/%d/%y"][..], None, "5/1/25", "2025-05-01T00:00:00Z"),
            (&["%d/%m/%y"], None, "5/1/25", "2025-01-05T00:00:00Z"),
            (&["iso", "%m/%d/%Y"], None, "12/31/2025", "2025-12-31T00:00:00Z"),
            (&["iso", "epoch"], None, "1769817600", "2026-01-31T00:00:00Z"),
            (&["epoch"], None, "1769817600.0", "2026-01-31T00:00:00Z"),
            (&["epoch_ms"], None, "1769817600123", "2026-01-31T00:00:00.123Z"),
            (
                &["%Y-%m-%d %H:%M:%S %z"],
                None,
                "2026-01-31 22:00:00 -0500",
                "2026-02-01T03:00:00Z",
            ),
            (&[], Some("America/New_York"), "2026-01-31 22:00:00", "2026-02-01T03:00:00Z"),
            (&[], Some("America/New_York"), "2026-01-31T22:00:00Z", "2026-01-31T22:00:00Z"),
            (&[], Some("America/New_York"), "2026-01-31", "2026-01-31T00:00:00Z"),
            // The clock changes: an hour that comes twice is its first, one that never was is read by the clock before.
            (&[], Some("Europe/Berlin"), "2026-10-25 02:30:00", "2026-10-25T00:30:00Z"),
            (&[], Some("Europe/Berlin"), "2026-03-29 02:30:00", "2026-03-29T01:30:00Z"),
            (&["%m/%d/%y"], None, "13/13/25", "is not a date as %m/%d/%y writes it"),
            (
                &[],
                None,
                "5/1/25",
                "is ambiguous between day/month and month/day: write YYYY-MM-DD",
            ),
        ] {
            assert_eq!(read(formats, zone, text), expected, "{text} {formats:?} {zone:?}");
        }
    }

    #[test]
    fn what_is_no_format_or_zone_is_named() {
        assert!(Dates::new(&["us".to_owned()], None).unwrap_err().contains("%m/%d/%y"));
        assert!(Dates::new(&[], Some("Berlin")).unwrap_err().contains("Europe/Berlin"));
    }
}
