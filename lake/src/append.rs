//! Changing a table: append once, replace days, replace all. Each is one Delta commit.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add, Remove, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use object_store::ObjectStoreExt;

use crate::open::{LakeTable, date_of};
use crate::{LakeError, durable, failpoint};

/// An application transaction (`txn` of the Delta protocol): `app_id` has committed everything up to `version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppTransaction {
    /// Who commits: for a collector its id with the log's epoch.
    pub app_id: String,
    /// Grows with each commit of `app_id`.
    pub version: i64,
}

/// Data files that are written and belong to no version of the table yet: see [`LakeTable::stage`].
#[derive(Debug, Clone, Default)]
#[must_use = "rows that are staged and never committed are lost"]
pub struct Staged(pub(crate) Vec<Add>);

impl Staged {
    /// These files too.
    pub fn extend(&mut self, more: Staged) {
        self.0.extend(more.0);
    }
}

/// Which live files a commit takes out of the table.
enum Replaced<'a> {
    Nothing,
    Dates(&'a BTreeSet<NaiveDate>),
    All,
}

/// How hard a commit tries when others commit at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempts {
    /// Again and again, as long as the library sees no conflict: right for what only adds.
    UntilConflict,
    /// Once, as the version after the one that the handle reads. The library does not see a compaction as a conflict
    /// (it skips removals without data change), so this is the only safe way for what removes files.
    NextVersionOnly,
}

impl LakeTable {
    /// Appends `batches` unless `transaction` was committed before; says whether it appended.
    ///
    /// The library accepts the same transaction twice, so the table is read anew first; one `app_id` must therefore have
    /// one writer at a time. Appends of different writers never conflict.
    pub async fn append_once(&mut self, batches: &[RecordBatch], transaction: &AppTransaction) -> Result<bool, LakeError> {
        self.refresh().await?;
        let committed = self.transaction_version(&transaction.app_id).await?;
        if committed.is_some_and(|version| version >= transaction.version) {
            return Ok(false);
        }
        self.commit(batches, Replaced::Nothing, std::slice::from_ref(transaction))
            .await?;
        Ok(true)
    }

    /// [`LakeTable::append_once`] of rows that were staged before.
    pub async fn append_staged_once(&mut self, staged: Staged, transaction: &AppTransaction) -> Result<bool, LakeError> {
        self.refresh().await?;
        let committed = self.transaction_version(&transaction.app_id).await?;
        if committed.is_some_and(|version| version >= transaction.version) {
            return Ok(false);
        }
        let transactions = std::slice::from_ref(transaction);
        self.commit_staged(staged, Replaced::Nothing, transactions).await?;
        Ok(true)
    }

    /// Whether the files of `staged` are where they were put: a commit must name no others, however long it had to wait.
    pub async fn has_staged(&self, staged: &Staged) -> Result<bool, LakeError> {
        let store = self.inner.object_store();
        for add in &staged.0 {
            match store.head(&object_store::path::Path::from(add.path.as_str())).await {
                Ok(found) if i64::try_from(found.size) == Ok(add.size) => {}
                Ok(_) | Err(object_store::Error::NotFound { .. }) => return Ok(false),
                Err(source) => {
                    return Err(LakeError::Store {
                        action: "look at",
                        path: add.path.clone(),
                        source,
                    });
                }
            }
        }
        Ok(true)
    }

    /// Appends `batches` without an application transaction.
    pub async fn append(&mut self, batches: &[RecordBatch]) -> Result<(), LakeError> {
        self.commit(batches, Replaced::Nothing, &[]).await
    }

    /// Replaces all rows of `dates` by `batches` (whose rows must be of those dates), in one commit.
    /// Fails with [`LakeError::Conflict`] where another writer changed those days since this handle was loaded.
    pub async fn replace_dates(
        &mut self,
        dates: &BTreeSet<NaiveDate>,
        batches: &[RecordBatch],
        transactions: &[AppTransaction],
    ) -> Result<(), LakeError> {
        self.commit(batches, Replaced::Dates(dates), transactions).await
    }

    /// Replaces all rows of the table by `batches`, in one commit.
    pub async fn replace_all(&mut self, batches: &[RecordBatch], transactions: &[AppTransaction]) -> Result<(), LakeError> {
        self.commit(batches, Replaced::All, transactions).await
    }

    async fn commit(
        &mut self,
        batches: &[RecordBatch],
        replaced: Replaced<'_>,
        transactions: &[AppTransaction],
    ) -> Result<(), LakeError> {
        let staged = self.stage(batches).await?;
        self.commit_staged(staged, replaced, transactions).await
    }

    /// Writes data files that no reader sees until a commit names them, so that rows need not wait in memory for it.
    /// What is never committed is an orphan, which vacuum removes.
    pub async fn stage(&self, batches: &[RecordBatch]) -> Result<Staged, LakeError> {
        let batches = batches.to_vec();
        self.write_files(move |writer| batches.iter().try_for_each(|batch| writer.write(batch)))
            .await
    }

    /// [`LakeTable::stage`] of a Parquet file's rows, see [`crate::FileWriter::copy`].
    pub async fn stage_file(&self, path: &Path) -> Result<Staged, LakeError> {
        let path = path.to_owned();
        self.write_files(move |writer| writer.copy(&path)).await
    }

    /// [`LakeTable::replace_dates`] by rows that were staged before.
    pub async fn replace_dates_by_staged(
        &mut self,
        dates: &BTreeSet<NaiveDate>,
        staged: Staged,
        transactions: &[AppTransaction],
    ) -> Result<(), LakeError> {
        self.commit_staged(staged, Replaced::Dates(dates), transactions).await
    }

    /// [`LakeTable::replace_all`] by rows that were staged before.
    pub async fn replace_all_by_staged(&mut self, staged: Staged, transactions: &[AppTransaction]) -> Result<(), LakeError> {
        self.commit_staged(staged, Replaced::All, transactions).await
    }

    async fn commit_staged(
        &mut self,
        staged: Staged,
        replaced: Replaced<'_>,
        transactions: &[AppTransaction],
    ) -> Result<(), LakeError> {
        let removals = self.removals(&replaced)?;
        let mode = match replaced {
            Replaced::Nothing => SaveMode::Append,
            _ => SaveMode::Overwrite,
        };
        let mut actions: Vec<Action> = removals.values().cloned().map(Action::Remove).collect();
        actions.extend(staged.0.into_iter().map(Action::Add));
        if actions.is_empty() && transactions.is_empty() {
            return Ok(());
        }
        let operation = DeltaOperation::Write {
            mode,
            partition_by: None,
            predicate: None,
        };
        if matches!(replaced, Replaced::Nothing) {
            let committed = self
                .try_commit(actions, transactions, operation, Attempts::UntilConflict)
                .await;
            return committed.map(drop);
        }
        // What replaces rows must know all of them: it commits behind the version it has looked at or not at all.
        loop {
            let committed = self
                .try_commit(actions.clone(), transactions, operation.clone(), Attempts::NextVersionOnly)
                .await;
            let conflict = match committed {
                Err(conflict @ LakeError::Conflict { .. }) => conflict,
                done => return done.map(drop),
            };
            self.refresh().await?;
            if !self.removals(&replaced)?.keys().eq(removals.keys()) {
                return Err(conflict);
            }
        }
    }

    /// One Delta commit of `actions`, and its version; the handle is at the newest version then, this one or a later.
    pub(crate) async fn try_commit(
        &mut self,
        actions: Vec<Action>,
        transactions: &[AppTransaction],
        operation: DeltaOperation,
        attempts: Attempts,
    ) -> Result<u64, LakeError> {
        let transactions = transactions.iter().map(|t| Transaction::new(&t.app_id, t.version)).collect();
        let mut properties = CommitProperties::default()
            .with_application_transactions(transactions)
            // Looking for old log files lists all of them: maintenance does it once a day, not every commit.
            .with_cleanup_expired_logs(Some(false));
        if attempts == Attempts::NextVersionOnly {
            properties = properties.with_max_retries(0);
        }
        let failed = |error| LakeError::delta("commit to", &self.name, error);
        failpoint::at("commit.before");
        let committed = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(self.state()?), self.inner.log_store(), operation)
            .await
            .map_err(failed)?;
        failpoint::at("commit.after");
        self.refresh().await?;
        Ok(committed.version())
    }

    /// What taking `replaced` out of the table means at this handle's version, by path.
    fn removals(&self, replaced: &Replaced<'_>) -> Result<BTreeMap<String, Remove>, LakeError> {
        let state = self.state()?;
        let removed = |date: Option<NaiveDate>| match replaced {
            Replaced::Nothing => false,
            Replaced::Dates(dates) => date.is_some_and(|date| dates.contains(&date)),
            Replaced::All => true,
        };
        Ok(state
            .log_data()
            .iter()
            .filter(|file| removed(date_of(&file.partition_values_map())))
            .map(|file| (file.path().into_owned(), file.remove_action(true)))
            .collect())
    }

    /// On a local lake the commit itself must be on the disk before anybody relies on it.
    pub(crate) fn sync_commit(&self, version: u64) -> Result<(), LakeError> {
        let Some(root) = &self.local else { return Ok(()) };
        let log = root.join("_delta_log");
        durable::sync(&log.join(format!("{version:020}.json")))?;
        durable::sync(&log)
    }
}
