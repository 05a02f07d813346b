//! Exact amounts of money: an `i128` at the lake's scale of 12, read from the text of an export and written back.
//!
//! Knows no currency's rate and never touches a float. What is not plainly a decimal number is refused rather than
//! guessed: `1,000` is a thousand to one reader and one to another.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub};

use arrow::datatypes::i256;
use marginlake_lake::schema::MONEY_SCALE;

/// One whole unit of a currency, in the lake's scale.
const ONE: i128 = 10_i128.pow(SCALE);
const SCALE: u32 = MONEY_SCALE as u32;
/// Largest amount accepted from a file, in whole units: totals over millions of lines still fit 38 digits.
const LARGEST_UNITS: i128 = 1_000_000_000_000_000;

/// A signed amount in major units of some currency, exact to 12 decimal places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(i128);

/// Why a text is not an amount. The texts complete the sentence "`value` ...".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Nothing stands there: an unknown amount is never zero.
    #[error("is empty: an amount is required, unknown is not zero")]
    Empty,
    /// `1,000.00` or `1.000,00` or `1 000`.
    #[error("has a thousands separator or a decimal comma: write a plain number like 1234.56")]
    Separator,
    /// `1e3`.
    #[error("is in scientific notation: write a plain number like 1234.56")]
    Exponent,
    /// `$12`, `EUR 12`.
    #[error("has a currency sign: the currency belongs in its own column")]
    CurrencySign,
    /// `(12.00)`.
    #[error("is in accounting brackets: write a negative amount with a leading minus")]
    Brackets,
    /// More decimals than the lake stores.
    #[error("has more than 12 decimal places")]
    TooFine,
    /// A fraction of a minor unit.
    #[error("is not a whole number: amounts of this source are integers in the currency's minor unit (cents)")]
    NotMinorUnits,
    /// Beyond [`LARGEST_UNITS`].
    #[error("is larger than 1000000000000000")]
    TooLarge,
    /// Anything else.
    #[error("is not a decimal number")]
    NotANumber,
}

impl Amount {
    /// No money.
    pub const ZERO: Amount = Amount(0);

    /// The amount with this integer at scale 12, as stored in the lake's decimal columns.
    pub const fn from_scaled(scaled: i128) -> Amount {
        Amount(scaled)
    }

    /// The integer at scale 12.
    pub const fn scaled(self) -> i128 {
        self.0
    }

    /// Reads an amount in major units (`-12.50` dollars, `500` yen).
    pub fn parse_major(text: &str) -> Result<Amount, AmountError> {
        let (negative, whole, fraction) = parts(text)?;
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > SCALE as usize {
            return Err(AmountError::TooFine);
        }
        let whole = integer(whole)?;
        let fraction = integer(fraction)? * 10_i128.pow(SCALE - fraction.len() as u32);
        signed(negative, whole, fraction)
    }

    /// Reads a number that some program wrote as a float, such as `11.986523456789012` or `1.5e-05`: rounded half to
    /// even at 12 decimal places, without ever being a float here.
    pub fn parse_rounded(text: &str) -> Result<Amount, AmountError> {
        let text = text.trim();
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().map_err(|_| AmountError::NotANumber)?),
            None => (text, 0),
        };
        let (negative, whole, fraction) = parts(number)?;
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        // Places of the last digit, counted behind the point.
        let places = i64::try_from(fraction.len()).unwrap_or(i64::MAX) - i64::from(exponent);
        let shift = i64::from(SCALE) - places;
        if digits.is_empty() || digits.len() as i64 + shift < 0 {
            return Ok(Amount::ZERO);
        }
        if digits.len() as i64 + shift > 30 {
            return Err(AmountError::TooLarge);
        }
        let magnitude = if shift >= 0 {
            integer(digits)? * 10_i128.pow(shift as u32)
        } else {
            // The digits that go, and one: enough to tell below, at and above a half.
            let keep = (digits.len() as i64 + shift) as usize;
            let (kept, gone) = digits.split_at(keep);
            let half = match gone.as_bytes()[0].cmp(&b'5') {
                std::cmp::Ordering::Less => 0,
                std::cmp::Ordering::Greater => 2,
                std::cmp::Ordering::Equal => 1 + i128::from(gone[1..].bytes().any(|digit| digit != b'0')),
            };
            let kept = integer(kept)?;
            kept + i128::from(half == 2 || (half == 1 && kept % 2 == 1))
        };
        signed(negative, magnitude / ONE, magnitude % ONE)
    }

    /// Reads an integer in minor units, of which 10^`exponent` make one major unit (cents: 2, yen: 0, fils: 3).
    pub fn parse_minor(text: &str, exponent: u32) -> Result<Amount, AmountError> {
        let (negative, digits, fraction) = parts(text)?;
        if text.contains('.') && fraction.bytes().any(|digit| digit != b'0') {
            return Err(AmountError::NotMinorUnits);
        }
        let minor = integer(digits)?;
        let per_major = 10_i128.pow(exponent);
        let rest = (minor % per_major) * (ONE / per_major);
        signed(negative, minor / per_major, rest)
    }

    /// The amount divided by `days`, rounded half to even at scale 12. `days` must be positive.
    pub fn per_day(self, days: i64) -> Amount {
        debug_assert!(days > 0, "a period has at least one day");
        Amount(divide_half_even(self.0, i128::from(days)))
    }

    /// The amount times `numerator / denominator`, rounded once, half to even, at scale 12; `None` if it does not fit
    /// or if `denominator` is not positive.
    pub fn ratio(self, numerator: i128, denominator: i128) -> Option<Amount> {
        if denominator <= 0 {
            return None;
        }
        multiply_divide_half_even(self.0, numerator, denominator).map(Amount)
    }

    /// The amount rounded half to even to `places` decimals, written with exactly that many: for people, never for sums.
    pub fn rounded(self, places: u32) -> String {
        let step = 10_i128.pow(SCALE - places.min(SCALE));
        let rounded = divide_half_even(self.0, step);
        let (sign, magnitude) = (if rounded < 0 { "-" } else { "" }, rounded.unsigned_abs());
        let one = 10_u128.pow(places);
        if places == 0 {
            return format!("{sign}{magnitude}");
        }
        format!(
            "{sign}{}.{:0width$}",
            magnitude / one,
            magnitude % one,
            width = places as usize
        )
    }

    /// True if the amount is below nothing.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// True if there is no money.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// The exact value without trailing zeros: `12.5`, `-0.000001`, `0`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, magnitude) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let (whole, fraction) = (magnitude / ONE as u128, magnitude % ONE as u128);
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{fraction:012}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl Add for Amount {
    type Output = Amount;
    fn add(self, other: Amount) -> Amount {
        Amount(self.0 + other.0)
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Amount) {
        self.0 += other.0;
    }
}

impl Sub for Amount {
    type Output = Amount;
    fn sub(self, other: Amount) -> Amount {
        Amount(self.0 - other.0)
    }
}

impl Neg for Amount {
    type Output = Amount;
    fn neg(self) -> Amount {
        Amount(-self.0)
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Amount {
        amounts.fold(Amount::ZERO, Add::add)
    }
}

/// `value / divisor` rounded half to even; `divisor` must be positive.
pub(crate) fn divide_half_even(value: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (value.div_euclid(divisor), value.rem_euclid(divisor));
    match rest.cmp(&(divisor - rest)) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + (quotient & 1),
    }
}

/// `value * numerator / denominator` rounded half to even; `denominator` must be positive.
pub(crate) fn multiply_divide_half_even(value: i128, numerator: i128, denominator: i128) -> Option<i128> {
    if let Some(product) = value.checked_mul(numerator) {
        return Some(divide_half_even(product, denominator));
    }
    let divisor = i256::from_i128(denominator);
    let product = i256::from_i128(value).checked_mul(i256::from_i128(numerator))?;
    let mut quotient = product.checked_div(divisor)?;
    let mut rest = product.checked_rem(divisor)?;
    if rest < i256::ZERO {
        rest += divisor;
        quotient -= i256::ONE;
    }
    let up = match rest.cmp(&(divisor - rest)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => quotient.checked_rem(i256::from_i128(2))? != i256::ZERO,
    };
    if up { quotient + i256::ONE } else { quotient }.to_i128()
}

/// Sign, digits before and after the point. Everything but `[+-]digits[.digits]` is refused with its reason.
fn parts(text: &str) -> Result<(bool, &str, &str), AmountError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(AmountError::Empty);
    }
    let (negative, digits) = match text.as_bytes()[0] {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty()) {
        return Ok((negative, whole, fraction));
    }
    Err(complaint(text))
}

fn complaint(text: &str) -> AmountError {
    let is_exponent = |c: char| c == 'e' || c == 'E';
    let numeric = |c: char| c.is_ascii_digit() || "+-.".contains(c);
    if text.starts_with('(') && text.ends_with(')') {
        return AmountError::Brackets;
    }
    if text.chars().any(|c| "$€£¥₹".contains(c)) {
        return AmountError::CurrencySign;
    }
    if text.starts_with(|c: char| numeric(c)) && text.chars().all(|c| numeric(c) || is_exponent(c)) && text.contains(is_exponent)
    {
        return AmountError::Exponent;
    }
    let separated = |c: char| c.is_ascii_digit() || "+-.,' _\u{a0}\u{202f}’".contains(c);
    if text.chars().all(separated) && text.chars().any(|c| c.is_ascii_digit()) {
        return AmountError::Separator;
    }
    AmountError::NotANumber
}

fn integer(digits: &str) -> Result<i128, AmountError> {
    if digits.is_empty() {
        return Ok(0);
    }
    let digits = digits.trim_start_matches('0');
    if digits.len() > 30 {
        return Err(AmountError::TooLarge);
    }
    Ok(digits.bytes().fold(0, |value, digit| value * 10 + i128::from(digit - b'0')))
}

fn signed(negative: bool, whole: i128, fraction: i128) -> Result<Amount, AmountError> {
    if whole > LARGEST_UNITS || (whole == LARGEST_UNITS && fraction > 0) {
        return Err(AmountError::TooLarge);
    }
    let magnitude = whole * ONE + fraction;
    Ok(Amount(if negative { -magnitude } else { magnitude }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn major_units_are_read_exactly() {
        for (text, scaled) in [
            ("0", 0),
            ("12.5", 12_500_000_000_000),
            ("-0.01", -10_000_000_000),
            ("+3", 3_000_000_000_000),
            (" 7 ", 7_000_000_000_000),
            (".5", 500_000_000_000),
            ("5.", 5_000_000_000_000),
            ("0.000000000001", 1),
            ("1.0000000000000000", 1_000_000_000_000),
        ] {
            assert_eq!(Amount::parse_major(text), Ok(Amount(scaled)), "{text}");
        }
    }

    #[test]
    fn what_is_not_plainly_a_number_is_refused_with_its_reason() {
        for (text, error) in [
            ("", AmountError::Empty),
            ("1,000.00", AmountError::Separator),
            ("12,50", AmountError::Separator),
            ("1 000", AmountError::Separator),
            ("1'000", AmountError::Separator),
            ("1e3", AmountError::Exponent),
            ("$5", AmountError::CurrencySign),
            ("(5.00)", AmountError::Brackets),
            ("0.0000000000001", AmountError::TooFine),
            ("1000000000000000.01", AmountError::TooLarge),
            ("NULL", AmountError::NotANumber),
            ("NaN", AmountError::NotANumber),
            ("-", AmountError::NotANumber),
            (".", AmountError::NotANumber),
            ("1.2.3", AmountError::Separator),
            ("--1", AmountError::Separator),
        ] {
            assert_eq!(Amount::parse_major(text), Err(error), "{text}");
        }
    }

    #[test]
    fn minor_units_follow_the_exponent_of_their_currency() {
        for (text, exponent, exact) in [
            ("1999", 2, "19.99"),
            ("1999", 0, "1999"),
            ("1999", 3, "1.999"),
            ("-5", 2, "-0.05"),
            ("21.0", 2, "0.21"),
        ] {
            assert_eq!(
                Amount::parse_minor(text, exponent).map(|amount| amount.to_string()),
                Ok(exact.to_owned()),
                "{text}"
            );
        }
        assert_eq!(Amount::parse_minor("19.99", 2), Err(AmountError::NotMinorUnits));
    }

    #[test]
    fn floats_of_others_are_rounded_once() {
        for (text, expected) in [
            ("11.986523456789012", "11.986523456789"),
            ("1.5e-05", "0.000015"),
            ("1E3", "1000"),
            ("-0.0000000000005", "0"),
            ("0.0000000000015", "0.000000000002"),
            ("0.00000000000050001", "0.000000000001"),
            ("2.5e-12", "0.000000000002"),
            ("1e-40", "0"),
            ("0.7", "0.7"),
            ("0e9", "0"),
        ] {
            assert_eq!(
                Amount::parse_rounded(text).map(|amount| amount.to_string()),
                Ok(expected.to_owned()),
                "{text}"
            );
        }
        assert_eq!(Amount::parse_rounded("1e40"), Err(AmountError::TooLarge));
        assert_eq!(Amount::parse_rounded("1e"), Err(AmountError::NotANumber));
    }

    #[test]
    fn rounding_is_half_to_even() {
        for (value, divisor, expected) in [
            (5, 2, 2),
            (7, 2, 4),
            (-5, 2, -2),
            (-7, 2, -4),
            (10, 3, 3),
            (-10, 3, -3),
            (11, 3, 4),
            (-11, 3, -4),
        ] {
            assert_eq!(divide_half_even(value, divisor), expected, "{value}/{divisor}");
        }
    }

    #[test]
    fn rounded_text_is_for_people() {
        for (text, places, expected) in [
            ("1.005", 2, "1.00"),
            ("1.015", 2, "1.02"),
            ("-0.004", 2, "0.00"),
            ("-1.5", 0, "-2"),
            ("3", 2, "3.00"),
        ] {
            assert_eq!(Amount::parse_major(text).unwrap().rounded(places), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_number_or_a_complaint(text in "[-+]?[0-9]{0,40}\\.?[0-9]{0,40}([eE]-?[0-9]{1,12})?") {
            let _ = Amount::parse_rounded(&text);
            let _ = Amount::parse_major(&text);
        }

        #[test]
        fn the_exact_text_reads_back(scaled in -10_i128.pow(26)..10_i128.pow(26)) {
            prop_assert_eq!(Amount::parse_major(&Amount(scaled).to_string()), Ok(Amount(scaled)));
        }

        #[test]
        fn wide_and_narrow_products_agree(value in -10_i128.pow(18)..10_i128.pow(18), numerator in 0_i128..10_i128.pow(10), denominator in 1_i128..10_i128.pow(10)) {
            let narrow = divide_half_even(value * numerator, denominator);
            prop_assert_eq!(multiply_divide_half_even(value, numerator, denominator), Some(narrow));
            // Scaled up until the product needs 256 bits, the answer is the same.
            let big = 10_i128.pow(18);
            prop_assert_eq!(multiply_divide_half_even(value, numerator * big, denominator * big), Some(narrow));
        }
    }
}
