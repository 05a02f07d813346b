//! Filling gaps: models that the catalogue so far does not resolve, added from a second source.
//!
//! What the catalogue knows is never changed here; a second source only says, per model, whether it agrees. A
//! model whose only price is zero is left out: other people's zero is often an unknown.

use std::collections::{BTreeMap, HashMap};

use super::{Import, ImportError};
use crate::amount::Amount;
use crate::catalogue::Catalogue;
use crate::document::{ModelEntry, PatternEntry, PriceEntry};
use crate::matching::Match;

/// A model of a second source, in our terms.
pub(super) struct Candidate {
    /// Our provider id.
    pub(super) provider: String,
    /// The name under which its calls appear.
    pub(super) name: String,
    /// Standard price first, then those with `when`.
    pub(super) prices: Vec<PriceEntry>,
}

/// Adds what is missing and notes who agrees. `source` is the id under which the source is registered.
pub(super) fn fill(import: &mut Import, source: &str, candidates: Vec<Candidate>) -> Result<(), ImportError> {
    let catalogue = Catalogue::new(import.document.clone()).map_err(|error| ImportError::Malformed {
        what: "the catalogue so far",
        reason: error.to_string(),
    })?;
    let (mut added, mut zero) = (0, 0);
    let mut implausible = Vec::new();
    let mut positions: HashMap<String, usize> = HashMap::new();
    for (index, provider) in import.document.providers.iter().enumerate() {
        positions.insert(provider.provider.id.clone(), index);
    }
    for candidate in candidates {
        let (Some(&position), Some(provider)) = (
            positions.get(&candidate.provider),
            catalogue.names().by_exact_name(&candidate.provider),
        ) else {
            continue;
        };
        let models = &mut import.document.providers[position].model;
        if let Match::Found { model, .. } = catalogue.find_model(provider, &candidate.name) {
            let known = catalogue.model(model);
            let is_it = |entry: &&mut ModelEntry| entry.id == known.id && known.provider == provider;
            if let Some(entry) = models.iter_mut().find(is_it) {
                let verdict = compare(entry, &candidate);
                // Several names of the source may mean one model of ours; agreement with any is agreement.
                let slot = entry.also.entry(source.to_owned()).or_insert_with(|| verdict.clone());
                if verdict == SAME {
                    *slot = verdict;
                }
            }
            continue;
        }
        if candidate.prices.iter().flat_map(all_rates).all(|rate| rate.is_zero()) {
            zero += 1;
            continue;
        }
        if candidate.prices.iter().any(is_implausible) {
            implausible.push(format!("{}/{}", candidate.provider, candidate.name));
            continue;
        }
        let name = candidate.name.to_lowercase();
        if models.iter().any(|entry| entry.id.eq_ignore_ascii_case(&name)) {
            continue;
        }
        models.push(ModelEntry {
            id: name.clone(),
            patterns: vec![PatternEntry::Glob(name)],
            source: source.to_owned(),
            price: candidate.prices,
            ..ModelEntry::default()
        });
        added += 1;
    }
    import.notes.push(format!(
        "{source}: {added} models added where nothing else had them; {zero} left out for want of a price"
    ));
    import.notes.extend(implausible.into_iter().map(|model| {
        format!("{source}: {model} left out: a rate above {DEAREST} USD per million tokens is a price per thousand, or in cents")
    }));
    Ok(())
}

/// No token costs as much: the dearest model there was asked for 600 USD per million.
const DEAREST: i64 = 2_000;

fn is_implausible(price: &PriceEntry) -> bool {
    let tiers = price.tiers.iter().flat_map(|tier| &tier.rates);
    let mut rates = price.rates.iter().chain(tiers);
    rates.any(|(key, rate)| key.ends_with("_mtok") && *rate > Amount::from(DEAREST))
}

pub(super) const SAME: &str = "same";

fn all_rates(price: &PriceEntry) -> impl Iterator<Item = Amount> {
    let tiers = price.tiers.iter().flat_map(|tier| tier.rates.values());
    price.rates.values().chain(tiers).copied()
}

/// Whether the current standard rates agree, or where they do not.
fn compare(entry: &ModelEntry, candidate: &Candidate) -> String {
    let Some(theirs) = candidate.prices.first() else {
        return SAME.to_owned();
    };
    let current = entry
        .price
        .iter()
        .rev()
        .find(|price| price.when.is_empty() && price.windows.is_empty());
    let ours: BTreeMap<&str, Amount> = current
        .iter()
        .flat_map(|price| price.rates.iter().map(|(key, rate)| (key.as_str(), *rate)))
        .collect();
    let differing: Vec<String> = theirs
        .rates
        .iter()
        .filter_map(|(key, rate)| match ours.get(key.as_str()) {
            Some(own) if own != rate => Some(format!("{key} {rate}")),
            _ => None,
        })
        .collect();
    if differing.is_empty() {
        SAME.to_owned()
    } else {
        format!("differs: {}", differing.join(", "))
    }
}
