//! A provider's response as an emitter recorded it: response id, model, service tier and usage, nothing else.

use std::borrow::Cow;

use super::scan::{Place, Scalar, ScanError, scan_places};
use super::usage::{Origin, RawCounts};

/// What is taken from a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) model: Option<&'a str>,
    pub(crate) service_tier: Option<&'a str>,
    /// The usage; the sum, where the text holds several responses and does not tell it itself.
    pub(crate) usage: RawCounts,
    /// The first usage object: of a single call the others are repetitions.
    pub(crate) first: RawCounts,
    /// How many usage objects were read.
    pub(crate) usages: u32,
    /// The usage stands at the top of the text: it is the whole result's, not a message's.
    pub(crate) at_top: bool,
    /// The model of a result's messages, where all of them name the same.
    pub(crate) messages_model: Option<&'a str>,
    several_models: bool,
}

/// How many objects inside an object, written as text, are read.
const MOST_INNER: usize = 256;

/// Reads a response, or an agent's result that holds the usage of its calls.
pub(crate) fn read(text: &str) -> Result<Response<'_>, ScanError> {
    let mut response = Response::default();
    let mut usages = Usages::default();
    let mut inner: Vec<(&str, bool)> = Vec::new();
    scan_places(text, |place, scalar| {
        if let Scalar::Text(word) = scalar {
            response.word(place.path, word);
            if inner.len() < MOST_INNER && is_object_as_text(place.path, word) {
                inner.push((word, is_last_message(place.path)));
            }
        }
        usages.take(place, scalar);
    })?;
    for (text, last_message) in inner {
        // What a model wrote may look like anything: a part that cannot be read says nothing.
        usages.next_text(last_message);
        let _ = scan_places(&unescaped(text), |place, scalar| {
            if let (["meta" | "_meta", "model"], Scalar::Text(word)) = (place.path, scalar)
                && let Some(at) = text.find(word)
            {
                response.message_model(&text[at..at + word.len()]);
            }
            usages.take(place, scalar);
        });
    }
    usages.finish(&mut response);
    response.messages_model = response.messages_model.filter(|_| !response.several_models);
    Ok(response)
}

/// Whose usage an object tells.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    /// Stands among the messages as well.
    LastMessage,
    #[default]
    Other,
}

/// Collects the usage objects of a text.
#[derive(Default)]
struct Usages {
    first: Option<RawCounts>,
    /// Of the parts of a result.
    sum: RawCounts,
    /// What the result tells of itself as a whole, in the form of its parts or in another.
    whole: [RawCounts; 2],
    count: u32,
    at_top: bool,
    current: RawCounts,
    current_is: Part,
    /// Which object `current` is: the text, and the container in it.
    object: (u32, u32),
    text: u32,
    text_is_last_message: bool,
    has_messages: bool,
    /// Objects that repeat one usage in two forms (`usage`, `usage_metadata`) must not be added.
    form: Option<&'static str>,
    repetition: RawCounts,
}

impl Usages {
    fn take(&mut self, place: Place<'_, '_>, scalar: Scalar<'_>) {
        let Some((name, at)) = usage_inside(place.path) else { return };
        let inner = &place.path[at + 1..];
        let is_whole = at == 0 && self.text == 0;
        self.at_top |= is_whole;
        if *self.form.get_or_insert(name) != name {
            self.repetition.take(inner, scalar, Origin::Provider);
            if is_whole {
                self.whole[1].take(inner, scalar, Origin::Provider);
            }
            return;
        }
        let object = (self.text, place.containers.get(at + 1).copied().unwrap_or(0));
        if object != self.object {
            self.close();
            self.object = object;
            self.current_is = match (is_whole, self.text_is_last_message || is_last_message(place.path)) {
                (true, _) => Part::Whole,
                (false, true) => Part::LastMessage,
                (false, false) => Part::Other,
            };
            self.has_messages |= self.current_is == Part::Other;
        }
        self.current.take(inner, scalar, Origin::Provider);
    }

    fn next_text(&mut self, is_last_message: bool) {
        self.text += 1;
        self.text_is_last_message = is_last_message;
    }

    fn close(&mut self) {
        let counts = std::mem::take(&mut self.current);
        if counts.is_empty() {
            return;
        }
        match self.current_is {
            Part::Whole => self.whole[0].add(&counts),
            Part::LastMessage if self.has_messages => {}
            _ => self.sum.add(&counts),
        }
        match &mut self.first {
            // The provider's own object beside a library's summary of it (Genkit): the same call, told in full.
            Some(first) if first.input.is_some() && (first.input, first.output) == (counts.input, counts.output) => {
                first.complete(&counts);
            }
            Some(_) => {}
            first => *first = Some(counts),
        }
        self.count += 1;
    }

    fn finish(mut self, response: &mut Response<'_>) {
        self.close();
        let mut first = self.first.unwrap_or_default();
        if self.repetition.input == first.input && self.repetition.output == first.output {
            first.complete(&self.repetition);
        } else if self.repetition.is_the_rest_of(&first) {
            first.take_lifetimes(&self.repetition);
        }
        let parts = self.sum;
        let [same_form, other_form] = self.whole;
        response.usage = match (same_form.is_empty(), other_form.is_empty()) {
            (true, true) => parts,
            (told_in_other_form, _) => {
                let mut whole = if told_in_other_form { other_form } else { same_form };
                if (whole.input, whole.output) == (parts.input, parts.output) {
                    whole.complete(&parts);
                }
                whole
            }
        };
        (response.first, response.usages, response.at_top) = (first, self.count, self.at_top);
    }
}

impl<'a> Response<'a> {
    fn word(&mut self, path: &[&'a str], word: &'a str) {
        match path {
            ["id" | "responseId"] | ["raw", "id"] | [.., "response_metadata", "id"] if is_response_id(word) => {
                self.id.get_or_insert(word);
            }
            ["model" | "modelVersion"]
            | ["raw", "model"]
            | ["meta", "model"]
            | ["replies", "[]", "meta", "model"]
            | [.., "response_metadata", "model_name" | "model"] => {
                self.model.get_or_insert(word);
            }
            ["messages", "[]", "meta" | "_meta", "model"] => self.message_model(word),
            ["service_tier"] | ["usage", "service_tier"] | [.., "response_metadata", "service_tier"] => {
                self.service_tier.get_or_insert(word);
            }
            _ => {}
        }
    }

    fn message_model(&mut self, word: &'a str) {
        let model = *self.messages_model.get_or_insert(word);
        self.several_models |= model != word;
    }
}

fn is_last_message(path: &[&str]) -> bool {
    path.first() == Some(&"last_message")
}

/// Ids that providers make; others (`run--…`, `emb-1`) do not name one response.
fn is_response_id(id: &str) -> bool {
    const PREFIXES: &[&str] = &["chatcmpl-", "msg_", "resp_", "cmpl-", "gen-", "chatcmpl_"];
    id.len() >= 12 && id.len() <= 256 && !id.contains('\\') && PREFIXES.iter().any(|prefix| id.starts_with(prefix))
}

/// Places where frameworks put a response or a message; never below content.
const PLACES: &[&str] = &[
    "[]",
    "generations",
    "message",
    "kwargs",
    "response_metadata",
    "llm_output",
    "custom",
    "response",
    "meta",
    "_meta",
    "replies",
    "messages",
    "last_message",
    "data",
    "llm",
    "generator",
    "output",
    "raw",
];

/// The name of the usage object that a path lies in, and where it stands in the path.
fn usage_inside(path: &[&str]) -> Option<(&'static str, usize)> {
    const NAMES: &[&str] = &["usage", "usageMetadata", "usage_metadata", "token_usage"];
    let (at, name) = path
        .iter()
        .enumerate()
        .find_map(|(at, key)| Some((at, *NAMES.iter().find(|name| *name == key)?)))?;
    path[..at].iter().all(|key| PLACES.contains(key)).then_some((name, at))
}

/// `ChatMessage(…)`: a message or response that an emitter could only write as its `repr`.
fn is_object_as_text(path: &[&str], text: &str) -> bool {
    let holds = path
        .iter()
        .rev()
        .find(|key| **key != "[]")
        .is_some_and(|key| matches!(*key, "raw" | "replies" | "messages" | "last_message"));
    let name = text
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        .count();
    holds
        && path.iter().all(|key| PLACES.contains(key))
        && name > 0
        && text.as_bytes().get(name) == Some(&b'(')
        && text.contains("usage")
}

/// A JSON string's escapes undone; what is no escape stands.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        match (next, next == '\\') {
            (_, false) => plain.push(next),
            (_, true) => match rest.next() {
                Some('n' | 'r' | 't') => plain.push(' '),
                // No count is written in such an escape, and no quote that ends a string.
                Some('u') => plain.push('?'),
                Some(escaped) => plain.push(escaped),
                None => {}
            },
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_takes_the_lifetimes_of_the_object_that_it_sums() {
        let langchain = |read: i64| {
            format!(
                r#"{{"generations":[[{{"message":{{"kwargs":{{"usage_metadata":{{"input_tokens":1090,"output_tokens":7,
                "input_token_details":{{"cache_creation":50,"cache_read":1000}}}},"response_metadata":{{"usage":{{
                "input_tokens":40,"cache_read_input_tokens":{read},"cache_creation_input_tokens":50,"output_tokens":7,
                "cache_creation":{{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":30}}}}}}}}}}}}]]}}"#
            )
        };
        let text = langchain(1000);
        let usage = read(&text).expect("well formed").first;
        assert_eq!((usage.input, usage.cache_write), (Some(1090), Some(50)));
        assert_eq!((usage.cache_write_5m, usage.cache_write_1h), (Some(20), Some(30)));
        let text = langchain(999);
        let usage = read(&text).expect("well formed").first;
        assert_eq!((usage.cache_write_5m, usage.cache_write_1h), (None, None), "another call's");
    }

    #[test]
    fn ids_and_usage_are_read_and_content_is_not() {
        let text = r#"{"id":"msg_145e29eb94b2361ab70806f5","content":[{"id":"toolu_1","text":"{\"id\":\"chatcmpl-9999999999\"}",
            "usage":{"input_tokens":99999}}],"model":"claude","usage":{"input_tokens":481,"output_tokens":658,
            "cache_creation":{"ephemeral_1h_input_tokens":6846,"ephemeral_5m_input_tokens":1557}}}"#;
        let response = read(text).expect("well formed");
        assert_eq!(response.id, Some("msg_145e29eb94b2361ab70806f5"));
        assert_eq!(response.model, Some("claude"));
        assert_eq!((response.usage.input, response.usages), (Some(481), 1));
        assert_eq!(response.usage.cache_write_1h, Some(6846));
    }

    #[test]
    fn langchains_generations_are_read_once() {
        let text = r#"{"generations":[[{"message":{"id":["langchain"],"kwargs":{"response_metadata":{"token_usage":{"prompt_tokens":7},
            "id":"chatcmpl-7280ba5e1097"},"id":"run--1","usage_metadata":{"input_tokens":7}}}}]],
            "llm_output":{"token_usage":{"prompt_tokens":7},"id":"chatcmpl-7280ba5e1097"}}"#;
        let response = read(text).expect("well formed");
        assert_eq!(response.id, Some("chatcmpl-7280ba5e1097"));
        assert_eq!(response.usage.input, Some(14));
        assert_eq!(response.usages, 2);
    }

    #[test]
    fn an_agents_result_adds_up_the_usage_of_its_messages() {
        let text = r#"{"messages":[{"role":"user"},{"_meta":{"usage":{"prompt_tokens":5,"completion_tokens":1}}},
            {"_meta":{"usage":{"prompt_tokens":6,"completion_tokens":2}}}]}"#;
        let response = read(text).expect("well formed");
        assert_eq!(
            (response.usage.input, response.usage.output, response.usages),
            (Some(11), Some(3), 2)
        );
    }

    #[test]
    fn a_results_last_message_and_its_own_total_repeat_its_messages() {
        let messages = r#""messages":[{"meta":{"model":"m","usage":{"prompt_tokens":5,"completion_tokens":1}}},
            {"meta":{"model":"m","usage":{"prompt_tokens":6,"completion_tokens":2}}}]"#;
        let last = r#""last_message":{"meta":{"model":"m","usage":{"prompt_tokens":6,"completion_tokens":2}}}"#;
        let total = r#""token_usage":{"prompt_tokens":11,"completion_tokens":3}"#;
        for text in [
            format!("{{{messages},{last}}}"),
            format!("{{{messages},{total},{last}}}"),
            format!("{{{total},{messages},{last}}}"),
        ] {
            let response = read(&text).expect("well formed");
            assert_eq!((response.usage.input, response.usage.output), (Some(11), Some(3)), "{text}");
            assert_eq!(response.messages_model, Some("m"));
        }
        let text = format!("{{{last}}}");
        let alone = read(&text).expect("well formed");
        assert_eq!((alone.usage.input, alone.messages_model), (Some(6), None));
        let mixed = r#"{"messages":[{"meta":{"model":"m"}},{"meta":{"model":"n"}}]}"#;
        assert_eq!(read(mixed).expect("well formed").messages_model, None);
    }

    #[test]
    fn messages_that_were_written_as_text_name_their_model() {
        let text = r#"{"messages": ["ChatMessage(_content=[TextContent(text='a')], _meta={})", "ChatMessage(_content=[TextContent(text='say \"model\"')], _meta={'model': 'gpt-4.1', 'usage': {'prompt_tokens': 9}})"], "token_usage": {"prompt_tokens": 9}}"#;
        let response = read(text).expect("well formed");
        assert_eq!((response.messages_model, response.usage.input), (Some("gpt-4.1"), Some(9)));
    }

    #[test]
    fn usage_is_told_apart_by_object_whatever_the_order_of_its_keys() {
        let text = r#"{"messages":[{"meta":{"usage":{"completion_tokens":1,"prompt_tokens":5}}},
            {"meta":{"usage":{"cache_read_input_tokens":3,"completion_tokens":2,"prompt_tokens":6}}}]}"#;
        let response = read(text).expect("well formed");
        assert_eq!((response.usage.input, response.usage.output), (Some(11), Some(3)));
        assert_eq!(response.first.cache_read, None);
    }

    #[test]
    fn objects_that_were_written_as_text_are_read() {
        let haystack = r#"{"replies": ["ChatMessage(_role=<ChatRole.ASSISTANT: 'assistant'>, _content=[TextContent(text='say \"usage\": it\\'s (fine')], _name=None, _meta={'model': 'gpt-4.1', 'usage': {'completion_tokens': 594, 'prompt_tokens': 13919, 'prompt_tokens_details': {'cached_tokens': 6547, 'text_tokens': None}}})"]}"#;
        let smolagents = r#"{"role": "assistant", "raw": "ChatCompletion(id='chatcmpl-1', choices=[Choice(index=0)], usage=CompletionUsage(completion_tokens=473, prompt_tokens=15788, prompt_tokens_details=PromptTokensDetails(audio_tokens=0, cached_tokens=8943)))"}"#;
        for (text, expected) in [
            (haystack, (Some(13919), Some(594), Some(6547))),
            (smolagents, (Some(15788), Some(473), Some(8943))),
        ] {
            let counts = read(text).expect("well formed").first;
            assert_eq!((counts.input, counts.output, counts.cache_read), expected, "{text}");
        }
        let spoken = r#"{"replies": [{"content": "ChatMessage(_meta={'usage': {'prompt_tokens': 9}})"}]}"#;
        assert_eq!(read(spoken).expect("well formed").usages, 0, "content is not read");
    }
}
