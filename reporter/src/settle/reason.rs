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
            Reason::WrapperOf => "reports the same call once more on its path",
            Reason::Aggregate => "repeats the usage of the calls below it",
            Reason::DuplicateSignal => "the same call in another signal",
            Reason::DuplicateResponse => "has the same response id",
            Reason::DuplicateInstrumentation => "a second instrumentation's record of the same call",
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
