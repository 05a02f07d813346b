//! Opening a lake for commands that read one.

use marginlake_lake::{Lake, LakeError};

/// Opens the lake at `uri`, making the directory as every command does, but says so: a mistyped name would otherwise
/// look like a lake without data.
pub(crate) fn open_for_reading(uri: &str) -> Result<Lake, LakeError> {
    let is_new = !uri.contains("://") && !std::path::Path::new(uri).is_dir();
    let lake = Lake::open(uri)?;
    if is_new {
        tracing::warn!(
            lake = uri,
            "the lake did not exist: an empty directory was made; is the name right?"
        );
    }
    Ok(lake)
}
