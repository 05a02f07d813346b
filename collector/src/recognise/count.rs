//! A count of tokens from whatever type an emitter sends: int, integral double, text, JSON-quoted text.

use crate::wire::Value;

/// Why a value is not a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotACount {
    /// Nothing was said: empty, null.
    Absent,
    /// Negative, fractional, too large, not a number.
    Invalid,
}

/// Reads one value.
pub(crate) fn count(value: &Value<'_>) -> Result<i64, NotACount> {
    match value {
        Value::Int(number) if *number >= 0 => Ok(*number),
        Value::Double(number) => from_double(*number),
        Value::Text(text) => from_text(text),
        Value::Empty => Err(NotACount::Absent),
        _ => Err(NotACount::Invalid),
    }
}

/// Reads text, with or without quotes, an integer or an integral decimal.
pub(crate) fn from_text(text: &str) -> Result<i64, NotACount> {
    let text = text.trim().trim_matches('"');
    if text.is_empty() || matches!(text, "null" | "None") {
        return Err(NotACount::Absent);
    }
    if let Ok(number) = text.parse::<i64>() {
        return if number >= 0 { Ok(number) } else { Err(NotACount::Invalid) };
    }
    if text.len() > 32 {
        return Err(NotACount::Invalid);
    }
    text.parse::<f64>().map_err(|_| NotACount::Invalid).and_then(from_double)
}

/// Doubles count exactly up to 2^53.
fn from_double(number: f64) -> Result<i64, NotACount> {
    let exact = number.is_finite() && number >= 0.0 && number.fract() == 0.0 && number <= 9_007_199_254_740_992.0;
    if exact { Ok(number as i64) } else { Err(NotACount::Invalid) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_every_type_and_nothing_else_is() {
        for (value, expected) in [
            (Value::Int(7), Ok(7)),
            (Value::Int(i64::MAX), Ok(i64::MAX)),
            (Value::Double(1405.0), Ok(1405)),
            (Value::Text("12000"), Ok(12000)),
            (Value::Text(" \"12000\" "), Ok(12000)),
            (Value::Text("1e3"), Ok(1000)),
            (Value::Text(""), Err(NotACount::Absent)),
            (Value::Text("None"), Err(NotACount::Absent)),
            (Value::Int(-1), Err(NotACount::Invalid)),
            (Value::Int(i64::MIN), Err(NotACount::Invalid)),
            (Value::Double(f64::NAN), Err(NotACount::Invalid)),
            (Value::Double(f64::INFINITY), Err(NotACount::Invalid)),
            (Value::Double(0.5), Err(NotACount::Invalid)),
            (Value::Double(1e300), Err(NotACount::Invalid)),
            (Value::Text("-3"), Err(NotACount::Invalid)),
            (Value::Text("many"), Err(NotACount::Invalid)),
            (Value::Text("99999999999999999999"), Err(NotACount::Invalid)),
            (Value::Bool(true), Err(NotACount::Invalid)),
        ] {
            assert_eq!(count(&value), expected, "{value:?}");
        }
    }
}
