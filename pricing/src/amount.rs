//! Exact amounts of money and exact rates.
//!
//! An [`Amount`] is `coefficient / 10^scale`, divided by nine once more where the unit is priced per hour but
//! counted in seconds (1/3600 = 1/(9 x 400)). Every price we know is exact in that form, so nothing is rounded
//! until somebody asks for a fixed scale, and then once, half to even. There is no currency here (catalogue
//! prices are USD) and no float anywhere.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// An exact amount, usually USD. Arithmetic is checked: `None` means that the exact value does not fit.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    coefficient: i128,
    scale: u8,
    ninths: bool,
}

/// Why a text is not an exact decimal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseAmountError {
    /// The text is not a plain or scientific decimal number.
    #[error("{0:?} is not a decimal number")]
    NotDecimal(String),
    /// The number has more digits than fit.
    #[error("{0:?} has more digits than an exact amount can hold")]
    TooManyDigits(String),
}

const MAX_SCALE: u8 = 38;
const SIGNIFICANT_DIGITS: usize = 28;

const POWERS_OF_TEN: [i128; 39] = {
    let mut powers = [1; 39];
    let mut index = 1;
    while index < powers.len() {
        powers[index] = powers[index - 1] * 10;
        index += 1;
    }
    powers
};

impl Amount {
    /// Nothing at all, exactly.
    pub const ZERO: Self = Self {
        coefficient: 0,
        scale: 0,
        ninths: false,
    };
    /// One, the neutral factor.
    pub const ONE: Self = Self {
        coefficient: 1,
        scale: 0,
        ninths: false,
    };

    /// `coefficient / 10^scale`; `None` when `scale` is above 38.
    pub fn new(coefficient: i128, scale: u8) -> Option<Self> {
        (scale <= MAX_SCALE).then_some(Self {
            coefficient,
            scale,
            ninths: false,
        })
    }

    /// The amount that a decimal column of scale 12 holds.
    pub const fn from_scale_12(units: i128) -> Self {
        Self {
            coefficient: units,
            scale: 12,
            ninths: false,
        }
    }

    /// In units of 10^-12, rounded half to even: the one rounding a cost ever gets. Saturates at the end of
    /// the range, which no amount of a priced call reaches (2^63 tokens at 10^6 USD per million).
    pub fn to_scale_12(&self) -> i128 {
        self.units_at(12)
    }

    /// In units of 10^-18, rounded half to even, for the lines of a receipt; saturates likewise.
    pub fn to_scale_18(&self) -> i128 {
        self.units_at(18)
    }

    fn units_at(&self, scale: u8) -> i128 {
        let (numerator, denominator) = if self.scale >= scale {
            (Some(self.coefficient), POWERS_OF_TEN[usize::from(self.scale - scale)])
        } else {
            (
                self.coefficient.checked_mul(POWERS_OF_TEN[usize::from(scale - self.scale)]),
                1,
            )
        };
        let Some(numerator) = numerator else {
            return if self.coefficient < 0 { i128::MIN } else { i128::MAX };
        };
        if !self.ninths {
            return if denominator == 1 {
                numerator
            } else {
                divide_half_even(numerator, denominator)
            };
        }
        match denominator.checked_mul(9) {
            Some(denominator) => divide_half_even(numerator, denominator),
            // The denominator is above any numerator's double: the quotient rounds to zero.
            None => 0,
        }
    }

    /// Rounded half to even at `scale` decimals; unchanged when it has no more than that.
    pub(crate) fn rounded(self, scale: u8) -> Self {
        if self.ninths || self.scale <= scale {
            return self;
        }
        let unit = POWERS_OF_TEN[usize::from(self.scale - scale)];
        Self {
            coefficient: divide_half_even(self.coefficient, unit),
            scale,
            ninths: false,
        }
    }

    /// The coefficient at that scale, where the value is exact there.
    pub(crate) fn at_exactly(self, scale: u8) -> Option<i128> {
        let exact = self.normalised();
        if exact.ninths || exact.scale > scale {
            return None;
        }
        exact.at_scale(scale)
    }

    /// Divided by a positive whole number and rounded half to even at `scale` decimals.
    pub(crate) fn divide_rounded(self, divisor: i64, scale: u8) -> Option<Self> {
        let exact = self.normalised();
        if exact.ninths || divisor <= 0 || exact.scale > scale {
            return None;
        }
        Some(Self {
            coefficient: divide_half_even(exact.at_scale(scale)?, i128::from(divisor)),
            scale,
            ninths: false,
        })
    }

    /// Whether the amount is exactly zero.
    pub fn is_zero(&self) -> bool {
        self.coefficient == 0
    }

    /// Whether the amount is below zero.
    pub fn is_negative(&self) -> bool {
        self.coefficient < 0
    }

    /// The value as an integer, where it is one.
    pub fn as_integer(&self) -> Option<i128> {
        let exact = self.normalised();
        (exact.scale == 0 && !exact.ninths).then_some(exact.coefficient)
    }

    /// The number of decimals after trailing zeros are taken off; `None` when the value does not terminate.
    pub fn decimals(&self) -> Option<u8> {
        let exact = self.normalised();
        (!exact.ninths).then_some(exact.scale)
    }

    /// The exact sum.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let (mut left, mut right) = (self, other);
        if left.ninths != right.ninths {
            left = left.as_ninths()?;
            right = right.as_ninths()?;
        }
        if left.scale == right.scale {
            return Some(Self {
                coefficient: left.coefficient.checked_add(right.coefficient)?,
                ..left
            });
        }
        let scale = left.scale.max(right.scale);
        Some(Self {
            coefficient: left.at_scale(scale)?.checked_add(right.at_scale(scale)?)?,
            scale,
            ninths: left.ninths,
        })
    }

    /// The exact difference.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(Self {
            coefficient: other.coefficient.checked_neg()?,
            ..other
        })
    }

    /// The exact product. Two values that both need ninths have none.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        if self.ninths && other.ninths {
            return None;
        }
        let (left, right, coefficient) = match self.coefficient.checked_mul(other.coefficient) {
            Some(coefficient) => (self, other, coefficient),
            None => {
                let (left, right) = (self.normalised(), other.normalised());
                (left, right, left.coefficient.checked_mul(right.coefficient)?)
            }
        };
        let product = Self {
            coefficient,
            scale: left.scale + right.scale,
            ninths: left.ninths || right.ninths,
        };
        if product.scale <= MAX_SCALE {
            return Some(product);
        }
        let product = product.normalised();
        (product.scale <= MAX_SCALE).then_some(product)
    }

    /// This amount divided by a count whose only odd prime factors are five and (at most twice) three: the
    /// `per` of every registered unit. `None` for other counts.
    pub fn checked_div_per(self, per: i64) -> Option<Self> {
        let divisor = Per::new(per)?;
        let coefficient = match divisor.multiplier {
            1 => self.coefficient,
            multiplier => self.coefficient.checked_mul(multiplier)?,
        };
        if self.ninths && divisor.ninths {
            return None;
        }
        let quotient = Self {
            coefficient,
            scale: self.scale + divisor.scale,
            ninths: self.ninths || divisor.ninths,
        };
        if quotient.scale <= MAX_SCALE {
            return Some(quotient);
        }
        let quotient = quotient.normalised();
        (quotient.scale <= MAX_SCALE).then_some(quotient)
    }

    /// The same value without trailing zeros and without a needless division by nine.
    pub fn normalised(mut self) -> Self {
        if self.coefficient == 0 {
            return Self::ZERO;
        }
        if self.ninths && self.coefficient % 9 == 0 {
            self.coefficient /= 9;
            self.ninths = false;
        }
        // Division of 128-bit integers is slow, and nearly every amount fits into 64.
        if let Ok(mut small) = i64::try_from(self.coefficient) {
            while self.scale > 0 && small % 10 == 0 {
                small /= 10;
                self.scale -= 1;
            }
            self.coefficient = i128::from(small);
            return self;
        }
        while self.scale > 0 && self.coefficient % 10 == 0 {
            self.coefficient /= 10;
            self.scale -= 1;
        }
        self
    }

    fn as_ninths(self) -> Option<Self> {
        if self.ninths {
            return Some(self);
        }
        Some(Self {
            coefficient: self.coefficient.checked_mul(9)?,
            ninths: true,
            ..self
        })
    }

    fn at_scale(self, scale: u8) -> Option<i128> {
        match scale - self.scale {
            0 => Some(self.coefficient),
            more => self.coefficient.checked_mul(POWERS_OF_TEN[usize::from(more)]),
        }
    }
}

/// `1 / per` as `multiplier / 10^scale`, over nine where `ninths`.
struct Per {
    multiplier: i128,
    scale: u8,
    ninths: bool,
}

impl Per {
    fn new(per: i64) -> Option<Self> {
        match per {
            1 => {
                return Some(Self {
                    multiplier: 1,
                    scale: 0,
                    ninths: false,
                });
            }
            1_000 => {
                return Some(Self {
                    multiplier: 1,
                    scale: 3,
                    ninths: false,
                });
            }
            1_000_000 => {
                return Some(Self {
                    multiplier: 1,
                    scale: 6,
                    ninths: false,
                });
            }
            // 1/3600 = 25 / (9 x 10^4)
            3_600 => {
                return Some(Self {
                    multiplier: 25,
                    scale: 4,
                    ninths: true,
                });
            }
            1_000_000_000 => {
                return Some(Self {
                    multiplier: 1,
                    scale: 9,
                    ninths: false,
                });
            }
            ..=0 => return None,
            _ => {}
        }
        let mut rest = per;
        let mut count = |prime: i64| {
            let mut times = 0;
            while rest % prime == 0 {
                rest /= prime;
                times += 1;
            }
            times
        };
        let (twos, threes, fives): (u32, u32, u32) = (count(2), count(3), count(5));
        if rest != 1 || threes > 2 {
            return None;
        }
        let scale = twos.max(fives);
        let mut multiplier = 2_i128
            .checked_pow(scale - twos)?
            .checked_mul(5_i128.checked_pow(scale - fives)?)?;
        if threes == 1 {
            multiplier = multiplier.checked_mul(3)?;
        }
        Some(Self {
            multiplier,
            scale: u8::try_from(scale).ok()?,
            ninths: threes > 0,
        })
    }
}

/// Rounds to the nearest integer, ties to the even one. `denominator` is positive.
fn divide_half_even(numerator: i128, denominator: i128) -> i128 {
    // Division of 128-bit integers is slow, and nearly every cost fits into 64.
    if let (Ok(small), Ok(by)) = (u64::try_from(numerator), u64::try_from(denominator)) {
        let (quotient, remainder) = (small / by, small % by);
        let up = match remainder.cmp(&(by - remainder)) {
            Ordering::Less => 0,
            Ordering::Greater => 1,
            Ordering::Equal => quotient & 1,
        };
        return i128::from(quotient + up);
    }
    let quotient = numerator.div_euclid(denominator);
    let remainder = numerator.rem_euclid(denominator);
    match remainder.cmp(&(denominator - remainder)) {
        Ordering::Less => quotient,
        Ordering::Greater => quotient + 1,
        Ordering::Equal => quotient + (quotient & 1),
    }
}

impl Default for Amount {
    fn default() -> Self {
        Self::ZERO
    }
}

impl From<i64> for Amount {
    fn from(whole: i64) -> Self {
        Self {
            coefficient: i128::from(whole),
            scale: 0,
            ninths: false,
        }
    }
}

impl FromStr for Amount {
    type Err = ParseAmountError;

    /// Reads `12`, `-0.5`, `1.25e-06`. Digits are kept exactly.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let not_decimal = || ParseAmountError::NotDecimal(text.to_owned());
        let too_many = || ParseAmountError::TooManyDigits(text.to_owned());
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i16>().map_err(|_| not_decimal())?),
            None => (text, 0),
        };
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || (digits.contains('.') && fraction.is_empty()) {
            return Err(not_decimal());
        }
        let mut coefficient: i128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            coefficient = coefficient
                .checked_mul(10)
                .and_then(|value| value.checked_add(i128::from(digit - b'0')))
                .ok_or_else(too_many)?;
        }
        let mut scale = i64::try_from(fraction.len()).map_err(|_| too_many())? - i64::from(exponent);
        while scale > 0 && coefficient % 10 == 0 && coefficient != 0 {
            coefficient /= 10;
            scale -= 1;
        }
        if coefficient == 0 {
            return Ok(Self::ZERO);
        }
        while scale < 0 {
            coefficient = coefficient.checked_mul(10).ok_or_else(too_many)?;
            scale += 1;
        }
        let scale = u8::try_from(scale)
            .ok()
            .filter(|&scale| scale <= MAX_SCALE)
            .ok_or_else(too_many)?;
        Ok(Self {
            coefficient: if negative { -coefficient } else { coefficient },
            scale,
            ninths: false,
        })
    }
}

impl fmt::Display for Amount {
    /// The exact decimal; a value that does not terminate is rounded half to even at 28 significant digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.normalised();
        let (digits, scale) = if value.ninths {
            value.rounded_ninths()
        } else {
            (value.coefficient.unsigned_abs(), usize::from(value.scale))
        };
        let mut text = digits.to_string();
        if scale > 0 {
            if text.len() <= scale {
                text.insert_str(0, &"0".repeat(scale + 1 - text.len()));
            }
            text.insert(text.len() - scale, '.');
            text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
        }
        if value.coefficient < 0 {
            f.write_str("-")?;
        }
        f.write_str(&text)
    }
}

impl Amount {
    /// Digits and scale of `|coefficient| / 9 / 10^scale` at 28 significant digits. A remainder `r` of nine is
    /// the repeating decimal `0.rrr...`, which is never a tie.
    fn rounded_ninths(self) -> (u128, usize) {
        let magnitude = self.coefficient.unsigned_abs();
        let (whole, remainder) = (magnitude / 9, magnitude % 9);
        let mut length = if whole == 0 { 0 } else { whole.to_string().len() };
        let (mut digits, mut scale) = (whole, usize::from(self.scale));
        while length < SIGNIFICANT_DIGITS {
            digits = digits * 10 + remainder;
            scale += 1;
            length += 1;
        }
        if length == SIGNIFICANT_DIGITS {
            return (if remainder >= 5 { digits + 1 } else { digits }, scale);
        }
        let excess = length - SIGNIFICANT_DIGITS;
        if excess > scale {
            // More than 28 digits before the point: keep the integer, rounded to one.
            return (if remainder >= 5 { digits + 1 } else { digits }, scale);
        }
        let unit = POWERS_OF_TEN[excess].unsigned_abs();
        let (kept, dropped) = (digits / unit, digits % unit);
        let half = unit / 2;
        // At half a unit the repeating rest is above zero, so it is above the tie.
        (if dropped >= half { kept + 1 } else { kept }, scale - excess)
    }
}

impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        if (self.scale, self.ninths) == (other.scale, other.ninths) {
            return self.coefficient == other.coefficient;
        }
        let (left, right) = (self.normalised(), other.normalised());
        (left.coefficient, left.scale, left.ninths) == (right.coefficient, right.scale, right.ninths)
    }
}

impl Eq for Amount {}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    fn cmp(&self, other: &Self) -> Ordering {
        match self.checked_sub(*other) {
            Some(difference) => difference.coefficient.cmp(&0),
            // Too far apart in size to subtract exactly: whole units decide.
            None => self
                .whole_units()
                .cmp(&other.whole_units())
                .then_with(|| self.coefficient.signum().cmp(&other.coefficient.signum())),
        }
    }
}

impl Amount {
    fn whole_units(&self) -> i128 {
        let whole = self.coefficient / POWERS_OF_TEN[usize::from(self.scale)];
        if self.ninths { whole / 9 } else { whole }
    }
}

impl serde::Serialize for Amount {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Amount {
    /// From a string only: a JSON or TOML number has been through a float.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number in quotes, for example \"0.25\"")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Amount, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: serde::de::Error>(self, whole: i64) -> Result<Amount, E> {
                Ok(Amount::from(whole))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

#[cfg(test)]
mod tests;
