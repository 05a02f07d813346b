//! The catalogue in memory: immutable, shared between threads, made once.
//!
//! It is what `compile.rs` makes of a [`Document`], with the match cache beside it. It finds and it prices; it
//! does not change. A catalogue with overrides is a new one.

use std::sync::{Arc, LazyLock, OnceLock};

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::amount::Amount;
use crate::cache::MatchCache;
use crate::compile::{self, CatalogueError};
use crate::document::Document;
use crate::instant::{Instant, Window};
use crate::overrides::{Contract, Overrides};
use crate::pattern::Pattern;
use crate::provider::{ProviderIndex, ProviderNames};
use crate::unit::UsageKey;

/// Index of a model in its catalogue.
pub(crate) type ModelIndex = u32;

/// A price catalogue, ready to ask. Immutable; share it between threads.
#[derive(Debug)]
pub struct Catalogue {
    pub(crate) providers: Vec<Provider>,
    pub(crate) models: Vec<Model>,
    pub(crate) names: ProviderNames,
    pub(crate) contracts: Vec<Contract>,
    pub(crate) cache: MatchCache,
    pub(crate) document: Document,
    pub(crate) overrides: Overrides,
    pub(crate) hash: OnceLock<String>,
}

/// A provider, compiled.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) id: String,
    pub(crate) otel_name: String,
    pub(crate) lookup: ModelLookup,
    pub(crate) unique_models: Vec<Pattern>,
    pub(crate) fallback: Vec<ProviderIndex>,
    pub(crate) multipliers: Vec<Multiplier>,
}

/// How a provider's models are found by name.
#[derive(Debug, Default)]
pub(crate) struct ModelLookup {
    pub(crate) exact: hashbrown::HashMap<Box<str>, ModelIndex>,
    /// In the order of the file; the first that matches wins.
    pub(crate) patterns: Vec<(ModelIndex, Pattern)>,
    /// Deployment names of the user's configuration: the model, and its provider.
    pub(crate) deployments: hashbrown::HashMap<Box<str>, (ProviderIndex, Box<str>)>,
}

/// A model, compiled.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) id: String,
    pub(crate) provider: ProviderIndex,
    pub(crate) deprecated: bool,
    pub(crate) cards: Vec<Card>,
}

/// Rates that stand and fall together, compiled from a [`crate::document::PriceEntry`].
#[derive(Debug)]
pub(crate) struct Card {
    pub(crate) price_id: Arc<str>,
    pub(crate) layer: Layer,
    pub(crate) from: Instant,
    pub(crate) until: Instant,
    pub(crate) known_from: Option<Instant>,
    pub(crate) retrieved: Option<Instant>,
    pub(crate) windows: Vec<Window>,
    pub(crate) when: Vec<Condition>,
    pub(crate) free: bool,
    pub(crate) rates: Vec<Rate>,
    pub(crate) minimum: Vec<(UsageKey, i64)>,
    pub(crate) source: Arc<str>,
}

/// Which file a price comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    /// The built-in or imported catalogue.
    Catalogue,
    /// The user's configuration.
    Override,
}

/// A fact that must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) name: String,
    pub(crate) accepted: Accepted,
}

/// Which values of a fact are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    OneOf(Vec<String>),
    AnythingBut(String),
}

/// The rate of one unit: its base and what replaces it for long inputs.
#[derive(Debug)]
pub(crate) struct Rate {
    pub(crate) unit: UsageKey,
    pub(crate) base: Option<Amount>,
    /// First token of the tier and its rate, ascending.
    pub(crate) tiers: Vec<(i64, Amount)>,
    /// The base and each tier once more, in 10^-18 USD for one single unit, where that is exact.
    pub(crate) per_unit: SmallVec<[Option<i128>; 2]>,
}

/// A factor on several rates at once, compiled.
#[derive(Debug)]
pub(crate) struct Multiplier {
    pub(crate) id: String,
    pub(crate) factor: Amount,
    pub(crate) models: Vec<Pattern>,
    pub(crate) when: Vec<Condition>,
    /// Empty means every token rate.
    pub(crate) units: Vec<UsageKey>,
    pub(crate) from: Instant,
    pub(crate) until: Instant,
}

static EMBEDDED: LazyLock<Catalogue> = LazyLock::new(|| {
    let json = include_str!("../catalogue/embedded.json");
    let document = serde_json::from_str(json).expect("the built-in catalogue is checked by a test");
    let catalogue = Catalogue::new(document).expect("the built-in catalogue is checked by a test");
    // The embedded text is the canonical form itself; a test holds that this is its hash.
    let _ = catalogue
        .hash
        .set(include_str!("../catalogue/embedded.sha256").trim().to_owned());
    catalogue
});

impl Catalogue {
    /// The built-in catalogue, parsed on first use.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// A catalogue from its written form.
    pub fn new(document: Document) -> Result<Self, CatalogueError> {
        compile::compile(document, Overrides::default())
    }

    /// This catalogue with the user's prices, contracts, multipliers and deployments laid over it.
    pub fn with_overrides(&self, overrides: &Overrides) -> Result<Self, CatalogueError> {
        compile::compile(self.document.clone(), overrides.clone())
    }

    /// SHA-256, in lower-case hex, of the canonical form: the catalogue's document and, where there are any, the
    /// overrides.
    pub fn hash(&self) -> &str {
        self.hash.get_or_init(|| {
            let mut text = self.document.canonical();
            if !self.overrides.is_empty() {
                text.push('\n');
                text.push_str(&self.overrides.canonical());
            }
            sha256_hex(text.as_bytes())
        })
    }

    /// The written form, without overrides.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The number of models.
    pub fn model_count(&self) -> usize {
        self.models.len()
    }

    pub(crate) fn names(&self) -> &ProviderNames {
        &self.names
    }

    pub(crate) fn provider(&self, index: ProviderIndex) -> &Provider {
        &self.providers[usize::from(index)]
    }

    pub(crate) fn model(&self, index: ModelIndex) -> &Model {
        &self.models[index as usize]
    }
}

impl Provider {
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn otel_name(&self) -> &str {
        &self.otel_name
    }
}

impl Card {
    pub(crate) fn is_in_force(&self, at: Instant) -> bool {
        self.from <= at && at < self.until && (self.windows.is_empty() || self.windows.iter().any(|window| window.contains(at)))
    }

    /// Whether we could have known the price at that moment. Without a date of its own it counts as known.
    pub(crate) fn is_known_at(&self, known_at: Option<Instant>) -> bool {
        match (self.known_from, known_at) {
            (Some(known_from), Some(known_at)) => known_from <= known_at,
            _ => true,
        }
    }
}

impl Rate {
    pub(crate) fn new(unit: UsageKey, base: Option<Amount>, mut tiers: Vec<(i64, Amount)>) -> Self {
        tiers.sort_by_key(|(first, _)| *first);
        let per_unit = |rate: Amount| rate.checked_div_per(unit.unit().per)?.at_exactly(18);
        let per_unit = std::iter::once(base.and_then(per_unit)).chain(tiers.iter().map(|(_, rate)| per_unit(*rate)));
        Self {
            unit,
            base,
            per_unit: per_unit.collect(),
            tiers,
        }
    }

    /// The rate of one single unit in 10^-18 USD, where it is exact: what sums without a receipt go by.
    pub(crate) fn per_unit_at(&self, input_tokens: i128) -> Option<i128> {
        let tier = self.tiers.iter().rposition(|(first, _)| input_tokens >= i128::from(*first));
        self.per_unit[tier.map_or(0, |index| index + 1)]
    }

    /// The rate for a request with that many input tokens in all, and the tier's first token.
    pub(crate) fn at(&self, input_tokens: i128) -> Option<(Amount, Option<i64>)> {
        let tier = self.tiers.iter().rev().find(|(first, _)| input_tokens >= i128::from(*first));
        match tier {
            Some((first, rate)) => Some((*rate, Some(*first))),
            None => self.base.map(|rate| (rate, None)),
        }
    }
}

impl Condition {
    pub(crate) fn new(name: &str, value: &str) -> Self {
        let value = value.trim().to_lowercase();
        let accepted = match value.strip_prefix('!') {
            Some(excluded) => Accepted::AnythingBut(excluded.to_owned()),
            None => Accepted::OneOf(value.split('|').map(str::to_owned).collect()),
        };
        Self {
            name: name.trim().to_lowercase(),
            accepted,
        }
    }

    /// Whether the value, folded, is accepted. What is not known is never accepted.
    pub(crate) fn accepts(&self, value: Option<&str>) -> bool {
        let Some(value) = value else { return false };
        match &self.accepted {
            Accepted::OneOf(values) => values.iter().any(|accepted| accepted == value),
            Accepted::AnythingBut(excluded) => excluded != value,
        }
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
