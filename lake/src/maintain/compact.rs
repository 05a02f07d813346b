//! Compacting the small files of one day so that no row is lost or doubled, whoever else works on the table.
//!
//! The library accepts two compactions that were made from one version, and rows double. So this commit goes exactly behind
//! the version in which every file that it replaces was seen alive, or not at all; where others committed first, it looks
//! again. New files are read back and compared before they are swapped in, and the swap is looked at afterwards: where it is
//! not what was meant, it is reverted by a commit that puts the old files back. (Delta's own restore would take back what
//! collectors have appended since.)

use std::collections::BTreeMap;

use chrono::NaiveDate;
use deltalake::kernel::{Action, Add, Remove};
use deltalake::protocol::DeltaOperation;

use super::TARGET_BYTES;
use super::rewrite::{discard, read_back, rewrite};
use crate::append::Attempts;
use crate::data_file::log_entry;
use crate::{AppTransaction, DataFile, Lake, LakeError, LakeTable, Lease};

/// The application transaction of maintenance: its version is the fencing number of the lease.
const FENCE: &str = "marginlake-maintain";

/// Rows rewritten; `None` where another writer replaced one of the files meanwhile: then nothing was changed.
pub(super) async fn compact(
    lake: &Lake,
    table: &mut LakeTable,
    lease: &Lease,
    date: Option<NaiveDate>,
    files: &[DataFile],
) -> Result<Option<u64>, LakeError> {
    let (adds, before) = rewrite(table, date, files).await?;
    let checked = match read_back(table, &adds).await {
        Ok(after) if after == before => Ok(()),
        Ok(after) => Err(LakeError::Compaction {
            table: table.name.clone(),
            what: date.map_or_else(|| "all rows".into(), |date| date.to_string()),
            before: before.to_string(),
            after: after.to_string(),
        }),
        Err(error) => Err(error),
    };
    let swapped = match checked {
        Ok(()) => swap(table, lease, files, &adds).await,
        Err(error) => Err(error),
    };
    match swapped {
        Ok(Some(swap)) => {
            check(lake, table, &swap).await?;
            Ok(Some(before.rows))
        }
        Ok(None) => {
            discard(table, &adds).await;
            Ok(None)
        }
        Err(error) => {
            // A commit that was refused is not there; one whose answer was lost may be, and then its files are live.
            let is_live = table.refresh().await.and_then(|()| table.files());
            if is_live.is_ok_and(|live| adds.iter().all(|add| live.iter().all(|file| file.path != add.path))) {
                discard(table, &adds).await;
            }
            Err(error)
        }
    }
}

/// One commit that took files out and put others in.
pub(super) struct Swap {
    version: u64,
    removed: Vec<DataFile>,
    added: Vec<Add>,
}

/// Swaps `old` for `new` in the log.
pub(super) async fn swap(table: &mut LakeTable, lease: &Lease, old: &[DataFile], new: &[Add]) -> Result<Option<Swap>, LakeError> {
    let fence = AppTransaction {
        app_id: FENCE.to_owned(),
        version: lease.fencing_number(),
    };
    loop {
        lease.check().await?;
        table.refresh().await?;
        if table
            .transaction_version(FENCE)
            .await?
            .is_some_and(|number| number > fence.version)
        {
            return Err(LakeError::LeaseLost {
                task: "maintenance".into(),
            });
        }
        let mut live: BTreeMap<String, Remove> = table
            .state()?
            .log_data()
            .iter()
            .map(|file| (file.path().into_owned(), file.remove_action(false)))
            .collect();
        let removed: Option<Vec<Remove>> = old.iter().map(|file| live.remove(&file.path)).collect();
        let Some(removed) = removed else { return Ok(None) };
        let actions = removed.into_iter().map(Action::Remove);
        let actions = actions.chain(new.iter().cloned().map(Action::Add)).collect();
        let committed = table
            .try_commit(actions, std::slice::from_ref(&fence), operation(), Attempts::NextVersionOnly)
            .await;
        match committed {
            Ok(version) => {
                return Ok(Some(Swap {
                    version,
                    removed: old.to_vec(),
                    added: new.to_vec(),
                }));
            }
            Err(LakeError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Looks at the table before and after the swap as any reader does, and reverts it where rows changed.
pub(super) async fn check(lake: &Lake, table: &mut LakeTable, swap: &Swap) -> Result<(), LakeError> {
    let version = i64::try_from(swap.version).unwrap_or(i64::MAX);
    let (before, after) = (
        files_at(lake, table, version - 1).await?,
        files_at(lake, table, version).await?,
    );
    let mut expected = before.clone();
    for file in &swap.removed {
        expected.remove(&file.path);
    }
    for file in &swap.added {
        expected.insert(
            file.path.clone(),
            file.get_stats().ok().flatten().map(|stats| stats.num_records as u64),
        );
    }
    let rows = |files: &BTreeMap<String, Option<u64>>| files.values().flatten().sum::<u64>();
    if after == expected && rows(&before) == rows(&after) {
        return Ok(());
    }
    revert(table, swap).await?;
    Err(LakeError::Compaction {
        table: table.name.clone(),
        what: format!("version {version}"),
        before: format!("{} rows in {} files", rows(&before), before.len()),
        after: format!("{} rows in {} files", rows(&after), after.len()),
    })
}

async fn files_at(lake: &Lake, table: &LakeTable, version: i64) -> Result<BTreeMap<String, Option<u64>>, LakeError> {
    let missing = || LakeError::Missing {
        table: table.name.clone(),
        lake: lake.to_string(),
    };
    let at = lake.table_at(table.name(), version).await?.ok_or_else(missing)?;
    Ok(at.files()?.into_iter().map(|file| (file.path, file.rows)).collect())
}

/// Puts the old files back in the place of those new ones that are still live; what others did meanwhile stays.
async fn revert(table: &mut LakeTable, swap: &Swap) -> Result<(), LakeError> {
    loop {
        table.refresh().await?;
        let live = table.files()?;
        let is_live = |path: &str| live.iter().any(|file| file.path == path);
        let files = table.state()?.log_data();
        let ours = files
            .iter()
            .filter(|file| swap.added.iter().any(|add| add.path == file.path()));
        let mut actions: Vec<Action> = ours.map(|file| Action::Remove(file.remove_action(false))).collect();
        let restored = swap.removed.iter().filter(|file| !is_live(&file.path));
        actions.extend(restored.map(|file| Action::Add(entry_of(file))));
        match table.try_commit(actions, &[], operation(), Attempts::NextVersionOnly).await {
            Ok(_) => return Ok(()),
            Err(LakeError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
}

fn entry_of(file: &DataFile) -> Add {
    let bytes = usize::try_from(file.size).unwrap_or(usize::MAX);
    let rows = file.rows.and_then(|rows| usize::try_from(rows).ok()).unwrap_or_default();
    Add {
        data_change: false,
        ..log_entry(file.date, file.path.clone(), bytes, rows)
    }
}

fn operation() -> DeltaOperation {
    DeltaOperation::Optimize {
        predicate: None,
        target_size: TARGET_BYTES as i64,
    }
}
