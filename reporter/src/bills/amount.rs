//! Amounts and days as cloud bills write them.
//!
//! FOCUS asks for plain decimals and ISO 8601, and exports have dollar signs, thousands separators, scientific notation, more
//! places than a ledger, and `5/1/25`; the specification's own examples do. What is read is still exact, or refused.

use crate::revenue::Amount;
use crate::revenue::money::{AmountError, divide_half_even};
use crate::revenue::time::{Moment, TimeError, TimeFormat, day_number};
use chrono::NaiveDate;

/// Digits of an amount beyond which it is no amount.
const LONGEST: usize = 60;
const PLACES: i64 = 12;

/// Reads `10100`, `$10,100.00 `, `-1.2E-7`; finer than 12 places is rounded half to even.
pub(super) fn parse_amount(text: &str) -> Result<Amount, AmountError> {
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let (negative, plain) = match plain.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let plain = plain.strip_prefix(['$', '€', '£']).unwrap_or(plain);
    let (digits, exponent) = match plain.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i64>().map_err(|_| AmountError::NotANumber)?),
        None => (plain, 0),
    };
    let digits = without_thousands(digits)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() {
        return Err(if text.trim().is_empty() {
            AmountError::Empty
        } else {
            AmountError::NotANumber
        });
    }
    if !all.bytes().all(|byte| byte.is_ascii_digit()) || all.len() > LONGEST {
        return Err(AmountError::NotANumber);
    }
    let all = all.trim_start_matches('0');
    // The value is `all` times ten to the power of `shift` millionths of millionths.
    let shift = exponent - fraction.len() as i64 + PLACES;
    let scaled = match shift {
        _ if all.is_empty() => 0,
        0.. if all.len() as i64 + shift > 27 => return Err(AmountError::TooLarge),
        0.. => number(all)? * 10_i128.pow(shift as u32),
        _ if -shift > all.len() as i64 => 0,
        _ => rounded(all, (-shift) as usize)?,
    };
    Ok(Amount::from_scaled(if negative { -scaled } else { scaled }))
}

/// `digits` without its last `dropped` places, rounded half to even.
fn rounded(digits: &str, dropped: usize) -> Result<i128, AmountError> {
    let (kept, rest) = digits.split_at(digits.len() - dropped);
    if kept.len() > 27 {
        return Err(AmountError::TooLarge);
    }
    // Two places of the rest decide, if the second is said to be more than nothing where anything follows.
    let (first, more) = rest.split_at(1);
    let sticky = more.bytes().any(|byte| byte != b'0');
    Ok(divide_half_even(
        number(kept)? * 100 + number(first)? * 10 + i128::from(sticky),
        100,
    ))
}

fn number(digits: &str) -> Result<i128, AmountError> {
    if digits.is_empty() {
        return Ok(0);
    }
    digits.parse().map_err(|_| AmountError::TooLarge)
}

/// Commas between groups of three digits say nothing; any other comma could.
fn without_thousands(digits: &str) -> Result<String, AmountError> {
    if !digits.contains(',') {
        return Ok(digits.to_owned());
    }
    let whole = digits.split('.').next().unwrap_or(digits);
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    let grouped = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
    let in_fraction = digits[whole.len()..].contains(',');
    if !grouped || in_fraction {
        return Err(AmountError::Separator);
    }
    Ok(digits.replace(',', ""))
}

/// Reads ISO 8601, RFC 3339, `2024-09-18 22:00:00`, and `5/1/25` as month, day, year.
pub(super) fn parse_moment(text: &str) -> Result<Moment, TimeError> {
    let parts: Vec<&str> = text.trim().split('/').collect();
    let [month, day, year] = parts.as_slice() else {
        return Moment::parse(text, TimeFormat::Iso);
    };
    let short = |part: &str| (1..=2).contains(&part.len()).then(|| part.parse::<u32>().ok()).flatten();
    let (Some(month), Some(day)) = (short(month), short(day)) else {
        return Err(TimeError::Unreadable);
    };
    let year = match year.len() {
        2 => year.parse::<i32>().map(|year| 2000 + year),
        4 => year.parse::<i32>(),
        _ => return Err(TimeError::Unreadable),
    };
    let year = year.map_err(|_| TimeError::Unreadable)?;
    let date = NaiveDate::from_ymd_opt(year, month, day).ok_or(TimeError::NoSuchDay)?;
    let moment = Moment::midnight(day_number(date));
    // The same years as everywhere.
    Moment::parse(&date.format("%Y-%m-%d").to_string(), TimeFormat::Iso).map(|_| moment)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_read_as_bills_write_them() {
        for (text, expected) in [
            ("10100", "10100"),
            ("$10,100.00 ", "10100"),
            ("-$1,234,567.5", "-1234567.5"),
            ("0.00000080000", "0.0000008"),
            ("1.2E-7", "0.00000012"),
            ("1e3", "1000"),
            ("0.0000000000005", "0"),
            ("0.0000000000015", "0.000000000002"),
            ("0.00000000000050001", "0.000000000001"),
            ("1e-40", "0"),
            ("00.50", "0.5"),
            (".5", "0.5"),
            ("0", "0"),
        ] {
            assert_eq!(
                parse_amount(text).map(|amount| amount.to_string()),
                Ok(expected.to_owned()),
                "{text}"
            );
        }
        for text in [
            "",
            " ",
            "$",
            "1,00",
            "1,0000",
            "1.000,00",
            "12a",
            "NULL",
            "1e",
            "1e99",
            "--1",
            "9999999999999999999999999999",
        ] {
            assert!(parse_amount(text).is_err(), "{text}");
        }
    }

    #[test]
    fn slashes_are_month_day_year_as_in_the_specification() {
        let text = |text| parse_moment(text).map(|moment| moment.to_rfc3339());
        assert_eq!(text("5/1/25"), Ok("2025-05-01T00:00:00Z".to_owned()));
        assert_eq!(text("12/31/2025"), Ok("2025-12-31T00:00:00Z".to_owned()));
        assert_eq!(text("2024-09-18 22:00:00"), Ok("2024-09-18T22:00:00Z".to_owned()));
        assert_eq!(text("31/12/25"), Err(TimeError::NoSuchDay));
        assert!(text("5/1/1025").is_err() && text("5/1").is_err() && text("a/b/c").is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,40}", number in "[-+$0-9.,eE]{0,60}") {
            let _ = (parse_amount(&text), parse_amount(&number), parse_moment(&text), parse_moment(&number));
        }

        #[test]
        fn plain_amounts_are_those_of_revenue(scaled in -10_i128.pow(26)..10_i128.pow(26)) {
            let amount = Amount::from_scaled(scaled);
            prop_assert_eq!(parse_amount(&amount.to_string()), Ok(amount));
        }
    }
}
