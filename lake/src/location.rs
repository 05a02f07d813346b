//! Where a lake is: a local directory or an object-store URL.

use std::path::{Path, PathBuf};

use url::Url;

use crate::LakeError;

/// The root of a lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    /// Always ends in a slash, so that tables can be joined to it.
    url: Url,
    local: Option<PathBuf>,
}

impl Location {
    /// Reads `uri`; creates the directory where it is local and does not exist.
    pub(crate) fn open(uri: &str) -> Result<Self, LakeError> {
        let refuse = |reason: String| LakeError::Location {
            uri: uri.to_owned(),
            reason,
        };
        let mut url = deltalake::ensure_table_uri(uri).map_err(|error| refuse(error.to_string()))?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        let local = match url.scheme() {
            "file" => Some(url.to_file_path().map_err(|()| refuse("not a local path".into()))?),
            _ => None,
        };
        if let Some(path) = &local {
            std::fs::create_dir_all(path).map_err(|error| refuse(error.to_string()))?;
        }
        Ok(Self { url, local })
    }

    pub(crate) fn table_url(&self, table: &str) -> Result<Url, LakeError> {
        self.url.join(&format!("{table}/")).map_err(|error| LakeError::Location {
            uri: self.url.to_string(),
            reason: error.to_string(),
        })
    }

    /// The root, ending in a slash.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn local(&self) -> Option<&Path> {
        self.local.as_deref()
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.local {
            Some(path) => path.display().fmt(formatter),
            None => self.url.fmt(formatter),
        }
    }
}
