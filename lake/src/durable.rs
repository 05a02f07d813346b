//! Making local files survive a loss of power: neither deltalake nor object_store ever syncs.
//!
//! On an object store an answered put is durable, and these functions are not called.

use std::fs::File;
use std::path::Path;

use crate::LakeError;

/// Waits until the bytes of the file or the entries of the folder at `path` are on the disk.
pub(crate) fn sync(path: &Path) -> Result<(), LakeError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|source| LakeError::Io {
            action: "sync",
            path: path.display().to_string(),
            source,
        })
}
