//! What a closed month consists of: the manifest that names every file with its hash, and whose own hash is the
//! month's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One file of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedFile {
    /// Below the revision's folder.
    pub path: String,
    /// Rows.
    pub rows: usize,
    /// Bytes.
    pub bytes: usize,
    /// SHA-256 of the bytes, lower-case hex.
    pub sha256: String,
}

/// The figures a closed month stands for. Money as exact decimals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Rows of `calls`.
    pub calls: usize,
    /// Of those, how many have no cost: what is not known is in no sum.
    pub calls_without_cost: usize,
    /// Cost by `cost_class`, USD.
    pub cost_usd: BTreeMap<String, String>,
    /// The sum of `margin_daily`, by currency and column; empty where no report was made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub margin: BTreeMap<String, BTreeMap<String, String>>,
}

/// `manifest.json` of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Form of this file.
    pub format: u32,
    /// Such as `2026-10`.
    pub period: String,
    /// Counts exports of the period, from 1.
    pub revision: i64,
    /// The SHA-256 of the manifest that this revision restates.
    pub restates: Option<String>,
    /// Catalogues that the calls were priced by.
    pub catalogues: Vec<String>,
    /// The figures.
    pub totals: Totals,
    /// The files, by path.
    pub files: Vec<ExportedFile>,
}

impl Manifest {
    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("text and numbers are JSON");
        text.push(b'\n');
        text
    }

    /// Whether two revisions have the same files.
    pub fn has_same_files(&self, other: &Manifest) -> bool {
        self.files == other.files
    }
}

/// SHA-256 in lower-case hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
