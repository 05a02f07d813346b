//! The units of usage: what is counted, under which price key it is priced, and per how many.
//!
//! Every unit stands at a point of a few dimensions (family, direction, modality, kind, lifetime). One unit
//! is *part of* another when it says everything the other says and more: `cache_read_tokens` is part of
//! `input_tokens`. That single relation is what makes inclusive counts safe to price; see `price.rs`.
//! The first 59 units are those of genai-prices 0.2.3 (MIT), the rest are ours. This file holds no prices.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

/// One registered unit of usage, for example `cache_read_tokens`. Cheap to copy and compare.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageKey(u8);

/// What is counted. Units of different families are never parts of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Language model tokens.
    Tokens,
    /// Characters of text.
    Characters,
    /// Text messages, as realtime voice APIs bill them.
    Messages,
    /// Seconds of audio or video.
    Durations,
    /// Pixels of images.
    Pixels,
    /// Pages of documents.
    DocumentPages,
    /// Rerank searches.
    Rerank,
    /// Calls of tools that the provider runs.
    ToolCalls,
    /// Requests: always one for a priced record.
    Requests,
    /// Tokens kept in a cache, times hours.
    CacheStorage,
    /// Seconds of a GPU, for self-hosted models.
    Gpu,
    /// Sessions of a container or agent runtime.
    Sessions,
    /// Images.
    Images,
}

/// Whether a unit flows to the model or from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the model.
    Input,
    /// From the model.
    Output,
}

/// The definition of one unit.
#[derive(Debug)]
pub struct Unit {
    /// The key under which usage is counted, for example `input_tokens`.
    pub usage_key: &'static str,
    /// The key under which a rate is listed, for example `input_mtok`.
    pub price_key: &'static str,
    /// How many units the rate is for, for example 1,000,000.
    pub per: i64,
    /// What is counted.
    pub family: Family,
    /// To or from the model; `None` where the unit covers both.
    pub direction: Option<Direction>,
    modality: &'static str,
    kind: &'static str,
    lifetime: &'static str,
}

const INPUT: Option<Direction> = Some(Direction::Input);
const OUTPUT: Option<Direction> = Some(Direction::Output);
const NEITHER: Option<Direction> = None;

#[expect(clippy::too_many_arguments, reason = "one row of the table below, read as a row")]
const fn unit(
    usage_key: &'static str,
    price_key: &'static str,
    per: i64,
    family: Family,
    direction: Option<Direction>,
    modality: &'static str,
    kind: &'static str,
    lifetime: &'static str,
) -> Unit {
    Unit {
        usage_key,
        price_key,
        per,
        family,
        direction,
        modality,
        kind,
        lifetime,
    }
}

/// The number of registered units.
pub(crate) const UNIT_COUNT: usize = UNITS.len();

/// Usage key, price key, per, family, direction, modality, kind, lifetime.
#[rustfmt::skip]
static UNITS: [Unit; 67] = [
    unit("input_tokens", "input_mtok", 1000000, Family::Tokens, INPUT, "", "", ""),
    unit("output_tokens", "output_mtok", 1000000, Family::Tokens, OUTPUT, "", "", ""),
    unit("cache_read_tokens", "cache_read_mtok", 1000000, Family::Tokens, INPUT, "", "cache_read", ""),
    unit("cache_write_tokens", "cache_write_mtok", 1000000, Family::Tokens, INPUT, "", "cache_write", ""),
    unit("cache_write_5m_tokens", "cache_write_5m_mtok", 1000000, Family::Tokens, INPUT, "", "cache_write", "5m"),
    unit("cache_write_1h_tokens", "cache_write_1h_mtok", 1000000, Family::Tokens, INPUT, "", "cache_write", "1h"),
    unit("input_text_tokens", "input_text_mtok", 1000000, Family::Tokens, INPUT, "text", "", ""),
    unit("output_text_tokens", "output_text_mtok", 1000000, Family::Tokens, OUTPUT, "text", "", ""),
    unit("cache_text_read_tokens", "cache_text_read_mtok", 1000000, Family::Tokens, INPUT, "text", "cache_read", ""),
    unit("cache_text_write_tokens", "cache_text_write_mtok", 1000000, Family::Tokens, INPUT, "text", "cache_write", ""),
    unit("cache_text_write_5m_tokens", "cache_text_write_5m_mtok", 1000000, Family::Tokens, INPUT, "text", "cache_write", "5m"),
    unit("cache_text_write_1h_tokens", "cache_text_write_1h_mtok", 1000000, Family::Tokens, INPUT, "text", "cache_write", "1h"),
    unit("input_audio_tokens", "input_audio_mtok", 1000000, Family::Tokens, INPUT, "audio", "", ""),
    unit("output_audio_tokens", "output_audio_mtok", 1000000, Family::Tokens, OUTPUT, "audio", "", ""),
    unit("cache_audio_read_tokens", "cache_audio_read_mtok", 1000000, Family::Tokens, INPUT, "audio", "cache_read", ""),
    unit("cache_audio_write_tokens", "cache_audio_write_mtok", 1000000, Family::Tokens, INPUT, "audio", "cache_write", ""),
    unit("cache_audio_write_5m_tokens", "cache_audio_write_5m_mtok", 1000000, Family::Tokens, INPUT, "audio", "cache_write", "5m"),
    unit("cache_audio_write_1h_tokens", "cache_audio_write_1h_mtok", 1000000, Family::Tokens, INPUT, "audio", "cache_write", "1h"),
    unit("input_image_tokens", "input_image_mtok", 1000000, Family::Tokens, INPUT, "image", "", ""),
    unit("output_image_tokens", "output_image_mtok", 1000000, Family::Tokens, OUTPUT, "image", "", ""),
    unit("cache_image_read_tokens", "cache_image_read_mtok", 1000000, Family::Tokens, INPUT, "image", "cache_read", ""),
    unit("cache_image_write_tokens", "cache_image_write_mtok", 1000000, Family::Tokens, INPUT, "image", "cache_write", ""),
    unit("cache_image_write_5m_tokens", "cache_image_write_5m_mtok", 1000000, Family::Tokens, INPUT, "image", "cache_write", "5m"),
    unit("cache_image_write_1h_tokens", "cache_image_write_1h_mtok", 1000000, Family::Tokens, INPUT, "image", "cache_write", "1h"),
    unit("input_video_tokens", "input_video_mtok", 1000000, Family::Tokens, INPUT, "video", "", ""),
    unit("output_video_tokens", "output_video_mtok", 1000000, Family::Tokens, OUTPUT, "video", "", ""),
    unit("cache_video_read_tokens", "cache_video_read_mtok", 1000000, Family::Tokens, INPUT, "video", "cache_read", ""),
    unit("cache_video_write_tokens", "cache_video_write_mtok", 1000000, Family::Tokens, INPUT, "video", "cache_write", ""),
    unit("cache_video_write_5m_tokens", "cache_video_write_5m_mtok", 1000000, Family::Tokens, INPUT, "video", "cache_write", "5m"),
    unit("cache_video_write_1h_tokens", "cache_video_write_1h_mtok", 1000000, Family::Tokens, INPUT, "video", "cache_write", "1h"),
    unit("input_tool_tokens", "input_tool_mtok", 1000000, Family::Tokens, INPUT, "", "tool", ""),
    unit("input_text_tool_tokens", "input_text_tool_mtok", 1000000, Family::Tokens, INPUT, "text", "tool", ""),
    unit("input_audio_tool_tokens", "input_audio_tool_mtok", 1000000, Family::Tokens, INPUT, "audio", "tool", ""),
    unit("input_image_tool_tokens", "input_image_tool_mtok", 1000000, Family::Tokens, INPUT, "image", "tool", ""),
    unit("input_video_tool_tokens", "input_video_tool_mtok", 1000000, Family::Tokens, INPUT, "video", "tool", ""),
    unit("output_reasoning_tokens", "output_reasoning_mtok", 1000000, Family::Tokens, OUTPUT, "", "reasoning", ""),
    unit("output_text_reasoning_tokens", "output_text_reasoning_mtok", 1000000, Family::Tokens, OUTPUT, "text", "reasoning", ""),
    unit("output_audio_reasoning_tokens", "output_audio_reasoning_mtok", 1000000, Family::Tokens, OUTPUT, "audio", "reasoning", ""),
    unit("output_image_reasoning_tokens", "output_image_reasoning_mtok", 1000000, Family::Tokens, OUTPUT, "image", "reasoning", ""),
    unit("output_video_reasoning_tokens", "output_video_reasoning_mtok", 1000000, Family::Tokens, OUTPUT, "video", "reasoning", ""),
    unit("output_citation_tokens", "output_citation_mtok", 1000000, Family::Tokens, OUTPUT, "", "citation", ""),
    unit("output_text_citation_tokens", "output_text_citation_mtok", 1000000, Family::Tokens, OUTPUT, "text", "citation", ""),
    unit("output_audio_citation_tokens", "output_audio_citation_mtok", 1000000, Family::Tokens, OUTPUT, "audio", "citation", ""),
    unit("output_image_citation_tokens", "output_image_citation_mtok", 1000000, Family::Tokens, OUTPUT, "image", "citation", ""),
    unit("output_video_citation_tokens", "output_video_citation_mtok", 1000000, Family::Tokens, OUTPUT, "video", "citation", ""),
    unit("input_characters", "input_mchars", 1000000, Family::Characters, INPUT, "", "", ""),
    unit("input_text_messages", "input_text_messages_kcount", 1000, Family::Messages, INPUT, "text", "", ""),
    unit("audio_seconds", "audio_hours", 3600, Family::Durations, NEITHER, "audio", "", ""),
    unit("input_audio_seconds", "input_audio_hours", 3600, Family::Durations, INPUT, "audio", "", ""),
    unit("output_audio_seconds", "output_audio_hours", 3600, Family::Durations, OUTPUT, "audio", "", ""),
    unit("input_pixels", "input_gpixels", 1000000000, Family::Pixels, INPUT, "", "", ""),
    unit("input_document_pages", "input_document_kpages", 1000, Family::DocumentPages, INPUT, "", "", ""),
    unit("input_annotated_document_pages", "input_annotated_document_kpages", 1000, Family::DocumentPages, INPUT, "", "annotated", ""),
    unit("rerank_searches", "rerank_searches_kcount", 1000, Family::Rerank, NEITHER, "", "", ""),
    unit("web_searches", "web_searches_kcount", 1000, Family::ToolCalls, NEITHER, "", "web_search", ""),
    unit("social_searches", "social_searches_kcount", 1000, Family::ToolCalls, NEITHER, "", "social_search", ""),
    unit("storage_searches", "storage_searches_kcount", 1000, Family::ToolCalls, NEITHER, "", "storage_search", ""),
    unit("code_executions", "code_executions_kcount", 1000, Family::ToolCalls, NEITHER, "", "code_execution", ""),
    unit("requests", "requests_kcount", 1000, Family::Requests, NEITHER, "", "", ""),
    unit("cache_write_30m_tokens", "cache_write_30m_mtok", 1000000, Family::Tokens, INPUT, "", "cache_write", "30m"),
    unit("cache_write_12h_tokens", "cache_write_12h_mtok", 1000000, Family::Tokens, INPUT, "", "cache_write", "12h"),
    unit("cache_storage_token_hours", "cache_storage_mtok_hours", 1000000, Family::CacheStorage, NEITHER, "", "", ""),
    unit("gpu_seconds", "gpu_hours", 3600, Family::Gpu, NEITHER, "", "", ""),
    unit("sessions", "sessions_kcount", 1000, Family::Sessions, NEITHER, "", "", ""),
    unit("output_images", "output_kimages", 1000, Family::Images, OUTPUT, "", "", ""),
    unit("output_video_seconds", "output_video_hours", 3600, Family::Durations, OUTPUT, "video", "", ""),
    unit("output_characters", "output_mchars", 1000000, Family::Characters, OUTPUT, "", "", ""),
];

/// How the units relate, worked out once from their dimensions.
struct Relations {
    by_usage_key: HashMap<&'static str, UsageKey>,
    by_price_key: HashMap<&'static str, UsageKey>,
    parts: Vec<UnitSet>,
    wholes: Vec<UnitSet>,
    joins: Vec<[Option<UsageKey>; UNIT_COUNT]>,
    /// By part, then by whole.
    refinements: Vec<[Option<Dimension>; UNIT_COUNT]>,
    /// By unit: those with which it shares a third unit that is neither.
    overlapping: Vec<UnitSet>,
    /// Units that fix so many dimensions: the deepest are narrowest.
    by_depth: [UnitSet; DEPTHS],
}

/// Direction, modality, kind and lifetime may each be fixed or not.
pub(crate) const DEPTHS: usize = 5;

static RELATIONS: LazyLock<Relations> = LazyLock::new(|| {
    let all = || (0..UNIT_COUNT).map(|index| UsageKey(index as u8));
    let related = |is_related: fn(&Unit, &Unit) -> bool| {
        all()
            .map(|unit| all().filter(|other| is_related(other.unit(), unit.unit())).collect())
            .collect()
    };
    let dimensions = |key: UsageKey| {
        let unit = key.unit();
        let dimensions = (unit.family, unit.direction, unit.modality, unit.kind, unit.lifetime);
        (dimensions, key)
    };
    let by_dimensions: HashMap<Dimensions, UsageKey> = all().map(dimensions).collect();
    Relations {
        by_usage_key: all().map(|key| (key.as_str(), key)).collect(),
        by_price_key: all().map(|key| (key.price_key(), key)).collect(),
        parts: related(|other, unit| other.is_part_of(unit)),
        wholes: related(|other, unit| unit.is_part_of(other)),
        joins: all()
            .map(|left| std::array::from_fn(|right| join(left, UsageKey(right as u8), &by_dimensions)))
            .collect(),
        refinements: all()
            .map(|part| std::array::from_fn(|whole| refinement(part.unit(), UsageKey(whole as u8).unit())))
            .collect(),
        overlapping: all()
            .map(|left| {
                let overlaps = |right: &UsageKey| {
                    join(left, *right, &by_dimensions).is_some_and(|overlap| overlap != left && overlap != *right)
                };
                all().filter(overlaps).collect()
            })
            .collect(),
        by_depth: std::array::from_fn(|depth| all().filter(|unit| unit.unit().depth() == depth).collect()),
    }
});

/// The unit that says what both say, where it is registered and both can be true at once.
fn join(left: UsageKey, right: UsageKey, by_dimensions: &HashMap<Dimensions, UsageKey>) -> Option<UsageKey> {
    let (a, b) = (left.unit(), right.unit());
    if a.family != b.family {
        return None;
    }
    let dimensions = (
        a.family,
        both(a.direction, b.direction)?,
        both_text(a.modality, b.modality)?,
        both_text(a.kind, b.kind)?,
        both_text(a.lifetime, b.lifetime)?,
    );
    by_dimensions.get(&dimensions).copied()
}

/// What tells a unit from every other.
type Dimensions = (Family, Option<Direction>, &'static str, &'static str, &'static str);

fn both(left: Option<Direction>, right: Option<Direction>) -> Option<Option<Direction>> {
    match (left, right) {
        (Some(l), Some(r)) => (l == r).then_some(left),
        _ => Some(left.or(right)),
    }
}

fn both_text(left: &'static str, right: &'static str) -> Option<&'static str> {
    match (left, right) {
        ("", other) | (other, "") => Some(other),
        _ => (left == right).then_some(left),
    }
}

impl Unit {
    /// Whether this unit says everything that `whole` says, and more.
    fn is_part_of(&self, whole: &Unit) -> bool {
        let covers = |part: &str, whole: &str| whole.is_empty() || part == whole;
        self.family == whole.family
            && (whole.direction.is_none() || self.direction == whole.direction)
            && covers(self.modality, whole.modality)
            && covers(self.kind, whole.kind)
            && covers(self.lifetime, whole.lifetime)
            && self.depth() > whole.depth()
    }

    fn depth(&self) -> usize {
        usize::from(self.direction.is_some())
            + [self.modality, self.kind, self.lifetime]
                .iter()
                .filter(|value| !value.is_empty())
                .count()
    }
}

impl UsageKey {
    /// All input tokens, cached and of every modality.
    pub const INPUT_TOKENS: Self = Self(0);
    /// All output tokens, reasoning included.
    pub const OUTPUT_TOKENS: Self = Self(1);
    /// Input tokens read from a prompt cache.
    pub const CACHE_READ_TOKENS: Self = Self(2);
    /// Input tokens written to a prompt cache, of every lifetime.
    pub const CACHE_WRITE_TOKENS: Self = Self(3);
    /// Input tokens written to a prompt cache for an hour.
    pub const CACHE_WRITE_1H_TOKENS: Self = Self(5);

    /// Output tokens that reason, of every modality.
    pub const OUTPUT_REASONING_TOKENS: Self = Self(35);

    /// One per priced record, reported or not.
    pub const REQUESTS: Self = Self(58);

    /// The unit with this usage key, for example `input_tokens`.
    pub fn parse(usage_key: &str) -> Option<Self> {
        RELATIONS.by_usage_key.get(usage_key).copied()
    }

    /// The unit with this price key, for example `input_mtok`.
    pub fn from_price_key(price_key: &str) -> Option<Self> {
        RELATIONS.by_price_key.get(price_key).copied()
    }

    /// Every registered unit, in the fixed order of the registry.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..UNIT_COUNT).map(|index| Self(index as u8))
    }

    /// The usage key, for example `input_tokens`.
    pub fn as_str(self) -> &'static str {
        self.unit().usage_key
    }

    /// The price key, for example `input_mtok`.
    pub fn price_key(self) -> &'static str {
        self.unit().price_key
    }

    /// The definition of the unit.
    pub fn unit(self) -> &'static Unit {
        &UNITS[usize::from(self.0)]
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The registered units that are parts of this one.
    pub(crate) fn parts(self) -> UnitSet {
        RELATIONS.parts[self.index()]
    }

    /// The registered units that this one is part of.
    pub(crate) fn wholes(self) -> UnitSet {
        RELATIONS.wholes[self.index()]
    }

    /// The unit in which this and the other overlap, where one is registered.
    pub(crate) fn join(self, other: Self) -> Option<Self> {
        RELATIONS.joins[self.index()][other.index()]
    }

    /// Whether the unit counts one modality only.
    pub(crate) fn fixes_modality(self) -> bool {
        !self.unit().modality.is_empty()
    }

    /// The units that overlap with this one in a third.
    pub(crate) fn overlapping(self) -> UnitSet {
        RELATIONS.overlapping[self.index()]
    }

    /// The one dimension by which this unit refines `whole`, if exactly one.
    pub(crate) fn refines(self, whole: Self) -> Option<Dimension> {
        RELATIONS.refinements[self.index()][whole.index()]
    }
}

fn refinement(part: &Unit, whole: &Unit) -> Option<Dimension> {
    if !part.is_part_of(whole) || part.depth() != whole.depth() + 1 {
        return None;
    }
    Some(if part.direction != whole.direction {
        Dimension::Direction
    } else if part.modality != whole.modality {
        Dimension::Modality
    } else if part.kind != whole.kind {
        Dimension::Kind
    } else {
        Dimension::Lifetime
    })
}

/// A dimension by which a unit may be divided into disjoint parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dimension {
    Direction,
    Modality,
    Kind,
    Lifetime,
}

impl fmt::Debug for UsageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for UsageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The units that fix so many dimensions: a part is always deeper than its whole.
pub(crate) fn of_depth(depth: usize) -> UnitSet {
    RELATIONS.by_depth[depth]
}

/// A set of units, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct UnitSet(u128);

impl UnitSet {
    pub(crate) fn insert(&mut self, unit: UsageKey) {
        self.0 |= 1 << unit.0;
    }

    pub(crate) fn contains(self, unit: UsageKey) -> bool {
        self.0 & (1 << unit.0) != 0
    }

    pub(crate) fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn len(self) -> u32 {
        self.0.count_ones()
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = UsageKey> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let index = rest.trailing_zeros();
            rest &= rest.checked_sub(1)?;
            u8::try_from(index).ok().map(UsageKey)
        })
    }
}

impl FromIterator<UsageKey> for UnitSet {
    fn from_iter<I: IntoIterator<Item = UsageKey>>(units: I) -> Self {
        let mut set = Self::default();
        units.into_iter().for_each(|unit| set.insert(unit));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> UsageKey {
        UsageKey::parse(name).expect("registered")
    }

    #[test]
    fn a_part_says_everything_its_whole_says() {
        assert!(key("input_tokens").parts().contains(key("cache_audio_read_tokens")));
        assert!(key("cache_write_tokens").parts().contains(key("cache_write_1h_tokens")));
        assert!(key("audio_seconds").parts().contains(key("input_audio_seconds")));
        assert!(!key("input_tokens").parts().contains(key("output_tokens")));
        assert!(!key("input_tokens").parts().contains(key("input_characters")));
        assert!(!key("input_tokens").parts().contains(key("input_tokens")));
    }

    #[test]
    fn the_join_of_cached_and_audio_is_cached_audio() {
        assert_eq!(
            key("cache_read_tokens").join(key("input_audio_tokens")),
            Some(key("cache_audio_read_tokens"))
        );
        assert_eq!(key("cache_read_tokens").join(key("cache_write_tokens")), None);
    }

    #[test]
    fn named_units_stand_where_the_constants_say() {
        assert_eq!(UsageKey::INPUT_TOKENS, key("input_tokens"));
        assert_eq!(UsageKey::OUTPUT_TOKENS, key("output_tokens"));
        assert_eq!(UsageKey::REQUESTS, key("requests"));
        assert_eq!(UsageKey::CACHE_READ_TOKENS, key("cache_read_tokens"));
        assert_eq!(UsageKey::CACHE_WRITE_TOKENS, key("cache_write_tokens"));
        assert_eq!(UsageKey::CACHE_WRITE_1H_TOKENS, key("cache_write_1h_tokens"));
        assert_eq!(UsageKey::OUTPUT_REASONING_TOKENS, key("output_reasoning_tokens"));
    }

    #[test]
    fn keys_are_unique() {
        assert_eq!(RELATIONS.by_usage_key.len(), UNIT_COUNT);
        assert_eq!(RELATIONS.by_price_key.len(), UNIT_COUNT);
    }
}
