//! Costs that emitters report, read exactly: the decimal text of a double, never its arithmetic.

use super::count::NotACount;
use super::payload::scan::{Scalar, scan};
use crate::wire::Value;

/// Decimal places of money.
const SCALE: i32 = 12;

/// A reported amount in units of 10^-12.
pub(crate) fn amount(value: &Value<'_>) -> Result<i128, NotACount> {
    match value {
        // A double's shortest decimal text that reads back as the same double is what its sender meant.
        Value::Double(number) if number.is_finite() => decimal(&number.to_string()),
        Value::Int(number) => decimal(&number.to_string()),
        Value::Text(text) => decimal(text.trim().trim_matches('"')),
        Value::Empty => Err(NotACount::Absent),
        _ => Err(NotACount::Invalid),
    }
}

/// `{total}` of a cost object, or the sum of its parts where it has no total.
pub(super) fn object(text: &str) -> Result<i128, NotACount> {
    let mut total = None;
    let mut parts: Result<i128, NotACount> = Err(NotACount::Absent);
    let read = scan(text, |path, scalar| {
        let ([name], Scalar::Number(number)) = (path, scalar) else {
            return;
        };
        let amount = decimal(number);
        if matches!(*name, "total" | "total_cost") {
            total = Some(amount);
        } else {
            parts = match (parts, amount) {
                (Err(NotACount::Absent), amount) => amount,
                (Ok(sum), Ok(amount)) => sum.checked_add(amount).ok_or(NotACount::Invalid),
                (Ok(sum), Err(NotACount::Absent)) => Ok(sum),
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
        }
    });
    match read {
        Ok(()) => total.unwrap_or(parts),
        Err(_) => Err(NotACount::Invalid),
    }
}

/// Reads a decimal with an optional exponent, rounded half to even at twelve places.
pub(crate) fn decimal(text: &str) -> Result<i128, NotACount> {
    if text.is_empty() || matches!(text, "null" | "None") {
        return Err(NotACount::Absent);
    }
    read(text).ok_or(NotACount::Invalid)
}

fn read(text: &str) -> Option<i128> {
    if text.len() > 400 {
        return None;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let mantissa = mantissa.strip_prefix('+').unwrap_or(mantissa);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() || !(-400..=400).contains(&exponent) {
        return None;
    }
    // The digits, and how many of them stand before the last place that is kept.
    let kept = whole.len() as i32 + exponent + SCALE;
    let mut amount: i128 = 0;
    let mut rest_is_zero = true;
    let mut first_dropped = 0;
    for (index, byte) in whole.bytes().chain(fraction.bytes()).enumerate() {
        let digit = i128::from(byte.checked_sub(b'0').filter(|digit| *digit <= 9)?);
        match (index as i32).cmp(&kept) {
            std::cmp::Ordering::Less => amount = amount.checked_mul(10)?.checked_add(digit)?,
            std::cmp::Ordering::Equal => first_dropped = digit,
            std::cmp::Ordering::Greater => rest_is_zero &= digit == 0,
        }
    }
    let digits = (whole.len() + fraction.len()) as i32;
    if kept < 0 {
        return Some(0);
    }
    for _ in digits..kept {
        if amount == 0 {
            break;
        }
        amount = amount.checked_mul(10)?;
    }
    let round_up = first_dropped > 5 || first_dropped == 5 && (!rest_is_zero || amount % 2 == 1);
    // Far beyond any bill, and beyond the column.
    amount
        .checked_add(i128::from(round_up))
        .filter(|amount| *amount < 10i128.pow(30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_read_by_their_shortest_decimal_text() {
        for (value, expected) in [
            (Value::Double(0.0042), Ok(4_200_000_000)),
            (Value::Double(0.08578469999999999), Ok(85_784_700_000)),
            (Value::Double(0.000_019_999_999_999_999_998), Ok(20_000_000)),
            (Value::Double(1e-7), Ok(100_000)),
            (Value::Double(0.1), Ok(100_000_000_000)),
            (Value::Double(0.0), Ok(0)),
            (Value::Int(3), Ok(3_000_000_000_000)),
            (Value::Text("1.5e-05"), Ok(15_000_000)),
            (Value::Text("0.0000000000005"), Ok(0)),
            (Value::Text("0.0000000000015"), Ok(2)),
            (Value::Text("0.00000000000050001"), Ok(1)),
            (Value::Text("2E3"), Ok(2_000_000_000_000_000)),
            (Value::Double(-1.0), Err(NotACount::Invalid)),
            (Value::Double(f64::NAN), Err(NotACount::Invalid)),
            (Value::Double(f64::MAX), Err(NotACount::Invalid)),
            (Value::Double(f64::MIN_POSITIVE), Ok(0)),
            (Value::Text("-0.5"), Err(NotACount::Invalid)),
            (Value::Text("1e99"), Err(NotACount::Invalid)),
            (Value::Text("."), Err(NotACount::Invalid)),
            (Value::Text("free"), Err(NotACount::Invalid)),
            (Value::Text(""), Err(NotACount::Absent)),
        ] {
            assert_eq!(amount(&value), expected, "{value:?}");
        }
    }
}
