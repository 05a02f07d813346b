//! The whole of normalisation for one record: input, output, inclusive usage, and how far to trust them.

use marginlake_lake::schema::Role;

use super::buckets::Buckets;
use super::input::{self, About};
use super::output;
use super::usage::{UsageCounts, UsageKey};
use crate::recognise::reported::Reported;
use crate::recognise::{Flag, Flags, Recognised};

/// How far the usage of a record is to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsageStatus {
    /// As the emitter reported it.
    Reported,
    /// A part was computed from other counts.
    Inferred,
    /// The division of the input rests on an assumption.
    Assumed,
    /// The counts contradict each other; totals stand undivided.
    Inconsistent,
    /// A call without usage.
    Missing,
}

impl UsageStatus {
    /// The value of column `usage_status`.
    pub fn as_str(self) -> &'static str {
        match self {
            UsageStatus::Reported => "reported",
            UsageStatus::Inferred => "inferred",
            UsageStatus::Assumed => "assumed",
            UsageStatus::Inconsistent => "inconsistent",
            UsageStatus::Missing => "missing",
        }
    }
}

/// A record with its usage in our terms.
#[derive(Debug, Clone, Default)]
pub struct Normalised<'a> {
    /// The facts. Its flags are complete.
    pub record: Recognised<'a>,
    /// The disjoint buckets.
    pub buckets: Buckets,
    /// The inclusive counts.
    pub usage: UsageCounts,
    /// How far to trust them; `None` for records that are no calls and carry no usage.
    pub usage_status: Option<UsageStatus>,
}

/// Normalises the usage of its record; whatever it said of usage before is gone.
pub fn normalise(normalised: &mut Normalised<'_>) {
    let record = &mut normalised.record;
    let mut reported = record.reported;
    let mut flags = record.flags;
    let solved = prepare(&mut reported, record.role, &mut flags).then(|| {
        let about = About {
            profile: record.profile,
            role: record.role,
            provider: record.provider.as_deref(),
            model: record.response_model.as_deref().or(record.request_model.as_deref()),
        };
        solve(&reported, about, &mut flags)
    });
    record.flags = flags;
    let should_have_usage = record.role.is_leaf() || flags.has(Flag::TotalOnly);
    let missing = should_have_usage.then_some(UsageStatus::Missing);
    (normalised.buckets, normalised.usage, normalised.usage_status) = solved.map_or(
        (Buckets::default(), UsageCounts::default(), missing),
        |(buckets, usage, status)| (buckets, usage, Some(status)),
    );
}

/// Whether there is usage to work on. Zeros everywhere are placeholders of emitters that saw no usage: no call reads
/// nothing. A total alone is divisible only where there is no output.
fn prepare(reported: &mut Reported, role: Role, flags: &mut Flags) -> bool {
    if reported.is_empty() {
        return false;
    }
    let tokens = [
        reported.input,
        reported.output,
        reported.total,
        reported.uncached,
        reported.cache_read,
        reported.cache_write,
        reported.reasoning,
    ];
    let other_units = [
        reported.web_searches,
        reported.rerank_searches,
        reported.audio_seconds,
        reported.pages,
        reported.characters,
    ];
    if tokens.iter().chain(&other_units).all(|count| count.unwrap_or(0) == 0) {
        flags.set(Flag::ZeroUsage);
        return false;
    }
    let only_total = reported.total.is_some() && tokens.iter().flatten().count() == 1;
    if only_total && other_units.iter().all(Option::is_none) {
        if !matches!(role, Role::Embedding | Role::Rerank) {
            flags.set(Flag::TotalOnly);
            return false;
        }
        reported.input = reported.total;
    }
    if role == Role::Llm && reads_nothing(reported) {
        (reported.input, reported.uncached) = (None, None);
        (reported.cache_read, reported.cache_write) = (None, None);
    }
    true
}

/// Whether a call writes without having read: no model does, so the zero stands for an input that was not seen
/// (LangChain's streams of Anthropic, where the last event alone was counted).
fn reads_nothing(reported: &Reported) -> bool {
    let read = [
        reported.input,
        reported.uncached,
        reported.cache_read,
        reported.cache_write,
        reported.cache_write_5m,
        reported.cache_write_1h,
        reported.input_audio,
        reported.input_image,
        reported.tool_prompt,
    ];
    let written = reported.output.unwrap_or(0) > 0;
    written && reported.input == Some(0) && read.iter().all(|count| count.unwrap_or(0) == 0)
}

fn solve(reported: &Reported, about: About<'_>, flags: &mut Flags) -> (Buckets, UsageCounts, UsageStatus) {
    let input = input::divide(reported, about, flags);
    let output = output::divide(reported, input.full, about, flags);
    if about.role == Role::Llm && (input.full.is_none() || output.full.is_none()) {
        flags.set(Flag::PartialUsage);
    }
    let buckets = Buckets {
        input_uncached: input.uncached,
        cache_read: input.cache_read,
        cache_write_5m: input.cache_write_5m,
        cache_write_1h: input.cache_write_1h,
        input_audio: input.audio,
        input_image: input.image,
        output_text: output.text,
        output_reasoning: output.reasoning,
        output_audio: output.audio,
        output_image: output.image,
    };
    let mut usage = UsageCounts::default();
    usage.set(UsageKey::Input, input.full);
    usage.set(UsageKey::CacheRead, input.cache_read);
    usage.set(UsageKey::CacheWrite, input.cache_write);
    usage.set(UsageKey::CacheWrite1h, input.cache_write_1h);
    if !input.inconsistent {
        usage.set(UsageKey::InputAudio, reported.input_audio);
        usage.set(UsageKey::CacheAudioRead, input.cached_audio);
        usage.set(UsageKey::InputImage, reported.input_image);
        usage.set(UsageKey::CacheImageRead, reported.cache_read_image);
    }
    usage.set(UsageKey::Output, output.full);
    usage.set(UsageKey::OutputReasoning, output.reasoning);
    usage.set(UsageKey::OutputAudio, output.audio);
    usage.set(UsageKey::OutputImage, output.image);
    usage.set(UsageKey::WebSearches, reported.web_searches);
    usage.set(UsageKey::RerankSearches, reported.rerank_searches);
    usage.set(UsageKey::AudioSeconds, reported.audio_seconds);
    usage.set(UsageKey::InputDocumentPages, reported.pages);
    usage.set(UsageKey::InputCharacters, reported.characters);
    let status = if input.inconsistent || output.inconsistent {
        UsageStatus::Inconsistent
    } else if input.assumed {
        UsageStatus::Assumed
    } else if output.inferred {
        UsageStatus::Inferred
    } else {
        UsageStatus::Reported
    };
    (buckets, usage, status)
}
