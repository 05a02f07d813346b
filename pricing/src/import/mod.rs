//! From other people's price data to a [`Document`]: genai-prices first, LiteLLM's map for gaps, our corrections last.
//!
//! `marginlake prices import` runs this, and the built-in catalogue was made by it. It reads texts and returns
//! data with notes; opening files is `loader.rs`. Prices arrive as decimal text and never become a float.

mod corrections;
mod flat;
mod gap;
mod genai;
mod litellm;
mod regex_clause;
pub(crate) mod toml_writer;

use crate::amount::Amount;
use crate::document::Document;

pub use corrections::Corrections;

/// A catalogue in the making, with what the importer had to decide.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// The result so far.
    pub document: Document,
    /// Decisions a reviewer should see, one line each.
    pub notes: Vec<String>,
}

/// Why foreign data cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The text is not what it claims to be.
    #[error("cannot read {what}: {reason}")]
    Malformed {
        /// Which data.
        what: &'static str,
        /// What the parser says, with line and column where it knows them.
        reason: String,
    },
    /// An entry makes no sense.
    #[error("{provider}/{model}: {reason}")]
    Entry {
        /// The provider's id.
        provider: String,
        /// The model's id.
        model: String,
        /// What is wrong.
        reason: String,
    },
}

impl Import {
    /// Starts from the JSON form of genai-prices' data (decimal strings; see the seed's README).
    pub fn from_genai_prices(json: &str) -> Result<Self, ImportError> {
        genai::import(json)
    }

    /// Adds the models of LiteLLM's `model_prices_and_context_window.json` that providers here do not list.
    pub fn add_litellm_gaps(&mut self, json: &str) -> Result<(), ImportError> {
        litellm::add_gaps(self, json)
    }

    /// Adds the models of models.dev's `api.json` that providers here do not list.
    pub fn add_models_dev_gaps(&mut self, json: &str) -> Result<(), ImportError> {
        flat::add_models_dev_gaps(self, json)
    }

    /// Adds the models of one of Portkey's `pricing/<provider>.json` that the provider here does not list.
    pub fn add_portkey_gaps(&mut self, provider: &str, json: &str) -> Result<(), ImportError> {
        flat::add_portkey_gaps(self, provider, json)
    }

    /// Applies corrections, which win over everything imported before.
    pub fn correct(&mut self, corrections: &Corrections) -> Result<(), ImportError> {
        corrections::apply(self, corrections)
    }
}

/// A rate as the files keep it: at most twelve decimals. More than that is the noise of somebody's floats
/// (`0.13999999999999999`); it is rounded, and the reviewer told.
fn without_float_noise(rate: Amount) -> (Amount, bool) {
    match rate.decimals() {
        Some(decimals) if decimals > 12 => (rate.rounded(12).normalised(), true),
        _ => (rate.normalised(), false),
    }
}

/// A JSON number's own digits. `serde_json` keeps the shortest text that reads back to the same number, which
/// is the text of the source for every price of up to 15 digits.
fn number_text(value: &serde_json::Value) -> Option<Amount> {
    match value {
        serde_json::Value::Number(number) => number.to_string().parse().ok(),
        serde_json::Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// `rate` for one unit as a rate for `per` units. Prices per token carry the noise of floats in their last
/// digits; nine decimals of a rate per million are more than any vendor publishes.
fn per_units(rate: Amount, per: i64) -> Option<Amount> {
    let scaled = rate.checked_mul(Amount::from(per))?;
    Some(scaled.rounded(9).normalised())
}
