//! How much one call used: counts by usage key.
//!
//! The counts are inclusive, as `prices/README.md` of the seed says: `input_tokens` holds cache reads, cache
//! writes and all modalities; `output_tokens` holds reasoning. A key that is absent was not reported, which
//! is not zero. Counts are integers; seconds may carry a decimal fraction. Nothing is validated here but the
//! form: a negative or contradictory count is kept and makes the quote `invalid`, with the reason.

use std::fmt;
use std::str::FromStr;

use crate::unit::{UnitSet, UsageKey};

/// A count, exact to nine decimals. Whole numbers reach 2^63 - 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity {
    whole: i64,
    /// Billionths, in the direction away from zero for the sign of `whole`; zero for counts.
    nanos: u32,
}

/// Why a text is not a count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a count: expected a whole number up to 2^63 - 1, or one with up to nine decimals")]
pub struct ParseQuantityError {
    text: String,
}

/// The counts of one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Sorted by key.
    counts: Vec<(UsageKey, Quantity)>,
    reported: UnitSet,
    /// Keys that the registry does not know, with their counts, sorted.
    unknown: Vec<(String, Quantity)>,
}

impl Quantity {
    /// The whole part.
    pub fn whole(self) -> i64 {
        self.whole
    }

    /// Whether there is a fraction beside the whole part.
    pub fn has_fraction(self) -> bool {
        self.nanos != 0
    }

    /// Whether the count is below zero.
    pub fn is_negative(self) -> bool {
        self.whole < 0
    }

    /// In units of 10^-12: exact, a count has at most nine decimals.
    pub fn to_scale_12(self) -> i128 {
        self.nanos() * 1_000
    }

    /// From billionths; a count beyond the range stands at its end.
    pub(crate) fn saturating(nanos: i128) -> Self {
        let whole = i64::try_from(nanos / NANOS).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX });
        let nanos = u32::try_from((nanos % NANOS).unsigned_abs()).unwrap_or(0);
        Self { whole, nanos }
    }

    /// In billionths.
    pub(crate) fn nanos(self) -> i128 {
        let fraction = i128::from(self.nanos);
        i128::from(self.whole) * NANOS + if self.whole < 0 { -fraction } else { fraction }
    }
}

pub(crate) const NANOS: i128 = 1_000_000_000;

impl From<i64> for Quantity {
    fn from(whole: i64) -> Self {
        Self { whole, nanos: 0 }
    }
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    /// Reads `12`, `-5`, `12.5`, `1e3`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(whole) = text.parse::<i64>() {
            return Ok(Self::from(whole));
        }
        let invalid = || ParseQuantityError { text: text.to_owned() };
        let exact = text.parse::<crate::Amount>().map_err(|_| invalid())?;
        let nanos = exact
            .checked_mul(crate::Amount::from(1_000_000_000))
            .and_then(|value| value.as_integer());
        let nanos = nanos.ok_or_else(invalid)?;
        let whole = i64::try_from(nanos / NANOS).map_err(|_| invalid())?;
        let fraction = u32::try_from((nanos % NANOS).unsigned_abs()).map_err(|_| invalid())?;
        if whole == 0 && nanos < 0 {
            // A sign on a fraction below one would be lost: -1 is as invalid as -0.5, and says so.
            return Ok(Self { whole: -1, nanos: 0 });
        }
        Ok(Self { whole, nanos: fraction })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return write!(f, "{}", self.whole);
        }
        let fraction = format!("{:09}", self.nanos);
        write!(f, "{}.{}", self.whole, fraction.trim_end_matches('0'))
    }
}

impl Usage {
    /// No counts: nothing was reported.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes all counts away again.
    pub fn clear(&mut self) {
        self.counts.clear();
        self.unknown.clear();
        self.reported = UnitSet::default();
    }

    /// Sets the count of a key by name. A name that the registry does not know is kept too: it shows up in
    /// [`crate::Quote::unpriced_usage`] instead of vanishing.
    pub fn set(&mut self, usage_key: &str, count: impl Into<Quantity>) -> &mut Self {
        match UsageKey::parse(usage_key) {
            Some(key) => self.set_key(key, count),
            None => {
                insert(&mut self.unknown, usage_key.to_owned(), count.into());
                self
            }
        }
    }

    /// Sets the count of a registered key.
    pub fn set_key(&mut self, key: UsageKey, count: impl Into<Quantity>) -> &mut Self {
        self.reported.insert(key);
        insert(&mut self.counts, key, count.into());
        self
    }

    /// The count of a key by name, or `None` when it was not reported.
    pub fn get(&self, usage_key: &str) -> Option<Quantity> {
        match UsageKey::parse(usage_key) {
            Some(key) => self.get_key(key),
            None => self
                .unknown
                .iter()
                .find(|(name, _)| name == usage_key)
                .map(|(_, count)| *count),
        }
    }

    /// The count of a registered key, or `None` when it was not reported.
    pub fn get_key(&self, key: UsageKey) -> Option<Quantity> {
        self.counts
            .iter()
            .find(|(present, _)| *present == key)
            .map(|(_, count)| *count)
    }

    /// The counts of registered keys in the registry's order, then those of unknown keys by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Quantity)> {
        let known = self.counts.iter().map(|(key, count)| (key.as_str(), *count));
        known.chain(self.unknown.iter().map(|(name, count)| (name.as_str(), *count)))
    }

    /// Whether no key was reported at all.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.unknown.is_empty()
    }

    pub(crate) fn known(&self) -> &[(UsageKey, Quantity)] {
        &self.counts
    }

    pub(crate) fn unknown(&self) -> &[(String, Quantity)] {
        &self.unknown
    }

    pub(crate) fn reported(&self) -> UnitSet {
        self.reported
    }
}

fn insert<K: Ord>(counts: &mut Vec<(K, Quantity)>, key: K, count: Quantity) {
    // Most come in order.
    if counts.last().is_none_or(|(last, _)| *last < key) {
        counts.push((key, count));
        return;
    }
    match counts.binary_search_by(|(present, _)| present.cmp(&key)) {
        Ok(at) => counts[at].1 = count,
        Err(at) => counts.insert(at, (key, count)),
    }
}

impl<K: AsRef<str>, Q: Into<Quantity>> FromIterator<(K, Q)> for Usage {
    fn from_iter<I: IntoIterator<Item = (K, Q)>>(counts: I) -> Self {
        let mut usage = Self::new();
        for (key, count) in counts {
            usage.set(key.as_ref(), count);
        }
        usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_reads_as_it_shows() {
        for text in ["0", "-5", "12.5", "9223372036854775807", "0.000000001"] {
            assert_eq!(text.parse::<Quantity>().expect("a count").to_string(), text);
        }
        assert_eq!("1e3".parse::<Quantity>(), Ok(Quantity::from(1000)));
    }

    #[test]
    fn what_is_not_a_count_is_refused() {
        for text in ["", "many", "9223372036854775808", "0.0000000001", "1e30"] {
            assert!(text.parse::<Quantity>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn absent_is_not_zero_and_unknown_is_kept() {
        let usage: Usage = [("input_tokens", 5), ("telepathy", 3)].into_iter().collect();
        assert_eq!(usage.get("output_tokens"), None);
        assert_eq!(usage.get("telepathy"), Some(Quantity::from(3)));
        assert_eq!(usage.iter().count(), 2);
    }

    #[test]
    fn the_order_of_setting_does_not_show() {
        let forward: Usage = [("input_tokens", 5), ("output_tokens", 3)].into_iter().collect();
        let backward: Usage = [("output_tokens", 3), ("input_tokens", 5)].into_iter().collect();
        assert_eq!(forward, backward);
    }
}
