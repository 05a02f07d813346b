//! The only file that opens files: catalogue folders in and out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::document::{Document, ProviderDocument};
use crate::import::toml_writer;

/// Why a catalogue on disk cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read or written.
    #[error("cannot access {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not a catalogue file.
    #[error("{path}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser says, with the line.
        reason: String,
    },
}

/// Files of a catalogue folder that are not one provider's.
const OTHER_FILES: [&str; 2] = ["sources.toml", "corrections.toml"];

/// Reads a catalogue: a folder of provider files with a `sources.toml`, one provider's file, or a canonical JSON.
pub fn read(path: &Path) -> Result<Document, LoadError> {
    if !path.is_dir() {
        let text = read_text(path)?;
        if path.extension().is_some_and(|extension| extension == "json") {
            return serde_json::from_str(&text).map_err(|error| malformed(path, &error));
        }
        let provider = toml::from_str(&text).map_err(|error| malformed(path, &error))?;
        return Ok(Document {
            providers: vec![provider],
            ..Document::default()
        });
    }
    let mut document = Document::default();
    let sources = path.join("sources.toml");
    if sources.exists() {
        document.sources = toml::from_str(&read_text(&sources)?).map_err(|error| malformed(&sources, &error))?;
    }
    for file in provider_files(path)? {
        let provider: ProviderDocument = toml::from_str(&read_text(&file)?).map_err(|error| malformed(&file, &error))?;
        document.providers.push(provider);
    }
    document
        .providers
        .sort_by(|left, right| left.provider.id.cmp(&right.provider.id));
    Ok(document)
}

/// The files of a catalogue folder that are one provider's, in order.
pub fn provider_files(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let io_error = |source| LoadError::Io {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_error)? {
        let file = entry.map_err(io_error)?.path();
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(".toml") && !OTHER_FILES.contains(&name) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Writes a catalogue as a folder: one file per provider, `sources.toml`, the canonical `embedded.json` and its hash.
pub fn write(document: &Document, folder: &Path) -> Result<(), LoadError> {
    fs::create_dir_all(folder).map_err(|source| LoadError::Io {
        path: folder.to_owned(),
        source,
    })?;
    write_text(&folder.join("sources.toml"), &toml_writer::sources(&document.sources))?;
    for provider in &document.providers {
        write_text(
            &folder.join(file_name(&provider.provider.id)),
            &toml_writer::provider(provider),
        )?;
    }
    let canonical = document.canonical();
    let hash = hex::encode(Sha256::digest(canonical.as_bytes()));
    write_text(&folder.join("embedded.sha256"), &(hash + "\n"))?;
    write_text(&folder.join("embedded.json"), &(canonical + "\n"))
}

/// A file name for a provider id from outside: letters, digits, `-`, `_` and `.` stay.
fn file_name(id: &str) -> String {
    let safe = |character: char| {
        if character.is_ascii_alphanumeric() || "-_.".contains(character) {
            character
        } else {
            '_'
        }
    };
    format!("{}.toml", id.chars().map(safe).collect::<String>())
}

/// Reads a text file, naming it when that fails.
pub fn read_text(path: &Path) -> Result<String, LoadError> {
    fs::read_to_string(path).map_err(|source| LoadError::Io {
        path: path.to_owned(),
        source,
    })
}

fn write_text(path: &Path, text: &str) -> Result<(), LoadError> {
    fs::write(path, text).map_err(|source| LoadError::Io {
        path: path.to_owned(),
        source,
    })
}

fn malformed(path: &Path, error: &dyn std::fmt::Display) -> LoadError {
    LoadError::Malformed {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
