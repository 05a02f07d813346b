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
        let standard = portkey_rates(config.get("pay_as_you_go")?);
        let batch = config
            .get("batch_config")
            .map(portkey_rates)
            .filter(|rates| !rates.is_empty());
        let batch = batch.map(|rates| PriceEntry {
            rates,
            when: BTreeMap::from([("processing".to_owned(), "batch".to_owned())]),
            ..PriceEntry::default()
        });
        let standard = PriceEntry {
            rates: standard,
            ..PriceEntry::default()
        };
        Some(Candidate {
            provider: provider.to_owned(),
            name: name.clone(),
            prices: std::iter::once(standard).chain(batch).collect(),
        })
    };
    let candidates = models
        .iter()
        .filter(|(name, _)| *name != "default")
        .filter_map(candidate)
        .collect();
    gap::fill(import, "portkey", candidates)
}

/// Cents per token, so a hundredth of it per token, times a million.
fn portkey_rates(prices: &Value) -> BTreeMap<String, Amount> {
    let rate = |fields: &Value, field: &str| per_units(number_text(fields.get(field)?.get("price")?)?, 10_000);
    let mut rates: BTreeMap<String, Amount> = PORTKEY
        .iter()
        .filter_map(|(field, key)| Some(((*key).to_owned(), rate(prices, field)?)))
        .collect();
    let hour = prices.get("additional_units").and_then(|units| rate(units, "cache_write_1h"));
    if let Some(hour) = hour.filter(|_| rates.contains_key("cache_write_mtok")) {
        rates.insert("cache_write_1h_mtok".to_owned(), hour);
    }
    rates
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
    fn portkey_is_cents_per_token_with_lifetimes_and_batches() {
        let mut import = import();
        let json = r#"{
          "default": { "pricing_config": { "pay_as_you_go": { "request_token": { "price": 0 }, "response_token": { "price": 0 } },
            "calculate": { "request": { "operation": "sum", "operands": [] } }, "currency": "USD" } },
          "m-1": { "pricing_config": {
            "pay_as_you_go": {
              "request_token": { "price": 0.00007499999999999999 }, "response_token": { "price": 0.0015 },
              "cache_read_input_token": { "price": 0.00003 }, "cache_write_input_token": { "price": 0.000375 },
              "additional_units": { "cache_write_1h": { "price": 0.0006 }, "web_search": { "price": 1 } } },
            "batch_config": { "request_token": { "price": 0.00015 }, "response_token": { "price": 0.00075 } } } },
          "yuan": { "pricing_config": { "currency": "CNY", "pay_as_you_go": { "request_token": { "price": 0.0003 } } } },
          "per-thousand": { "pricing_config": { "pay_as_you_go": { "request_token": { "price": 0.32 } } } },
          "free-looking": { "pricing_config": { "pay_as_you_go": { "request_token": { "price": 0 } } } }
        }"#;
        import.add_portkey_gaps("openai", json).expect("well formed");
        let models = &import.document.providers[0].model;
        assert_eq!(
            models.len(),
            1,
            "zero only, another currency and the implausible are left out"
        );
        let rates = |index: usize| {
            let rates = &models[0].price[index].rates;
            rates
                .iter()
                .map(|(key, rate)| format!("{key} {rate}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        assert_eq!(
            rates(0),
            "cache_read_mtok 0.3, cache_write_1h_mtok 6, cache_write_mtok 3.75, input_mtok 0.75, output_mtok 15"
        );
        assert_eq!(
            (rates(1).as_str(), models[0].price[1].when["processing"].as_str()),
            ("input_mtok 1.5, output_mtok 7.5", "batch")
        );
        assert!(
            import.notes.iter().any(|note| note.contains("openai/per-thousand left out")),
            "{:?}",
            import.notes
        );
    }

    #[test]
    fn a_second_source_only_says_whether_it_agrees() {
        let mut import = import();
        let first = r#"{"openai":{"models":{"m-1":{"cost":{"input":0.15,"output":0.6}},"m-2":{"cost":{"input":1,"output":2}}}}}"#;
        import.add_models_dev_gaps(first).expect("well formed");
        let second = r#"{"m-1":{"pricing_config":{"pay_as_you_go":{"request_token":{"price":0.000015},"response_token":{"price":0.00006}}}},
                         "m-2":{"pricing_config":{"pay_as_you_go":{"request_token":{"price":0.0002},"response_token":{"price":0.0002}}}}}"#;
        import.add_portkey_gaps("openai", second).expect("well formed");
        let models = &import.document.providers[0].model;
        assert_eq!(models[0].also["portkey"], "same");
        assert_eq!(models[1].also["portkey"], "differs: input_mtok 2");
        assert_eq!(models[1].price[0].rates["input_mtok"].to_string(), "1");
    }

    #[test]
    fn what_is_not_the_format_is_refused_with_its_place() {
        let error = import().add_models_dev_gaps("[1, 2]").expect_err("refused").to_string();
        assert!(error.contains("models.dev's api.json") && error.contains("line 1"), "{error}");
        let error = import()
            .add_portkey_gaps("openai", "{\n  nope")
            .expect_err("refused")
            .to_string();
        assert!(
            error.contains("Portkey's pricing file") && error.contains("line 2"),
            "{error}"
        );
    }
}
