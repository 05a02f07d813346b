//! Numbers for people: rounded once, here, with separators and the currency's sign. Never read back.

use super::margin::{CostStatus, MarginFigures};
use crate::revenue::{Amount, Currency};

/// At most `length` characters, the last an ellipsis where some are cut off.
pub(super) fn shorten(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length - 1).chain(['…']).collect()
}

/// What stands where nothing is known.
pub(super) const NOTHING: &str = "–";

/// `$1,234.56`, `-€0.0042`: the currency's decimals, more for amounts below a hundredth.
pub(crate) fn money(amount: Amount, currency: &str) -> String {
    let places = currency.parse::<Currency>().map_or(2, Currency::exponent);
    let tiny = !amount.is_zero() && amount.scaled().abs() < 10_i128.pow(12 - places.min(12));
    let text = amount.rounded(if tiny { (places + 4).min(12) } else { places });
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let sign = if digits.bytes().all(|byte| matches!(byte, b'0' | b'.')) {
        ""
    } else {
        sign
    };
    let symbol = match currency {
        "USD" => "$",
        "EUR" => "€",
        "GBP" => "£",
        "JPY" => "¥",
        _ => return format!("{sign}{} {currency}", grouped(digits)),
    };
    format!("{sign}{symbol}{}", grouped(digits))
}

/// The same of what one unit costs: two more decimals below one, where a cent is much.
pub(crate) fn unit_money(amount: Amount, currency: &str) -> String {
    let places = currency.parse::<Currency>().map_or(2, Currency::exponent);
    let cent = 10_i128.pow(12 - places.min(12));
    match amount.scaled().abs() {
        small if cent <= small && small < 10_i128.pow(12) => {
            // Whole hundredths of a cent, shown as money of that many decimals.
            let text = amount.rounded((places + 2).min(12));
            let shown = money(Amount::from_scaled(10_i128.pow(12)), currency);
            let one = Amount::from_scaled(10_i128.pow(12)).rounded(places);
            let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
            format!("{sign}{}", shown.replacen(&one, digits, 1))
        }
        _ => money(amount, currency),
    }
}

/// A change with its sign.
pub(super) fn signed_money(amount: Amount, currency: &str) -> String {
    if amount > Amount::ZERO {
        format!("+{}", money(amount, currency))
    } else {
        money(amount, currency)
    }
}

/// `62.1 %`.
pub(crate) fn percent_text(percent: Option<Amount>) -> String {
    percent.map_or_else(|| NOTHING.to_owned(), |percent| format!("{} %", grouped(&percent.rounded(1))))
}

/// A share that never rounds up to all: 99.97 is not 100.
pub(super) fn share_text(percent: Option<Amount>, complete: bool) -> String {
    match percent {
        Some(_) if complete => "100 %".to_owned(),
        Some(percent) if percent.rounded(1) == "100.0" => "> 99.9 %".to_owned(),
        percent => percent_text(percent),
    }
}

/// `1,234,567`.
pub(super) fn count(count: i64) -> String {
    grouped(&count.to_string())
}

/// The same of a count that may be larger.
pub(crate) fn count128(count: i128) -> String {
    grouped(&count.to_string())
}

/// `12.3 M`, for axes and tables of tokens.
pub(super) fn short_count(count: i64) -> String {
    let (unit, name) = match count.abs() {
        1_000_000_000.. => (1_000_000_000, " bn"),
        1_000_000.. => (1_000_000, " M"),
        10_000.. => (1_000, " k"),
        _ => return self::count(count),
    };
    let tenths = count * 10 / unit;
    format!("{}.{}{name}", tenths / 10, (tenths % 10).abs())
}

/// Cost with what is known of it: `≥ $3.20`, `unknown`.
pub(super) fn cost(figures: &MarginFigures, currency: &str) -> String {
    match figures.cost_status {
        CostStatus::Unknown => "unknown".to_owned(),
        CostStatus::LowerBound => format!("≥ {}", money(figures.cogs(), currency)),
        CostStatus::NoUsage | CostStatus::Known => money(figures.cogs(), currency),
    }
}

/// Margin with what is known of the cost: `≤ $3.20`, `unknown`.
pub(super) fn margin(figures: &MarginFigures, currency: &str) -> String {
    match figures.cost_status {
        CostStatus::Unknown => "unknown".to_owned(),
        CostStatus::LowerBound => format!("≤ {}", money(figures.gross_margin(), currency)),
        CostStatus::NoUsage | CostStatus::Known => money(figures.gross_margin(), currency),
    }
}

/// Margin in percent with what is known of the cost.
pub(super) fn margin_pct(figures: &MarginFigures) -> String {
    match (figures.cost_status, figures.gross_margin_pct()) {
        (CostStatus::Unknown, _) | (_, None) => NOTHING.to_owned(),
        (CostStatus::LowerBound, percent) => format!("≤ {}", percent_text(percent)),
        (_, percent) => percent_text(percent),
    }
}

fn grouped(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let (whole, fraction) = digits
        .split_once('.')
        .map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut text = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    fraction.map_or(text.clone(), |fraction| format!("{text}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_written_as_its_currency_is() {
        for (amount, currency, expected) in [
            ("1234567.891", "USD", "$1,234,567.89"),
            ("-0.5", "EUR", "-€0.50"),
            ("0.00042", "USD", "$0.000420"),
            ("0", "USD", "$0.00"),
            ("1500", "JPY", "¥1,500"),
            ("2.5", "KWD", "2.500 KWD"),
            ("-1000", "CHF", "-1,000.00 CHF"),
            ("-0.0000000001", "USD", "$0.000000"),
        ] {
            assert_eq!(money(Amount::parse_major(amount).unwrap(), currency), expected, "{amount}");
        }
    }

    #[test]
    fn what_a_unit_costs_has_more_decimals() {
        for (amount, currency, expected) in [
            ("0.16746", "USD", "$0.1675"),
            ("-0.5", "EUR", "-€0.5000"),
            ("0.0031", "USD", "$0.003100"),
            ("12.346", "USD", "$12.35"),
            ("0.25", "CHF", "0.2500 CHF"),
            ("0", "USD", "$0.00"),
        ] {
            assert_eq!(
                unit_money(Amount::parse_major(amount).unwrap(), currency),
                expected,
                "{amount}"
            );
        }
    }

    #[test]
    fn almost_all_is_not_all() {
        let percent = Amount::parse_major("99.97").ok();
        assert_eq!(share_text(percent, false), "> 99.9 %");
        assert_eq!(share_text(Amount::parse_major("100").ok(), true), "100 %");
    }

    #[test]
    fn large_counts_are_short() {
        for (value, expected) in [
            (999, "999"),
            (9_999, "9,999"),
            (12_345, "12.3 k"),
            (1_234_567, "1.2 M"),
            (2_000_000_000, "2.0 bn"),
        ] {
            assert_eq!(short_count(value), expected);
        }
    }
}
