//! The Delta log: a checkpoint at the newest version, and entries older than the retention forgotten.

use std::time::Duration;

use chrono::{DateTime, Utc};
use deltalake::checkpoints::{cleanup_expired_logs_for, create_checkpoint};
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::{LakeError, LakeTable};

/// Writes a checkpoint unless the newest version has one.
pub(super) async fn checkpoint(table: &LakeTable) -> Result<(), LakeError> {
    if table.version() <= 0 || last_checkpoint(table).await == Some(table.version()) {
        return Ok(());
    }
    create_checkpoint(&table.inner, None)
        .await
        .map_err(|error| LakeError::delta("write a checkpoint of", &table.name, error))
}

async fn last_checkpoint(table: &LakeTable) -> Option<i64> {
    let found = table
        .inner
        .object_store()
        .get(&Path::from("_delta_log/_last_checkpoint"))
        .await
        .ok()?;
    let pointer: serde_json::Value = serde_json::from_slice(&found.bytes().await.ok()?).ok()?;
    pointer["version"].as_i64()
}

/// Deletes log entries that neither a version of the retention nor `pinned` needs; how many.
pub(super) async fn forget(
    table: &LakeTable,
    now: DateTime<Utc>,
    retain: Duration,
    pinned: Option<i64>,
) -> Result<usize, LakeError> {
    let keep = pinned.map_or(table.version(), |pinned| pinned.min(table.version()));
    let cutoff = now
        .timestamp_millis()
        .saturating_sub(i64::try_from(retain.as_millis()).unwrap_or(i64::MAX));
    let store = table.inner.log_store();
    cleanup_expired_logs_for(u64::try_from(keep).unwrap_or(0), store.as_ref(), cutoff, None)
        .await
        .map_err(|error| LakeError::delta("shorten the log of", &table.name, error))
}
