//! What was assumed, doubted or repaired while a record was read: column `flags`.

/// One remark. A row carries the set of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Flag {
    /// Two spellings of one field disagree; the newest spelling was taken.
    AliasConflict,
    /// The input was read as including cached tokens, without proof.
    AssumedInclusive,
    /// The numbers prove the opposite of what the emitter's profile says.
    ProfileConflict,
    /// Reasoning was computed from the total; it may hold tool-use prompt tokens.
    InferredReasoning,
    /// The numbers fit neither reading; the totals stand undivided.
    Inconsistent,
    /// Cache writes without a lifetime were put with those of five minutes.
    TtlDefault,
    /// Nothing says how much of the input came from a cache.
    CacheUnknown,
    /// This emitter may repeat the usage of earlier calls of the same loop.
    PossibleCumulative,
    /// All counts are zero, which no model call has: read as not reported.
    ZeroUsage,
    /// A reported cost of zero was read as not known.
    ZeroCost,
    /// A count was negative, fractional, too large or not a number, and was ignored.
    InvalidCount,
    /// A reported cost was negative or not a number, and was ignored.
    InvalidCost,
    /// A payload was larger than is parsed.
    PayloadTooLarge,
    /// A payload could not be parsed.
    PayloadInvalid,
    /// A raw usage object contradicts the attributes and was ignored.
    RawUsageConflict,
    /// Parts of the input overlap (audio within the cache); the least overlap was assumed.
    ModalityOverlap,
    /// There are keys that look like usage and that no rule took.
    UnrecognisedUsage,
    /// The operation is not known; usage alone speaks for a call.
    UnknownOperation,
    /// The usage comes with another record of the same emitter (streamed responses of Logfire), if it comes.
    UsageFollows,
    /// Only one side of the usage is known.
    PartialUsage,
    /// Only the total of input and output is known, which cannot be priced.
    TotalOnly,
    /// A gateway answered from its cache.
    CacheHit,
    /// The reported cost is not in US dollars and was ignored.
    ForeignCost,
    /// The usage was read from the emitter's aggregate keys.
    AggregatedKeys,
    /// An id or a name was longer than is kept, and was ignored.
    ValueTooLong,
}

const ALL: &[(Flag, &str)] = &[
    (Flag::AliasConflict, "alias_conflict"),
    (Flag::AssumedInclusive, "assumed_inclusive"),
    (Flag::ProfileConflict, "profile_conflict"),
    (Flag::InferredReasoning, "inferred_reasoning"),
    (Flag::Inconsistent, "inconsistent"),
    (Flag::TtlDefault, "ttl_default"),
    (Flag::CacheUnknown, "cache_unknown"),
    (Flag::PossibleCumulative, "possible_cumulative"),
    (Flag::ZeroUsage, "zero_usage"),
    (Flag::ZeroCost, "zero_cost"),
    (Flag::InvalidCount, "invalid_count"),
    (Flag::InvalidCost, "invalid_cost"),
    (Flag::PayloadTooLarge, "payload_too_large"),
    (Flag::PayloadInvalid, "payload_invalid"),
    (Flag::RawUsageConflict, "raw_usage_conflict"),
    (Flag::ModalityOverlap, "modality_overlap"),
    (Flag::UnrecognisedUsage, "unrecognised_usage"),
    (Flag::UnknownOperation, "unknown_operation"),
    (Flag::UsageFollows, "usage_follows"),
    (Flag::PartialUsage, "partial_usage"),
    (Flag::TotalOnly, "total_only"),
    (Flag::CacheHit, "cache_hit"),
    (Flag::ForeignCost, "foreign_cost"),
    (Flag::AggregatedKeys, "aggregated_keys"),
    (Flag::ValueTooLong, "value_too_long"),
];

/// A set of [`Flag`]s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// Adds a remark.
    pub fn set(&mut self, flag: Flag) {
        self.0 |= 1 << flag as u8;
    }

    /// Whether the remark was made.
    pub fn has(self, flag: Flag) -> bool {
        self.0 & (1 << flag as u8) != 0
    }

    /// The words of the column, always in the same order.
    pub fn iter(self) -> impl Iterator<Item = &'static str> {
        ALL.iter().filter(move |(flag, _)| self.has(*flag)).map(|(_, word)| *word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_one_word() {
        let mut words: Vec<_> = ALL.iter().map(|(_, word)| word).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), ALL.len());
        assert!(ALL.iter().enumerate().all(|(index, (flag, _))| *flag as usize == index));
    }
}
