//! Gaps.
use super::{Import, ImportError};
pub(super) fn add_models_dev_gaps(_import: &mut Import, _json: &str) -> Result<(), ImportError> {
    Ok(())
}
pub(super) fn add_portkey_gaps(_import: &mut Import, _provider: &str, _json: &str) -> Result<(), ImportError> {
    Ok(())
}
