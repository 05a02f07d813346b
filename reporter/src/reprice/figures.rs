//! Exact figures as people read them: every digit that there is, aligned, with separators in counts.

/// One at scale 12.
const ONE: u128 = 1_000_000_000_000;

/// A figure at scale 12 with no more decimals than it has.
pub(super) fn plain(value: i128) -> String {
    at_least(value, 0)
}

/// A figure at scale 12 with all its decimals, and zeros up to `decimals` of them.
pub(super) fn at_least(value: i128, decimals: usize) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let (whole, part) = (value.unsigned_abs() / ONE, value.unsigned_abs() % ONE);
    let digits = format!("{part:012}");
    let shown = digits.trim_end_matches('0').len().max(decimals.min(12));
    match shown {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{}", &digits[..shown]),
    }
}

/// How many decimals a figure at scale 12 has.
pub(super) fn decimals(value: i128) -> usize {
    format!("{:012}", value.unsigned_abs() % ONE).trim_end_matches('0').len()
}

/// `12345` as `12,345`.
pub(super) fn count(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The change in percent with two decimals, cut off; `None` where there is nothing to compare with.
pub(super) fn percent(before: i128, after: i128) -> Option<String> {
    let hundredths = after.checked_sub(before)?.checked_mul(10_000)?.checked_div(before)?;
    let (sign, size) = (if hundredths < 0 { "-" } else { "+" }, hundredths.unsigned_abs());
    Some(format!("{sign}{}.{:02} %", size / 100, size % 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_every_digit() {
        for (value, least, expected) in [
            (0, 0, "0"),
            (1_500_000_000_000, 0, "1.5"),
            (1_500_000_000_000, 4, "1.5000"),
            (-1, 2, "-0.000000000001"),
            (i128::MIN, 0, "-170141183460469231731687303.715884105728"),
        ] {
            assert_eq!(at_least(value, least), expected);
        }
        assert_eq!((count(7), count(1_234_567)), ("7".to_owned(), "1,234,567".to_owned()));
        assert_eq!(percent(0, 5), None);
        assert_eq!(percent(200, 171).as_deref(), Some("-14.50 %"));
        assert_eq!(percent(3, 4).as_deref(), Some("+33.33 %"));
    }
}
