//! Why a record was billed or not: the codes of `calls.flags` and `calls_excluded.reason`.

/// Why a record is not a call of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Another copy of a record already counted.
    Redelivered,
    /// A wrapper, gateway or engine on the path of a call that reports it once more.
    WrapperOf,
    /// Sums, repeats or echoes what the calls below it report.
    Aggregate,
    /// The same call in another signal or event of the same product.
    DuplicateSignal,
    /// The same response id elsewhere.
    DuplicateResponse,
    /// A second instrumentation's record of the call, proved by scope, model, usage and time.
    DuplicateInstrumentation,
    /// A run that was read again.
    ReRead,
    /// A call whose usage is known only as part of a billed aggregate.
    UsageInAggregate,
    /// A failed attempt that tells no usage.
    FailedNoUsage,
    /// Answered from a gateway's cache.
    CacheHit,
    /// Token counting, management and re-reading.
    FreeOperation,
}

impl Reason {
    /// The code in `calls_excluded.reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Redelivered => "redelivered",
            Reason::WrapperOf => "wrapper_of",
            Reason::Aggregate => "aggregate",
            Reason::DuplicateSignal => "duplicate_signal",
            Reason::DuplicateResponse => "duplicate_response",
            Reason::DuplicateInstrumentation => "duplicate_instrumentation",
            Reason::ReRead => "re_read",
            Reason::UsageInAggregate => "usage_in_aggregate",
            Reason::FailedNoUsage => "failed_no_usage",
            Reason::CacheHit => "cache_hit",
            Reason::FreeOperation => "free_operation",
        }
    }

    /// The code as a sentence fragment for people.
    pub fn explain(self) -> &'static str {
        match self {
            Reason::Redelivered => "another copy of the same record",
            Reason::WrapperOf => "the same call, reported once more above or below it",
            Reason::Aggregate => "repeats the usage of calls that are billed themselves",
            Reason::DuplicateSignal => "the same call, reported by another signal or event",
            Reason::DuplicateResponse => "the same call, by its response id",
            Reason::DuplicateInstrumentation => "the same call, seen by a second instrumentation",
            Reason::ReRead => "reads a run again that is already billed",
            Reason::UsageInAggregate => "its usage is known only within the aggregate that is billed",
            Reason::FailedNoUsage => "failed without usage, so nothing was charged",
            Reason::CacheHit => "answered from a gateway's cache",
            Reason::FreeOperation => "a free operation",
        }
    }
}

/// What a billed row is, as a flag.
pub mod billed {
    /// One call.
    pub const LEAF: &str = "leaf";
    /// An aggregate below which nothing reports.
    pub const ORPHAN_AGGREGATE: &str = "orphan_aggregate";
    /// A call that ended well and tells no usage.
    pub const USAGE_MISSING: &str = "usage_missing";
    /// Stands above calls that its own usage neither equals nor covers: both are billed.
    pub const ANCESTRY_UNEXPLAINED: &str = "ancestry_unexplained";
    /// A rule of the configuration prices it.
    pub const COST_RULE: &str = "cost_rule";
    /// Usage was reported cumulatively; this row holds the difference to the call before.
    pub const CUMULATIVE_RESOLVED: &str = "cumulative_resolved";
}

/// What a flag of `calls.flags` says about the row, as a sentence for people.
pub fn remark(flag: &str) -> Option<&'static str> {
    Some(match flag {
        billed::ORPHAN_AGGREGATE => {
            "no call below it reports usage, so that its sum is billed; calls that arrive later replace it"
        }
        billed::USAGE_MISSING => "a call was made and nothing tells its usage: its cost is unknown, not zero",
        billed::ANCESTRY_UNEXPLAINED => "stands above calls whose usage it neither repeats nor covers: both are billed",
        billed::COST_RULE => "priced by a rule of the configuration",
        billed::CUMULATIVE_RESOLVED => "reported the sum of the loop so far; the calls before are taken off",
        "alias_conflict" => "two spellings of one count disagree: the newest was taken",
        "assumed_inclusive" => "taken to include its cached tokens, which nothing proves",
        "profile_conflict" => "its numbers prove the opposite of what this emitter does elsewhere: the numbers were believed",
        "inferred_reasoning" => "reasoning is what the total holds beyond input and output",
        "inconsistent" => "its numbers contradict each other: the totals stand undivided",
        "ttl_default" => "the lifetime of cache writes is not told: priced as five minutes",
        "cache_unknown" => "what came from a cache or went into it is not told: priced as if nothing did",
        "possible_cumulative" => "this emitter may repeat the usage of earlier calls of a loop",
        "zero_usage" => "all its counts are zero, which is read as not told",
        "zero_cost" => "the emitter's own cost is zero, which is read as not told",
        "invalid_count" => "a count was no whole number and was ignored",
        "invalid_cost" => "the emitter's own cost was no amount and was ignored",
        "raw_usage_conflict" => "a recorded response contradicts the attributes and was ignored",
        "unknown_operation" => "its operation is not known: its usage and model speak for a call",
        "usage_follows" => "its usage comes with a later record, which has not come",
        "partial_usage" => "only one side of its usage is told",
        "total_only" => "only the total is told, which cannot be priced",
        "foreign_cost" => "the emitter's own cost is not in USD and was ignored",
        "aggregated_keys" => "read from the emitter's own sums",
        "payload_too_large" => "a recorded payload was too large to be read",
        "payload_invalid" => "a recorded payload could not be read",
        "modality_overlap" => "how much of its audio came from the cache is not told: the least that fits was taken",
        "unrecognised_usage" => "it carries counts that no rule reads",
        "cache_hit" => "answered from a gateway's cache",
        "value_too_long" => "an id or a name was longer than is kept, and was left out",
        "clock" => "its times are impossible: dated and priced by its receipt",
        _ => return None,
    })
}
