//! The configuration file: one optional TOML file whose sections belong to the crates that use them.

use std::path::Path;

use serde::Deserialize;

use crate::exit::Usage;

/// What was written in the file. Unknown keys are mistakes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FileConfig {
    /// `[collect]`
    pub(crate) collect: crate::collect::CollectSection,
}

/// Reads the file, if one is given.
pub(crate) fn load(path: Option<&Path>) -> anyhow::Result<FileConfig> {
    let Some(path) = path else { return Ok(FileConfig::default()) };
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| Usage(format!("cannot read the configuration {shown}: {error}")))?;
    // The parser's message has the line, the key and what was expected.
    Ok(toml::from_str(&text).map_err(|error| Usage(format!("configuration {shown}: {error}")))?)
}
