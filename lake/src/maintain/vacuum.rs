//! Deleting data files that no version within the retention needs, and what crashed writers left behind.

use std::path::Path as FsPath;
use std::time::{Duration, SystemTime};

use deltalake::operations::vacuum::VacuumMode;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use crate::{LakeError, LakeTable};

/// How many files were deleted.
pub(super) async fn vacuum(table: &LakeTable, retain: Duration, pinned: Option<i64>) -> Result<usize, LakeError> {
    let retention = chrono::TimeDelta::from_std(retain).unwrap_or(chrono::TimeDelta::MAX);
    let mut builder = table
        .inner
        .clone()
        .vacuum()
        // Full: also files that no version ever had, as a refused commit leaves them.
        .with_mode(VacuumMode::Full)
        .with_retention_period(retention)
        .with_enforce_retention_duration(false)
        // The library would write two commits that say it was here; the list is all we want of it.
        .with_dry_run(true);
    if let Some(pinned) = pinned.and_then(|version| u64::try_from(version).ok()) {
        builder = builder.with_keep_versions(&[pinned]);
    }
    let (_, planned) = builder
        .await
        .map_err(|error| LakeError::delta("vacuum", &table.name, error))?;
    let store = table.inner.object_store();
    for path in &planned.files_deleted {
        match store.delete(&Path::from(path.as_str())).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(source) => {
                return Err(LakeError::Store {
                    action: "delete",
                    path: path.clone(),
                    source,
                });
            }
        }
    }
    let leftovers = table.local.as_ref().map_or(0, |root| sweep(root, retain));
    Ok(planned.files_deleted.len() + leftovers)
}

/// Unfinished local files of writers that were killed: hidden from every listing, so only looking finds them.
fn sweep(folder: &FsPath, retain: Duration) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let mut swept = 0;
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            swept += sweep(&path, retain);
            continue;
        }
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_old = metadata
            .modified()
            .is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > retain));
        if is_old && is_unfinished(&name) && std::fs::remove_file(&path).is_ok() {
            swept += 1;
        }
    }
    swept
}

fn is_unfinished(name: &str) -> bool {
    let staged = name
        .rsplit_once('#')
        .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    staged || (name.starts_with('_') && name.ends_with(".tmp"))
}
