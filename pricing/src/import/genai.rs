//! genai-prices' data (Pydantic, MIT) as a catalogue document.
//!
//! Start dates become half-open intervals, daily windows stay windows, variants keep their order, an inclusive
//! threshold that was stored as 199999 becomes `at_least = 200000`. Match clauses become patterns. What the seed
//! gets wrong is not mended here: that is `catalogue/corrections.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::regex_clause::{Clause, patterns};
use super::{Import, ImportError, without_float_noise};
use crate::amount::Amount;
use crate::document::{Document, ModelEntry, PatternEntry, PriceEntry, ProviderDocument, ProviderEntry, SourceEntry, TierEntry};
use crate::instant::WindowSpec;

const SOURCE: &str = "genai-prices";

#[derive(Deserialize)]
struct Seed {
    source: SeedSource,
    providers: Vec<SeedProvider>,
}

#[derive(Deserialize)]
struct SeedSource {
    package: String,
    version: String,
    uploaded: String,
    wheel_sha256: String,
    licence: String,
}

#[derive(Deserialize)]
struct SeedProvider {
    id: String,
    name: String,
    #[serde(default)]
    pricing_urls: Vec<String>,
    #[serde(default)]
    price_comments: String,
    #[serde(default)]
    model_match: Option<Clause>,
    #[serde(default)]
    fallback_model_providers: Vec<String>,
    models: Vec<SeedModel>,
}

#[derive(Deserialize)]
struct SeedModel {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(rename = "match")]
    clause: Clause,
    #[serde(default)]
    deprecated: bool,
    #[serde(default)]
    price_comments: Option<String>,
    prices: Vec<SeedPrice>,
    #[serde(default)]
    price_variants: Vec<SeedVariant>,
}

#[derive(Deserialize)]
struct SeedPrice {
    #[serde(default)]
    constraint: Option<Constraint>,
    prices: BTreeMap<String, SeedRate>,
}

#[derive(Deserialize)]
struct SeedVariant {
    when: BTreeMap<String, String>,
    #[serde(default)]
    constraint: Option<Constraint>,
    prices: BTreeMap<String, SeedRate>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Constraint {
    Date { start_date: String },
    Window { start_time: String, end_time: String },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SeedRate {
    Flat(Amount),
    Tiered { base: Amount, tiers: Vec<SeedTier> },
}

#[derive(Deserialize)]
struct SeedTier {
    start: i64,
    price: Amount,
}

pub(super) fn import(json: &str) -> Result<Import, ImportError> {
    let seed: Seed = serde_json::from_str(json).map_err(|error| ImportError::Malformed {
        what: "genai-prices data",
        reason: error.to_string(),
    })?;
    let mut import = Import::default();
    import.document.sources.insert(
        SOURCE.to_owned(),
        SourceEntry {
            title: format!("{} {}", seed.source.package, seed.source.version),
            url: "https://github.com/pydantic/genai-prices".to_owned(),
            licence: seed.source.licence,
            retrieved: seed.source.uploaded,
            sha256: seed.source.wheel_sha256,
        },
    );
    let Import {
        document: Document { providers, .. },
        notes,
    } = &mut import;
    for provider in seed.providers {
        let mut document = ProviderDocument {
            provider: ProviderEntry {
                names: vec![provider.id.clone()],
                unique_models: claims(clause_patterns(
                    provider.model_match.as_ref(),
                    &provider.id,
                    "model_match",
                    notes,
                )?),
                id: provider.id,
                name: provider.name,
                fallback: provider.fallback_model_providers,
                pricing_urls: provider.pricing_urls,
                note: provider.price_comments,
                ..ProviderEntry::default()
            },
            multiplier: Vec::new(),
            model: Vec::with_capacity(provider.models.len()),
        };
        for model in provider.models {
            let entry = import_model(&document.provider.id, model, notes)?;
            document.model.push(entry);
        }
        providers.push(document);
    }
    Ok(import)
}

/// A claim says whose a name is, not which model it means, so a prefix may end within a word: `minimax-m` claims
/// `minimax-m3`. The model is still found by its own patterns, or not at all.
fn claims(patterns: Vec<PatternEntry>) -> Vec<PatternEntry> {
    let mut claims: Vec<PatternEntry> = Vec::new();
    for pattern in patterns {
        let claim = match pattern {
            PatternEntry::Glob(text) if text.ends_with('*') && !text.starts_with('*') && !text.ends_with("**") => {
                PatternEntry::Glob(text + "*")
            }
            other => other,
        };
        if !claims.contains(&claim) {
            claims.push(claim);
        }
    }
    claims
}

fn clause_patterns(
    clause: Option<&Clause>,
    provider: &str,
    model: &str,
    notes: &mut Vec<String>,
) -> Result<Vec<PatternEntry>, ImportError> {
    let Some(clause) = clause else {
        return Ok(Vec::new());
    };
    let (patterns, kept) = patterns(clause).map_err(|reason| ImportError::Entry {
        provider: provider.to_owned(),
        model: model.to_owned(),
        reason,
    })?;
    notes.extend(
        kept.into_iter()
            .map(|regex| format!("{provider}/{model}: kept the regular expression {regex:?}")),
    );
    Ok(patterns)
}

fn import_model(provider: &str, model: SeedModel, notes: &mut Vec<String>) -> Result<ModelEntry, ImportError> {
    let patterns = clause_patterns(Some(&model.clause), provider, &model.id, notes)?;
    let starts: Vec<&str> = model
        .prices
        .iter()
        .filter_map(|price| start_date(price.constraint.as_ref()))
        .collect();
    let mut prices = Vec::new();
    let mut next_start = starts.iter();
    for record in &model.prices {
        let mut entry = PriceEntry::default();
        match &record.constraint {
            None => entry.until = next_start.next().map(|date| (*date).to_owned()),
            Some(Constraint::Date { start_date }) => {
                entry.from = Some(start_date.clone());
                entry.until = next_start.next().map(|date| (*date).to_owned());
            }
            Some(Constraint::Window { start_time, end_time }) => {
                entry.windows.push(window(start_time, end_time));
            }
        }
        fill_rates(&mut entry, &record.prices, provider, &model.id, notes);
        entry.free = entry.rates.is_empty() && entry.tiers.is_empty();
        prices.push(entry);
    }
    for variant in &model.price_variants {
        let mut entry = PriceEntry {
            when: variant.when.clone(),
            ..PriceEntry::default()
        };
        match &variant.constraint {
            None => {}
            Some(Constraint::Date { start_date }) => entry.from = Some(start_date.clone()),
            Some(Constraint::Window { start_time, end_time }) => entry.windows.push(window(start_time, end_time)),
        }
        fill_rates(&mut entry, &variant.prices, provider, &model.id, notes);
        prices.push(entry);
    }
    Ok(ModelEntry {
        provider: String::new(),
        id: model.id,
        name: model.name.unwrap_or_default(),
        patterns,
        deprecated: model.deprecated,
        source: SOURCE.to_owned(),
        note: model.price_comments.unwrap_or_default(),
        also: BTreeMap::new(),
        price: prices,
    })
}

fn start_date(constraint: Option<&Constraint>) -> Option<&str> {
    match constraint {
        Some(Constraint::Date { start_date }) => Some(start_date),
        _ => None,
    }
}

fn window(start: &str, end: &str) -> WindowSpec {
    let time = |text: &str| text.trim_end_matches('Z').to_owned();
    WindowSpec {
        zone: None,
        days: Vec::new(),
        from: time(start),
        to: time(end),
        except: Vec::new(),
    }
}

fn fill_rates(entry: &mut PriceEntry, rates: &BTreeMap<String, SeedRate>, provider: &str, model: &str, notes: &mut Vec<String>) {
    let mut clean = |key: &str, rate: Amount| {
        let (clean, was_noise) = without_float_noise(rate);
        if was_noise {
            notes.push(format!("{provider}/{model}: {key} {rate} is float noise, kept as {clean}"));
        }
        clean
    };
    for (key, rate) in rates {
        match rate {
            SeedRate::Flat(rate) => {
                entry.rates.insert(key.clone(), clean(key, *rate));
            }
            SeedRate::Tiered { base, tiers } => {
                entry.rates.insert(key.clone(), clean(key, *base));
                for tier in tiers {
                    let rate = clean(key, tier.price);
                    tier_for(&mut entry.tiers, tier.start).rates.insert(key.clone(), rate);
                }
            }
        }
    }
    entry.tiers.sort_by_key(TierEntry::first_token);
}

/// The tier that starts above `start`. A start of 199999 is an inclusive 200000 in disguise.
fn tier_for(tiers: &mut Vec<TierEntry>, start: i64) -> &mut TierEntry {
    let (above, at_least) = if start % 1000 == 999 {
        (None, Some(start + 1))
    } else {
        (Some(start), None)
    };
    match tiers.iter().position(|tier| (tier.above, tier.at_least) == (above, at_least)) {
        Some(at) => &mut tiers[at],
        None => {
            tiers.push(TierEntry {
                above,
                at_least,
                rates: BTreeMap::new(),
            });
            tiers.last_mut().expect("just pushed")
        }
    }
}
