//! LiteLLM's `model_prices_and_context_window.json` (MIT outside `enterprise/`) as a second layer.
//!
//! Prices there are per token, as JSON numbers; their digits are read as text. Service tiers and batch are
//! suffixes of field names (`_priority`, `_flex`, `_batches`), long-context tiers are `_above_272k_tokens`.
//! Regional Azure and Bedrock entries are left out: their names are LiteLLM's own and appear in no call.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::gap::{self, Candidate};
use super::{Import, ImportError, number_text, per_units};
use crate::amount::Amount;
use crate::document::{PriceEntry, SourceEntry, TierEntry};

const SOURCE: &str = "litellm";

/// LiteLLM's provider, ours, and the prefixes its keys carry.
const PROVIDERS: [(&str, &str, &[&str]); 34] = [
    ("anthropic", "anthropic", &["anthropic/"]),
    ("azure", "azure", &["azure/"]),
    ("azure_ai", "azure", &["azure_ai/"]),
    ("baseten", "baseten", &["baseten/"]),
    ("bedrock", "aws", &["bedrock/"]),
    ("bedrock_converse", "aws", &["bedrock/"]),
    ("cerebras", "cerebras", &["cerebras/"]),
    ("cloudflare", "cloudflare", &["cloudflare/"]),
    ("cohere", "cohere", &["cohere/"]),
    ("cohere_chat", "cohere", &["cohere/"]),
    ("databricks", "databricks", &["databricks/"]),
    ("deepseek", "deepseek", &["deepseek/"]),
    ("elevenlabs", "elevenlabs", &["elevenlabs/"]),
    ("fireworks_ai", "fireworks", &["fireworks_ai/"]),
    ("fireworks_ai-embedding-models", "fireworks", &["fireworks_ai/"]),
    ("gemini", "google", &["gemini/"]),
    ("github_copilot", "github-copilot", &["github_copilot/"]),
    ("groq", "groq", &["groq/"]),
    ("minimax", "minimax", &["minimax/"]),
    ("mistral", "mistral", &["mistral/"]),
    ("moonshot", "moonshotai", &["moonshot/"]),
    ("novita", "novita", &["novita/"]),
    ("openai", "openai", &["openai/"]),
    ("ovhcloud", "ovhcloud", &["ovhcloud/"]),
    ("perplexity", "perplexity", &["perplexity/"]),
    ("together_ai", "together", &["together_ai/"]),
    ("vertex_ai", "google", &["vertex_ai/"]),
    ("vertex_ai-anthropic_models", "google", &["vertex_ai/"]),
    ("vertex_ai-embedding-models", "google", &["vertex_ai/"]),
    ("vertex_ai-language-models", "google", &["vertex_ai/", "gemini/"]),
    ("vertex_ai-mistral_models", "google", &["vertex_ai/"]),
    ("voyage", "voyageai", &["voyage/"]),
    ("xai", "x-ai", &["xai/"]),
    ("zai", "zai", &["zai/"]),
];

/// LiteLLM's field, our price key, and for how many units our rate is.
const FIELDS: [(&str, &str, i64); 16] = [
    ("input_cost_per_token", "input_mtok", 1_000_000),
    ("output_cost_per_token", "output_mtok", 1_000_000),
    ("cache_read_input_token_cost", "cache_read_mtok", 1_000_000),
    ("cache_creation_input_token_cost", "cache_write_mtok", 1_000_000),
    ("cache_creation_input_token_cost_above_1hr", "cache_write_1h_mtok", 1_000_000),
    (
        "cache_creation_input_token_cost_above_12hr",
        "cache_write_12h_mtok",
        1_000_000,
    ),
    ("input_cost_per_audio_token", "input_audio_mtok", 1_000_000),
    ("output_cost_per_audio_token", "output_audio_mtok", 1_000_000),
    ("cache_read_input_audio_token_cost", "cache_audio_read_mtok", 1_000_000),
    ("input_cost_per_image_token", "input_image_mtok", 1_000_000),
    ("output_cost_per_image_token", "output_image_mtok", 1_000_000),
    ("cache_read_input_image_token_cost", "cache_image_read_mtok", 1_000_000),
    ("output_cost_per_reasoning_token", "output_reasoning_mtok", 1_000_000),
    ("input_cost_per_character", "input_mchars", 1_000_000),
    ("ocr_cost_per_page", "input_document_kpages", 1_000),
    ("input_cost_per_query", "rerank_searches_kcount", 1_000),
];

/// The suffix of a field and the fact under which it holds.
const VARIANTS: [(&str, &str, &str); 3] = [
    ("_priority", "service_tier", "priority"),
    ("_flex", "service_tier", "flex"),
    ("_batches", "processing", "batch"),
];

pub(super) fn add_gaps(import: &mut Import, json: &str) -> Result<(), ImportError> {
    let map: BTreeMap<String, Value> = serde_json::from_str(json).map_err(|error| ImportError::Malformed {
        what: "LiteLLM's price map",
        reason: error.to_string(),
    })?;
    import.document.sources.insert(
        SOURCE.to_owned(),
        SourceEntry {
            title: "litellm 1.109.1 model_prices_and_context_window_backup.json".to_owned(),
            url: "https://github.com/BerriAI/litellm".to_owned(),
            licence: "MIT outside enterprise/, Copyright (c) 2023 Berri AI".to_owned(),
            retrieved: "2026-11-12".to_owned(),
            sha256: String::new(),
        },
    );
    let candidates = map
        .iter()
        .filter_map(|(key, value)| candidate(key, value.as_object()?))
        .collect();
    gap::fill(import, SOURCE, candidates)
}

fn candidate(key: &str, fields: &Map<String, Value>) -> Option<Candidate> {
    let litellm_provider = fields.get("litellm_provider")?.as_str()?;
    let (_, provider, prefixes) = PROVIDERS.iter().find(|(name, ..)| *name == litellm_provider)?;
    let name = prefixes.iter().find_map(|prefix| key.strip_prefix(prefix)).unwrap_or(key);
    let has_own_path = matches!(
        *provider,
        "azure" | "aws" | "openai" | "google" | "x-ai" | "anthropic" | "deepseek"
    );
    if has_own_path && name.contains('/') {
        return None;
    }
    let prices = prices(fields);
    (!prices.is_empty()).then(|| Candidate {
        provider: (*provider).to_owned(),
        name: name.to_owned(),
        prices,
    })
}

/// The standard price, then the variants that have a rate of their own.
fn prices(fields: &Map<String, Value>) -> Vec<PriceEntry> {
    let standard = rates(fields, "");
    if standard.rates.is_empty() {
        return Vec::new();
    }
    let variants = VARIANTS.iter().filter_map(|(suffix, name, value)| {
        let mut entry = rates(fields, suffix);
        entry.when.insert((*name).to_owned(), (*value).to_owned());
        (!entry.rates.is_empty()).then_some(entry)
    });
    let variants: Vec<PriceEntry> = variants.collect();
    std::iter::once(standard).chain(variants).collect()
}

fn rates(fields: &Map<String, Value>, suffix: &str) -> PriceEntry {
    let mut entry = PriceEntry::default();
    let mut tiers: BTreeMap<i64, BTreeMap<String, Amount>> = BTreeMap::new();
    for (field, key, per) in FIELDS {
        let rate = |name: &str| fields.get(name).and_then(number_text).and_then(|rate| per_units(rate, per));
        if let Some(rate) = rate(&format!("{field}{suffix}")) {
            entry.rates.insert(key.to_owned(), rate);
        }
        for name in fields.keys() {
            let threshold = name.strip_prefix(field).and_then(|rest| rest.strip_prefix("_above_"));
            let threshold = threshold.and_then(|rest| rest.strip_suffix(suffix));
            let threshold = threshold
                .and_then(|rest| rest.strip_suffix("k_tokens"))
                .and_then(|digits| digits.parse::<i64>().ok());
            if let (Some(thousands), Some(rate)) = (threshold, rate(name)) {
                tiers.entry(thousands * 1_000).or_default().insert(key.to_owned(), rate);
            }
        }
    }
    // xAI alone bills the long-context rate at the threshold itself.
    let inclusive = fields.get("litellm_provider").and_then(Value::as_str) == Some("xai");
    entry.tiers = tiers
        .into_iter()
        .map(|(threshold, rates)| match inclusive {
            true => TierEntry {
                above: None,
                at_least: Some(threshold),
                rates,
            },
            false => TierEntry {
                above: Some(threshold),
                at_least: None,
                rates,
            },
        })
        .collect();
    drop_parts_without_whole(&mut entry);
    if suffix.is_empty() && fields.get("mode").and_then(Value::as_str) == Some("audio_transcription") {
        let per_second = fields
            .get("input_cost_per_second")
            .and_then(number_text)
            .and_then(|rate| per_units(rate, 3_600));
        if let Some(rate) = per_second {
            entry.rates.insert("audio_hours".to_owned(), rate);
            entry.rates.insert("input_audio_hours".to_owned(), rate);
        }
    }
    entry
}

/// A reasoning rate that is the output rate says nothing; a part without its whole cannot be billed apart.
fn drop_parts_without_whole(entry: &mut PriceEntry) {
    if entry.rates.get("output_reasoning_mtok") == entry.rates.get("output_mtok") {
        entry.rates.remove("output_reasoning_mtok");
    }
    if !entry.rates.contains_key("cache_write_mtok") {
        entry.rates.remove("cache_write_1h_mtok");
        entry.rates.remove("cache_write_12h_mtok");
    }
    for (key, joined) in [
        ("cache_audio_read_mtok", "input_audio_mtok"),
        ("cache_image_read_mtok", "input_image_mtok"),
    ] {
        if !entry.rates.contains_key(joined) || !entry.rates.contains_key("cache_read_mtok") {
            entry.rates.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_become_tiers_and_variants() {
        let fields = serde_json::json!({
            "litellm_provider": "xai", "mode": "chat",
            "input_cost_per_token": 1.25e-06, "output_cost_per_token": 2.5e-06,
            "input_cost_per_token_above_200k_tokens": 2.5e-06,
            "input_cost_per_token_priority": 2.5e-06,
            "output_cost_per_reasoning_token": 2.5e-06
        });
        let prices = prices(fields.as_object().expect("an object"));
        assert_eq!(prices.len(), 2);
        assert_eq!(prices[0].rates["input_mtok"].to_string(), "1.25");
        assert!(!prices[0].rates.contains_key("output_reasoning_mtok"));
        assert_eq!(prices[0].tiers[0].at_least, Some(200_000));
        assert_eq!(prices[1].when["service_tier"], "priority");
    }
}
