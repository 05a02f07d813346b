//! The catalogue as it is written down: the shape of the files under `pricing/catalogue/`.
//!
//! One file per provider, TOML, money as decimal strings. The same shape, as minified JSON with the providers
//! in order, is the canonical form whose SHA-256 names a catalogue. Nothing here decides anything: `compile.rs`
//! checks it and turns it into what `price.rs` asks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::instant::WindowSpec;

/// A whole catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Where the data comes from, by the id that `source` fields name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, SourceEntry>,
    /// The providers. The order decides where two could claim a model name without a provider.
    #[serde(default)]
    pub providers: Vec<ProviderDocument>,
}

/// A source of prices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceEntry {
    /// What it is, with its version.
    pub title: String,
    /// Where it is published.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// Its licence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub licence: String,
    /// When its content was retrieved: rates from it were not known to us earlier.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub retrieved: String,
    /// SHA-256 of what was retrieved.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
}

/// One provider's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderDocument {
    /// Who it is.
    pub provider: ProviderEntry,
    /// Factors on several rates at once, for example for data residency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub multiplier: Vec<MultiplierEntry>,
    /// Its models, in matching order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model: Vec<ModelEntry>,
}

/// Who a provider is and how it is recognised.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderEntry {
    /// The catalogue's id.
    pub id: String,
    /// The provider's own name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The OpenTelemetry value of `gen_ai.provider.name` first, then every other spelling seen in the wild.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Hosts, whole: `api.example.com`, `*.example.com` (one label), with an optional path `host/path`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Patterns of model names that only this provider uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unique_models: Vec<PatternEntry>,
    /// Providers whose standard rates apply to models that this one does not list.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallback: Vec<String>,
    /// Where the provider publishes its prices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pricing_urls: Vec<String>,
    /// What a reader should know.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A pattern of names. See `pattern.rs` for the text form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PatternEntry {
    /// `gpt-5.5`, `gpt-5.5-####-##-##`, `claude-sonnet-4-5*`, `*.anthropic.claude-opus-5`.
    Glob(String),
    /// All of the first and none of the second.
    Compound(CompoundPattern),
    /// A regular expression, searched for in the lower-cased name.
    Regex(RegexPattern),
}

/// All of some patterns and none of others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompoundPattern {
    /// Every one must hold.
    #[serde(default)]
    pub all: Vec<String>,
    /// None may hold.
    #[serde(default)]
    pub none: Vec<String>,
}

/// A regular expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegexPattern {
    /// The expression.
    pub regex: String,
}

/// One model and its prices over time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// The provider's id; only where entries stand outside a provider's file, as corrections do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provider: String,
    /// The catalogue's id.
    pub id: String,
    /// The provider's own name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The names under which calls of it appear.
    #[serde(rename = "match", default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<PatternEntry>,
    /// Withdrawn by the provider; old calls still have a price.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deprecated: bool,
    /// The id of the source of its prices, unless a price says otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// What a reader should know.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// What other sources say of its current standard price, by source: `same`, or what differs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub also: BTreeMap<String, String>,
    /// Its prices. Of those in force, the last one without `when` is the standard price; of those whose `when`
    /// holds, the first one with a rate for a key replaces that key's standard rate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub price: Vec<PriceEntry>,
}

/// Rates that stand and fall together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriceEntry {
    /// In force from this moment on; always before `until` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// In force until just before this moment; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// When we learned of it; the source's retrieval when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_from: Option<String>,
    /// In force only within one of these, when any are given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WindowSpec>,
    /// In force only where each of these facts of the request holds. Without rates it says that standard rates
    /// apply under the condition.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, String>,
    /// No charge at all.
    #[serde(default, skip_serializing_if = "is_false")]
    pub free: bool,
    /// USD by price key, for example `input_mtok = "2.5"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rates: BTreeMap<String, Amount>,
    /// Rates for the whole request once its input is long.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<TierEntry>,
    /// The least that is billed of a usage key once it is above zero.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub minimum: BTreeMap<String, i64>,
    /// The id of the source, where it is not the model's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// What a reader should know.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Rates that replace the base rates of a whole request by its total input tokens, cached ones included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierEntry {
    /// Applies when the input is above this number of tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<i64>,
    /// Applies when the input is this number of tokens or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<i64>,
    /// USD by price key.
    pub rates: BTreeMap<String, Amount>,
}

/// A factor on several rates at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiplierEntry {
    /// The provider, by any of its names; only where entries stand outside a provider's file, as in overrides.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub provider: String,
    /// A name for the receipt, for example `inference_geo=us`.
    pub id: String,
    /// The factor, for example `"1.1"`.
    pub factor: Amount,
    /// Catalogue ids of the models it applies to, as patterns; all of the provider's when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// The facts that must hold. A value may be a list `us|eu`, or `!global` for anything but.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub when: BTreeMap<String, String>,
    /// Price keys it applies to; all token rates when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub price_keys: Vec<String>,
    /// In force from this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// In force until just before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Where it is published.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// What a reader should know.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl TierEntry {
    /// The smallest total of input tokens to which the tier applies.
    pub fn first_token(&self) -> i64 {
        self.at_least.unwrap_or_else(|| self.above.unwrap_or(0).saturating_add(1))
    }
}

fn is_false(value: &bool) -> bool {
    !*value
}

impl Document {
    /// The canonical form: minified JSON, maps by key, providers and models in their order.
    pub fn canonical(&self) -> String {
        serde_json::to_string(self).expect("strings, numbers and maps with text keys always serialise")
    }
}
