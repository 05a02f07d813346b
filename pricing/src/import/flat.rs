//! Flat price lists without history: models.dev's `api.json` and Portkey's `pricing/<provider>.json` (both MIT).
//!
//! models.dev prices are USD per million tokens; Portkey's are cents per token. Both only fill gaps.

use std::collections::BTreeMap;

use serde_json::Value;

use super::gap::{self, Candidate};
use super::{Import, ImportError, number_text, per_units};
use crate::amount::Amount;
use crate::document::{PriceEntry, SourceEntry, TierEntry};

const MODELS_DEV: [(&str, &str); 6] = [
    ("input", "input_mtok"),
    ("output", "output_mtok"),
    ("cache_read", "cache_read_mtok"),
    ("cache_write", "cache_write_mtok"),
    ("input_audio", "input_audio_mtok"),
    ("output_audio", "output_audio_mtok"),
];

const PORTKEY: [(&str, &str); 4] = [
    ("request_token", "input_mtok"),
    ("response_token", "output_mtok"),
    ("cache_read_input_token", "cache_read_mtok"),
    ("cache_write_input_token", "cache_write_mtok"),
];

pub(super) fn add_models_dev_gaps(import: &mut Import, json: &str) -> Result<(), ImportError> {
    let providers: BTreeMap<String, Value> = serde_json::from_str(json).map_err(|error| ImportError::Malformed {
        what: "models.dev's api.json",
        reason: error.to_string(),
    })?;
    add_source(
        import,
        "models.dev",
        "https://models.dev/api.json",
        "MIT, Copyright (c) models.dev",
    );
    let mut candidates = Vec::new();
    for (provider, value) in &providers {
        for (name, model) in value.get("models").and_then(Value::as_object).into_iter().flatten() {
            let Some(cost) = model.get("cost") else {
                continue;
            };
            let rate = |value: &Value| number_text(value).map(|rate| rate.rounded(9).normalised());
            let rates = |cost: &Value| -> BTreeMap<String, Amount> {
                let named = MODELS_DEV
                    .iter()
                    .filter_map(|(field, key)| Some(((*key).to_owned(), rate(cost.get(field)?)?)));
                named.collect()
            };
            let mut price = PriceEntry {
                rates: rates(cost),
                ..PriceEntry::default()
            };
            if let Some(long) = cost.get("context_over_200k") {
                price.tiers.push(TierEntry {
                    above: Some(200_000),
                    at_least: None,
                    rates: rates(long),
                });
            }
            candidates.push(Candidate {
                provider: provider.clone(),
                name: name.clone(),
                prices: vec![price],
            });
        }
    }
    gap::fill(import, "models.dev", candidates)
}

pub(super) fn add_portkey_gaps(import: &mut Import, provider: &str, json: &str) -> Result<(), ImportError> {
    let models: BTreeMap<String, Value> = serde_json::from_str(json).map_err(|error| ImportError::Malformed {
        what: "Portkey's pricing file",
        reason: error.to_string(),
    })?;
    add_source(
        import,
        "portkey",
        "https://github.com/Portkey-AI/models",
        "MIT, Copyright (c) Portkey AI",
    );
    let candidate = |(name, model): (&String, &Value)| {
        let config = model.get("pricing_config")?;
        if config
            .get("currency")
            .and_then(Value::as_str)
            .is_some_and(|currency| currency != "USD")
        {
            return None;
        }
        let prices = config.get("pay_as_you_go")?;
        // Cents per token, so a hundredth of it per token, times a million.
        let rate = |field: &str| per_units(number_text(prices.get(field)?.get("price")?)?, 10_000);
        let rates = PORTKEY
            .iter()
            .filter_map(|(field, key)| Some(((*key).to_owned(), rate(field)?)))
            .collect();
        let price = PriceEntry {
            rates,
            ..PriceEntry::default()
        };
        Some(Candidate {
            provider: provider.to_owned(),
            name: name.clone(),
            prices: vec![price],
        })
    };
    let candidates = models
        .iter()
        .filter(|(name, _)| *name != "default")
        .filter_map(candidate)
        .collect();
    gap::fill(import, "portkey", candidates)
}

fn add_source(import: &mut Import, id: &str, url: &str, licence: &str) {
    let source = SourceEntry {
        title: id.to_owned(),
        url: url.to_owned(),
        licence: licence.to_owned(),
        ..SourceEntry::default()
    };
    import.document.sources.entry(id.to_owned()).or_insert(source);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{ProviderDocument, ProviderEntry};

    fn import() -> Import {
        let provider = ProviderEntry {
            id: "openai".to_owned(),
            ..ProviderEntry::default()
        };
        let document = ProviderDocument {
            provider,
            multiplier: Vec::new(),
            model: Vec::new(),
        };
        let mut import = Import::default();
        import.document.providers.push(document);
        import
    }

    #[test]
    fn models_dev_is_usd_per_million() {
        let mut import = import();
        let json = r#"{"openai":{"models":{"m-1":{"cost":{"input":0.15,"output":0.6,"context_over_200k":{"input":0.3}}}}}}"#;
        import.add_models_dev_gaps(json).expect("well formed");
        let model = &import.document.providers[0].model[0];
        assert_eq!(model.price[0].rates["input_mtok"].to_string(), "0.15");
        assert_eq!(model.price[0].tiers[0].rates["input_mtok"].to_string(), "0.3");
    }

    #[test]
    fn portkey_is_cents_per_token() {
        let mut import = import();
        let json = r#"{"default":{},"m-1":{"pricing_config":{"currency":"USD","pay_as_you_go":{"request_token":{"price":0.00025},"response_token":{"price":0}}}},"free-looking":{"pricing_config":{"pay_as_you_go":{"request_token":{"price":0}}}}}"#;
        import.add_portkey_gaps("openai", json).expect("well formed");
        let models = &import.document.providers[0].model;
        assert_eq!(models.len(), 1, "a price of zero only is no price");
        assert_eq!(models[0].price[0].rates["input_mtok"].to_string(), "2.5");
    }
}
