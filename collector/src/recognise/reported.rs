//! The counts of a record as reported: attributes first, then what raw usage objects add to them (rules N1, N2).
//!
//! Nothing is added up or taken apart here. A raw object is believed only where it agrees with the attributes: text
//! that a model wrote can look like one.

use marginlake_lake::schema::Role;

use super::call_event;
use super::count::{NotACount, count};
use super::facts::UsageAttribute;
use super::field::Field;
use super::flag::{Flag, Flags};
use super::gather::Gathered;
use super::payload::response::{self, Response};
use super::payload::scan::{ScanError, scan};
use super::payload::usage::{Origin, RawCounts, Shape};
use super::profile::Profile;
use crate::wire::{KeyValue, Value};

/// What a record's own numbers or a provider's raw object prove about the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Cached tokens are part of the input.
    Inclusive,
    /// Cached tokens stand beside it.
    Exclusive,
    /// Every count is a bucket of its own.
    Disjoint,
}

/// Counts as reported. `None` is not reported, which is not zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reported {
    pub(crate) input: Option<i64>,
    pub(crate) output: Option<i64>,
    pub(crate) total: Option<i64>,
    pub(crate) uncached: Option<i64>,
    pub(crate) cache_read: Option<i64>,
    pub(crate) cache_write: Option<i64>,
    pub(crate) cache_write_5m: Option<i64>,
    pub(crate) cache_write_1h: Option<i64>,
    pub(crate) reasoning: Option<i64>,
    pub(crate) tool_prompt: Option<i64>,
    pub(crate) input_audio: Option<i64>,
    pub(crate) output_audio: Option<i64>,
    pub(crate) input_image: Option<i64>,
    pub(crate) output_image: Option<i64>,
    pub(crate) cache_read_audio: Option<i64>,
    pub(crate) cache_read_image: Option<i64>,
    pub(crate) web_searches: Option<i64>,
    pub(crate) rerank_searches: Option<i64>,
    pub(crate) audio_seconds: Option<i64>,
    pub(crate) pages: Option<i64>,
    pub(crate) characters: Option<i64>,
    pub(crate) proof: Option<Proof>,
    /// The raw object says that reasoning stands beside the output.
    pub(crate) reasoning_beside: bool,
    /// Zeros of cached tokens say nothing, where the provider counts them beside the input.
    pub(crate) zero_cache_is_unknown: bool,
    /// The service tier that the names of the counts tell.
    pub(crate) service_tier: Option<&'static str>,
}

impl Reported {
    /// Whether any count of tokens or of another unit was reported.
    pub(crate) fn is_empty(&self) -> bool {
        self.input.is_none()
            && self.output.is_none()
            && self.total.is_none()
            && self.uncached.is_none()
            && self.cache_read.is_none()
            && self.cache_write.is_none()
            && self.web_searches.is_none()
            && self.rerank_searches.is_none()
            && self.audio_seconds.is_none()
            && self.pages.is_none()
            && self.characters.is_none()
    }
}

/// A provider's response that an emitter spreads over attributes: LiteLLM's `raw_gen_ai_request`, LlamaIndex's events.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RawAttributes<'a> {
    /// The usage object as text, with its key.
    pub(crate) usage: Option<(&'a str, &'a str)>,
    /// The usage, count by count.
    pub(crate) counts: RawCounts,
    pub(crate) id: Option<&'a str>,
    pub(crate) model: Option<&'a str>,
    pub(crate) service_tier: Option<&'a str>,
    /// What was asked, and whom.
    pub(crate) request_model: Option<&'a str>,
    pub(crate) provider: Option<&'a str>,
}

/// The longest text that is kept in `usage_raw`, in bytes.
const LONGEST_RAW: usize = 8 << 10;

/// Finds `llm.<provider>.usage` and its neighbours.
pub(crate) fn raw_attributes<'a>(gathered: &Gathered<'_, 'a>) -> RawAttributes<'a> {
    let mut found = RawAttributes::default();
    for attribute in gathered.attributes() {
        let Some(rest) = attribute.key.strip_prefix("llm.") else {
            continue;
        };
        let (Some((_, name)), Some(text)) = (rest.split_once('.'), attribute.value.as_text()) else {
            continue;
        };
        match name {
            "usage" | "usageMetadata" => found.usage = Some((attribute.key, text)),
            "id" | "responseId" => found.id = Some(text),
            "model" | "modelVersion" => found.model = Some(text),
            "service_tier" => found.service_tier = Some(text),
            _ => {}
        }
    }
    found
}

/// Reads all counts of a record.
pub(crate) fn read<'a>(
    gathered: &Gathered<'_, 'a>,
    profile: &Profile,
    role: Role,
    raw: &RawAttributes<'a>,
    response: &Response<'a>,
    usage_raw: &mut Vec<UsageAttribute<'a>>,
    flags: &mut Flags,
) -> Reported {
    let mut reported = attributes(gathered, profile, usage_raw, flags);
    if let Some((text, key)) = gathered.text_with_key(Field::UsageDetails) {
        // Langfuse keeps a provider's counts as they are; the others rewrite them to their own meaning.
        let origin = if key.starts_with("langfuse") {
            Origin::Provider
        } else {
            Origin::Emitter
        };
        let mut counts = RawCounts::default();
        note(scan(text, |path, scalar| counts.take(path, scalar, origin)), flags);
        adopt(&mut reported, &counts, flags);
    }
    for (field, parent) in [
        (Field::InputDetails, "input_token_details"),
        (Field::OutputDetails, "output_token_details"),
    ] {
        if let Some(text) = gathered.text(field) {
            let mut counts = RawCounts::default();
            note(
                scan(text, |path, scalar| {
                    if let [leaf] = path {
                        counts.take(&[parent, leaf], scalar, Origin::Emitter);
                    }
                }),
                flags,
            );
            fill(&mut reported, &counts);
        }
    }
    for (key, text) in [
        gathered.text_with_key(Field::RawUsage).map(|(text, key)| (key, text)),
        raw.usage,
    ]
    .into_iter()
    .flatten()
    {
        let mut counts = RawCounts::default();
        note(scan(text, |path, scalar| counts.take(path, scalar, Origin::Provider)), flags);
        support(&mut reported, &counts, key, usage_raw, flags);
    }
    support(&mut reported, &raw.counts, call_event::USAGE, usage_raw, flags);
    if let Some((text, key)) = gathered.text_with_key(Field::ProviderMetadata) {
        let mut counts = RawCounts::default();
        note(
            scan(text, |path, scalar| {
                if let [_, inside @ ..] = path {
                    counts.take(inside, scalar, Origin::Provider);
                }
            }),
            flags,
        );
        support_parts(&mut reported, &counts, key, usage_raw);
    }
    if let (true, Some(entry)) = (response.usages > 0, payload(gathered, role)) {
        let counts = if role.is_aggregate() {
            &response.usage
        } else {
            &response.first
        };
        // A result's messages may be those of earlier turns: only a sum of the whole is an aggregate's usage.
        let whole = response.at_top || profile.habits.messages_carry_usage;
        if role.is_leaf() || whole && reported.input.is_none() && reported.output.is_none() {
            support(&mut reported, counts, entry.key, usage_raw, flags);
        }
    }
    reported
}

pub(super) fn note(result: Result<(), ScanError>, flags: &mut Flags) {
    match result {
        Ok(()) => {}
        Err(ScanError::TooLarge) => flags.set(Flag::PayloadTooLarge),
        Err(ScanError::TooDeep | ScanError::Syntax) => flags.set(Flag::PayloadInvalid),
    }
}

fn attributes<'a>(
    gathered: &Gathered<'_, 'a>,
    profile: &Profile,
    usage_raw: &mut Vec<UsageAttribute<'a>>,
    flags: &mut Flags,
) -> Reported {
    let mut take = |field: Field| {
        let entry = gathered.entry(field)?;
        match count(&entry.value) {
            Ok(count) => Some(count),
            Err(NotACount::Absent) => None,
            Err(NotACount::Invalid) => {
                flags.set(Flag::InvalidCount);
                None
            }
        }
    };
    let mut reported = Reported {
        input: take(Field::Input).or_else(|| take(Field::Embedding)),
        output: take(Field::Output),
        total: take(Field::Total),
        uncached: take(Field::Uncached),
        cache_read: take(Field::CacheRead),
        cache_write: take(Field::CacheWrite),
        cache_write_5m: take(Field::CacheWrite5m),
        cache_write_1h: take(Field::CacheWrite1h),
        reasoning: take(Field::Reasoning),
        tool_prompt: take(Field::ToolPrompt),
        input_audio: take(Field::InputAudio),
        output_audio: take(Field::OutputAudio),
        input_image: take(Field::InputImage),
        output_image: take(Field::OutputImage),
        cache_read_audio: take(Field::CacheReadAudio),
        cache_read_image: take(Field::CacheReadImage),
        web_searches: take(Field::WebSearches),
        rerank_searches: take(Field::RerankSearches),
        audio_seconds: seconds(gathered),
        pages: take(Field::Pages),
        characters: take(Field::Characters),
        proof: None,
        reasoning_beside: false,
        zero_cache_is_unknown: false,
        service_tier: None,
    };
    if profile.habits.tool_count_is_total {
        reported.total = reported.total.or(reported.tool_prompt.take());
    }
    for field in Field::usage() {
        let short = |value: &Value<'_>| value.as_text().is_none_or(|text| text.len() <= LONGEST_RAW);
        if let Some(entry) = gathered.entry(*field).filter(|entry| short(&entry.value)) {
            usage_raw.push(UsageAttribute {
                key: entry.key,
                inner: None,
                value: entry.value,
            });
        }
    }
    reported
}

/// Seconds of audio may be fractions; the column holds whole ones, rounded up as providers do.
fn seconds(gathered: &Gathered<'_, '_>) -> Option<i64> {
    match gathered.value(Field::AudioSeconds)? {
        Value::Double(seconds) if seconds.is_finite() && *seconds >= 0.0 && *seconds < 1e9 => Some(seconds.ceil() as i64),
        other => count(other).ok(),
    }
}

/// Takes an emitter's own usage object as the record's usage.
fn adopt(reported: &mut Reported, counts: &RawCounts, flags: &mut Flags) {
    if counts.invalid {
        flags.set(Flag::InvalidCount);
    }
    let before = (reported.input, reported.output);
    reported.input = counts.input.or(reported.input);
    reported.output = counts.output.or(reported.output);
    if [(before.0, reported.input), (before.1, reported.output)]
        .iter()
        .any(|(before, after)| before.is_some() && before != after)
    {
        flags.set(Flag::AliasConflict);
    }
    reported.total = reported.total.or(counts.total);
    fill(reported, counts);
    prove(reported, counts.shape);
}

/// Fills what the attributes leave open.
fn fill(reported: &mut Reported, counts: &RawCounts) {
    let fill = |own: &mut Option<i64>, other: Option<i64>| *own = own.or(other);
    fill(&mut reported.cache_read, counts.cache_read);
    fill(&mut reported.cache_write, counts.cache_write);
    fill(&mut reported.cache_write_5m, counts.cache_write_5m);
    fill(&mut reported.cache_write_1h, counts.cache_write_1h);
    fill(&mut reported.reasoning, counts.reasoning);
    fill(&mut reported.tool_prompt, counts.tool_prompt);
    fill(&mut reported.input_audio, counts.input_audio);
    fill(&mut reported.output_audio, counts.output_audio);
    fill(&mut reported.input_image, counts.input_image);
    fill(&mut reported.output_image, counts.output_image);
    fill(&mut reported.cache_read_audio, counts.cache_read_audio);
    fill(&mut reported.web_searches, counts.web_searches);
    fill(&mut reported.rerank_searches, counts.rerank_searches);
    reported.service_tier = reported.service_tier.or(counts.service_tier);
}

fn prove(reported: &mut Reported, shape: Shape) {
    match shape {
        Shape::Unstated => {}
        Shape::OpenAi => reported.proof = Some(Proof::Inclusive),
        Shape::Anthropic => reported.proof = Some(Proof::Exclusive),
        Shape::Disjoint => reported.proof = Some(Proof::Disjoint),
        Shape::Gemini => {
            reported.proof = Some(Proof::Inclusive);
            reported.reasoning_beside = true;
        }
    }
}

/// Uses a provider's raw object: as the usage itself where the attributes have none, else to complete them, if it
/// agrees with them.
fn support<'a>(
    reported: &mut Reported,
    counts: &RawCounts,
    key: &'a str,
    usage_raw: &mut Vec<UsageAttribute<'a>>,
    flags: &mut Flags,
) {
    if counts.is_empty() {
        return;
    }
    if reported.input.is_none() && reported.output.is_none() {
        if counts.input.is_none() && counts.output.is_none() {
            return;
        }
        adopt(reported, counts, flags);
        keep_raw(counts, key, usage_raw);
        return;
    }
    let cached = counts.cache_read.unwrap_or(0).saturating_add(counts.cache_write.unwrap_or(0));
    let input_is_raw = reported.input.is_none() || counts.input.is_none() || reported.input == counts.input;
    let input_is_sum = counts.shape == Shape::Anthropic && with_cached(counts) == reported.input;
    let thoughts = counts.reasoning.filter(|_| counts.shape == Shape::Gemini).unwrap_or(0);
    let output_agrees = reported.output.is_none()
        || counts.output.is_none()
        || reported.output == counts.output
        || counts.output.and_then(|output| output.checked_add(thoughts)) == reported.output;
    if !(input_is_raw || input_is_sum) || !output_agrees {
        flags.set(Flag::RawUsageConflict);
        return;
    }
    let shape = match counts.shape {
        // The emitter has already added the cached tokens.
        Shape::Anthropic if input_is_sum && cached > 0 => Shape::OpenAi,
        Shape::Gemini if reported.output != counts.output => Shape::OpenAi,
        shape => shape,
    };
    keep_raw(counts, key, usage_raw);
    fill(reported, counts);
    if counts.input.is_some() {
        prove(reported, shape);
    }
}

/// Uses what an SDK adds of a provider's response: lifetimes and counts that its attributes lack.
fn support_parts<'a>(reported: &mut Reported, counts: &RawCounts, key: &'a str, usage_raw: &mut Vec<UsageAttribute<'a>>) {
    if counts.is_empty() {
        return;
    }
    keep_raw(counts, key, usage_raw);
    let open = counts.input.is_some() && reported.uncached.is_none();
    let shape = if counts.input == reported.input {
        Some(counts.shape)
    } else if counts.shape == Shape::Anthropic && with_cached(counts) == reported.input {
        // The emitter has already added the cached tokens.
        Some(Shape::OpenAi)
    } else {
        None
    };
    fill(reported, counts);
    if let (true, Some(shape)) = (open, shape) {
        prove(reported, shape);
    }
}

/// The input of a provider that counts cached tokens beside it, with them.
fn with_cached(counts: &RawCounts) -> Option<i64> {
    counts
        .input?
        .checked_add(counts.cache_read.unwrap_or(0))?
        .checked_add(counts.cache_write.unwrap_or(0))
}

fn keep_raw<'a>(counts: &RawCounts, key: &'a str, usage_raw: &mut Vec<UsageAttribute<'a>>) {
    if usage_raw.iter().any(|attribute| attribute.key == key) {
        return;
    }
    for (name, count) in counts.named() {
        usage_raw.push(UsageAttribute {
            key,
            inner: Some(name),
            value: Value::Int(count),
        });
    }
}

fn payload<'s, 'a>(gathered: &Gathered<'s, 'a>, role: Role) -> Option<&'s KeyValue<'a>> {
    let of_call = || gathered.entry(Field::CallPayload).filter(|_| role.is_leaf());
    gathered.entry(Field::OutputPayload).or_else(of_call)
}

/// The response that an emitter recorded, where its usage or its id is of use.
pub(crate) fn response<'a>(gathered: &Gathered<'_, 'a>, role: Role, flags: &mut Flags) -> Response<'a> {
    let Some(text) = payload(gathered, role).and_then(|entry| entry.value.as_text()) else {
        return Response::default();
    };
    // Content as such is text; only an object is a response.
    if !text.trim_start().starts_with('{') {
        return Response::default();
    }
    match response::read(text) {
        Ok(response) => response,
        Err(error) => {
            note(Err(error), flags);
            Response::default()
        }
    }
}
