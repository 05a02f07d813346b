//! From the written catalogue to the one in memory: every text is checked here, once.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use crate::amount::Amount;
use crate::cache::MatchCache;
use crate::catalogue::{Card, Catalogue, Condition, Layer, Model, ModelIndex, ModelLookup, Multiplier, Provider, Rate};
use crate::document::{Document, ModelEntry, MultiplierEntry, PatternEntry, PriceEntry, ProviderDocument, SourceEntry};
use crate::instant::{Instant, ParseInstantError, Window};
use crate::overrides::{self, Overrides};
use crate::pattern::{Pattern, PatternError};
use crate::provider::{ProviderIndex, ProviderNames};
use crate::unit::UsageKey;

/// Why a catalogue or an override is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct CatalogueError {
    /// Provider, model and price, as far as they are known.
    pub place: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A pattern is malformed.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A moment, a time of day, a zone or a weekday is malformed.
    #[error(transparent)]
    Instant(#[from] ParseInstantError),
    /// No unit has this price key.
    #[error("unknown price key {0:?}")]
    PriceKey(String),
    /// No unit has this usage key.
    #[error("unknown usage key {0:?}")]
    UsageKey(String),
    /// A rate is below zero or has more than twelve decimals.
    #[error("the rate {rate} of {price_key} is not between 0 and 10^9 with at most twelve decimals")]
    Rate {
        /// The price key.
        price_key: String,
        /// The rate.
        rate: Amount,
    },
    /// A factor is not positive or not exact.
    #[error("the factor {0} is not above 0 and at most 1000 with at most six decimals")]
    Factor(Amount),
    /// A tier without a threshold, or with two, or with one that is not positive.
    #[error("a tier needs either above or at_least, zero or more")]
    Tier,
    /// An interval that ends before it starts.
    #[error("the interval from {from} until {until} is empty")]
    Interval {
        /// The start.
        from: Instant,
        /// The end.
        until: Instant,
    },
    /// A price that is neither free nor has rates, or both.
    #[error("a price needs rates or tiers, or free = true without rates and conditions")]
    EmptyPrice,
    /// A host that is malformed or too wide.
    #[error("the host {0:?} is malformed or too wide")]
    Host(String),
    /// A provider that is not in the catalogue.
    #[error("unknown provider {0:?}")]
    Provider(String),
    /// Two entries with the same id.
    #[error("the id {0:?} is used twice")]
    Duplicate(String),
    /// A field is missing or makes no sense with the others.
    #[error("{0}")]
    Field(String),
}

pub(crate) fn at(place: impl Into<String>) -> impl FnOnce(Problem) -> CatalogueError {
    let place = place.into();
    move |problem| CatalogueError { place, problem }
}

/// Builds the catalogue of a document with overrides laid over it.
pub(crate) fn compile(document: Document, overrides: Overrides) -> Result<Catalogue, CatalogueError> {
    let mut builder = Builder::new(&document.sources)?;
    for entry in &document.providers {
        builder.add_provider(entry)?;
    }
    builder.resolve_fallbacks(&document.providers)?;
    let mut catalogue = Catalogue {
        providers: builder.providers,
        models: builder.models,
        names: builder.names,
        contracts: Vec::new(),
        cache: MatchCache::new(),
        document: Document::default(),
        overrides: Overrides::default(),
        hash: OnceLock::new(),
    };
    overrides::apply(&mut catalogue, &overrides)?;
    catalogue.document = document;
    catalogue.overrides = overrides;
    Ok(catalogue)
}

struct Builder<'a> {
    sources: &'a BTreeMap<String, SourceEntry>,
    retrieved: HashMap<&'a str, Instant>,
    providers: Vec<Provider>,
    models: Vec<Model>,
    names: ProviderNames,
}

fn retrieval_moments(sources: &BTreeMap<String, SourceEntry>) -> Result<HashMap<&str, Instant>, CatalogueError> {
    let mut moments = HashMap::new();
    for (id, source) in sources.iter().filter(|(_, source)| !source.retrieved.is_empty()) {
        let moment = Instant::parse(&source.retrieved).map_err(|error| at(format!("source {id}"))(error.into()))?;
        moments.insert(id.as_str(), moment);
    }
    Ok(moments)
}

impl<'a> Builder<'a> {
    fn new(sources: &'a BTreeMap<String, SourceEntry>) -> Result<Self, CatalogueError> {
        let retrieved = retrieval_moments(sources)?;
        Ok(Self {
            sources,
            retrieved,
            providers: Vec::new(),
            models: Vec::new(),
            names: ProviderNames::default(),
        })
    }

    fn add_provider(&mut self, document: &'a ProviderDocument) -> Result<(), CatalogueError> {
        let entry = &document.provider;
        let place = || entry.id.clone();
        let index = ProviderIndex::try_from(self.providers.len())
            .map_err(|_| at(place())(Problem::Field("too many providers".to_owned())))?;
        if self.providers.iter().any(|provider| provider.id == entry.id) {
            return Err(at(place())(Problem::Duplicate(entry.id.clone())));
        }
        let names = entry
            .names
            .iter()
            .map(String::as_str)
            .chain([entry.id.as_str(), entry.name.as_str()]);
        if let Some(host) = self.names.add(index, names, entry.hosts.iter().map(String::as_str)).first() {
            return Err(at(place())(Problem::Host((*host).to_owned())));
        }
        let mut provider = Provider {
            id: entry.id.clone(),
            otel_name: entry.names.first().unwrap_or(&entry.id).clone(),
            lookup: ModelLookup::default(),
            unique_models: compile_patterns(&entry.unique_models).map_err(at(place()))?,
            fallback: Vec::new(),
            multipliers: Vec::new(),
        };
        for multiplier in &document.multiplier {
            let place = format!("{}, multiplier {}", entry.id, multiplier.id);
            provider.multipliers.push(compile_multiplier(multiplier).map_err(at(place))?);
        }
        for model in &document.model {
            let model_index = self.models.len() as ModelIndex;
            add_patterns(&mut provider.lookup, model_index, model).map_err(at(format!("{}/{}", entry.id, model.id)))?;
            let compiled = self.compile_model(&entry.id, index, model)?;
            self.models.push(compiled);
        }
        self.providers.push(provider);
        Ok(())
    }

    fn resolve_fallbacks(&mut self, documents: &[ProviderDocument]) -> Result<(), CatalogueError> {
        for (index, document) in documents.iter().enumerate() {
            for id in &document.provider.fallback {
                let position = self.providers.iter().position(|provider| provider.id == *id);
                let fallback = position
                    .and_then(|position| ProviderIndex::try_from(position).ok())
                    .ok_or_else(|| at(&document.provider.id)(Problem::Provider(id.clone())))?;
                self.providers[index].fallback.push(fallback);
            }
        }
        Ok(())
    }

    fn compile_model(&self, provider: &str, index: ProviderIndex, model: &ModelEntry) -> Result<Model, CatalogueError> {
        let mut cards: Vec<Card> = Vec::with_capacity(model.price.len());
        for (number, price) in model.price.iter().enumerate() {
            let place = || format!("{provider}/{}, price {}", model.id, number + 1);
            let mut card = compile_card(provider, &model.id, price, Layer::Catalogue).map_err(at(place()))?;
            let source = if price.source.is_empty() {
                &model.source
            } else {
                &price.source
            };
            card.retrieved = self.retrieved.get(source.as_str()).copied();
            card.source = source.as_str().into();
            if !source.is_empty() && !self.sources.is_empty() && !self.sources.contains_key(source) {
                return Err(at(place())(Problem::Field(format!("unknown source {source:?}"))));
            }
            if cards.iter().any(|other| other.price_id == card.price_id) {
                card.price_id = format!("{}#{}", card.price_id, number + 1).into();
            }
            cards.push(card);
        }
        Ok(Model {
            id: model.id.clone(),
            provider: index,
            deprecated: model.deprecated,
            cards,
        })
    }
}

pub(crate) fn add_patterns(lookup: &mut ModelLookup, index: ModelIndex, model: &ModelEntry) -> Result<(), Problem> {
    for entry in &model.patterns {
        match Pattern::new(entry)? {
            Pattern::Equals(name) => {
                lookup.exact.entry(name).or_insert(index);
            }
            pattern => lookup.patterns.push((index, pattern)),
        }
    }
    Ok(())
}

pub(crate) fn compile_patterns(entries: &[PatternEntry]) -> Result<Vec<Pattern>, Problem> {
    entries
        .iter()
        .map(|entry| Pattern::new(entry).map_err(Problem::from))
        .collect()
}

pub(crate) fn compile_multiplier(entry: &MultiplierEntry) -> Result<Multiplier, Problem> {
    if !is_factor(entry.factor) {
        return Err(Problem::Factor(entry.factor));
    }
    let (from, until) = interval(entry.from.as_deref(), entry.until.as_deref())?;
    Ok(Multiplier {
        id: entry.id.clone(),
        factor: entry.factor.normalised(),
        models: entry
            .models
            .iter()
            .map(|text| Pattern::glob(text).map_err(Problem::from))
            .collect::<Result<_, _>>()?,
        when: conditions(&entry.when),
        units: entry.price_keys.iter().map(|key| price_unit(key)).collect::<Result<_, _>>()?,
        from,
        until,
    })
}

/// Compiles one price. The source is left to the caller, who knows the layer's default.
pub(crate) fn compile_card(provider: &str, model: &str, entry: &PriceEntry, layer: Layer) -> Result<Card, Problem> {
    let has_rates = !entry.rates.is_empty() || !entry.tiers.is_empty();
    // A condition without rates says that standard rates hold under it, for example service_tier = "default".
    let says_something = has_rates || entry.free || !entry.when.is_empty();
    if !says_something || (entry.free && (has_rates || !entry.when.is_empty())) {
        return Err(Problem::EmptyPrice);
    }
    let (from, until) = interval(entry.from.as_deref(), entry.until.as_deref())?;
    let known_from = entry.known_from.as_deref().map(Instant::parse).transpose()?;
    let windows = entry.windows.iter().map(Window::new).collect::<Result<Vec<_>, _>>()?;
    let mut minimum = Vec::new();
    for (key, count) in &entry.minimum {
        minimum.push((UsageKey::parse(key).ok_or_else(|| Problem::UsageKey(key.clone()))?, *count));
    }
    Ok(Card {
        price_id: price_id(provider, model, entry, layer).into(),
        layer,
        from,
        until,
        known_from,
        retrieved: None,
        windows,
        when: conditions(&entry.when),
        free: entry.free,
        rates: compile_rates(entry)?,
        minimum,
        source: entry.source.as_str().into(),
    })
}

/// A base rate, and the first token and rate of each tier.
type BaseAndTiers = (Option<Amount>, Vec<(i64, Amount)>);

fn compile_rates(entry: &PriceEntry) -> Result<Vec<Rate>, Problem> {
    let mut rates: BTreeMap<UsageKey, BaseAndTiers> = BTreeMap::new();
    for (key, amount) in &entry.rates {
        rates.entry(price_unit(key)?).or_default().0 = Some(checked_rate(key, *amount)?);
    }
    for tier in &entry.tiers {
        if tier.above.is_some() == tier.at_least.is_some() || tier.first_token() < 0 {
            return Err(Problem::Tier);
        }
        for (key, amount) in &tier.rates {
            let step = (tier.first_token(), checked_rate(key, *amount)?);
            rates.entry(price_unit(key)?).or_default().1.push(step);
        }
    }
    Ok(rates
        .into_iter()
        .map(|(unit, (base, tiers))| Rate::new(unit, base, tiers))
        .collect())
}

fn price_unit(key: &str) -> Result<UsageKey, Problem> {
    UsageKey::from_price_key(key).ok_or_else(|| Problem::PriceKey(key.to_owned()))
}

/// Rates fit a product with 2^63 tokens exactly: below 10^9 and no finer than 10^-12.
fn checked_rate(key: &str, rate: Amount) -> Result<Amount, Problem> {
    let limit = Amount::from(1_000_000_000);
    if rate.is_negative() || rate > limit || rate.decimals().is_none_or(|decimals| decimals > 12) {
        return Err(Problem::Rate {
            price_key: key.to_owned(),
            rate,
        });
    }
    Ok(rate.normalised())
}

pub(crate) fn is_factor(factor: Amount) -> bool {
    factor > Amount::ZERO && factor <= Amount::from(1000) && factor.decimals().is_some_and(|decimals| decimals <= 6)
}

pub(crate) fn conditions(when: &BTreeMap<String, String>) -> Vec<Condition> {
    when.iter().map(|(name, value)| Condition::new(name, value)).collect()
}

pub(crate) fn interval(from: Option<&str>, until: Option<&str>) -> Result<(Instant, Instant), Problem> {
    let from = from.map(Instant::parse).transpose()?.unwrap_or(Instant(i64::MIN));
    let until = until.map(Instant::parse).transpose()?.unwrap_or(Instant(i64::MAX));
    if from >= until {
        return Err(Problem::Interval { from, until });
    }
    Ok((from, until))
}

/// A name for a price that survives a new import as long as the price itself does:
/// `openai/gpt-5.6-luna@2026-07-30+processing=batch`.
fn price_id(provider: &str, model: &str, entry: &PriceEntry, layer: Layer) -> String {
    let mut id = format!("{provider}/{model}");
    if let Some(from) = &entry.from {
        id.push('@');
        id.push_str(from);
    }
    for window in &entry.windows {
        id.push_str(&format!("~{}-{}", window.from, window.to));
    }
    for (name, value) in &entry.when {
        id.push_str(&format!("+{name}={value}"));
    }
    if layer == Layer::Override {
        id.push_str("+override");
    }
    id
}
