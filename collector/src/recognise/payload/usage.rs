//! One usage object of a provider, a gateway or an SDK, whatever its spelling.
//!
//! Sums nothing and judges nothing: which counts include which others is said by [`Shape`], where the spelling shows it.

use std::borrow::Cow;

use super::scan::Scalar;
use crate::recognise::count::from_text;
use crate::wire::Value;

/// Whose form an object has, and so what its input includes (conventions, section 5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The keys do not tell.
    #[default]
    Unstated,
    /// OpenAI's: cached tokens inside, reasoning inside.
    OpenAi,
    /// Anthropic's or Bedrock's: cached tokens beside.
    Anthropic,
    /// Gemini's: cached tokens inside, thoughts and tool-use prompt beside.
    Gemini,
    /// Langfuse's: every key its own bucket.
    Disjoint,
}

/// Where an object stands, which decides how its ambiguous keys are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// As the provider returned it.
    Provider,
    /// Rewritten by an SDK that has its own meaning for the keys.
    Emitter,
}

/// The counts of one usage object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RawCounts {
    pub(crate) input: Option<i64>,
    pub(crate) output: Option<i64>,
    pub(crate) total: Option<i64>,
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
    pub(crate) web_searches: Option<i64>,
    pub(crate) rerank_searches: Option<i64>,
    pub(crate) shape: Shape,
    /// The service tier that the keys tell (`flex_cache_read`).
    pub(crate) service_tier: Option<&'static str>,
    pub(crate) invalid: bool,
    modality: Modality,
    long_lived: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Modality {
    #[default]
    Text,
    Audio,
    Image,
}

impl RawCounts {
    /// Whether there is anything to use.
    pub(crate) fn is_empty(&self) -> bool {
        self.input.is_none() && self.output.is_none() && self.cache_write.is_none() && self.cache_read.is_none()
    }

    /// Takes one scalar at its path inside the usage object.
    pub(crate) fn take(&mut self, path: &[&str], scalar: Scalar<'_>, origin: Origin) {
        let Some((leaf, parents)) = path.split_last() else { return };
        let parent = parents.iter().rev().find(|name| **name != "[]").copied().unwrap_or("");
        let text = match scalar {
            Scalar::Number(text) | Scalar::Text(text) => text,
            _ => return,
        };
        match *leaf {
            "modality" => {
                self.modality = match text {
                    "AUDIO" | "audio" => Modality::Audio,
                    "IMAGE" | "image" | "VIDEO" => Modality::Image,
                    _ => Modality::Text,
                };
                return;
            }
            "ttl" => {
                self.long_lived = text.contains('h');
                return;
            }
            _ => {}
        }
        // Cohere's `tokens` stand beside `billed_units`, which are what is charged.
        if matches!(parent, "tokens" | "cost" | "cost_details") {
            return;
        }
        let (tier, leaf) = tiered(leaf);
        self.service_tier = self.service_tier.or(tier);
        let Some(slot) = self.slot(parent, &leaf, origin) else {
            return;
        };
        match from_text(text) {
            // What Langfuse puts beside the input it has, in part, already taken off it: this is all of the rest.
            Ok(count) if tier.is_some() && matches!(slot, Slot::Input | Slot::Output) => slot.put(self, Some(count)),
            Ok(count) => slot.set(self, count),
            Err(crate::recognise::count::NotACount::Absent) => {}
            Err(crate::recognise::count::NotACount::Invalid) => self.invalid = true,
        }
    }

    /// [`RawCounts::take`] for an object that was spread over attributes.
    pub(crate) fn take_value(&mut self, path: &[&str], value: &Value<'_>, origin: Origin) {
        match value {
            Value::Int(count) => self.take(path, Scalar::Number(&count.to_string()), origin),
            Value::Text(text) => self.take(path, Scalar::Text(text), origin),
            _ => {}
        }
    }

    fn slot(&mut self, parent: &str, leaf: &str, origin: Origin) -> Option<Slot> {
        let of_input = matches!(
            parent,
            "prompt_tokens_details"
                | "input_tokens_details"
                | "input_token_details"
                | "inputTokenDetails"
                | "promptTokensDetails"
        );
        let of_output = matches!(
            parent,
            "completion_tokens_details"
                | "output_tokens_details"
                | "output_token_details"
                | "outputTokenDetails"
                | "candidatesTokensDetails"
        );
        if of_input && !matches!(leaf, "tokenCount" | "token_count") {
            self.shape = Shape::OpenAi;
        }
        Some(match leaf {
            "prompt_tokens" => {
                self.shape = Shape::OpenAi;
                Slot::Input
            }
            "promptTokenCount" | "prompt_token_count" => {
                self.shape = Shape::Gemini;
                Slot::Input
            }
            "input_tokens" => Slot::Input,
            "inputTokens" if parent == "cacheDetails" => {
                if self.long_lived {
                    Slot::CacheWrite1h
                } else {
                    Slot::CacheWrite5m
                }
            }
            "inputTokens" | "promptTokens" => Slot::Input,
            "input" => {
                self.shape = Shape::Disjoint;
                Slot::Input
            }
            "output" => {
                self.shape = Shape::Disjoint;
                Slot::Output
            }
            "completion_tokens"
            | "output_tokens"
            | "outputTokens"
            | "completionTokens"
            | "candidatesTokenCount"
            | "candidates_token_count" => Slot::Output,
            "total_tokens" | "totalTokens" | "totalTokenCount" | "total_token_count" | "total" => Slot::Total,
            "cached_tokens" if of_input => Slot::CacheRead,
            "cached_tokens"
            | "cached_input_tokens"
            | "cached_prompt_tokens"
            | "prompt_cache_hit_tokens"
            | "cachedInputTokens" => {
                self.shape = Shape::OpenAi;
                Slot::CacheRead
            }
            "cachedContentTokenCount" | "cached_content_token_count" | "cachedContentTokens" => Slot::CacheRead,
            "cache_read"
            | "cacheReadTokens"
            | "input_cached_tokens"
            | "input_cache_read"
            | "cachedPromptTokens"
            | "cache_read_tokens" => Slot::CacheRead,
            "cache_read_input_tokens" | "cacheReadInputTokens" => {
                self.beside(origin);
                Slot::CacheRead
            }
            "cache_creation_input_tokens" | "cacheWriteInputTokens" | "cacheCreationInputTokens" => {
                self.beside(origin);
                Slot::CacheWrite
            }
            "cache_write_tokens"
            | "cache_write_input_tokens"
            | "cache_creation_tokens"
            | "cache_creation"
            | "cacheWriteTokens"
            | "input_cache_creation"
            | "input_cache_write" => Slot::CacheWrite,
            "ephemeral_5m_input_tokens" | "input_cache_creation_5m" => Slot::CacheWrite5m,
            "ephemeral_1h_input_tokens" | "input_cache_creation_1h" | "cache_creation_input_tokens_above_1hr" => {
                Slot::CacheWrite1h
            }
            "reasoning_tokens"
            | "reasoning"
            | "reasoningTokens"
            | "thinking_tokens"
            | "thoughtsTokenCount"
            | "thoughts_token_count"
            | "thoughtsTokens"
            | "output_reasoning"
            | "output_reasoning_tokens" => Slot::Reasoning,
            "toolUsePromptTokenCount" | "tool_use_prompt_token_count" => Slot::ToolPrompt,
            "audio_tokens" | "audio" | "audioTokens" if of_input => Slot::InputAudio,
            "audio_tokens" | "audio" | "audioTokens" if of_output => Slot::OutputAudio,
            "image_tokens" if of_input => Slot::InputImage,
            "image_tokens" if of_output => Slot::OutputImage,
            "input_audio" | "input_audio_tokens" => Slot::InputAudio,
            "output_audio" | "output_audio_tokens" => Slot::OutputAudio,
            "audio_tokens" if parent == "cached_tokens_details" => Slot::CacheReadAudio,
            "tokenCount" | "token_count" => match (parent, self.modality) {
                ("promptTokensDetails" | "prompt_tokens_details", Modality::Audio) => Slot::InputAudio,
                ("promptTokensDetails" | "prompt_tokens_details", Modality::Image) => Slot::Ignored,
                ("candidatesTokensDetails" | "candidates_tokens_details", Modality::Audio) => Slot::OutputAudio,
                ("candidatesTokensDetails" | "candidates_tokens_details", Modality::Image) => Slot::OutputImage,
                ("cacheTokensDetails" | "cache_tokens_details", Modality::Audio) => Slot::CacheReadAudio,
                _ => Slot::Ignored,
            },
            "web_search_requests" | "num_search_queries" | "webSearchRequests" => Slot::WebSearches,
            "search_units" => Slot::RerankSearches,
            _ => return None,
        })
    }

    /// A key of Anthropic's form: cached tokens stand beside, if this is the provider's own object.
    fn beside(&mut self, origin: Origin) {
        if origin == Origin::Provider && self.shape == Shape::Unstated {
            self.shape = Shape::Anthropic;
        }
    }

    /// Adds another object's counts: for records that hold the usage of several calls.
    pub(crate) fn add(&mut self, other: &RawCounts) {
        let sum = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (Some(a), Some(b)) => a.checked_add(b),
            (a, b) => a.or(b),
        };
        for slot in Slot::ALL {
            let total = sum(slot.get(self), slot.get(other));
            slot.put(self, total);
        }
        if self.shape == Shape::Unstated {
            self.shape = other.shape;
        }
        self.service_tier = self.service_tier.or(other.service_tier);
        self.invalid |= other.invalid;
    }

    /// Takes what another object of the same call says besides.
    pub(crate) fn complete(&mut self, other: &RawCounts) {
        for slot in Slot::ALL {
            let value = slot.get(self).or(slot.get(other));
            slot.put(self, value);
        }
        self.service_tier = self.service_tier.or(other.service_tier);
        if self.shape == Shape::Unstated {
            self.shape = other.shape;
        }
    }

    /// Whether this is the provider's own object of the call that `summary` counts with its cached tokens inside.
    pub(crate) fn is_the_rest_of(&self, summary: &RawCounts) -> bool {
        let parts = [self.input, self.cache_read, self.cache_write];
        let full = parts.iter().flatten().try_fold(0i64, |sum, count| sum.checked_add(*count));
        self.shape == Shape::Anthropic && self.input.is_some() && full == summary.input && self.output == summary.output
    }

    /// Takes the lifetimes of cache writes, which summaries leave out.
    pub(crate) fn take_lifetimes(&mut self, other: &RawCounts) {
        if self.cache_write_5m.is_none() && self.cache_write_1h.is_none() {
            (self.cache_write_5m, self.cache_write_1h) = (other.cache_write_5m, other.cache_write_1h);
        }
    }

    /// The counts with their names, for `usage_raw`.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, i64)> + '_ {
        Slot::ALL.into_iter().filter_map(|slot| Some((slot.name(), slot.get(self)?)))
    }
}

/// LangChain names the counts of a service tier after it: `flex_cache_read`, and `flex` for all that is not cached.
/// The tier, and the key without it.
fn tiered(key: &str) -> (Option<&'static str>, Cow<'_, str>) {
    for tier in ["priority", "flex"] {
        // Langfuse puts the side in front.
        for side in ["input", "output", ""] {
            let Some(rest) = key.strip_prefix(side) else { continue };
            let rest = if side.is_empty() { Some(rest) } else { rest.strip_prefix('_') };
            let Some(rest) = rest.and_then(|rest| rest.strip_prefix(tier)) else {
                continue;
            };
            match (rest.strip_prefix('_'), side) {
                (Some(count), "") => return (Some(tier), Cow::Borrowed(count)),
                (Some(count), side) => return (Some(tier), Cow::Owned(format!("{side}_{count}"))),
                // Within a provider's details the rest is known without it.
                (None, "") if rest.is_empty() => return (Some(tier), Cow::Borrowed("")),
                (None, side) if rest.is_empty() => return (Some(tier), Cow::Borrowed(side)),
                (None, _) => {}
            }
        }
    }
    (None, Cow::Borrowed(key))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Input,
    Output,
    Total,
    CacheRead,
    CacheWrite,
    CacheWrite5m,
    CacheWrite1h,
    Reasoning,
    ToolPrompt,
    InputAudio,
    OutputAudio,
    InputImage,
    OutputImage,
    CacheReadAudio,
    WebSearches,
    RerankSearches,
    Ignored,
}

impl Slot {
    const ALL: [Slot; 16] = [
        Slot::Input,
        Slot::Output,
        Slot::Total,
        Slot::CacheRead,
        Slot::CacheWrite,
        Slot::CacheWrite5m,
        Slot::CacheWrite1h,
        Slot::Reasoning,
        Slot::ToolPrompt,
        Slot::InputAudio,
        Slot::OutputAudio,
        Slot::InputImage,
        Slot::OutputImage,
        Slot::CacheReadAudio,
        Slot::WebSearches,
        Slot::RerankSearches,
    ];

    fn name(self) -> &'static str {
        match self {
            Slot::Input => "input",
            Slot::Output => "output",
            Slot::Total => "total",
            Slot::CacheRead => "cache_read",
            Slot::CacheWrite => "cache_write",
            Slot::CacheWrite5m => "cache_write_5m",
            Slot::CacheWrite1h => "cache_write_1h",
            Slot::Reasoning => "reasoning",
            Slot::ToolPrompt => "tool_prompt",
            Slot::InputAudio => "input_audio",
            Slot::OutputAudio => "output_audio",
            Slot::InputImage => "input_image",
            Slot::OutputImage => "output_image",
            Slot::CacheReadAudio => "cache_read_audio",
            Slot::WebSearches => "web_searches",
            Slot::RerankSearches => "rerank_searches",
            Slot::Ignored => "",
        }
    }

    fn of(self, counts: &mut RawCounts) -> Option<&mut Option<i64>> {
        Some(match self {
            Slot::Input => &mut counts.input,
            Slot::Output => &mut counts.output,
            Slot::Total => &mut counts.total,
            Slot::CacheRead => &mut counts.cache_read,
            Slot::CacheWrite => &mut counts.cache_write,
            Slot::CacheWrite5m => &mut counts.cache_write_5m,
            Slot::CacheWrite1h => &mut counts.cache_write_1h,
            Slot::Reasoning => &mut counts.reasoning,
            Slot::ToolPrompt => &mut counts.tool_prompt,
            Slot::InputAudio => &mut counts.input_audio,
            Slot::OutputAudio => &mut counts.output_audio,
            Slot::InputImage => &mut counts.input_image,
            Slot::OutputImage => &mut counts.output_image,
            Slot::CacheReadAudio => &mut counts.cache_read_audio,
            Slot::WebSearches => &mut counts.web_searches,
            Slot::RerankSearches => &mut counts.rerank_searches,
            Slot::Ignored => return None,
        })
    }

    fn get(self, counts: &RawCounts) -> Option<i64> {
        let mut copy = *counts;
        self.of(&mut copy).and_then(|slot| *slot)
    }

    fn put(self, counts: &mut RawCounts, value: Option<i64>) {
        if let Some(slot) = self.of(counts) {
            *slot = value;
        }
    }

    /// The first spelling of a count wins: objects repeat them (`cache_write_tokens`, `cache_creation_tokens`).
    fn set(self, counts: &mut RawCounts, value: i64) {
        if let Some(slot) = self.of(counts) {
            slot.get_or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::scan;
    use super::*;

    fn read(text: &str, origin: Origin) -> RawCounts {
        let mut counts = RawCounts::default();
        scan(text, |path, scalar| counts.take(path, scalar, origin)).expect("the text is well formed");
        counts
    }

    #[test]
    fn each_shape_is_told_by_its_keys() {
        for (text, shape, expected) in [
            (
                r#"{"prompt_tokens":2006,"completion_tokens":300,"prompt_tokens_details":{"cached_tokens":1920}}"#,
                Shape::OpenAi,
                [Some(2006), Some(300), Some(1920), None],
            ),
            (
                r#"{"input_tokens":9,"output_tokens":4,"cache_read_input_tokens":20,"cache_creation_input_tokens":3}"#,
                Shape::Anthropic,
                [Some(9), Some(4), Some(20), Some(3)],
            ),
            (
                r#"{"inputTokens":9,"outputTokens":4,"cacheReadInputTokens":20,"cacheWriteInputTokens":3}"#,
                Shape::Anthropic,
                [Some(9), Some(4), Some(20), Some(3)],
            ),
            (
                r#"{"promptTokenCount":9,"candidatesTokenCount":4,"cachedContentTokenCount":5,"thoughtsTokenCount":2}"#,
                Shape::Gemini,
                [Some(9), Some(4), Some(5), None],
            ),
            (
                r#"{"input":86,"input_cached_tokens":1920,"output":300}"#,
                Shape::Disjoint,
                [Some(86), Some(300), Some(1920), None],
            ),
            (
                "{'cache_read': 2000, 'cache_creation': 300}",
                Shape::Unstated,
                [None, None, Some(2000), Some(300)],
            ),
        ] {
            let counts = read(text, Origin::Provider);
            assert_eq!(counts.shape, shape, "{text}");
            assert_eq!(
                [counts.input, counts.output, counts.cache_read, counts.cache_write],
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn an_emitters_own_object_does_not_claim_the_providers_meaning() {
        let text = r#"{"input_tokens":2500,"output_tokens":150,"cache_read_input_tokens":2000}"#;
        assert_eq!(read(text, Origin::Emitter).shape, Shape::Unstated);
    }

    #[test]
    fn counts_of_a_service_tier_are_the_same_counts() {
        let langchain = r#"{"input_tokens":9000,"output_tokens":500,"input_token_details":{"flex_cache_read":6000,"flex":3000},
            "output_token_details":{"flex_reasoning":120,"flex":380}}"#;
        let counts = read(langchain, Origin::Emitter);
        assert_eq!(
            (counts.input, counts.cache_read, counts.reasoning),
            (Some(9000), Some(6000), Some(120))
        );
        assert_eq!((counts.shape, counts.service_tier), (Shape::OpenAi, Some("flex")));
        // Langfuse takes flex off the input, and leaves priority in it.
        for (tier, input, output) in [("flex", 0, 0), ("priority", 9000, 500)] {
            let langfuse = format!(
                r#"{{"input":{input},"output":{output},"total":9500,"input_{tier}_cache_read":6000,"input_{tier}":3000,
                "output_{tier}_reasoning":120,"output_{tier}":380}}"#
            );
            let counts = read(&langfuse, Origin::Provider);
            assert_eq!((counts.input, counts.cache_read), (Some(3000), Some(6000)), "{tier}");
            assert_eq!((counts.output, counts.reasoning), (Some(380), Some(120)), "{tier}");
            assert_eq!((counts.shape, counts.service_tier), (Shape::Disjoint, Some(tier)), "{tier}");
        }
    }

    #[test]
    fn geminis_python_names_are_its_shape_too() {
        let text = r#"{"cached_content_token_count":3161,"candidates_token_count":273,"prompt_token_count":8501,
            "prompt_tokens_details":[{"modality":"TEXT","token_count":8501}],"thoughts_token_count":62,"total_token_count":8836}"#;
        let counts = read(text, Origin::Provider);
        assert_eq!(counts.shape, Shape::Gemini);
        assert_eq!(
            (counts.input, counts.cache_read, counts.reasoning),
            (Some(8501), Some(3161), Some(62))
        );
    }

    #[test]
    fn billed_units_of_cohere_are_the_counts() {
        let text = r#"{"billed_units":{"input_tokens":1104,"output_tokens":301},"tokens":{"input_tokens":1197}}"#;
        let counts = read(text, Origin::Provider);
        assert_eq!((counts.input, counts.output), (Some(1104), Some(301)));
    }

    #[test]
    fn modalities_of_gemini_are_read() {
        let text = r#"{"promptTokenCount":10,"promptTokensDetails":[{"modality":"TEXT","tokenCount":4},{"modality":"AUDIO","tokenCount":6}]}"#;
        assert_eq!(read(text, Origin::Provider).input_audio, Some(6));
    }
}
