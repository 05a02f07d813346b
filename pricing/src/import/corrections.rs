//! Our own corrections of imported data: `catalogue/corrections.toml`.
//!
//! A correction replaces a model's prices, re-dates variants, adds least quantities and multipliers, and says
//! how a provider is recognised. Each carries its source; one that matches nothing is an error, so that a
//! correction the upstream has caught up with is noticed and taken out.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Import, ImportError};
use crate::document::{ModelEntry, MultiplierEntry, ProviderDocument, ProviderEntry, SourceEntry};

/// The content of a corrections file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corrections {
    #[serde(default)]
    sources: BTreeMap<String, SourceEntry>,
    #[serde(default)]
    provider: Vec<ProviderNames>,
    #[serde(default)]
    model: Vec<ModelEntry>,
    #[serde(default)]
    variant: Vec<VariantDate>,
    #[serde(default)]
    minimum: Vec<Minimum>,
    #[serde(default)]
    multiplier: Vec<MultiplierEntry>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderNames {
    id: String,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    hosts: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VariantDate {
    provider: String,
    when: BTreeMap<String, String>,
    seed_from: String,
    from: String,
    source: String,
    note: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Minimum {
    provider: String,
    models: Vec<String>,
    minimum: BTreeMap<String, i64>,
    note: String,
}

impl Corrections {
    /// Reads a corrections file.
    pub fn parse(text: &str) -> Result<Self, ImportError> {
        toml::from_str(text).map_err(|error| ImportError::Malformed {
            what: "corrections",
            reason: error.to_string(),
        })
    }
}

pub(super) fn apply(import: &mut Import, corrections: &Corrections) -> Result<(), ImportError> {
    let Import { document, notes } = import;
    document.sources.extend(corrections.sources.clone());
    let providers = &mut document.providers;
    for names in &corrections.provider {
        let document = provider_or_new(providers, &names.id);
        document.provider.names.clone_from(&names.names);
        document.provider.hosts.clone_from(&names.hosts);
    }
    for correction in &corrections.model {
        let model = existing_model(providers, &correction.provider, &correction.id)?;
        model.price.clone_from(&correction.price);
        model.source.clone_from(&correction.source);
        model.note.clone_from(&correction.note);
        if !correction.patterns.is_empty() {
            model.patterns.clone_from(&correction.patterns);
        }
        notes.push(format!(
            "{}/{}: prices replaced: {}",
            correction.provider, model.id, model.note
        ));
    }
    for date in &corrections.variant {
        let provider = existing(providers, &date.provider)?;
        let mut changed = 0;
        for price in provider.model.iter_mut().flat_map(|model| &mut model.price) {
            if price.when == date.when && price.from.as_deref() == Some(&date.seed_from) {
                price.from = Some(date.from.clone());
                price.source.clone_from(&date.source);
                price.note.clone_from(&date.note);
                changed += 1;
            }
        }
        if changed == 0 {
            return Err(matches_nothing(
                &date.provider,
                &format!("variant {:?} of {}", date.when, date.seed_from),
            ));
        }
        notes.push(format!(
            "{}: {changed} variants {:?} dated from {}",
            date.provider, date.when, date.from
        ));
    }
    for minimum in &corrections.minimum {
        for id in &minimum.models {
            let model = existing_model(providers, &minimum.provider, id)?;
            for price in &mut model.price {
                price.minimum.clone_from(&minimum.minimum);
                price.note.clone_from(&minimum.note);
            }
            notes.push(format!("{}/{id}: {}", minimum.provider, minimum.note));
        }
    }
    for correction in &corrections.multiplier {
        let multiplier = MultiplierEntry {
            provider: String::new(),
            ..correction.clone()
        };
        existing(providers, &correction.provider)?.multiplier.push(multiplier);
        notes.push(format!("{}: multiplier {}", correction.provider, correction.id));
    }
    Ok(())
}

fn provider_or_new<'a>(providers: &'a mut Vec<ProviderDocument>, id: &str) -> &'a mut ProviderDocument {
    match providers.iter().position(|document| document.provider.id == id) {
        Some(at) => &mut providers[at],
        None => {
            providers.push(ProviderDocument {
                provider: ProviderEntry {
                    id: id.to_owned(),
                    ..ProviderEntry::default()
                },
                multiplier: Vec::new(),
                model: Vec::new(),
            });
            providers.last_mut().expect("just pushed")
        }
    }
}

fn existing<'a>(providers: &'a mut [ProviderDocument], id: &str) -> Result<&'a mut ProviderDocument, ImportError> {
    providers
        .iter_mut()
        .find(|document| document.provider.id == id)
        .ok_or_else(|| matches_nothing(id, "the provider"))
}

fn existing_model<'a>(
    providers: &'a mut [ProviderDocument],
    provider: &str,
    id: &str,
) -> Result<&'a mut ModelEntry, ImportError> {
    let document = existing(providers, provider)?;
    document
        .model
        .iter_mut()
        .find(|model| model.id == id)
        .ok_or_else(|| matches_nothing(provider, id))
}

fn matches_nothing(provider: &str, what: &str) -> ImportError {
    ImportError::Entry {
        provider: provider.to_owned(),
        model: what.to_owned(),
        reason: "the correction matches nothing in the imported data".to_owned(),
    }
}
