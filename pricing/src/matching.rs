//! Which model of the catalogue a name means.
//!
//! In order: the user's deployments; the exact name; the provider's patterns in file order; the same at its
//! fallback providers; then the same again for other spellings of the name (resource paths, one provider prefix,
//! compact dates, `@` dates). Never a guess by substring, size or likeness: what is not found is unpriced, and
//! the nearest known names are only a hint for people.

use std::borrow::Cow;

use crate::catalogue::{Catalogue, ModelIndex};
use crate::instant::is_valid_date;
use crate::provider::ProviderIndex;

/// What a name resolved to. Small, so that the cache can hand out copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    Found { model: ModelIndex, spelling: Spelling },
    Missing,
}

/// How the name had to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spelling(u8);

impl Spelling {
    const DEPLOYMENT: Self = Self(1);
    const PATH: Self = Self(2);
    const PREFIX: Self = Self(4);
    const COMPACT_DATE: Self = Self(8);
    const AT_DATE: Self = Self(16);
    const REGION: Self = Self(32);
    const VENDOR: Self = Self(64);

    fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// What was assumed, in words.
    pub(crate) fn describe(self) -> impl Iterator<Item = &'static str> {
        [
            (Self::DEPLOYMENT, "the deployment stands for this model by configuration"),
            (Self::PATH, "the resource path before the model name was set aside"),
            (Self::PREFIX, "the provider prefix of the model name was set aside"),
            (Self::COMPACT_DATE, "the compact date in the model name was read with hyphens"),
            (Self::AT_DATE, "the version after @ was read as a date suffix"),
            (Self::REGION, "the region in the model name was set aside"),
            (
                Self::VENDOR,
                "the vendor that Bedrock puts before the model name was supplied",
            ),
        ]
        .into_iter()
        .filter(move |(flag, _)| self.has(*flag))
        .map(|(_, text)| text)
    }
}

/// Whose models Bedrock serves.
const BEDROCK_VENDORS: &[&str] = &[
    "amazon",
    "anthropic",
    "meta",
    "mistral",
    "cohere",
    "ai21",
    "openai",
    "deepseek",
    "qwen",
    "google",
    "nvidia",
    "moonshotai",
    "minimax",
    "zai",
    "writer",
];

impl Catalogue {
    /// The model that `name` means in calls of `provider`, remembered.
    pub(crate) fn find_model(&self, provider: ProviderIndex, name: &str) -> Match {
        let lookup = &self.provider(provider).lookup;
        // Keys are folded, so a name that is one of them means what its folded form means.
        if lookup.deployments.is_empty()
            && let Some(&model) = lookup.exact.get(name)
        {
            return Match::Found {
                model,
                spelling: Spelling::default(),
            };
        }
        self.cache
            .get_or_insert(provider, name, || self.resolve_model(provider, name))
    }

    /// The same without the cache.
    fn resolve_model(&self, provider: ProviderIndex, name: &str) -> Match {
        let folded = name.trim().to_lowercase();
        if folded.is_empty() {
            return Match::Missing;
        }
        if let Some((provider, model)) = self.provider(provider).lookup.deployments.get(&*folded) {
            return match self.find_spelling(*provider, model) {
                Match::Found { model, spelling } => Match::Found {
                    model,
                    spelling: spelling.with(Spelling::DEPLOYMENT),
                },
                Match::Missing => Match::Missing,
            };
        }
        self.find_spelling(provider, &folded)
    }

    fn find_spelling(&self, provider: ProviderIndex, name: &str) -> Match {
        let found = |name: &str, spelling: Spelling| self.find_name(provider, name).map(|model| Match::Found { model, spelling });
        let with_dates = |name: &str, spelling: Spelling| {
            found(name, spelling)
                .or_else(|| found(&dashed_dates(name)?, spelling.with(Spelling::COMPACT_DATE)))
                .or_else(|| found(&at_version_as_suffix(name)?, spelling.with(Spelling::AT_DATE)))
        };
        if let Some(found) = with_dates(name, Spelling::default()) {
            return found;
        }
        let mut spelling = Spelling::default();
        let mut rest = name;
        // Each step shortens the name, so this ends; a name is a few segments long.
        while let Some((shorter, step)) = self.without_head(provider, rest, spelling) {
            (rest, spelling) = (shorter, spelling.with(step));
            if let Some(found) = with_dates(rest, spelling) {
                return found;
            }
        }
        if self.names.by_exact_name("aws") == Some(provider)
            && let Some(model) = self.of_one_vendor(provider, rest)
        {
            let spelling = spelling.with(Spelling::VENDOR);
            return Match::Found { model, spelling };
        }
        Match::Missing
    }

    /// Some instrumentations cut a Bedrock model at its first point: `nova-pro-v1:0`. The model, if exactly one vendor has it.
    fn of_one_vendor(&self, provider: ProviderIndex, name: &str) -> Option<ModelIndex> {
        let mut found = BEDROCK_VENDORS
            .iter()
            .filter_map(|vendor| self.find_name(provider, &format!("{vendor}.{name}")));
        let model = found.next()?;
        found.all(|other| other == model).then_some(model)
    }

    /// The name without the first thing that is not part of it, and what that was.
    fn without_head<'n>(&self, provider: ProviderIndex, name: &'n str, so_far: Spelling) -> Option<(&'n str, Spelling)> {
        for marker in ["/models/", "foundation-model/", "inference-profile/"] {
            if let Some(at) = name.find(marker) {
                return Some((&name[at + marker.len()..], Spelling::PATH));
            }
        }
        for head in [
            "models/",
            "bedrock/",
            "converse/",
            "converse_like/",
            "invoke/",
            "deployments/",
        ] {
            if let Some(rest) = name.strip_prefix(head) {
                return Some((rest, Spelling::PATH));
            }
        }
        if so_far.has(Spelling::PREFIX) {
            return None;
        }
        let at = name.find(['/', ':'])?;
        let (prefix, rest) = (&name[..at], &name[at + 1..]);
        if rest.is_empty() {
            return None;
        }
        if self.is_prefix_of(provider, prefix) {
            return Some((rest, Spelling::PREFIX));
        }
        // LiteLLM writes the region between provider and model: bedrock/us-east-1/anthropic.claude-v2.
        (so_far.has(Spelling::PATH) && is_cloud_region(prefix)).then_some((rest, Spelling::REGION))
    }

    /// Whether a prefix names the provider itself or one whose rates it falls back to.
    fn is_prefix_of(&self, provider: ProviderIndex, prefix: &str) -> bool {
        self.names
            .by_exact_name(prefix)
            .is_some_and(|named| named == provider || self.provider(provider).fallback.contains(&named))
    }

    /// The model of exactly this spelling at the provider, or at its fallback providers.
    fn find_name(&self, provider: ProviderIndex, name: &str) -> Option<ModelIndex> {
        let at_provider = |provider: ProviderIndex| self.provider(provider).lookup.find(name);
        at_provider(provider).or_else(|| self.provider(provider).fallback.iter().copied().find_map(at_provider))
    }

    /// Up to three known names of the provider that begin most like this one. For people only.
    pub(crate) fn nearest_names(&self, provider: ProviderIndex, name: &str) -> Vec<&str> {
        let name = name.trim().to_lowercase();
        let common = |id: &str| {
            id.bytes()
                .zip(name.bytes())
                .take_while(|(a, b)| a.to_ascii_lowercase() == *b)
                .count()
        };
        let models = self.models.iter().filter(|model| model.provider == provider);
        let mut ranked: Vec<(usize, &str)> = models
            .map(|model| (common(&model.id), model.id.as_str()))
            .filter(|(common, _)| *common >= 4)
            .collect();
        ranked.sort_by_key(|(common, id)| (usize::MAX - common, id.len(), *id));
        ranked.into_iter().take(3).map(|(_, id)| id).collect()
    }
}

impl crate::catalogue::ModelLookup {
    fn find(&self, name: &str) -> Option<ModelIndex> {
        if let Some(&model) = self.exact.get(name) {
            return Some(model);
        }
        self.patterns
            .iter()
            .find(|(_, pattern)| pattern.matches(name))
            .map(|(model, _)| *model)
    }
}

/// `gpt-5.2-20251211` as `gpt-5.2-2025-12-11`; only real dates of this century, between hyphens or at the end.
fn dashed_dates(name: &str) -> Option<Cow<'_, str>> {
    let bytes = name.as_bytes();
    let mut result = String::new();
    let mut copied = 0;
    let mut index = 0;
    while index + 9 <= bytes.len() {
        let ends = matches!(bytes.get(index + 9), None | Some(b'-' | b':'));
        let digits = &bytes[index + 1..index + 9];
        if bytes[index] != b'-' || !ends || !digits.iter().all(u8::is_ascii_digit) || !digits.starts_with(b"20") {
            index += 1;
            continue;
        }
        let number = |range: std::ops::Range<usize>| {
            digits[range]
                .iter()
                .fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'))
        };
        if is_valid_date(number(0..4), number(4..6), number(6..8)) {
            let date = &name[index + 1..index + 9];
            result.push_str(&name[copied..=index]);
            result.push_str(&format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]));
            copied = index + 9;
        }
        index += 9;
    }
    (copied > 0).then(|| Cow::Owned(result + &name[copied..]))
}

/// `claude-sonnet-4-5@20250929` as `claude-sonnet-4-5-20250929`, `claude-opus-5@default` as `claude-opus-5`.
fn at_version_as_suffix(name: &str) -> Option<Cow<'_, str>> {
    let (model, version) = name.split_once('@')?;
    if model.is_empty() || version.is_empty() {
        return None;
    }
    Some(match version {
        "default" | "latest" => Cow::Borrowed(model),
        version => Cow::Owned(format!("{model}-{version}")),
    })
}

/// `us-east-1`, `us-gov-west-1`, `ap-northeast-2`.
fn is_cloud_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() >= 3
        && parts
            .last()
            .is_some_and(|last| last.len() == 1 && last.bytes().all(|byte| byte.is_ascii_digit()))
        && parts[0].len() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model_of(provider: &str, name: &str) -> Option<String> {
        let catalogue = Catalogue::embedded();
        let provider = catalogue.names.by_name(provider).expect("a provider");
        match catalogue.find_model(provider, name) {
            Match::Found { model, .. } => Some(catalogue.model(model).id.clone()),
            Match::Missing => None,
        }
    }

    #[test]
    fn every_spelling_finds_its_model() {
        for (provider, name, id) in [
            ("openai", " GPT-4.1-mini ", "gpt-4.1-mini"),
            ("openai", "openai/gpt-4.1-mini", "gpt-4.1-mini"),
            ("openai", "openai:gpt-5.4", "gpt-5.4"),
            ("openai", "gpt-5.2-20251211", "gpt-5.2"),
            ("azure", "azure/gpt-4o", "gpt-4o"),
            ("azure", "openai/gpt-4o", "gpt-4o"),
            ("anthropic", "anthropic/claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
            ("google", "models/gemini-2.5-pro", "gemini-2.5-pro"),
            (
                "google",
                "projects/p/locations/us-central1/publishers/google/models/gemini-2.5-pro",
                "gemini-2.5-pro",
            ),
            (
                "google",
                "publishers/anthropic/models/claude-opus-4-5@20251101",
                "claude-opus-4-5",
            ),
            ("aws", "nova-pro-v1:0", "amazon.nova-pro-v1:0"),
            ("aws", "llama3-1-70b-instruct-v1:0", "meta.llama3-1-70b-instruct-v1:0"),
            (
                "aws",
                "bedrock/us.anthropic.claude-sonnet-4-20250514-v1:0",
                "regional.anthropic.claude-sonnet-4-20250514-v1:0",
            ),
            (
                "aws",
                "bedrock/converse/us.anthropic.claude-sonnet-4-20250514-v1:0",
                "regional.anthropic.claude-sonnet-4-20250514-v1:0",
            ),
            (
                "aws",
                "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0",
                "regional.anthropic.claude-haiku-4-5-20251001-v1:0",
            ),
            (
                "aws",
                "arn:aws:bedrock:us-east-1:1:inference-profile/global.anthropic.claude-haiku-4-5-20251001-v1:0",
                "global.anthropic.claude-haiku-4-5-20251001-v1:0",
            ),
        ] {
            assert_eq!(model_of(provider, name).as_deref(), Some(id), "{provider} {name}");
        }
    }

    #[test]
    fn nothing_is_guessed() {
        for (provider, name) in [
            ("openai", "gpt-4o-miniature"),
            ("openai", "gpt-5-foo"),
            ("openai", "anthropic/claude-sonnet-4-5"),
            ("openai", ""),
            ("openai", "/"),
            ("anthropic", "claude-opus-4-10"),
            ("azure", "prod-chat"),
            ("perplexity", "sonar-ultra"),
            (
                "aws",
                "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123",
            ),
        ] {
            assert_eq!(model_of(provider, name), None, "{provider} {name}");
        }
    }

    #[test]
    fn only_real_dates_are_dashed() {
        for (name, expected) in [
            ("a-20251211-20240229", Some("a-2025-12-11-2024-02-29")),
            ("model-20251211:free", Some("model-2025-12-11:free")),
            ("model-20250230", None),
            ("model-202512110", None),
            ("m\u{e9}-20251211", Some("m\u{e9}-2025-12-11")),
        ] {
            assert_eq!(dashed_dates(name).as_deref(), expected, "{name}");
        }
    }
}
