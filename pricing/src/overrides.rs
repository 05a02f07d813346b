//! What the user knows better: prices, contracts, multipliers and deployments of their own configuration.
//!
//! Laid over a catalogue, never into it: the result is a new [`Catalogue`] with a hash of its own. Overridden
//! rates win key by key over the standard rates of the catalogue in force at the same moment; an override with
//! `when` competes with the catalogue's variants and comes first. Every receipt line names the override.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::catalogue::{Catalogue, Condition, Layer, Model, ModelIndex, ModelLookup, Provider};
use crate::compile::{self, CatalogueError, Problem, at};
use crate::document::{ModelEntry, MultiplierEntry, PatternEntry, PriceEntry, TierEntry};
use crate::instant::{Instant, WindowSpec};
use crate::pattern::Pattern;
use crate::provider::ProviderIndex;
use crate::unit::UsageKey;

/// The overrides of one configuration: `[[price]]`, `[[contract]]`, `[[multiplier]]`, `[[deployment]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    /// Prices of models, known or new.
    pub price: Vec<PriceOverride>,
    /// What was agreed with a provider.
    pub contract: Vec<ContractEntry>,
    /// Factors on several rates at once.
    pub multiplier: Vec<MultiplierEntry>,
    /// Deployment names that stand for models.
    pub deployment: Vec<Deployment>,
}

/// A price of the user's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PriceOverride {
    /// Provider, by any of its names; a new one is added (for example `vllm`).
    pub provider: String,
    /// The model's id in the catalogue, or a new one; matched exactly, ignoring case.
    pub model: String,
    /// Further names of the model, as patterns.
    #[serde(rename = "match", skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<PatternEntry>,
    /// In force from this moment on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// In force until just before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// When it became known, for pricing as of an earlier day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_from: Option<String>,
    /// Daily windows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WindowSpec>,
    /// Facts of the request that must hold.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, String>,
    /// No charge at all.
    pub free: bool,
    /// USD by price key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<String, Amount>,
    /// Rates for long inputs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<TierEntry>,
    /// A self-hosted model: what its machines cost, spread over what they serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<CapacityEntry>,
    /// Where the price is from: a contract number, a URL, a name.
    pub source: String,
    /// What a reader should know.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Machines at a price per hour, spread over a stated unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapacityEntry {
    /// USD per GPU and hour.
    pub gpu_hour: Amount,
    /// How many GPUs serve the model.
    pub gpus: i64,
    /// The units served per hour by all of them together, by usage key: `{ output_tokens = 9000000 }`. With
    /// several keys each bears the full hour divided by the number of keys.
    pub per_hour: BTreeMap<String, i64>,
}

/// An agreement with a provider: absolute rates or a discount, for somebody, for a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContractEntry {
    /// A name for the receipt.
    pub id: String,
    /// Whose calls: the organisation, or any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// Whose calls: the project, or any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Whose calls: the tenant, or any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// With whom: the provider, or any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// For which models, as patterns of catalogue ids; all when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Only where these facts of the request hold.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, String>,
    /// In force from this moment on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// In force until just before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// A share taken off list rates, for example `"0.15"` for 15 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discount: Option<Amount>,
    /// Absolute USD rates by price key, in place of list rates, their tiers and multipliers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<String, Amount>,
    /// Price keys the discount applies to; all when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub price_keys: Vec<String>,
    /// Where it is written down.
    pub reference: String,
}

/// A deployment name that stands for a model, as on Azure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deployment {
    /// The provider in whose calls the name appears.
    pub provider: String,
    /// The deployment's name, matched exactly, ignoring case.
    pub name: String,
    /// The model it stands for, as that provider's calls would name it.
    pub model: String,
}

/// A contract, compiled.
#[derive(Debug)]
pub(crate) struct Contract {
    pub(crate) id: String,
    organisation: Option<String>,
    project: Option<String>,
    tenant: Option<String>,
    provider: Option<ProviderIndex>,
    models: Vec<Pattern>,
    pub(crate) when: Vec<Condition>,
    from: Instant,
    until: Instant,
    /// What remains of list rates: one minus the discount.
    factor: Amount,
    rates: Vec<(UsageKey, Amount)>,
    units: Vec<UsageKey>,
}

/// On whose behalf a call was made, where contracts depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope<'a> {
    /// The organisation with the provider.
    pub organisation: Option<&'a str>,
    /// The project with the provider.
    pub project: Option<&'a str>,
    /// The tenant of this installation.
    pub tenant: Option<&'a str>,
}

/// What a contract does to one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terms {
    Rate(Amount),
    Factor(Amount),
}

impl Overrides {
    /// Reads overrides from TOML.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.price.is_empty() && self.contract.is_empty() && self.multiplier.is_empty() && self.deployment.is_empty()
    }

    pub(crate) fn canonical(&self) -> String {
        serde_json::to_string(self).expect("strings, numbers and maps with text keys always serialise")
    }
}

impl Contract {
    pub(crate) fn applies(&self, provider: ProviderIndex, model: &str, scope: &Scope<'_>, moment: Instant) -> bool {
        let is = |wanted: &Option<String>, given: Option<&str>| wanted.as_deref().is_none_or(|wanted| given == Some(wanted));
        self.from <= moment
            && moment < self.until
            && self.provider.is_none_or(|wanted| wanted == provider)
            && is(&self.organisation, scope.organisation)
            && is(&self.project, scope.project)
            && is(&self.tenant, scope.tenant)
            && (self.models.is_empty() || self.models.iter().any(|pattern| pattern.matches(&model.to_lowercase())))
    }

    /// From when until just before when it is in force.
    pub(crate) fn interval(&self) -> [Instant; 2] {
        [self.from, self.until]
    }

    /// How narrowly the contract is drawn: the narrower one wins.
    pub(crate) fn specificity(&self) -> usize {
        let scope = [&self.organisation, &self.project, &self.tenant]
            .iter()
            .filter(|field| field.is_some())
            .count();
        scope + usize::from(self.provider.is_some()) + usize::from(!self.models.is_empty()) + usize::from(!self.when.is_empty())
    }

    pub(crate) fn terms(&self, unit: UsageKey) -> Option<Terms> {
        if let Some((_, rate)) = self.rates.iter().find(|(priced, _)| *priced == unit) {
            return Some(Terms::Rate(*rate));
        }
        let covered = self.units.is_empty() || self.units.contains(&unit);
        (covered && self.factor != Amount::ONE).then_some(Terms::Factor(self.factor))
    }
}

pub(crate) fn apply(catalogue: &mut Catalogue, overrides: &Overrides) -> Result<(), CatalogueError> {
    for (number, price) in overrides.price.iter().enumerate() {
        apply_price(catalogue, price).map_err(at(format!("price {} ({}/{})", number + 1, price.provider, price.model)))?;
    }
    for entry in &overrides.multiplier {
        let place = || format!("multiplier {} ({})", entry.id, entry.provider);
        let provider = known_provider(catalogue, &entry.provider).map_err(at(place()))?;
        let compiled = compile::compile_multiplier(entry).map_err(at(place()))?;
        catalogue.providers[usize::from(provider)].multipliers.push(compiled);
    }
    for entry in &overrides.contract {
        let contract = compile_contract(catalogue, entry).map_err(at(format!("contract {}", entry.id)))?;
        catalogue.contracts.push(contract);
    }
    for entry in &overrides.deployment {
        let place = || format!("deployment {} ({})", entry.name, entry.provider);
        let provider = known_provider(catalogue, &entry.provider).map_err(at(place()))?;
        if entry.name.trim().is_empty() || entry.model.trim().is_empty() {
            return Err(at(place())(Problem::Field(
                "a deployment needs a name and a model".to_owned(),
            )));
        }
        let lookup = &mut catalogue.providers[usize::from(provider)].lookup;
        let name = entry.name.trim().to_lowercase().into();
        lookup
            .deployments
            .insert(name, (provider, entry.model.trim().to_lowercase().into()));
    }
    Ok(())
}

fn known_provider(catalogue: &Catalogue, name: &str) -> Result<ProviderIndex, Problem> {
    catalogue
        .names
        .by_exact_name(name)
        .ok_or_else(|| Problem::Provider(name.to_owned()))
}

fn apply_price(catalogue: &mut Catalogue, entry: &PriceOverride) -> Result<(), Problem> {
    if entry.provider.trim().is_empty() || entry.model.trim().is_empty() {
        return Err(Problem::Field("a price needs a provider and a model".to_owned()));
    }
    let provider = match catalogue.names.by_exact_name(&entry.provider) {
        Some(index) => index,
        None => add_provider(catalogue, entry.provider.trim())?,
    };
    let id = entry.model.trim();
    let folded = id.to_lowercase();
    let known = catalogue
        .models
        .iter()
        .position(|model| model.provider == provider && model.id.eq_ignore_ascii_case(id))
        .or_else(|| {
            catalogue.providers[usize::from(provider)]
                .lookup
                .exact
                .get(&*folded)
                .map(|index| *index as usize)
        });
    let index = match known {
        Some(index) => index,
        None => {
            catalogue.models.push(Model {
                id: id.to_owned(),
                provider,
                deprecated: false,
                cards: Vec::new(),
            });
            catalogue.models.len() - 1
        }
    } as ModelIndex;
    let price = with_capacity(entry)?;
    let provider_id = catalogue.provider(provider).id.clone();
    let mut card = compile::compile_card(&provider_id, &catalogue.model(index).id, &price, Layer::Override)?;
    card.source = entry.source.as_str().into();
    let model = &mut catalogue.models[index as usize];
    if model.cards.iter().any(|other| other.price_id == card.price_id) {
        card.price_id = format!("{}#{}", card.price_id, model.cards.len() + 1).into();
    }
    model.cards.push(card);
    let lookup = &mut catalogue.providers[usize::from(provider)].lookup;
    lookup.exact.entry(folded.into()).or_insert(index);
    let names = ModelEntry {
        patterns: entry.patterns.clone(),
        ..ModelEntry::default()
    };
    let mut own = ModelLookup::default();
    compile::add_patterns(&mut own, index, &names)?;
    lookup.exact.extend(own.exact);
    lookup.patterns.splice(0..0, own.patterns);
    Ok(())
}

fn add_provider(catalogue: &mut Catalogue, name: &str) -> Result<ProviderIndex, Problem> {
    let index =
        ProviderIndex::try_from(catalogue.providers.len()).map_err(|_| Problem::Field("too many providers".to_owned()))?;
    catalogue.names.add(index, std::iter::once(name), std::iter::empty());
    catalogue.providers.push(Provider {
        id: name.to_owned(),
        otel_name: name.to_owned(),
        lookup: ModelLookup::default(),
        unique_models: Vec::new(),
        fallback: Vec::new(),
        multipliers: Vec::new(),
    });
    Ok(index)
}

/// The price with its capacity turned into rates.
fn with_capacity(entry: &PriceOverride) -> Result<PriceEntry, Problem> {
    let mut price = PriceEntry {
        from: entry.from.clone(),
        until: entry.until.clone(),
        known_from: entry.known_from.clone(),
        windows: entry.windows.clone(),
        when: entry.when.clone(),
        free: entry.free,
        rates: entry.rates.clone(),
        tiers: entry.tiers.clone(),
        minimum: BTreeMap::new(),
        source: String::new(),
        note: entry.note.clone(),
    };
    let Some(capacity) = &entry.capacity else {
        return Ok(price);
    };
    let shares = i64::try_from(capacity.per_hour.len()).unwrap_or(i64::MAX);
    for (key, per_hour) in &capacity.per_hour {
        let unit = UsageKey::parse(key).ok_or_else(|| Problem::UsageKey(key.clone()))?;
        let rate = capacity_rate(capacity, *per_hour, shares, unit.unit().per)
            .ok_or_else(|| Problem::Field(format!("the capacity cannot be spread over {per_hour} {key} an hour")))?;
        price.rates.insert(unit.price_key().to_owned(), rate);
    }
    Ok(price)
}

/// USD per `per` units, rounded half to even at twelve decimals: the one place where a rate is derived, and the
/// receipt shows the derived rate.
fn capacity_rate(capacity: &CapacityEntry, per_hour: i64, shares: i64, per: i64) -> Option<Amount> {
    if per_hour <= 0 || capacity.gpus <= 0 || capacity.gpu_hour.is_negative() {
        return None;
    }
    let hourly = capacity
        .gpu_hour
        .checked_mul(Amount::from(capacity.gpus))?
        .checked_mul(Amount::from(per))?;
    hourly.divide_rounded(per_hour.checked_mul(shares)?, 12)
}

fn compile_contract(catalogue: &Catalogue, entry: &ContractEntry) -> Result<Contract, Problem> {
    if entry.id.trim().is_empty() {
        return Err(Problem::Field("a contract needs an id".to_owned()));
    }
    if entry.discount.is_none() && entry.rates.is_empty() {
        return Err(Problem::Field("a contract needs a discount or rates".to_owned()));
    }
    let discount = entry.discount.unwrap_or(Amount::ZERO);
    let factor = Amount::ONE.checked_sub(discount).filter(|factor| compile::is_factor(*factor));
    let factor = factor.ok_or(Problem::Factor(discount))?;
    let (from, until) = compile::interval(entry.from.as_deref(), entry.until.as_deref())?;
    let unit = |key: &String| UsageKey::from_price_key(key).ok_or_else(|| Problem::PriceKey(key.clone()));
    let priced = PriceEntry {
        rates: entry.rates.clone(),
        free: entry.rates.is_empty(),
        ..PriceEntry::default()
    };
    let card = compile::compile_card("", "", &priced, Layer::Override)?;
    Ok(Contract {
        id: entry.id.clone(),
        organisation: entry.organisation.clone(),
        project: entry.project.clone(),
        tenant: entry.tenant.clone(),
        provider: entry
            .provider
            .as_deref()
            .map(|name| known_provider(catalogue, name))
            .transpose()?,
        models: entry
            .models
            .iter()
            .map(|text| Pattern::glob(text).map_err(Problem::from))
            .collect::<Result<_, _>>()?,
        when: compile::conditions(&entry.when),
        from,
        until,
        factor,
        rates: card.rates.iter().filter_map(|rate| Some((rate.unit, rate.base?))).collect(),
        units: entry.price_keys.iter().map(unit).collect::<Result<_, _>>()?,
    })
}
