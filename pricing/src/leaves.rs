//! From inclusive counts to disjoint ones, and what contradicts itself on the way.
//!
//! A priced unit is billed on its own count minus the leaves of its priced parts, deepest first, so that every
//! token is billed once at the narrowest rate there is. Unpriced parts stay inside their whole.

use std::fmt;

use smallvec::SmallVec;

use crate::amount::Amount;
use crate::unit::{DEPTHS, Dimension, Direction, Family, UnitSet, UsageKey, of_depth};
use crate::usage::{NANOS, Quantity, Usage};

/// The counts of one call at one scale: units, or billionths of them when any count has a fraction.
#[derive(Debug)]
pub(crate) struct Counts {
    counts: SmallVec<[(UsageKey, i128); 6]>,
    reported: UnitSet,
    scale: Scale,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Whole,
    Nanos,
}

/// The disjoint counts of the priced units.
#[derive(Debug)]
pub(crate) struct Leaves {
    leaves: SmallVec<[(UsageKey, i128); 6]>,
    scale: Scale,
}

/// One disjoint count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf {
    count: i128,
    scale: Scale,
}

/// Why usage cannot be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Contradiction {
    Negative(UsageKey),
    NegativeUnknown,
    PartAboveWhole {
        part: UsageKey,
        whole: UsageKey,
    },
    PartsAboveWhole {
        whole: UsageKey,
    },
    WholeMissing {
        whole: UsageKey,
        part: UsageKey,
    },
    OverlapMissing {
        overlap: UsageKey,
        left: UsageKey,
        right: UsageKey,
    },
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Negative(unit) => write!(f, "{unit} is negative"),
            Self::NegativeUnknown => f.write_str("a count of an unknown usage key is negative"),
            Self::PartAboveWhole { part, whole } => {
                write!(f, "{part} is a part of {whole} and exceeds it")
            }
            Self::PartsAboveWhole { whole } => {
                write!(f, "the parts of {whole} add up to more than it")
            }
            Self::WholeMissing { whole, part } => write!(f, "{part} was reported without {whole}, of which it is a part"),
            Self::OverlapMissing { overlap, left, right } => {
                write!(f, "{left} and {right} overlap, and {overlap} was not reported")
            }
        }
    }
}

/// A negative count, where there is one.
pub(crate) fn negative_in(usage: &Usage) -> Option<Contradiction> {
    if usage.unknown().iter().any(|(_, count)| count.is_negative()) {
        return Some(Contradiction::NegativeUnknown);
    }
    usage
        .known()
        .iter()
        .find(|(_, count)| count.is_negative())
        .map(|(unit, _)| Contradiction::Negative(*unit))
}

/// A contradiction that needs no price list to see.
pub(crate) fn contradiction_in(usage: &Usage) -> Option<Contradiction> {
    negative_in(usage).or_else(|| Counts::new(usage).contradiction())
}

impl Counts {
    pub(crate) fn new(usage: &Usage) -> Self {
        let known = usage.known();
        let has_fraction = known.iter().any(|(_, count)| count.has_fraction());
        let counts = known
            .iter()
            .filter(|(unit, _)| *unit != UsageKey::REQUESTS)
            .map(|(unit, count)| {
                (
                    *unit,
                    if has_fraction {
                        count.nanos()
                    } else {
                        i128::from(count.whole())
                    },
                )
            })
            .collect();
        Self {
            counts,
            reported: usage.reported(),
            scale: if has_fraction { Scale::Nanos } else { Scale::Whole },
        }
    }

    fn get(&self, unit: UsageKey) -> Option<i128> {
        if !self.reported.contains(unit) {
            return None;
        }
        self.counts
            .iter()
            .find(|(present, _)| *present == unit)
            .map(|(_, count)| *count)
    }

    fn set(&mut self, unit: UsageKey, count: i128) {
        match self.counts.iter_mut().find(|(present, _)| *present == unit) {
            Some(entry) => entry.1 = count,
            None => {
                self.counts.push((unit, count));
                self.reported.insert(unit);
            }
        }
    }

    pub(crate) fn positive(&self) -> impl Iterator<Item = (UsageKey, i128)> {
        self.counts.iter().copied().filter(|(_, count)| *count > 0)
    }

    /// All input tokens, cached ones included, in whole units: what tiers go by.
    pub(crate) fn total_input(&self) -> i128 {
        let count = self.get(UsageKey::INPUT_TOKENS).unwrap_or(0);
        match self.scale {
            Scale::Whole => count,
            Scale::Nanos => count / NANOS,
        }
    }

    /// Whether any count of tokens in that direction was reported.
    pub(crate) fn reports_tokens(&self, direction: Direction) -> bool {
        let is_it = |unit: UsageKey| unit.unit().family == Family::Tokens && unit.unit().direction == Some(direction);
        self.counts.iter().any(|(unit, _)| is_it(*unit))
    }

    /// Adds cached tokens to an input count that plainly excludes them, as Anthropic's and Bedrock's own APIs
    /// count. Only where the cache is at least twice the input: a cache slightly above its input is broken
    /// rather than exclusive, and is left to be refused.
    pub(crate) fn include_cache(&mut self) -> bool {
        let read = self.get(UsageKey::CACHE_READ_TOKENS).unwrap_or(0);
        let written = self.get(UsageKey::CACHE_WRITE_TOKENS).unwrap_or(0);
        let Some(input) = self.get(UsageKey::INPUT_TOKENS) else {
            return false;
        };
        let cached = read + written;
        if cached <= input || cached < 2 * input {
            return false;
        }
        self.set(UsageKey::INPUT_TOKENS, input + cached);
        true
    }

    /// Raises a count above zero, and the wholes it is part of, to the least that is billed.
    pub(crate) fn raise_to(&mut self, unit: UsageKey, least: i64) {
        let least = match self.scale {
            Scale::Whole => i128::from(least),
            Scale::Nanos => i128::from(least) * NANOS,
        };
        let wholes: SmallVec<[UsageKey; 2]> = UsageKey::all().filter(|whole| unit.wholes().contains(*whole)).collect();
        let whole_count = wholes.iter().filter_map(|whole| self.get(*whole)).find(|count| *count != 0);
        let Some(count) = whole_count.or_else(|| self.get(unit)).filter(|count| *count > 0) else {
            return;
        };
        let billed = count.max(least);
        self.set(unit, billed);
        wholes.into_iter().for_each(|whole| self.set(whole, billed));
    }

    /// A part above its whole, or parts that together exceed it; needs no prices.
    pub(crate) fn contradiction(&self) -> Option<Contradiction> {
        for &(whole, total) in &self.counts {
            if !whole.parts().intersects(self.reported) {
                continue;
            }
            let mut sums = [(Dimension::Modality, 0_i128), (Dimension::Kind, 0), (Dimension::Lifetime, 0)];
            for &(part, count) in self.counts.iter().filter(|(part, _)| whole.parts().contains(*part)) {
                if count > total {
                    return Some(Contradiction::PartAboveWhole { part, whole });
                }
                let dimension = part.refines(whole);
                if let Some((_, sum)) = sums.iter_mut().find(|(known, _)| Some(*known) == dimension) {
                    *sum += count;
                }
            }
            if sums.iter().any(|(_, sum)| *sum > total) {
                return Some(Contradiction::PartsAboveWhole { whole });
            }
        }
        None
    }

    /// The disjoint counts of the priced units.
    pub(crate) fn leaves(&self, priced: UnitSet) -> Result<Leaves, Contradiction> {
        let positive: UnitSet = self.positive().map(|(unit, _)| unit).collect();
        // What was not used has an empty leaf, and takes nothing off its whole.
        let mut used = positive.and(priced);
        let silent = priced.without(self.reported);
        for unit in silent.iter().filter(|unit| *unit != UsageKey::REQUESTS) {
            self.absent(unit, positive)?;
        }
        let overlaps = self.unpriced_overlaps(used, priced)?;
        overlaps.iter().for_each(|(overlap, _)| used.insert(*overlap));
        let mut leaves = Leaves {
            leaves: SmallVec::new(),
            scale: self.scale,
        };
        // Parts before their wholes: the deepest first.
        for depth in (0..DEPTHS).rev() {
            for unit in used.and(of_depth(depth)).iter() {
                let count = self.get(unit).unwrap_or(0);
                let parts = unit.parts().and(used);
                let billed_elsewhere = if parts.is_empty() { 0 } else { leaves.sum_of(parts) };
                if billed_elsewhere > count {
                    return Err(Contradiction::PartsAboveWhole { whole: unit });
                }
                leaves.leaves.push((unit, count - billed_elsewhere));
            }
        }
        for (overlap, bearer) in overlaps {
            let shared = leaves.of(overlap).count;
            leaves
                .leaves
                .iter_mut()
                .filter(|(unit, _)| *unit == bearer)
                .for_each(|(_, leaf)| *leaf += shared);
        }
        if priced.contains(UsageKey::REQUESTS) {
            leaves
                .leaves
                .push((UsageKey::REQUESTS, if self.scale == Scale::Whole { 1 } else { NANOS }));
        }
        Ok(leaves)
    }

    /// Where two priced units overlap and the overlap has no rate of its own (cached audio where only cache and
    /// audio are priced): the overlap, which must be known, and the unit at whose rate it is billed, the cache.
    fn unpriced_overlaps(&self, used: UnitSet, priced: UnitSet) -> Result<SmallVec<[(UsageKey, UsageKey); 2]>, Contradiction> {
        let mut overlaps = SmallVec::new();
        for left in used.iter() {
            for right in left.overlapping().and(used).iter().filter(|right| *right > left) {
                let Some(overlap) = left.join(right) else { continue };
                if priced.contains(overlap) || overlaps.iter().any(|(known, _)| *known == overlap) {
                    continue;
                }
                if self.get(overlap).is_none() {
                    return Err(Contradiction::OverlapMissing { overlap, left, right });
                }
                let bearer = if left.fixes_modality() { right } else { left };
                overlaps.push((overlap, bearer));
            }
        }
        Ok(overlaps)
    }

    /// A priced unit that was not reported counts zero, unless what was reported says that it cannot be zero.
    fn absent(&self, unit: UsageKey, positive: UnitSet) -> Result<(), Contradiction> {
        if positive.intersects(unit.parts())
            && let Some((part, _)) = self.positive().find(|(part, _)| unit.parts().contains(*part))
        {
            return Err(Contradiction::WholeMissing { whole: unit, part });
        }
        let wholes = unit.wholes().and(positive);
        if wholes.len() < 2 {
            // Nothing overlaps with itself.
            return Ok(());
        }
        for left in wholes.iter() {
            for right in wholes.iter().filter(|right| *right > left) {
                let nested = left.parts().contains(right) || right.parts().contains(left);
                if !nested && left.join(right) == Some(unit) {
                    return Err(Contradiction::OverlapMissing {
                        overlap: unit,
                        left,
                        right,
                    });
                }
            }
        }
        Ok(())
    }
}

impl Leaves {
    pub(crate) fn len(&self) -> usize {
        self.leaves.len()
    }

    fn sum_of(&self, units: UnitSet) -> i128 {
        let among = self.leaves.iter().filter(|(unit, _)| units.contains(*unit));
        among.map(|(_, leaf)| leaf).sum()
    }

    /// The count of a unit in whole units, where the counts are whole.
    pub(crate) fn whole(&self, unit: UsageKey) -> Option<i128> {
        (self.scale == Scale::Whole).then(|| self.of(unit).count)
    }

    pub(crate) fn of(&self, unit: UsageKey) -> Leaf {
        let count = self
            .leaves
            .iter()
            .find(|(present, _)| *present == unit)
            .map_or(0, |(_, leaf)| *leaf);
        Leaf {
            count,
            scale: self.scale,
        }
    }
}

impl Leaf {
    pub(crate) fn is_zero(self) -> bool {
        self.count == 0
    }

    pub(crate) fn amount(self) -> Amount {
        match self.scale {
            Scale::Whole => Amount::new(self.count, 0),
            Scale::Nanos => Amount::new(self.count, 9).map(Amount::normalised),
        }
        .expect("scales of 0 and 9 are in range")
    }

    pub(crate) fn as_quantity(self) -> Quantity {
        match self.scale {
            Scale::Whole => match i64::try_from(self.count) {
                Ok(whole) => Quantity::from(whole),
                Err(_) => Quantity::saturating(self.count * NANOS),
            },
            Scale::Nanos => Quantity::saturating(self.count),
        }
    }
}
