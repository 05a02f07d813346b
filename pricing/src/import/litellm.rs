//! Gaps.
use super::{Import, ImportError};
pub(super) fn add_gaps(_import: &mut Import, _json: &str) -> Result<(), ImportError> {
    Ok(())
}
