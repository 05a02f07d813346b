//! The configuration file: one optional TOML file whose sections belong to the crates that use them.

use std::path::Path;

use marginlake_collector::recognise::AttributionConfig;
use marginlake_pricing::{Catalogue, Overrides};
use serde::Deserialize;

use crate::exit::Usage;
use marginlake_pricing::document::MultiplierEntry;
use marginlake_pricing::overrides::{ContractEntry, Deployment, PriceOverride};

/// What was written in the file. Unknown keys are mistakes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileConfig {
    /// `[collect]`
    pub(crate) collect: crate::collect::CollectSection,
    /// `[attribution]`
    pub(crate) attribution: AttributionConfig,
    /// `[[price]]`
    price: Vec<PriceOverride>,
    /// `[[contract]]`
    contract: Vec<ContractEntry>,
    /// `[[multiplier]]`
    multiplier: Vec<MultiplierEntry>,
    /// `[[deployment]]`
    deployment: Vec<Deployment>,
}

impl FileConfig {
    /// The built-in prices with the file's own layered over them.
    pub(crate) fn catalogue(&self) -> anyhow::Result<&'static Catalogue> {
        let overrides = Overrides {
            price: self.price.clone(),
            contract: self.contract.clone(),
            multiplier: self.multiplier.clone(),
            deployment: self.deployment.clone(),
        };
        if overrides == Overrides::default() {
            return Ok(Catalogue::embedded());
        }
        let catalogue = Catalogue::embedded()
            .with_overrides(&overrides)
            .map_err(|error| Usage(error.to_string()))?;
        // Lives as long as the process, as the built-in one does.
        Ok(Box::leak(Box::new(catalogue)))
    }
}

/// Reads the file, if one is given.
pub(crate) fn load(path: Option<&Path>) -> anyhow::Result<FileConfig> {
    let Some(path) = path else { return Ok(FileConfig::default()) };
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| Usage(format!("cannot read the configuration {shown}: {error}")))?;
    // The parser's message has the line, the key and what was expected.
    Ok(toml::from_str(&text).map_err(|error| Usage(format!("configuration {shown}: {error}")))?)
}
