//! What we know of one emitter: how to find it, what its numbers mean, what it cannot tell.
//!
//! Profiles are data (`profiles/`, one file per family); adding an emitter is adding one entry. The first entry that
//! fits a scope wins; an unknown scope is told by the markers among its attributes, and else is generic.

use marginlake_lake::schema::Role;

use super::field::Field;
use super::gather::Gathered;
use super::profiles;

/// Everything known of one emitter, or of one range of its versions.
#[derive(Debug)]
pub struct Profile {
    /// The value of column `convention`: stable, and what settle's rules refer to.
    pub id: &'static str,
    /// The emitter as people call it.
    pub emitter: &'static str,
    /// Names of its instrumentation scopes.
    pub scopes: &'static [Pattern],
    /// The range of scope versions.
    pub versions: Versions,
    /// Values of the resource's `service.name`, for products that name their scope after themselves or not at all.
    pub services: &'static [Pattern],
    /// Attributes by which a span tells itself under an unknown scope.
    pub(crate) markers: &'static [Marker],
    /// Other profiles of the same scope, told apart by a marker.
    pub(crate) variants: &'static [(Marker, &'static Profile)],
    /// Span names that decide the role before any attribute does.
    pub(crate) names: &'static [(Pattern, Role)],
    /// Whether the reported input includes cached tokens.
    pub input: InputMode,
    /// Whether the reported output includes reasoning.
    pub output: OutputMode,
    /// Whether a missing cache count means that there was none.
    pub split: CacheSplit,
    /// What a reported cost is.
    pub cost: CostKind,
    /// Other habits.
    pub(crate) habits: Habits,
    /// What this emitter cannot tell us, for users.
    pub cannot: &'static str,
    /// What a user can do about it.
    pub fix: &'static str,
}

/// The base for entries: a generic emitter.
pub(crate) const BASE: Profile = Profile {
    id: "generic",
    emitter: "Any other emitter of OpenTelemetry GenAI attributes",
    scopes: &[],
    versions: Versions::ANY,
    services: &[],
    markers: &[],
    variants: &[],
    names: &[],
    input: InputMode::Unknown,
    output: OutputMode::Unknown,
    split: CacheSplit::Unknown,
    cost: CostKind::Estimate,
    habits: Habits::NONE,
    cannot: "Whether the input includes cached tokens, when the numbers do not prove it: it is then read as the convention says, and marked `assumed`",
    fix: "Use an instrumentation of this table, or send the cache keys of the newest convention",
};

/// A name, or a family of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// The whole name.
    Is(&'static str),
    /// The beginning.
    Starts(&'static str),
    /// The end.
    Ends(&'static str),
    /// Any part.
    Has(&'static str),
}

impl Pattern {
    /// Whether a name fits.
    pub fn matches(self, name: &str) -> bool {
        match self {
            Pattern::Is(whole) => name == whole,
            Pattern::Starts(start) => name.starts_with(start),
            Pattern::Ends(end) => name.ends_with(end),
            Pattern::Has(part) => name.contains(part),
        }
    }
}

/// A half-open range of dotted versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// The first version that belongs to the range; empty for no lower end.
    pub from: &'static str,
    /// The first version after the range; empty for no upper end.
    pub before: &'static str,
}

impl Versions {
    /// Every version, and no version at all.
    pub const ANY: Versions = Versions { from: "", before: "" };

    /// Whether a version lies in the range. A scope without a version lies only in an unlimited range.
    pub fn contain(self, version: &str) -> bool {
        if self == Versions::ANY {
            return true;
        }
        !version.is_empty()
            && (self.from.is_empty() || numbers(version) >= numbers(self.from))
            && (self.before.is_empty() || numbers(version) < numbers(self.before))
    }
}

/// The leading numbers of a version, `1.3b0` as 1, 3.
fn numbers(version: &str) -> [u32; 4] {
    let mut parts = [0; 4];
    for (slot, part) in parts.iter_mut().zip(version.trim_start_matches('v').split(['.', '-', '+'])) {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        *slot = part[..digits].parse().unwrap_or(0);
        if digits < part.len() {
            break;
        }
    }
    parts
}

/// What tells an emitter among the attributes of a span.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Marker {
    /// The field is present.
    Has(Field),
    /// The field is one word.
    Is(Field, &'static str),
    /// The span has this name.
    Name(Pattern),
    /// A key is present that begins so.
    KeyStarts(&'static str),
    /// An attribute that is no field has this word.
    Says(&'static str, Pattern),
}

impl Marker {
    pub(crate) fn fits(self, name: &str, gathered: &Gathered<'_, '_>) -> bool {
        match self {
            Marker::Has(field) => gathered.has(field),
            Marker::Is(field, word) => gathered.text(field) == Some(word),
            Marker::Name(pattern) => pattern.matches(name),
            Marker::Says(key, pattern) => gathered
                .attributes()
                .any(|attribute| attribute.key == key && attribute.value.as_text().is_some_and(|word| pattern.matches(word))),
            Marker::KeyStarts(start) => gathered.attributes().any(|attribute| attribute.key.starts_with(start)),
        }
    }
}

/// How the reported input relates to cached tokens, where the numbers do not prove it (rule N3d).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputMode {
    /// Not known: read as including, marked as assumed.
    Unknown,
    /// Cached tokens are part of the input.
    Inclusive,
    /// Cached tokens stand beside the input.
    Exclusive,
    /// Anthropic's and Bedrock's raw counts stand beside, all others' are part.
    ExclusiveForAnthropic,
    /// The emitter passes the provider's total on: input and output adding up to it means inclusive.
    TotalTells,
}

/// How the reported output relates to reasoning, where the numbers do not prove it (rule N4c).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputMode {
    /// Not known: xAI's and Perplexity's research counts stand beside, all others' inside.
    Unknown,
    /// Reasoning is part of the output.
    Inside,
    /// Reasoning stands beside the output.
    Beside,
    /// The provider's raw counts are forwarded: as [`OutputMode::Unknown`], and Google's stand beside.
    Raw,
}

/// What the absence of cache counts means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheSplit {
    /// Not known: an input without cache counts is an undivided total.
    Unknown,
    /// The emitter reports cache counts whenever there are any.
    Reported,
    /// The emitter never reports them: an input is an undivided total.
    Never,
    /// The emitter reports reads only: writes stand undivided in the input of providers that bill them.
    ReadsOnly,
}

/// What a cost in the telemetry is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostKind {
    /// A provider's or gateway's charge: what is paid.
    Charge,
    /// The library's own calculation from a price list, or a figure of the application.
    Estimate,
    /// A sum over several calls.
    Aggregate,
}

impl CostKind {
    /// The value of column `reported_cost_kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            CostKind::Charge => "charge",
            CostKind::Estimate => "estimate",
            CostKind::Aggregate => "aggregate",
        }
    }
}

/// Habits that few emitters have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Habits {
    /// Sends keys without a namespace (`input_tokens`).
    pub(crate) bare_keys: bool,
    /// `gen_ai.server.time_to_first_token` is in milliseconds.
    pub(crate) server_ttft_in_ms: bool,
    /// Usage may repeat that of earlier calls of the same loop.
    pub(crate) cumulative: bool,
    /// A streamed call's usage comes on a second record.
    pub(crate) usage_follows: bool,
    /// Raw provider objects come as `llm.<provider>.<name>`.
    pub(crate) raw_provider_keys: bool,
    /// Usage without an operation is a wrapper's, not a call's.
    pub(crate) usage_without_operation_is_step: bool,
    /// `tool_token_count` is the total, not a tool's part.
    pub(crate) tool_count_is_total: bool,
    /// An agent's result holds the usage of its calls, message by message, and nothing else does.
    pub(crate) messages_carry_usage: bool,
    /// The session groups the records of one run, across signals.
    pub(crate) session_is_run: bool,
    /// Leaves whose own method is private (`_prepare…`) are helpers without a request.
    pub(crate) private_methods_are_steps: bool,
    /// A call that names no operation and tells no usage is the framework's view of one below it.
    pub(crate) silent_calls_are_steps: bool,
    /// Anthropic's streams report cached tokens as zero, whatever they were.
    pub(crate) streams_zero_the_cache: bool,
    /// Events of a span tell its call, not its attributes.
    pub(crate) events_tell_calls: bool,
    /// What stands where a prompt's name belongs is the id of one single prompt.
    pub(crate) prompts_are_ids: bool,
}

impl Habits {
    pub(crate) const NONE: Habits = Habits {
        bare_keys: false,
        server_ttft_in_ms: false,
        cumulative: false,
        usage_follows: false,
        raw_provider_keys: false,
        usage_without_operation_is_step: false,
        tool_count_is_total: false,
        messages_carry_usage: false,
        session_is_run: false,
        private_methods_are_steps: false,
        silent_calls_are_steps: false,
        streams_zero_the_cache: false,
        events_tell_calls: false,
        prompts_are_ids: false,
    };
}

/// The profile of a scope; `None` when only a span's attributes can tell. A scope's name says more than the name
/// of the service, which people choose.
pub(crate) fn of_scope(scope: &str, version: &str, service: &str) -> Option<&'static Profile> {
    let named = |patterns: &[Pattern], name: &str| patterns.iter().any(|pattern| pattern.matches(name));
    profiles::all()
        .find(|profile| named(profile.scopes, scope) && profile.versions.contain(version))
        .or_else(|| profiles::all().find(|profile| named(profile.services, service)))
}

/// The profile of one span, given that of its scope.
pub(crate) fn of_span(scope: Option<&'static Profile>, name: &str, gathered: &Gathered<'_, '_>) -> &'static Profile {
    let Some(profile) = scope else {
        return profiles::all()
            .find(|profile| profile.markers.iter().any(|marker| marker.fits(name, gathered)))
            .unwrap_or(&profiles::GENERIC);
    };
    profile
        .variants
        .iter()
        .find(|(marker, _)| marker.fits(name, gathered))
        .map_or(profile, |(_, variant)| variant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        let range = Versions {
            from: "0.1.16",
            before: "1.3",
        };
        for (version, inside) in [
            ("0.1.16", true),
            ("0.1.9", false),
            ("0.1.100", true),
            ("1.2.9", true),
            ("1.3b0", false),
            ("v1.1", true),
            ("", false),
            ("nonsense", false),
        ] {
            assert_eq!(range.contain(version), inside, "{version}");
        }
        assert!(Versions::ANY.contain(""));
    }
}
